//! Which paths are accepted, and which names next to a file are ours.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use crate::error::{Error, PathProblem};

/// Where the journal, the backups and what else outlives a run is, directly below the root.
pub(crate) const STATE_DIR: &str = ".kasm-db";

/// The name under which [`STATE_DIR`] is deleted.
pub(crate) const GONE: &str = ".kasm-db-gone";

const STAGED: &[u8] = b".kasm-db-new";
const KEPT: &[u8] = b".kasm-db-old";

/// A path that can only lead to a file beneath the root it is looked up in.
///
/// There is one spelling per file: `.` and doubled slashes are refused rather than cleaned up, so that two
/// equal files are two equal paths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RelPath<'a> {
    path: &'a Path,
    name: &'a OsStr,
}

impl<'a> RelPath<'a> {
    pub(crate) fn parse(path: &'a Path) -> Result<RelPath<'a>, Error> {
        let refuse = |why| Err(Error::Path { path: path.to_path_buf(), why });
        let bytes = path.as_os_str().as_bytes();
        if bytes.is_empty() {
            return refuse(PathProblem::Empty);
        }
        if bytes.first() == Some(&b'/') {
            return refuse(PathProblem::Absolute);
        }
        if bytes.contains(&0) {
            return refuse(PathProblem::Nul);
        }
        let mut name: &[u8] = b"";
        for component in bytes.split(|&byte| byte == b'/') {
            match component {
                b"" => return refuse(PathProblem::EmptyComponent),
                b"." => return refuse(PathProblem::CurrentDirectory),
                b".." => return refuse(PathProblem::ParentDirectory),
                _ => name = component,
            }
        }
        Ok(RelPath { path, name: OsStr::from_bytes(name) })
    }

    /// As [`RelPath::parse`], but refuses the names this crate takes for itself.
    pub(crate) fn parse_target(path: &'a Path) -> Result<RelPath<'a>, Error> {
        let parsed = RelPath::parse(path)?;
        if path.starts_with(STATE_DIR) {
            return Err(Error::Path { path: path.to_path_buf(), why: PathProblem::Reserved });
        }
        let name = parsed.name.as_bytes();
        // Such a file would be swept away as the rest of an earlier commit.
        if name.first() == Some(&b'.') && (name.ends_with(STAGED) || name.ends_with(KEPT)) {
            return Err(Error::Path { path: path.to_path_buf(), why: PathProblem::Reserved });
        }
        Ok(parsed)
    }

    pub(crate) fn path(self) -> &'a Path {
        self.path
    }

    /// The directory, empty for a file in the root itself.
    pub(crate) fn parent(self) -> &'a Path {
        self.path.parent().unwrap_or_else(|| Path::new(""))
    }

    pub(crate) fn name(self) -> &'a OsStr {
        self.name
    }
}

/// The name under which the new content waits and, after the exchange, the old one.
///
/// It is the same in every run, so that a later run finds what an interrupted one left. The leading dot keeps
/// it out of globs and of PostgreSQL's `include_dir`.
pub(crate) fn staged_name(name: &OsStr) -> OsString {
    beside(name, STAGED)
}

/// The name of the hard link that keeps the old content where names cannot be exchanged.
pub(crate) fn kept_name(name: &OsStr) -> OsString {
    beside(name, KEPT)
}

fn beside(name: &OsStr, suffix: &[u8]) -> OsString {
    OsString::from_vec([b".", name.as_bytes(), suffix].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(path: &str) -> Option<PathProblem> {
        match RelPath::parse_target(Path::new(path)) {
            Err(Error::Path { why, .. }) => Some(why),
            Err(other) => panic!("{other}"),
            Ok(_) => None,
        }
    }

    #[test]
    fn only_one_spelling_of_a_path_beneath_the_root_is_accepted() {
        assert_eq!(problem("a"), None);
        assert_eq!(problem("a/.b/..c"), None);
        assert_eq!(problem(""), Some(PathProblem::Empty));
        assert_eq!(problem("/a"), Some(PathProblem::Absolute));
        assert_eq!(problem("a//b"), Some(PathProblem::EmptyComponent));
        assert_eq!(problem("a/"), Some(PathProblem::EmptyComponent));
        assert_eq!(problem("./a"), Some(PathProblem::CurrentDirectory));
        assert_eq!(problem("a/.."), Some(PathProblem::ParentDirectory));
        assert_eq!(problem("../a"), Some(PathProblem::ParentDirectory));
        assert_eq!(problem("a\0b"), Some(PathProblem::Nul));
    }

    #[test]
    fn our_own_names_are_not_targets() {
        for name in [staged_name(OsStr::new("a")), kept_name(OsStr::new("a"))] {
            assert_eq!(problem(name.to_str().unwrap()), Some(PathProblem::Reserved));
        }
        assert_eq!(problem(".kasm-db/journal"), Some(PathProblem::Reserved));
        assert_eq!(problem(".kasm-db"), Some(PathProblem::Reserved));
        assert_eq!(problem("a/.kasm-db"), None);
        assert_eq!(problem("a.kasm-db-new"), None);
    }
}
