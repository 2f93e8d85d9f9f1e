//! Who could replace what is run, or a folder on the way to what is written.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

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
        /// Its group; `None` if an ACL lets others write.
        gid: Option<u32>,
    },
    /// It belongs neither to root nor to the caller.
    Owner {
        /// The numeric owner.
        uid: u32,
    },
}

/// Where a path leads to, with all that is on the way held open: no other file gets the number of one of them.
#[derive(Debug)]
pub struct Walked {
    /// What is weak on the way, each once.
    pub weak: Vec<Weak>,
    steps: Vec<Step>,
}

/// A component of a path, open.
#[derive(Debug)]
struct Step {
    path: PathBuf,
    fd: OwnedFd,
    identity: Identity,
}

/// Which file it is, and who may do what with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    dev: u64,
    ino: u64,
    mode: u32,
    uid: u32,
    /// `None` if it has an ACL that may let others write.
    gid: Option<u32>,
}

/// Walks a path from `/` on as the kernel does, with each link step by step, and returns what is weak on the way.
///
/// A component must belong to root or to the caller, and neither its group nor others may write to it. Root's own group passes,
/// unless there is an ACL: then the group's bits are the mask of its entries, which may be anybody's. A folder with the sticky bit passes, as in it nobody can
/// replace what is another's.
///
/// Each component is looked up in the descriptor of the folder before it, and judged by its own descriptor: what was judged is
/// what is held. Who may replace none of the folders that were passed cannot lead the rest of the walk elsewhere.
///
/// # Errors
/// A component is not there or cannot be looked at; or there are too many links.
pub fn walk(path: &Path) -> io::Result<Walked> {
    let absolute = std::path::absolute(path)?;
    let mut ahead: VecDeque<OsString> = names(&absolute).collect();
    let mut steps = vec![Step::open(CWD, OsStr::new("/"), PathBuf::from("/"))?];
    // The folders that the walk is in, from `/` on.
    let mut within = vec![0];
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        let folder = &steps[within.last().copied().unwrap_or_default()];
        if name == ".." {
            within.truncate((within.len() - 1).max(1));
            continue;
        }
        let step = Step::open(folder.fd.as_fd(), &name, folder.path.join(&name))?;
        if !step.is(FileType::Symlink) {
            within.push(steps.len());
            steps.push(step);
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(Errno::LOOP.into());
        }
        let to = rustix::fs::readlinkat(&step.fd, "", Vec::new())?;
        let to = PathBuf::from(OsString::from_vec(to.into_bytes()));
        if to.is_absolute() {
            within.truncate(1);
        }
        steps.push(step);
        for name in names(&to).collect::<Vec<_>>().into_iter().rev() {
            ahead.push_front(name);
        }
    }
    // What the path leads to is the last one, also if it ended with `..`.
    if let Some(last) = within.last().copied().filter(|last| *last + 1 < steps.len()) {
        let again = Step::open(steps[last].fd.as_fd(), OsStr::new("."), steps[last].path.clone())?;
        steps.push(again);
    }
    let caller = rustix::process::geteuid().as_raw();
    let mut weak: Vec<Weak> = steps.iter().flat_map(|step| step.weak(caller)).collect();
    weak.sort();
    weak.dedup();
    Ok(Walked { weak, steps })
}

/// Returns what is weak on the way that [`walk`] takes, and holds none of it: of a path without links, two components are open
/// at a time.
///
/// # Errors
/// As for [`walk`].
pub fn weak(path: &Path) -> io::Result<Vec<Weak>> {
    let absolute = std::path::absolute(path)?;
    let caller = rustix::process::geteuid().as_raw();
    let mut step = Step::open(CWD, OsStr::new("/"), PathBuf::from("/"))?;
    let mut weak: Vec<_> = step.weak(caller).collect();
    for name in names(&absolute) {
        if name == ".." {
            return Ok(walk(path)?.weak);
        }
        step = Step::open(step.fd.as_fd(), &name, step.path.join(&name))?;
        if step.is(FileType::Symlink) {
            return Ok(walk(path)?.weak);
        }
        weak.extend(step.weak(caller));
    }
    weak.sort();
    Ok(weak)
}

/// Returns why a file with this mode and this owner and group is not to be relied on by the caller; no group stands for an ACL.
pub fn weakness(mode: u32, uid: u32, gid: Option<u32>) -> Option<Weakness> {
    let caller = rustix::process::geteuid().as_raw();
    let identity = Identity { dev: 0, ino: 0, mode: mode & 0o7777, uid, gid };
    identity.weaknesses(FileType::RegularFile, caller).next()
}

