//! An open directory: every name is looked up in its descriptor, never in a path that may lead elsewhere later.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use rustix::fs::{AtFlags, CWD, FileType, FsWord, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags};
use rustix::io::Errno;

use crate::error::{Error, Occupant, Operation, SpecialFile};
use crate::metadata::{FileInfo, require_regular};

/// `proc` and `sysfs`, whose number is that of linux/magic.h.
const KERNEL: [FsWord; 2] = [PROC_SUPER_MAGIC, 0x6265_6572];

/// What a directory is opened for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Access {
    /// To look up names (`O_PATH`): needs no right to read the directory.
    Search,
    /// To list, lock or sync it as well.
    Read,
}

impl Access {
    fn flags(self) -> OFlags {
        let access = match self {
            Access::Search => OFlags::PATH,
            Access::Read => OFlags::RDONLY,
        };
        access | OFlags::DIRECTORY | OFlags::CLOEXEC
    }
}

#[derive(Debug)]
pub(crate) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
    /// A device without a major number that is known to hold files and not what the kernel makes up; 0 for none. The
    /// files of a directory are mostly on one device.
    holds_files: AtomicU64,
}

/// A regular file, open for reading, with the metadata of the open file.
pub(crate) struct Opened {
    pub(crate) file: std::fs::File,
    pub(crate) metadata: std::fs::Metadata,
}

impl Dir {
    fn new(fd: OwnedFd, path: PathBuf) -> Self {
        Self { fd, path, holds_files: AtomicU64::new(0) }
    }

    /// Opens a directory by its path, following the links on the way once.
    pub(crate) fn open(path: &Path) -> Result<Dir, Error> {
        let resolved =
            std::fs::canonicalize(path).map_err(|error| Error::io(path, Operation::Resolve, error))?;
        // Without links, so that the directory in hand is the one the resolved path names in messages.
        Self::open_resolved(&resolved)
    }

    /// Opens a directory by an absolute path that has no links in it; one that is there now is refused.
    pub(crate) fn open_resolved(path: &Path) -> Result<Dir, Error> {
        // Not beneath anything: the path starts at the root of the file system.
        let linkless = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        if path.is_absolute()
            && let Ok(fd) = rustix::fs::openat2(CWD, path, Access::Search.flags(), Mode::empty(), linkless)
        {
            return Ok(Dir::new(fd, path.to_path_buf()));
        }
        // Without that system call, and for the error of the component that is in the way.
        let fd = rustix::fs::openat(CWD, "/", Access::Search.flags(), Mode::empty())
            .map_err(|errno| Error::io("/", Operation::OpenDirectory, errno))?;
        let top = Dir::new(fd, PathBuf::from("/"));
        top.descend(path.strip_prefix("/").unwrap_or(path), Access::Search)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a directory beneath this one; an empty path reopens this one.
    pub(crate) fn descend(&self, rel: &Path, access: Access) -> Result<Dir, Error> {
        if rel.as_os_str().is_empty() {
            return self.reopen(self.path.clone(), access);
        }
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&self.fd, rel, access.flags(), Mode::empty(), beneath) {
            Ok(fd) => Ok(Dir::new(fd, self.path.join(rel))),
            // ENOSYS before Linux 5.6, EPERM from a seccomp filter that does not know the call. After ELOOP
            // the walk is for the message: it names the component that is the link.
            Err(Errno::NOSYS | Errno::PERM | Errno::LOOP) => self.walk(rel, access),
            Err(errno) => Err(Error::io(self.path.join(rel), Operation::OpenDirectory, errno)),
        }
    }

