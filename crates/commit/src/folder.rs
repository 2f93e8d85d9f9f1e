//! A folder that results are written to, one file at a time; no deployment is written this way.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::dir::{Access, Dir};
use crate::error::{Error, Occupant, Operation, SpecialFile};
use crate::metadata::{FileInfo, require_regular};
use crate::path::RelPath;

/// New names that are tried: another process may have taken one, and somebody may have put some in the way.
const TRIES: u32 = 100;

/// Holds a folder open, so that what is written to it is beneath that very folder.
///
/// Beneath it no link is followed: one that has the name of a file is replaced, and one on the way is an error.
#[derive(Debug)]
pub struct Folder {
    dir: Dir,
}

/// Who can read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Whoever the umask lets.
    ByUmask,
    /// Its owner.
    Owner,
}

/// What there may be already where a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    /// A file or a link, which is replaced.
    Replaced,
    /// Nothing.
    Nothing,
}

impl Folder {
    /// Opens the folder `beneath` below `top`, an absolute path without links. No link is followed.
    ///
    /// # Errors
    /// [`Error::Symlink`]; [`Error::Io`], [`Error::is_missing`] if there is no such folder.
    pub fn open(top: &Path, beneath: &Path) -> Result<Folder, Error> {
        Ok(Folder { dir: Dir::open_resolved(top)?.descend(beneath, Access::Search)? })
    }

    /// Opens the folder, and creates it and those on the way to it that are missing.
    ///
    /// # Errors
    /// [`Error::Symlink`]; [`Error::Io`].
    pub fn create(top: &Path, beneath: &Path) -> Result<Folder, Error> {
        Ok(Folder { dir: created(&Dir::open_resolved(top)?, beneath)? })
    }

    /// Accepts an open folder.
    pub(crate) fn of(dir: Dir) -> Folder {
        Folder { dir }
    }

    /// Returns the path of the folder, without links.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Reads a regular file of at most `limit` bytes; `None` if nothing is there.
    ///
    /// # Errors
    /// [`Error::Path`], [`Error::Symlink`], [`Error::NotRegular`], [`Error::TooLarge`], [`Error::Io`].
    pub fn read(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        let path = RelPath::parse(path)?;
        let dir = match descend(&self.dir, path.parent()) {
            // A file in the place of a folder is there, and is not the folder.
            Err(error) if error.errno() == Some(Errno::NOENT) => return Ok(None),
            found => found?,
        };
        crate::state::files::read(&dir, path.name(), limit)
    }

    /// Writes a file: beside its place, synced, and then renamed. A reader sees it old or whole. Folders on the way that are
    /// missing are created.
    ///
    /// # Errors
    /// [`Error::Path`], [`Error::Symlink`]; [`Error::NotRegular`] if what is there cannot be replaced; [`Error::Io`], with
    /// [`io::ErrorKind::AlreadyExists`] if something is there that must not be.
    pub fn write(
        &self,
        path: &Path,
        readers: Readers,
        there: There,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), Error> {
        let path = RelPath::parse(path)?;
        let dir = created(&self.dir, path.parent())?;
        let shown = dir.join(path.name());
        if let Some(found) = dir.entry(path.name())? {
            replaceable(&shown, &found, there)?;
        }
        let (mut file, new) = unused(&dir, &shown, readers)?;
        let written = write(&mut file)
            .and_then(|()| file.sync_all())
            .map_err(|error| Error::io(&shown, Operation::WriteResult, error))
            .and_then(|()| named(&dir, &new, path.name(), &shown, there));
        if written.is_err() {
            // What cannot be removed here has a name that nothing reads.
            let _ = dir.remove(OsStr::new(&new), Operation::Remove);
        }
        written?;
        match dir.reopened(Access::Read) {
            // Who may write to a folder need not be allowed to list it; then it cannot be synced.
            Err(error) if error.is_permission_denied() => Ok(()),
            opened => opened?.synced(),
        }
    }

