//! The PostgreSQL server among the files of an image.

use std::collections::BTreeMap;

use model::contents::{Extension, Server};

use super::fault::Fault;
use super::layer::Tree;
use super::seen::{Seen, split};

/// Finds the server: the one that `PATH` finds, or the only one there is; `None` if there is none.
///
/// # Errors
/// There are several, and `PATH` finds none of them.
pub(super) fn find(tree: &Tree, path: &str) -> Result<Option<Server>, Fault> {
    let found = path.split(':').find_map(|folder| version_at(tree, &format!("{folder}/postgres")));
    let (program, version) = match found {
        Some(found) => found,
        None => {
            let mut all: Vec<_> = tree
                .seen()
                .filter_map(|(path, seen)| match seen {
                    Seen::Server(version) => Some((path.to_string(), version.clone())),
                    _ => None,
                })
                .collect();
            match all.len() {
                0 => return Ok(None),
                1 => all.remove(0),
                _ => {
                    let all: Vec<_> = all.iter().map(|(path, _)| format!("/{path}")).collect();
                    let message = format!("it has several PostgreSQL servers: {}", all.join(", "));
                    return Err(Fault::malformed(message));
                }
            }
        }
    };
    let major = version.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().to_string();
    let near = Near { program: &program, major: &major };
    let mut server = Server { version: version.clone(), program: format!("/{program}"), ..Server::default() };
    if let Some(folder) = near.folder(tree, "plpgsql.so", |seen| matches!(seen, Seen::Module(_))) {
        libraries(tree, &folder, &mut server);
        server.library_folder = Some(format!("/{folder}"));
    }
    if let Some(folder) = near.folder(tree, "plpgsql.control", |seen| matches!(seen, Seen::Control { .. })) {
        server.extensions = extensions(tree, &folder);
    }
    Ok(Some(server))
}

fn version_at(tree: &Tree, path: &str) -> Option<(String, String)> {
    match tree.file(path)? {
        (real, Seen::Server(version)) => Some((real, version.clone())),
        _ => None,
    }
}

/// Where the files of a server are, as far as its own place and major tell: an image may have files of several.
struct Near<'a> {
    program: &'a str,
    major: &'a str,
}

impl Near<'_> {
    /// Returns the folder with a file that every server has.
    fn folder(&self, tree: &Tree, name: &str, is_one: impl Fn(&Seen) -> bool) -> Option<String> {
        let folders = tree.seen().filter(|(_, seen)| is_one(seen)).map(|(path, _)| split(path));
        let folders = folders.filter(|(_, own)| *own == name).map(|(folder, _)| folder);
        folders.max_by_key(|folder| self.likeness(folder)).map(String::from)
    }

    /// Returns how much speaks for a folder: the major in its path first, then how much of that is the program's.
    fn likeness(&self, folder: &str) -> (bool, usize) {
        let parts = || folder.split('/');
        let named = parts().any(|part| part.trim_start_matches(|c: char| !c.is_ascii_digit()) == self.major);
        let shared = parts().zip(self.program.split('/')).take_while(|(own, other)| own == other).count();
        (named, shared)
    }
}

fn libraries(tree: &Tree, folder: &str, server: &mut Server) {
    for name in tree.names(folder) {
        let Some(library) = name.strip_suffix(".so") else { continue };
        if let Some((_, Seen::Module(settings))) = tree.file(&format!("{folder}/{name}")) {
            server.libraries.push(library.to_string());
            server.settings.extend(settings.iter().cloned());
        }
    }
    server.libraries.sort_unstable();
    server.settings.sort_unstable();
    server.settings.dedup();
}

fn extensions(tree: &Tree, folder: &str) -> BTreeMap<String, Extension> {
    let names = tree.names(folder).filter_map(|name| name.strip_suffix(".control"));
    // Those with a version in their name add to one without.
    let names = names.filter(|name| !name.contains("--"));
    let one = |name: &str| match tree.file(&format!("{folder}/{name}.control"))? {
        (_, Seen::Control { version, requires }) => {
            Some((name.to_string(), Extension { version: version.clone(), requires: requires.clone() }))
        }
        _ => None,
    };
    names.filter_map(one).collect()
}
