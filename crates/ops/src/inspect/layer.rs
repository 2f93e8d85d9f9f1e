//! The layers of an image: what of each matters, and the files that they make together.

use std::collections::BTreeMap;
use std::io::Read;

use super::fault::Fault;
use super::limits::Limits;
use super::seen::{Seen, look, split};
use super::tar::{Kind, Tar};

/// How many links are followed on the way to a file.
const MOST_LINKS: usize = 40;

/// The longest program or library that is looked into.
const LARGEST: u64 = 128 << 20;

/// A layer: what it removes, and what it adds.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// Paths that are removed from the layers below.
    removed: Vec<String>,
    /// Folders whose contents in the layers below are hidden.
    hidden: Vec<String>,
    nodes: BTreeMap<String, Node>,
}

/// What is at a path. Paths have no slash in front; that of the top is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Folder,
    File(Seen),
    /// A link, as it is written.
    Symlink(String),
    /// Another name of a file.
    HardLink(String),
    Other,
}

impl Layer {
    /// Reads a layer.
    pub(super) fn read(from: impl Read, limits: &Limits) -> Result<Self, Fault> {
        let mut tar = Tar::new(from);
        let mut layer = Self::default();
        while let Some(entry) = tar.next()? {
            let path = normal(&entry.name)?;
            if !limits.takes_name(path.len() + entry.link.len()) {
                return Err(Fault::TooLarge("a million files"));
            }
            let (folder, name) = split(&path);
            if name == ".wh..wh..opq" {
                layer.hidden.push(folder.to_string());
                continue;
            }
            if let Some(name) = name.strip_prefix(".wh.") {
                // Others that begin like this are notes of a storage driver.
                if !name.is_empty() && !name.starts_with(".wh.") {
                    layer.removed.push(join(folder, name));
                }
                continue;
            }
            let node = match entry.kind {
                Kind::Folder => Node::Folder,
                Kind::File if entry.size <= LARGEST => Node::File(look(&path, &mut tar)?),
                Kind::File => Node::File(Seen::Nothing),
                Kind::Symlink => Node::Symlink(String::from_utf8_lossy(&entry.link).into_owned()),
                Kind::HardLink => {
                    let target = normal(&entry.link)?;
                    match layer.nodes.get(&target) {
                        Some(node @ (Node::File(_) | Node::Symlink(_))) => node.clone(),
                        _ => Node::HardLink(target),
                    }
                }
                Kind::Other => Node::Other,
            };
            layer.nodes.insert(path, node);
        }
        Ok(layer)
    }
}

/// The files of an image.
#[derive(Debug, Default)]
pub(super) struct Tree(BTreeMap<String, Node>);

impl Tree {
    /// Lays a layer over the files.
    pub(super) fn add(&mut self, layer: &Layer) {
        for path in &layer.removed {
            let path = self.real_place(path);
            self.remove_below(&path);
            self.0.remove(&path);
        }
        for path in &layer.hidden {
            let path = self.real(path).unwrap_or_else(|| path.clone());
            self.remove_below(&path);
        }
        for (path, node) in &layer.nodes {
            if path.is_empty() {
                continue;
            }
            let place = self.real_place(path);
            let node = match node {
                Node::HardLink(target) => match self.file(target) {
                    Some((_, seen)) => Node::File(seen.clone()),
                    None => Node::Other,
                },
                other => other.clone(),
            };
            if node != Node::Folder {
                self.remove_below(&place);
            } else if matches!(self.0.get(&place), Some(Node::Symlink(_)))
                && self.real(&place).is_some_and(|real| self.0.get(&real) == Some(&Node::Folder))
            {
                // A layer that names a folder which is a link in one below it means what that leads to.
                continue;
            }
            self.0.insert(place, node);
        }
    }

    /// Returns every file of which something was seen.
    pub(super) fn seen(&self) -> impl Iterator<Item = (&str, &Seen)> {
        self.0.iter().filter_map(|(path, node)| match node {
            Node::File(seen) => Some((path.as_str(), seen)),
            _ => None,
        })
    }

    /// Returns the names in a folder.
    pub(super) fn names<'a>(&'a self, folder: &str) -> impl Iterator<Item = &'a str> {
        let prefix = format!("{folder}/");
        let length = prefix.len();
        let from = self.0.range(prefix.clone()..);
        from.map(|(path, _)| path.as_str())
            .take_while(move |path| path.starts_with(&prefix))
            .map(move |path| &path[length..])
            .filter(|name| !name.contains('/'))
    }

    /// Returns the file that a path leads to, and its own path.
    pub(super) fn file(&self, path: &str) -> Option<(String, &Seen)> {
        let real = self.real(path)?;
        match self.0.get(&real)? {
            Node::File(seen) => Some((real, seen)),
            _ => None,
        }
    }

    /// Follows all links of a path; `None` if they lead round and round.
    pub(super) fn real(&self, path: &str) -> Option<String> {
        let mut left: Vec<String> = parts(path);
        left.reverse();
        let (mut real, mut links) = (String::new(), 0);
        while let Some(part) = left.pop() {
            if part == ".." {
                real = split(&real).0.to_string();
                continue;
            }
            let next = join(&real, &part);
            let Some(Node::Symlink(target)) = self.0.get(&next) else {
                real = next;
                continue;
            };
            links += 1;
            if links > MOST_LINKS || left.len() > 4096 {
                return None;
            }
            if target.starts_with('/') {
                real.clear();
            }
            left.extend(parts(target).into_iter().rev());
        }
        Some(real)
    }

    /// Follows the links of the folder that a path is in.
    fn real_place(&self, path: &str) -> String {
        let (folder, name) = split(path);
        self.real(folder).map_or_else(|| path.to_string(), |folder| join(&folder, name))
    }

    fn remove_below(&mut self, path: &str) {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let below = self.0.range(prefix.clone()..).map(|(path, _)| path);
        let below: Vec<_> = below.take_while(|path| path.starts_with(&prefix)).cloned().collect();
        for path in below {
            self.0.remove(&path);
        }
    }
}

/// Returns a path of an archive without a slash in front, and without what has no meaning in it.
fn normal(name: &[u8]) -> Result<String, Fault> {
    let name = String::from_utf8_lossy(name);
    let parts = parts(&name);
    if parts.iter().any(|part| part == "..") {
        return Err(Fault::malformed("a name in it leads out of it (`..`)"));
    }
    Ok(parts.join("/"))
}

fn parts(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").map(String::from).collect()
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_string() } else { format!("{folder}/{name}") }
}