    /// Does what `openat2` does, one component at a time; its error names the component.
    pub(crate) fn walk(&self, rel: &Path, access: Access) -> Result<Dir, Error> {
        let mut at = self.reopen(self.path.clone(), Access::Search)?;
        for component in rel.components() {
            let Component::Normal(name) = component else {
                return Err(Error::io(self.path.join(rel), Operation::OpenDirectory, Errno::XDEV));
            };
            let path = at.join(name);
            let flags = Access::Search.flags() | OFlags::NOFOLLOW;
            at = match rustix::fs::openat(&at.fd, name, flags, Mode::empty()) {
                Ok(fd) => Dir::new(fd, path),
                // A link is not a directory either; which of the two it is decides what to tell.
                Err(Errno::NOTDIR | Errno::LOOP) if at.is_symlink(name)? => {
                    return Err(Error::Symlink { path });
                }
                Err(errno) => return Err(Error::io(path, Operation::OpenDirectory, errno)),
            };
        }
        at.reopen(at.path.clone(), access)
    }

    /// Opens this directory once more.
    pub(crate) fn reopened(&self, access: Access) -> Result<Dir, Error> {
        self.reopen(self.path.clone(), access)
    }

    fn reopen(&self, path: PathBuf, access: Access) -> Result<Dir, Error> {
        match rustix::fs::openat(&self.fd, ".", access.flags(), Mode::empty()) {
            Ok(fd) => Ok(Dir::new(fd, path)),
            Err(errno) => Err(Error::io(path, Operation::OpenDirectory, errno)),
        }
    }

    fn is_symlink(&self, name: &OsStr) -> Result<bool, Error> {
        Ok(self.entry(name)?.is_some_and(|found| found.kind == FileType::Symlink))
    }