/// Returns whether an open file has an ACL beyond its mode. What cannot be told is taken for one.
pub fn has_acl(file: impl AsFd) -> bool {
    let path = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    !matches!(
        rustix::fs::getxattr(path, "system.posix_acl_access", &mut [0_u8; 0]),
        Err(Errno::NODATA | Errno::NOTSUP)
    )
}

impl Walked {
    /// Returns whether it leads to a regular file that may be run.
    pub(crate) fn is_program(&self) -> bool {
        self.steps
            .last()
            .is_some_and(|step| step.is(FileType::RegularFile) && step.identity.mode & 0o111 != 0)
    }

    /// Returns the descriptor of what the path leads to, which can neither be read nor written (`O_PATH`).
    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        // A walk has at least the step to `/`.
        self.steps[self.steps.len() - 1].fd.as_fd()
    }

    /// Returns whether another walk came by the same files, with the same owners and modes.
    pub(crate) fn is_same(&self, other: &Walked) -> bool {
        let identities = |walked: &Walked| walked.steps.iter().map(|step| step.identity).collect::<Vec<_>>();
        identities(self) == identities(other)
    }
}

impl Step {
    fn open(folder: BorrowedFd<'_>, name: &OsStr, path: PathBuf) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // As a folder first: what is mounted when it is entered is mounted then.
        let opened = match rustix::fs::openat(folder, name, flags | OFlags::DIRECTORY, Mode::empty()) {
            Err(Errno::NOTDIR | Errno::LOOP) => rustix::fs::openat(folder, name, flags, Mode::empty()),
            opened => opened,
        };
        let fd = opened?;
        let mut identity = Identity::of(&rustix::fs::fstat(&fd)?);
        if identity.mode & 0o020 != 0 && has_acl(&fd) {
            identity.gid = None;
        }
        Ok(Self { path, fd, identity })
    }

    fn is(&self, kind: FileType) -> bool {
        FileType::from_raw_mode(self.identity.mode) == kind
    }

    fn weak(&self, caller: u32) -> impl Iterator<Item = Weak> {
        let kind = FileType::from_raw_mode(self.identity.mode);
        self.identity.weaknesses(kind, caller).map(|why| Weak { path: self.path.clone(), why })
    }
}

impl Identity {
    fn of(stat: &Stat) -> Self {
        let (mode, uid, gid) = (stat.st_mode, stat.st_uid, Some(stat.st_gid));
        Self { dev: stat.st_dev, ino: stat.st_ino, mode, uid, gid }
    }

    fn weaknesses(&self, kind: FileType, caller: u32) -> impl Iterator<Item = Weakness> + use<> {
        let Self { mode, uid, gid, .. } = *self;
        let owner = (uid != 0 && uid != caller).then_some(Weakness::Owner { uid });
        // The mode of a link says nothing.
        let is_open =
            kind != FileType::Symlink && (mode & 0o002 != 0 || (mode & 0o020 != 0 && gid != Some(0)));
        let is_sticky = kind == FileType::Directory && mode & 0o1000 != 0;
        let open = (is_open && !is_sticky).then_some(Weakness::Writable { mode: mode & 0o7777, gid });
        owner.into_iter().chain(open)
    }
}

fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_os_string()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, create_dir, set_permissions, write};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};

    use super::*;

    fn mode(path: &Path, mode: u32) {
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// Returns what is weak below a folder of our own.
    fn weak(folder: &Path, path: &str) -> Vec<(String, Weakness)> {
        let all = walk(&folder.join(path)).unwrap().weak;
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
            let gid = Some(folder.join(path).metadata().unwrap().gid());
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
        chown(folder.join("run"), Some(0), Some(1234)).unwrap();
        mode(&folder.join("run"), 0o770);
        let open = ("run".to_string(), Weakness::Writable { mode: 0o770, gid: Some(1234) });
        assert_eq!(weak(&folder, "link"), [open]);
        chown(folder.join("run"), Some(0), Some(0)).unwrap();
        assert_eq!(weak(&folder, "link"), []);
        // Of root's own group nobody is afraid, but of whom an ACL names: its entries are `tag, permissions, id`.
        let entry = |tag: u16, permissions: u16, id: u32| {
            [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat()
        };
        let entries =
            [entry(1, 7, !0), entry(2, 7, 1234), entry(4, 5, !0), entry(16, 7, !0), entry(32, 0, !0)];
        let acl = [&2_u32.to_le_bytes()[..], &entries.concat()].concat();
        let path = folder.join("run");
        rustix::fs::setxattr(&path, "system.posix_acl_access", &acl, rustix::fs::XattrFlags::empty())
            .unwrap();
        let open = ("run".to_string(), Weakness::Writable { mode: 0o770, gid: None });
        assert_eq!(weak(&folder, "link"), [open]);
        mode(&path, 0o750);
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
