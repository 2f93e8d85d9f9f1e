//! What the file system knows of a file besides its content.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{FileType, Stat};

use crate::error::{Error, Occupant, SpecialFile};

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
    /// Whether an ACL may let others write whom neither owner, mode nor group name.
    pub acl: bool,
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
    pub(crate) fn of(found: &std::fs::Metadata, acl: bool) -> io::Result<Metadata> {
        Ok(Metadata {
            acl,
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

/// What a name stands for, as far as that can be told without opening it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileInfo {
    pub(crate) kind: FileType,
    pub(crate) nlink: u64,
    pub(crate) identity: Identity,
}

impl FileInfo {
    /// Accepts what `fstatat` gives.
    #[allow(clippy::useless_conversion, reason = "how wide a link count is depends on the machine")]
    pub(crate) fn of_stat(found: &Stat) -> FileInfo {
        FileInfo {
            kind: FileType::from_raw_mode(found.st_mode),
            nlink: u64::from(found.st_nlink),
            identity: Identity {
                dev: found.st_dev,
                ino: found.st_ino,
                mode: found.st_mode & 0o7777,
                uid: found.st_uid,
                gid: found.st_gid,
            },
        }
    }

    /// Accepts what an open file gives.
    pub(crate) fn of(found: &std::fs::Metadata) -> FileInfo {
        FileInfo {
            kind: FileType::from_raw_mode(found.mode()),
            nlink: found.nlink(),
            identity: Identity::of(found),
        }
    }

    /// Returns whether both are names of one file.
    pub(crate) fn is_same(&self, other: &FileInfo) -> bool {
        (self.identity.dev, self.identity.ino) == (other.identity.dev, other.identity.ino)
    }

    /// Returns what is there if it is not a regular file.
    pub(crate) fn occupant(&self) -> Option<Occupant> {
        let special = match self.kind {
            FileType::RegularFile => return None,
            FileType::Symlink => return Some(Occupant::Symlink),
            FileType::Directory => SpecialFile::Directory,
            FileType::Fifo => SpecialFile::Fifo,
            FileType::Socket => SpecialFile::Socket,
            FileType::BlockDevice => SpecialFile::BlockDevice,
            FileType::CharacterDevice => SpecialFile::CharacterDevice,
            FileType::Unknown => SpecialFile::Other,
        };
        Some(Occupant::Special(special))
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
pub(crate) fn require_regular(path: &Path, found: &FileInfo) -> Result<(), Error> {
    match found.occupant() {
        None => Ok(()),
        Some(Occupant::Special(kind)) => Err(Error::NotRegular { path: path.to_path_buf(), kind }),
        Some(_) => Err(Error::Symlink { path: path.to_path_buf() }),
    }
}