    /// Returns what a name stands for, without opening or following it; `None` if there is no such name.
    pub(crate) fn entry(&self, name: &OsStr) -> Result<Option<FileInfo>, Error> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(FileInfo::of_stat(&found))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(Error::io(self.join(name), Operation::Inspect, errno)),
        }
    }

    /// Opens a regular file for reading; `None` if there is no such name.
    pub(crate) fn open_regular(&self, name: &OsStr) -> Result<Option<Opened>, Error> {
        let path = self.join(name);
        // Looked at before it is opened, because opening a device can already do something.
        let Some(found) = self.entry(name)? else { return Ok(None) };
        require_regular(&path, &found)?;
        // NONBLOCK and the second look: the name may have become a FIFO in between.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => std::fs::File::from(fd),
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(Error::io(path, Operation::Open, errno)),
        };
        let metadata = file.metadata().map_err(|error| Error::io(&path, Operation::Inspect, error))?;
        require_regular(&path, &FileInfo::of(&metadata))?;
        // What the kernel makes up as it is read is regular by its mode, and may be the environment of a process. It is on no
        // device that has a major number.
        if rustix::fs::major(metadata.dev()) == 0 && self.holds_files.load(Relaxed) != metadata.dev() {
            let of =
                rustix::fs::fstatfs(&file).map_err(|errno| Error::io(&path, Operation::Inspect, errno))?;
            if KERNEL.contains(&of.f_type) {
                return Err(Error::NotRegular { path, kind: SpecialFile::Kernel });
            }
            self.holds_files.store(metadata.dev(), Relaxed);
        }
        Ok(Some(Opened { file, metadata }))
    }

    /// Returns the names in the directory in byte order, without `.` and `..`; needs [`Access::Read`].
    pub(crate) fn names(&self) -> Result<Vec<OsString>, Error> {
        let failed = |errno| Error::io(&self.path, Operation::List, errno);
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd).map_err(failed)? {
            let name = OsString::from_vec(entry.map_err(failed)?.file_name().to_bytes().to_vec());
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort_unstable_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
        Ok(names)
    }

    /// Creates the names in the directory last; needs [`Access::Read`].
    ///
    /// The bare error number, because one failure may have to be told for several files.
    pub(crate) fn sync(&self) -> Result<(), Errno> {
        rustix::fs::fsync(&self.fd)
    }

    /// As [`Dir::sync`], with the error in words.
    pub(crate) fn synced(&self) -> Result<(), Error> {
        self.sync().map_err(|errno| Error::io(&self.path, Operation::SyncDirectory, errno))
    }

    /// Creates a file that only its owner can read, empty and open for writing.
    pub(crate) fn create(&self, name: &OsStr, operation: Operation) -> Result<std::fs::File, Error> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(fd) => Ok(std::fs::File::from(fd)),
            Err(Errno::EXIST) => Err(Error::NameTaken { path: self.join(name), by: Occupant::Intruder }),
            Err(errno) => Err(Error::io(self.join(name), operation, errno)),
        }
    }

    /// Creates a directory that only its owner can enter; one that is there already is as good.
    pub(crate) fn create_dir(&self, name: &OsStr) -> Result<(), Error> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(Error::io(self.join(name), Operation::CreateDirectory, errno)),
        }
    }

    /// Returns a file another name, over what has that name.
    pub(crate) fn rename(
        &self,
        name: &OsStr,
        to: &Dir,
        new: &OsStr,
        operation: Operation,
    ) -> Result<(), Error> {
        rustix::fs::renameat(&self.fd, name, &to.fd, new)
            .map_err(|errno| Error::io(self.join(name), operation, errno))
    }

    /// Removes a directory and the files in it, if it is there; in it must be no directories.
    pub(crate) fn remove_dir(&self, name: &OsStr) -> Result<(), Error> {
        let dir = match self.descend(Path::new(name), Access::Read) {
            Err(error) if error.is_missing() => return Ok(()),
            found => found?,
        };
        for inside in dir.names()? {
            dir.remove(&inside, Operation::Remove)?;
        }
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(Error::io(self.join(name), Operation::Remove, errno)),
        }
    }

    /// Removes a name; one that is gone already is as good.
    pub(crate) fn remove(&self, name: &OsStr, operation: Operation) -> Result<(), Error> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(Error::io(self.join(name), operation, errno)),
        }
    }

    pub(crate) fn into_file(self) -> std::fs::File {
        std::fs::File::from(self.fd)
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Opened {
    /// Reads up to `limit` bytes; `None` if there are more.
    ///
    /// The limit holds whatever size the metadata names: the file may be growing.
    pub(crate) fn read(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        if self.metadata.len() > limit {
            return Ok(None);
        }
        let bytes = crate::bytes::read_up_to(&self.file, limit, self.metadata.len())
            .map_err(|errno| Error::io(path, Operation::Read, errno))?;
        Ok(u64::try_from(bytes.len()).is_ok_and(|len| len <= limit).then_some(bytes))
    }

    /// Reads the first `limit` bytes.
    pub(crate) fn start(self, limit: u64) -> Result<Vec<u8>, Errno> {
        let mut bytes = crate::bytes::read_up_to(&self.file, limit, self.metadata.len().min(limit))?;
        bytes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways down must agree, so each case goes through both.
    fn both(dir: &Dir, rel: &str) -> [Result<Dir, Error>; 2] {
        [dir.descend(Path::new(rel), Access::Read), dir.walk(Path::new(rel), Access::Read)]
    }

    #[test]
    fn walking_by_component_finds_what_openat2_finds() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(temp.path().join("a/b")).unwrap();
        std::fs::write(temp.path().join("a/b/file"), "").unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        for found in both(&dir, "a/b") {
            let found = found.unwrap();
            assert_eq!(found.names().unwrap(), ["file"]);
            assert_eq!(found.path(), dir.path().join("a/b"));
        }
        for missing in both(&dir, "a/c").into_iter().chain(both(&dir, "a/b/file/x")) {
            assert!(missing.unwrap_err().is_missing());
        }
    }

    #[test]
    fn a_link_on_the_way_is_refused_by_its_own_name() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(temp.path().join("a/real/b")).unwrap();
        std::os::unix::fs::symlink("real", temp.path().join("a/link")).unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        for refused in both(&dir, "a/link/b").into_iter().chain(both(&dir, "a/link")) {
            match refused.unwrap_err() {
                Error::Symlink { path } => assert_eq!(path, dir.path().join("a/link")),
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn no_component_leads_up() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir(temp.path().join("a")).unwrap();
        let dir = Dir::open(&temp.path().join("a")).unwrap();
        for refused in both(&dir, "..").into_iter().chain(both(&dir, "/")) {
            assert_eq!(refused.unwrap_err().errno(), Some(Errno::XDEV));
        }
    }
}
