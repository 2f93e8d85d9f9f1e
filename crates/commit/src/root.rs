//! The directory beneath which everything happens.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;

use crate::dir::{Access, Dir, Opened};
use crate::error::{Error, Operation};
use crate::lock::{self, Lock, Writer};
use crate::metadata::Metadata;
use crate::path::RelPath;
use crate::xattr;

/// Holds a directory open, so that all later work is beneath that very directory.
///
/// The links in its own path are followed once, by [`Root::open`]. Beneath it no link is ever followed, and
/// every path is relative to it, without `.`, `..` or empty components.
#[derive(Debug)]
pub struct Root {
    dir: Dir,
    /// The folder that was read from last, which the next file is likely to be in.
    last: Mutex<Option<(PathBuf, Arc<Dir>)>>,
}

/// Holds a regular file as it was read.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct File {
    /// The content.
    pub bytes: Vec<u8>,
    /// Owner, mode, size and the like, of the very file that was read.
    pub metadata: Metadata,
}

impl Root {
    /// Opens the directory at `path`, following symbolic links.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no such directory or it cannot be searched.
    pub fn open(path: &Path) -> Result<Root, Error> {
        Ok(Root::of(Dir::open(path)?))
    }

    /// Opens the directory at an absolute path that has no links in it, and follows none that is there now.
    ///
    /// # Errors
    /// [`Error::Symlink`]; [`Error::Io`] if there is no such directory or it cannot be searched.
    pub fn open_resolved(path: &Path) -> Result<Root, Error> {
        Ok(Root::of(Dir::open_resolved(path)?))
    }

    fn of(dir: Dir) -> Root {
        Root { dir, last: Mutex::new(None) }
    }

    /// Returns the absolute path of the directory with all links resolved, for messages.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Reads a regular file of at most `limit` bytes.
    ///
    /// Returns `None` if it, or a directory on the way to it, does not exist.
    ///
    /// # Errors
    /// [`Error::Path`], [`Error::Symlink`], [`Error::NotRegular`], [`Error::TooLarge`], [`Error::Io`].
    pub fn read(&self, path: &Path, limit: u64) -> Result<Option<File>, Error> {
        let path = RelPath::parse(path)?;
        let dir = match self.folder(path.parent()) {
            Err(error) if error.is_missing() => return Ok(None),
            found => found?,
        };
        let Some(opened) = dir.open_regular(path.name())? else { return Ok(None) };
        let shown = dir.join(path.name());
        let metadata = metadata(&opened, &shown)?;
        match opened.read(&shown, limit)? {
            Some(bytes) => Ok(Some(File { bytes, metadata })),
            None => Err(Error::TooLarge { path: shown, limit }),
        }
    }

    /// Reads the first `limit` bytes of a regular file, however many follow.
    ///
    /// # Errors
    /// Those of [`Root::read`], except that of its size. Nothing is there: [`Error::is_missing`].
    pub fn read_start(self, path: &Path, limit: u64) -> Result<File, Error> {
        let path = RelPath::parse(path)?;
        let dir = match path.parent() {
            here if here.as_os_str().is_empty() => self.dir,
            parent => self.dir.descend(parent, Access::Search)?,
        };
        let shown = dir.join(path.name());
        let Some(opened) = dir.open_regular(path.name())? else {
            return Err(Error::io(shown, Operation::Open, Errno::NOENT));
        };
        let metadata = metadata(&opened, &shown)?;
        let bytes = opened.start(limit).map_err(|errno| Error::io(shown, Operation::Read, errno))?;
        Ok(File { bytes, metadata })
    }

    /// Lists the names in a directory, in byte order; `.` is the root itself.
    ///
    /// Returns `None` if there is no such directory.
    ///
    /// # Errors
    /// [`Error::Path`], [`Error::Symlink`], [`Error::Io`].
    pub fn list(&self, dir: &Path) -> Result<Option<Vec<OsString>>, Error> {
        let rel = if dir.as_os_str() == "." { Path::new("") } else { RelPath::parse(dir)?.path() };
        match self.dir.descend(rel, Access::Read) {
            Err(error) if error.is_missing() => Ok(None),
            found => found?.names().map(Some),
        }
    }

    /// Locks the root against every other [`Root::lock`] on the same directory.
    ///
    /// It is `flock` on the directory itself, and on `.kasm-db/private/lock` once a commit has made that: it ends with
    /// the process, however that ends, and who changes nothing leaves nothing behind. With a `timeout` of zero it is
    /// tried once.
    ///
    /// # Errors
    /// [`Error::Locked`] if it is still taken after `timeout`; [`Error::Io`].
    pub fn lock(&self, timeout: Duration) -> Result<Lock<'_>, Error> {
        let lock = Lock::take(self, timeout)?;
        // What is read under the lock is looked up under it.
        self.close_last();
        Ok(lock)
    }

    /// Closes the folder that was read from last: for a run that holds many roots, and may have few files open.
    pub fn close_last(&self) {
        *self.last() = None;
    }

    /// Opens a folder to read from, unless it is open already.
    fn folder(&self, path: &Path) -> Result<Arc<Dir>, Error> {
        if let Some((_, dir)) = self.last().as_ref().filter(|(last, _)| last == path) {
            return Ok(Arc::clone(dir));
        }
        let dir = Arc::new(self.dir.descend(path, Access::Search)?);
        *self.last() = Some((path.to_path_buf(), Arc::clone(&dir)));
        Ok(dir)
    }

    fn last(&self) -> MutexGuard<'_, Option<(PathBuf, Arc<Dir>)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the process that holds the lock, if one does; as far as the kernel lists it.
    pub fn writer(&self) -> Option<Writer> {
        lock::writer(self)
    }

    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }
}

fn metadata(opened: &Opened, path: &Path) -> Result<Metadata, Error> {
    let found = &opened.metadata;
    let acl = found.mode() & 0o020 != 0 && xattr::has_acl(&opened.file);
    Metadata::of(found, acl).map_err(|error| Error::io(path, Operation::Inspect, error))
}

impl fmt::Debug for File {
    /// Omits the content: it may hold passwords, and debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}