    /// Opens a file without a name in the folder, for what its writer keeps back; it is gone with the process.
    ///
    /// # Errors
    /// The file system has no such files, or the folder cannot be written to.
    pub fn without_name(&self) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&self.dir, ".", flags, Mode::RUSR | Mode::WUSR)?))
    }

    /// Returns what kind of special file has a name; `None` for a regular file, a link, and nothing.
    ///
    /// # Errors
    /// [`Error::Path`], [`Error::Io`].
    pub fn special(&self, name: &Path) -> Result<Option<SpecialFile>, Error> {
        let found = self.dir.entry(RelPath::parse(name)?.name())?;
        Ok(found.and_then(|found| match found.occupant() {
            Some(Occupant::Special(kind)) => Some(kind),
            _ => None,
        }))
    }

    /// Opens a device or a pipe for writing, without following a link.
    ///
    /// # Errors
    /// [`Error::Path`], [`Error::Io`].
    pub fn open_special(&self, name: &Path) -> Result<File, Error> {
        let name = RelPath::parse(name)?.name();
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
        rustix::fs::openat(&self.dir, name, flags, Mode::empty())
            .map(File::from)
            .map_err(|errno| Error::io(self.dir.join(name), Operation::Open, errno))
    }

    /// Removes a file or a link, and the folders that are empty then.
    ///
    /// # Errors
    /// [`Error::Path`], [`Error::Symlink`], [`Error::Io`].
    pub fn remove(&self, path: &Path) -> Result<(), Error> {
        let parsed = RelPath::parse(path)?;
        match self.dir.descend(parsed.parent(), Access::Search) {
            Err(error) if error.is_missing() => return Ok(()),
            found => found?.remove(parsed.name(), Operation::Remove)?,
        }
        let mut empty = parsed.parent();
        while let (Some(above), Some(name)) = (empty.parent(), empty.file_name()) {
            let dir = self.dir.descend(above, Access::Search)?;
            // One that is not empty stays, and so do those above it.
            if rustix::fs::unlinkat(&dir, name, AtFlags::REMOVEDIR).is_err() {
                break;
            }
            empty = above;
        }
        Ok(())
    }
}

/// Opens a folder; an error names the part of the way that is not one.
fn descend(top: &Dir, beneath: &Path) -> Result<Dir, Error> {
    match top.descend(beneath, Access::Search) {
        Err(error) if error.errno() == Some(Errno::NOTDIR) => top.walk(beneath, Access::Search),
        found => found,
    }
}

/// Opens a folder, and creates those on the way that are missing.
fn created(top: &Dir, beneath: &Path) -> Result<Dir, Error> {
    match descend(top, beneath) {
        Err(error) if error.errno() == Some(Errno::NOENT) => {}
        found => return found,
    }
    let mut at = top.reopened(Access::Search)?;
    for name in beneath.components() {
        let name = name.as_os_str();
        match rustix::fs::mkdirat(&at, name, Mode::RWXU | Mode::RWXG | Mode::RWXO) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(Error::io(at.join(name), Operation::CreateDirectory, errno)),
        }
        at = at.descend(Path::new(name), Access::Search)?;
    }
    Ok(at)
}

/// Refuses to replace what is not a file or a link.
fn replaceable(shown: &Path, found: &FileInfo, there: There) -> Result<(), Error> {
    match (there, found.kind) {
        (There::Nothing, _) => Err(Error::io(shown, Operation::WriteResult, Errno::EXIST)),
        (There::Replaced, FileType::RegularFile | FileType::Symlink) => Ok(()),
        (There::Replaced, _) => require_regular(shown, found),
    }
}

/// Creates a file with a name that nothing had, in the folder of another.
fn unused(dir: &Dir, shown: &Path, readers: Readers) -> Result<(File, PathBuf), Error> {
    let mode = match readers {
        Readers::Owner => Mode::RUSR | Mode::WUSR,
        Readers::ByUmask => Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH,
    };
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let process = std::process::id();
    for number in 0..TRIES {
        let name = PathBuf::from(format!(".kasm-db-result.{process}.{number}"));
        match rustix::fs::openat(dir, &name, flags, mode) {
            Ok(fd) => return Ok((File::from(fd), name)),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(Error::io(shown, Operation::CreateResult, errno)),
        }
    }
    Err(Error::io(shown, Operation::CreateResult, Errno::EXIST))
}

/// Returns a new file its name.
fn named(dir: &Dir, new: &Path, name: &OsStr, shown: &Path, there: There) -> Result<(), Error> {
    let failed = |errno| Error::io(shown, Operation::WriteResult, errno);
    if there == There::Replaced {
        return rustix::fs::renameat(dir, new, dir, name).map_err(failed);
    }
    match rustix::fs::renameat_with(dir, new, dir, name, RenameFlags::NOREPLACE) {
        // Not every file system knows the flag; a second name is never given over what is there.
        Err(Errno::INVAL | Errno::NOSYS) => {
            rustix::fs::linkat(dir, new, dir, name, AtFlags::empty()).map_err(failed)?;
            dir.remove(new.as_os_str(), Operation::Remove)
        }
        renamed => renamed.map_err(failed),
    }
}
