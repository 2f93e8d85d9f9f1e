//! Who could replace what is run, or a folder on the way to what is written.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// So many links are followed, as the kernel does.
const MAX_LINKS: usize = 40;

/// A component of a path that somebody else could replace, or that is somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weak {
    /// The component: a folder, a link or the file itself.
    pub path: PathBuf,
    /// Why nobody should rely on it.
    pub why: Weakness,
}

/// Why a component is not to be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weakness {
    /// Its group or everybody can write to it.
    Writable {
        /// Its permission bits.
        mode: u32,
        /// Its group.
        gid: u32,
    },
    /// It belongs neither to root nor to the caller.
    Owner {
        /// The numeric owner.
        uid: u32,
    },
}

/// Walks a path from `/` on as the kernel does, with each link step by step, and returns what is weak on the way.
///
/// A component must belong to root or to the caller, and neither its group nor others may write to it. Entries of an ACL
/// count: the group's bits are their mask. Root's own group passes. A folder with the sticky bit passes, as in it nobody can
/// replace what is another's.
///
/// # Errors
/// A component is not there or cannot be looked at; or there are too many links.
pub fn walk(path: &Path) -> io::Result<Vec<Weak>> {
    let absolute = std::path::absolute(path)?;
    let caller = rustix::process::geteuid().as_raw();
    let mut pending: VecDeque<OsString> = names(&absolute).collect();
    let mut at = PathBuf::from("/");
    let mut found = Vec::new();
    let mut links = 0;
    judge(&at, &at.symlink_metadata()?, caller, &mut found);
    while let Some(name) = pending.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&name);
        let meta = next.symlink_metadata()?;
        judge(&next, &meta, caller, &mut found);
        if !meta.is_symlink() {
            at = next;
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(io::Error::other("too many symbolic links"));
        }
        let to = std::fs::read_link(&next)?;
        if to.is_absolute() {
            at = PathBuf::from("/");
        }
        for name in names(&to).collect::<Vec<_>>().into_iter().rev() {
            pending.push_front(name);
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_os_string()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

fn judge(path: &Path, meta: &std::fs::Metadata, caller: u32, found: &mut Vec<Weak>) {
    let (mode, uid, gid) = (meta.mode(), meta.uid(), meta.gid());
    if uid != 0 && uid != caller {
        found.push(Weak { path: path.to_path_buf(), why: Weakness::Owner { uid } });
    }
    // The mode of a link says nothing.
    let is_open = !meta.is_symlink() && (mode & 0o002 != 0 || (mode & 0o020 != 0 && gid != 0));
    let is_sticky = meta.is_dir() && mode & 0o1000 != 0;
    if is_open && !is_sticky {
        found.push(Weak { path: path.to_path_buf(), why: Weakness::Writable { mode: mode & 0o7777, gid } });
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, create_dir, set_permissions, write};
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    use super::*;

    fn mode(path: &Path, mode: u32) {
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// Returns what is weak below a folder of our own.
    fn weak(folder: &Path, path: &str) -> Vec<(String, Weakness)> {
        let all = walk(&folder.join(path)).unwrap();
        let below = all
            .into_iter()
            .filter_map(|weak| Some((weak.path.strip_prefix(folder).ok()?.display().to_string(), weak.why)));
        below.collect()
    }

    #[test]
    fn every_component_counts_and_those_that_links_lead_through_do() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        for name in ["a", "a/b", "elsewhere"] {
            create_dir(folder.join(name)).unwrap();
            mode(&folder.join(name), 0o755);
        }
        write(folder.join("elsewhere/run"), "").unwrap();
        mode(&folder.join("elsewhere/run"), 0o755);
        symlink("../../elsewhere", folder.join("a/b/link")).unwrap();
        assert_eq!(weak(&folder, "a/b/link/run"), []);
        let open = |path: &str| {
            let gid = folder.join(path).metadata().unwrap().gid();
            (path.to_string(), Weakness::Writable { mode: 0o777, gid })
        };
        for path in ["a", "a/b", "elsewhere", "elsewhere/run"] {
            mode(&folder.join(path), 0o777);
            assert_eq!(weak(&folder, "a/b/link/run"), [open(path)], "{path}");
            // In a sticky folder nobody replaces what is another's; a file has no such bit.
            mode(&folder.join(path), 0o1777);
            assert_eq!(weak(&folder, "a/b/link/run").len(), usize::from(path.ends_with("run")), "{path}");
            mode(&folder.join(path), 0o755);
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test says that it takes root")]
    fn what_is_somebody_elses_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        if folder.metadata().unwrap().uid() != 0 {
            assert!(std::env::var_os("CI").is_none(), "this test takes root");
            return;
        }
        write(folder.join("run"), "").unwrap();
        symlink("run", folder.join("link")).unwrap();
        chown(folder.join("run"), Some(1234), Some(0)).unwrap();
        let theirs = ("run".to_string(), Weakness::Owner { uid: 1234 });
        assert_eq!(weak(&folder, "link"), [theirs]);
        // The mask of an ACL stands where the bits of the group do.
        chown(folder.join("run"), Some(0), Some(1234)).unwrap();
        mode(&folder.join("run"), 0o770);
        let open = ("run".to_string(), Weakness::Writable { mode: 0o770, gid: 1234 });
        assert_eq!(weak(&folder, "link"), [open]);
        chown(folder.join("run"), Some(0), Some(0)).unwrap();
        assert_eq!(weak(&folder, "link"), []);
    }

    #[test]
    fn a_circle_of_links_has_an_end() {
        let folder = tempfile::tempdir().unwrap();
        symlink("b", folder.path().join("a")).unwrap();
        symlink("a", folder.path().join("b")).unwrap();
        assert!(walk(&folder.path().join("a")).is_err());
        assert!(walk(&folder.path().join("nothing")).is_err());
    }
}
