//! Files as the views ask for them, and what they were told.

use std::cell::RefCell;
use std::collections::BTreeMap;

pub use pgconf::Found;

/// Gives the files of one target; the only door through which the views see the world.
///
/// A path is relative to the target's root, with `/` between its parts, or absolute: then it is one of
/// the host that the files belong to, and is looked up below `--root` where that is given.
pub trait Source {
    /// Reads a file. An error is a file that is there and can not be read: too large, no permission.
    fn read(&self, path: &str) -> Found<Vec<u8>>;

    /// Lists the names of the files in a folder.
    fn list(&self, folder: &str) -> Found<Vec<String>>;

    /// Gives the path below the target's root for an absolute path of the host, where it is one.
    fn below_root(&self, absolute: &str) -> Option<String>;
}

/// Everything that a [`Source`] was asked, with its answers.
///
/// Observing again from a snapshot gives the same result; with some bytes replaced, it tells what a
/// plan would lead to.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    files: BTreeMap<String, Found<Vec<u8>>>,
    folders: BTreeMap<String, Found<Vec<String>>>,
    below: BTreeMap<String, Option<String>>,
}

impl Snapshot {
    /// Gives a file's bytes as they were read.
    pub fn bytes(&self, path: &str) -> Option<&[u8]> {
        match self.files.get(path) {
            Some(Found::Yes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// Gives the same snapshot with other bytes in some files.
    #[must_use]
    pub fn with(&self, changed: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let mut copy = self.clone();
        copy.files.extend(changed.into_iter().map(|(path, bytes)| (path, Found::Yes(bytes))));
        copy
    }

    /// Gives every file that was asked for, and whether it was there.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Found<Vec<u8>>)> {
        self.files.iter().map(|(path, found)| (path.as_str(), found))
    }
}

impl Source for Snapshot {
    fn read(&self, path: &str) -> Found<Vec<u8>> {
        self.files.get(path).cloned().unwrap_or(Found::No)
    }

    fn list(&self, folder: &str) -> Found<Vec<String>> {
        self.folders.get(folder).cloned().unwrap_or(Found::No)
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
    fn read(&self, path: &str) -> Found<Vec<u8>> {
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

/// Gives the folder of a path; empty for a bare name.
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
