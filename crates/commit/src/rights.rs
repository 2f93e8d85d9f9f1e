//! Who could change a file, or what its name stands for, besides its owner.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::dir::{Access, Dir};
use crate::error::Error;
use crate::metadata::Identity;
use crate::path::RelPath;
use crate::root::Root;
use crate::xattr;

/// Names a file or directory that its group or everybody can write to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Writable {
    /// The file or directory, with its absolute path.
    pub path: PathBuf,
    /// The permission bits: `mode & 0o7777`.
    pub mode: u32,
    /// The numeric owner.
    pub uid: u32,
    /// The numeric group.
    pub gid: u32,
    /// Whether an ACL may let others write whom neither mode nor group name.
    pub acl: bool,
}

impl Root {
    /// Returns what users other than its owner can write to: of these files, and of the directories from the root
    /// to each.
    ///
    /// A directory with the sticky bit is left out: in it nobody can rename or remove what is another's.
    /// What is not there, or nobody may look at, is not listed; [`Lock::check`](crate::Lock::check) tells why.
    ///
    /// # Errors
    /// The system could not look: then nobody knows what others can write to.
    pub fn writable_by_others<'p>(
        &self,
        paths: impl IntoIterator<Item = &'p Path>,
    ) -> Result<BTreeSet<Writable>, Error> {
        let mut looks = Looks { root: self.dir(), dirs: BTreeMap::new(), found: BTreeSet::new() };
        for path in paths {
            match looks.file(path) {
                Err(error) if error.errno().is_some_and(is_of_system) => return Err(error),
                // The others may be there.
                _ => {}
            }
        }
        Ok(looks.found)
    }
}

/// So many directories are open at most.
const OPEN: usize = 6;

/// Returns whether an error says nothing of what was to be looked at.
fn is_of_system(errno: Errno) -> bool {
    matches!(errno, Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::IO)
}

struct Looks<'r, 'p> {
    root: &'r Dir,
    /// Those that were looked at last: most of the files are in few.
    dirs: BTreeMap<&'p Path, Dir>,
    found: BTreeSet<Writable>,
}

impl<'p> Looks<'_, 'p> {
    fn file(&mut self, path: &'p Path) -> Result<(), Error> {
        let path = RelPath::parse(path)?;
        let mut on_the_way: Vec<_> = path.parent().ancestors().collect();
        on_the_way.reverse();
        for path in on_the_way {
            if self.dirs.len() >= OPEN && !self.dirs.contains_key(path) {
                self.dirs.clear();
            }
            if let Entry::Vacant(vacant) = self.dirs.entry(path) {
                let dir = vacant.insert(self.root.descend(path, Access::Search)?);
                look(dir, OsStr::new("."), dir.path(), &mut self.found)?;
            }
        }
        match self.dirs.get(path.parent()) {
            Some(dir) => look(dir, path.name(), &dir.join(path.name()), &mut self.found),
            None => Ok(()),
        }
    }
}

fn look(dir: &Dir, name: &OsStr, path: &Path, found: &mut BTreeSet<Writable>) -> Result<(), Error> {
    let Some(entry) = dir.entry(name)? else { return Ok(()) };
    let Identity { mode, uid, gid, .. } = entry.identity;
    let is_sticky = entry.kind == FileType::Directory && mode & 0o1000 != 0;
    // The mode of a link says nothing, and it is not followed.
    if mode & 0o022 != 0 && !is_sticky && entry.kind != FileType::Symlink {
        let acl = mode & 0o020 != 0 && xattr::name_has_acl(dir, name);
        found.insert(Writable { path: path.to_path_buf(), mode, uid, gid, acl });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Returns what is found for `a/b/file`, as names and modes.
    fn found(modes: [u32; 4]) -> Vec<(String, u32)> {
        let temp = tempfile::tempdir().unwrap();
        let top = temp.path().canonicalize().unwrap();
        fs::create_dir_all(top.join("a/b")).unwrap();
        fs::write(top.join("a/b/file"), "").unwrap();
        for (path, mode) in ["a/b/file", "a/b", "a", ""].into_iter().zip(modes.into_iter().rev()) {
            fs::set_permissions(top.join(path), Permissions::from_mode(mode)).unwrap();
        }
        let all = Root::open(&top)
            .unwrap()
            .writable_by_others([Path::new("a/b/file"), Path::new("no/file")])
            .unwrap();
        let name = |path: &Path| path.strip_prefix(&top).unwrap().display().to_string();
        all.iter().map(|one| (name(&one.path), one.mode)).collect()
    }

    #[test]
    fn every_directory_from_the_root_to_the_file_counts() {
        assert_eq!(found([0o755, 0o755, 0o755, 0o644]), []);
        assert_eq!(found([0o777, 0o755, 0o755, 0o644]), [(String::new(), 0o777)]);
        assert_eq!(found([0o755, 0o775, 0o755, 0o644]), [("a".into(), 0o775)]);
        assert_eq!(found([0o755, 0o755, 0o702, 0o644]), [("a/b".into(), 0o702)]);
        assert_eq!(found([0o755, 0o755, 0o755, 0o664]), [("a/b/file".into(), 0o664)]);
    }

    #[test]
    fn a_sticky_directory_protects_what_is_in_it_and_a_sticky_file_nothing() {
        assert_eq!(found([0o1777, 0o1775, 0o755, 0o644]), []);
        assert_eq!(found([0o755, 0o755, 0o755, 0o1666]), [("a/b/file".into(), 0o1666)]);
    }

    #[test]
    fn what_is_not_there_is_not_listed() {
        let temp = tempfile::tempdir().unwrap();
        let root = Root::open(temp.path()).unwrap();
        assert!(root.writable_by_others([Path::new("no/file"), Path::new("file")]).unwrap().is_empty());
    }
}
