//! Files as the views ask for them, and what they were told.

use std::cell::RefCell;
use std::collections::BTreeMap;

use model::{Code, Diagnostic};
pub use pgconf::{Bytes, Found};

/// Returns the files of one target; the only door through which the views see the world.
///
/// A path is relative to the target's root, with `/` between its parts, or absolute: then it is one of
/// the host that the files belong to, and is looked up below `--root` where that is given.
pub trait Source {
    /// Reads a file. An error is a file that is there and cannot be read: too large, no permission.
    fn read(&self, path: &str) -> Found<Bytes>;

    /// Lists the names of the files in a folder.
    fn list(&self, folder: &str) -> Found<Vec<String>>;

    /// Returns the path below the target's root for an absolute path of the host, where it is one.
    fn below_root(&self, absolute: &str) -> Option<String>;
}

/// Returns the error of a file or folder that cannot be read.
pub(crate) fn unreadable(path: &str, why: &str) -> Diagnostic {
    let colon = if why.starts_with("is ") || why.starts_with("has ") { "" } else { ":" };
    let finding = Diagnostic::error(Code::Unreadable, format!("{path}{colon} {why}"));
    // The source words what the system said; a right that is missing is what most people meet first.
    if why.ends_with("permission denied") {
        return finding.help("run as root or with `sudo`");
    }
    if why.contains("is a symbolic link") {
        return finding.help("replace the link with what it points to");
    }
    finding.help("check what is at this path: a regular file or folder that can be read is needed")
}

/// Files in memory: everything that a [`Source`] was asked, with its answers, or a whole tree.
///
/// Observing again from a snapshot gives the same result; with some bytes replaced, it tells what a
/// plan would lead to. One that is collected from paths and contents is a tree that holds these files
/// and no others.
///
/// ```
/// use kasm_db_render::{Found, Snapshot, Source};
///
/// let tree = Snapshot::from_iter([("docker/compose.yaml", "services: {}\n"), ("docker/.env", "A=1\n")]);
/// assert_eq!(tree.read("docker/.env"), Found::Yes("A=1\n".into()));
/// assert_eq!(tree.list("docker"), Found::Yes(vec![".env".into(), "compose.yaml".into()]));
/// assert_eq!(tree.list("conf"), Found::No);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    files: BTreeMap<String, Found<Bytes>>,
    folders: BTreeMap<String, Found<Vec<String>>>,
    below: BTreeMap<String, Option<String>>,
    /// Whether `files` are all that there are, rather than those that were asked for.
    is_whole: bool,
}

impl<P: Into<String>, B: Into<Bytes>> FromIterator<(P, B)> for Snapshot {
    fn from_iter<I: IntoIterator<Item = (P, B)>>(files: I) -> Self {
        let files = files.into_iter().map(|(path, bytes)| (path.into(), Found::Yes(bytes.into())));
        Self { files: files.collect(), is_whole: true, ..Self::default() }
    }
}

impl Snapshot {
    /// Returns a file's bytes as they were read.
    pub fn bytes(&self, path: &str) -> Option<&[u8]> {
        self.shared(path).map(|bytes| &**bytes)
    }

    /// Returns the same, to be kept.
    pub(crate) fn shared(&self, path: &str) -> Option<&Bytes> {
        match self.files.get(path) {
            Some(Found::Yes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// Returns the same snapshot with other bytes in some files.
    #[must_use]
    pub fn with(&self, changed: impl IntoIterator<Item = (String, Bytes)>) -> Self {
        let mut copy = self.clone();
        copy.files.extend(changed.into_iter().map(|(path, bytes)| (path, Found::Yes(bytes))));
        copy
    }

    /// Lists a folder by the files that are held; one without any is not there.
    fn names(&self, folder: &str) -> Found<Vec<String>> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let below: Vec<_> = self.files.keys().filter_map(|path| path.strip_prefix(&prefix)).collect();
        if below.is_empty() {
            return Found::No;
        }
        Found::Yes(below.into_iter().filter(|name| !name.contains('/')).map(String::from).collect())
    }

    /// Returns every file that was asked for, and whether it was there.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Found<Bytes>)> {
        self.files.iter().map(|(path, found)| (path.as_str(), found))
    }
}

impl Source for Snapshot {
    fn read(&self, path: &str) -> Found<Bytes> {
        self.files.get(path).cloned().unwrap_or(Found::No)
    }

    fn list(&self, folder: &str) -> Found<Vec<String>> {
        match self.folders.get(folder) {
            Some(known) => known.clone(),
            // A file that nobody asked for may lie there too, so that only a whole tree can tell.
            None if self.is_whole => self.names(folder),
            None => Found::No,
        }
    }

    fn below_root(&self, absolute: &str) -> Option<String> {
        self.below.get(absolute).cloned().flatten()
    }
}

/// Asks a [`Source`] and writes the answers down.
pub(crate) struct Recorder<'a> {
    source: &'a dyn Source,
    taken: RefCell<Snapshot>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(source: &'a dyn Source) -> Self {
        Self { source, taken: RefCell::default() }
    }

    pub(crate) fn finish(self) -> Snapshot {
        self.taken.into_inner()
    }
}

impl Source for Recorder<'_> {
    fn read(&self, path: &str) -> Found<Bytes> {
        if let Some(known) = self.taken.borrow().files.get(path) {
            return known.clone();
        }
        let found = self.source.read(path);
        self.taken.borrow_mut().files.insert(path.to_string(), found.clone());
        found
    }

    fn list(&self, folder: &str) -> Found<Vec<String>> {
        let found = self.source.list(folder);
        self.taken.borrow_mut().folders.insert(folder.to_string(), found.clone());
        found
    }

    fn below_root(&self, absolute: &str) -> Option<String> {
        let below = self.source.below_root(absolute);
        self.taken.borrow_mut().below.insert(absolute.to_string(), below.clone());
        below
    }
}

/// Joins a path to the folder of the file that names it, and resolves `.` and `..` by name.
pub(crate) fn join(folder: &str, path: &str) -> String {
    let whole = if path.starts_with('/') || folder.is_empty() {
        path.to_string()
    } else {
        format!("{folder}/{path}")
    };
    pgconf::normalize(&whole)
}

/// Returns the folder of a path; empty for a bare name.
pub(crate) fn folder(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((folder, _)) => folder,
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_join_by_name() {
        for (folder, path, joined) in [
            ("docker", "../conf/x", "conf/x"),
            ("docker/.conf", "./a.yaml", "docker/.conf/a.yaml"),
            ("", "a//b", "a/b"),
            ("docker", "/etc/../x", "/x"),
            ("a", "../../b", "../b"),
        ] {
            assert_eq!(join(folder, path), joined);
        }
        assert_eq!((folder("a/b/c"), folder("a"), folder("/a")), ("a/b", "", "/"));
    }
}
