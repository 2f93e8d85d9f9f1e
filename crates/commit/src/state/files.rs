//! The files of the state directory: how they are read, written, replaced and made to last, and who can read them.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, Mode};

use crate::bytes;
use crate::dir::Dir;
use crate::error::{Error, Operation};

/// The mode of a file that everybody can read.
pub(crate) const PUBLIC_FILE: u32 = 0o644;

/// Who can read what is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Readers {
    Owner,
    Everybody,
}

/// Files that were written for one step of a commit, and have to last before the next one.
#[derive(Debug, Default)]
pub(crate) struct Unsynced(Vec<(File, PathBuf)>);

impl Unsynced {
    pub(crate) fn add(&mut self, file: File, path: PathBuf) {
        self.0.push((file, path));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes all of them last.
    pub(crate) fn sync(&mut self) -> Result<(), Error> {
        let files = std::mem::take(&mut self.0);
        // Linux begins to write what it is told to forget, and does not forget what is not written yet. So the first sync
        // finds all of them under way, and on most file systems its transaction takes the others along. Where it is not so,
        // nothing is lost but time.
        for (file, _) in files.iter().filter(|_| files.len() > 1) {
            let _ = rustix::fs::fadvise(file, 0, None, Advice::DontNeed);
        }
        files.iter().try_for_each(|(file, path)| sync_file(file, path))
    }
}

/// Reads a file of at most `limit` bytes; `None` if there is none.
pub(crate) fn read(dir: &Dir, name: &OsStr, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    let path = dir.join(name);
    let Some(opened) = dir.open_regular(name)? else { return Ok(None) };
    opened.read(&path, limit)?.map(Some).ok_or(Error::TooLarge { path, limit })
}

/// Creates a file last. An `fsync` that failed is never tried again: the lost pages would count as written.
pub(crate) fn sync_file(file: &File, path: &Path) -> Result<(), Error> {
    rustix::fs::fsync(file).map_err(|errno| Error::io(path, Operation::Sync, errno))
}

/// Refuses a directory that others than root and this user can write to: what is read there leads to writing.
pub(crate) fn trusted(dir: &Dir) -> Result<(), Error> {
    let found =
        rustix::fs::fstat(dir.as_fd()).map_err(|errno| Error::io(dir.path(), Operation::Inspect, errno))?;
    own(dir.path(), found.st_uid, found.st_mode & 0o7777)
}

/// Refuses what has an owner or a mode that lets others than root and this user write to it.
pub(crate) fn own(path: &Path, uid: u32, mode: u32) -> Result<(), Error> {
    if (uid != 0 && uid != rustix::process::geteuid().as_raw()) || mode & 0o022 != 0 {
        return Err(Error::InsecureState { path: path.to_path_buf(), uid, mode });
    }
    Ok(())
}

/// Writes a file that is not there yet.
fn write(
    dir: &Dir,
    name: &OsStr,
    bytes: &[u8],
    readers: Readers,
    operation: Operation,
    unsynced: &mut Unsynced,
) -> Result<(), Error> {
    let path = dir.join(name);
    let file = dir.create(name, operation.clone())?;
    bytes::write_all(&file, bytes).map_err(|errno| Error::io(&path, operation, errno))?;
    if let Readers::Everybody = readers {
        set_mode(&file, &path, PUBLIC_FILE)?;
    }
    unsynced.add(file, path);
    Ok(())
}

/// Removes a name if it is there.
pub(crate) fn sweep(dir: &Dir, name: &str) -> Result<(), Error> {
    let name = OsStr::new(name);
    if dir.entry(name)?.is_some() { dir.remove(name, Operation::RemoveStale) } else { Ok(()) }
}

/// Writes a file, in place of one that an earlier run left.
pub(crate) fn stage(
    dir: &Dir,
    name: &str,
    bytes: &[u8],
    readers: Readers,
    operation: Operation,
    unsynced: &mut Unsynced,
) -> Result<(), Error> {
    dir.remove(OsStr::new(name), Operation::RemoveStale)?;
    write(dir, OsStr::new(name), bytes, readers, operation, unsynced)
}

/// Replaces a file wholly or not at all, so that it lasts.
pub(crate) fn replace(
    dir: &Dir,
    [new, name]: [&str; 2],
    bytes: &[u8],
    readers: Readers,
    operation: Operation,
) -> Result<(), Error> {
    let mut unsynced = Unsynced::default();
    stage(dir, new, bytes, readers, operation.clone(), &mut unsynced)
        .and_then(|()| unsynced.sync())
        .and_then(|()| dir.rename(OsStr::new(new), dir, OsStr::new(name), operation))
        .inspect_err(|_| {
            let _ = dir.remove(OsStr::new(new), Operation::Remove);
        })?;
    dir.synced()
}

/// Sets the mode where it is another: a umask takes bits away from what is created.
pub(crate) fn set_mode(file: impl AsFd, path: &Path, mode: u32) -> Result<(), Error> {
    let found = rustix::fs::fstat(&file).map_err(|errno| Error::io(path, Operation::Inspect, errno))?;
    if found.st_mode & 0o7777 == mode {
        return Ok(());
    }
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))
        .map_err(|errno| Error::io(path, Operation::SetMode, errno))
}
