//! What the file system knows of a file besides its content.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::time::SystemTime;

use crate::error::{Error, FileKind, Occupant};

/// Describes a regular file as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// The permission bits, with set-user-ID, set-group-ID and sticky: `mode & 0o7777`.
    pub mode: u32,
    /// The numeric owner.
    pub uid: u32,
    /// The numeric group.
    pub gid: u32,
    /// How many names the file has.
    pub nlink: u64,
    /// The size in bytes.
    pub len: u64,
    /// When the content last changed.
    pub mtime: SystemTime,
    /// The device the file is on.
    pub dev: u64,
    /// The inode number on that device.
    pub ino: u64,
}

impl Metadata {
    pub(crate) fn of(found: &std::fs::Metadata) -> io::Result<Metadata> {
        Ok(Metadata {
            mode: found.mode() & 0o7777,
            uid: found.uid(),
            gid: found.gid(),
            nlink: found.nlink(),
            len: found.len(),
            mtime: found.modified()?,
            dev: found.dev(),
            ino: found.ino(),
        })
    }
}

/// Tells one file from another, and a file from the same one with other rights.
///
/// The link count and the times are left out: renaming and linking a file changes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Identity {
    pub(crate) fn of(found: &std::fs::Metadata) -> Identity {
        Identity {
            dev: found.dev(),
            ino: found.ino(),
            mode: found.mode() & 0o7777,
            uid: found.uid(),
            gid: found.gid(),
        }
    }

    pub(crate) fn rights(&self) -> Rights {
        Rights { mode: self.mode, uid: self.uid, gid: self.gid }
    }
}

/// Who may do what with a file, as far as owner and mode tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Refuses everything but a regular file.
pub(crate) fn require_regular(path: &Path, found: &std::fs::Metadata) -> Result<(), Error> {
    match occupant(found) {
        None => Ok(()),
        Some(Occupant::Special(kind)) => Err(Error::NotRegular { path: path.to_path_buf(), kind }),
        Some(_) => Err(Error::Symlink { path: path.to_path_buf() }),
    }
}

/// Says what is there if it is not a regular file.
pub(crate) fn occupant(found: &std::fs::Metadata) -> Option<Occupant> {
    let kind = found.file_type();
    let special = if kind.is_file() {
        return None;
    } else if kind.is_symlink() {
        return Some(Occupant::Symlink);
    } else if kind.is_dir() {
        FileKind::Directory
    } else if kind.is_fifo() {
        FileKind::Fifo
    } else if kind.is_socket() {
        FileKind::Socket
    } else if kind.is_block_device() {
        FileKind::BlockDevice
    } else if kind.is_char_device() {
        FileKind::CharacterDevice
    } else {
        FileKind::Other
    };
    Some(Occupant::Special(special))
}
