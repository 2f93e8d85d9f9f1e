//! What can go wrong, and the words for it: every message of this crate is written here.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

/// Says why a file could not be read, locked or replaced.
///
/// Every variant names the path: absolute, and as it was given in [`Error::Path`] alone. No variant carries
/// the content of a file. `Display` says where and what, [`Error::help`] what to do now.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The path does not name a file beneath the root.
    #[error("{}: not a path beneath the root: {why}", path.display())]
    Path {
        /// The path as it was given.
        path: PathBuf,
        /// What is wrong with it.
        why: PathProblem,
    },
    /// The path, or a directory on the way to it, is a symbolic link.
    #[error("{}: is a symbolic link", path.display())]
    Symlink {
        /// The link.
        path: PathBuf,
    },
    /// The path names something that has no content to replace.
    #[error("{}: is a {kind}, not a regular file", path.display())]
    NotRegular {
        /// The path.
        path: PathBuf,
        /// What is there.
        kind: FileKind,
    },
    /// The file has further names, which would keep the old content.
    #[error("{}: has {links} hard links", path.display())]
    HardLinked {
        /// The file.
        path: PathBuf,
        /// How many names it has.
        links: u64,
    },
    /// The file is larger than the caller wants to read.
    #[error("{}: is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The file to replace does not exist.
    #[error("{}: does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is not the one the change was made for.
    #[error("{}: changed since it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Two changes are for one file.
    #[error("{}: is to be changed twice", path.display())]
    Duplicate {
        /// The file, by the second of its paths.
        path: PathBuf,
    },
    /// The file or directory can not be renamed, and the file system says so before it is tried.
    #[error("{}: {by}", path.display())]
    Protected {
        /// The file or directory.
        path: PathBuf,
        /// What protects it.
        by: Protection,
    },
    /// The name needed beside a file is taken by something that no earlier commit can have left there.
    #[error("{}: this name is needed to replace the file, but is taken by {by}", path.display())]
    NameTaken {
        /// The name.
        path: PathBuf,
        /// What has the name.
        by: Occupant,
    },
    /// The staged file did not get the owner and mode of the file it is to replace.
    #[error("{}: did not take owner {uid}:{gid} and mode {mode:04o}", path.display())]
    NotCarriedOver {
        /// The staged file.
        path: PathBuf,
        /// The wanted owner.
        uid: u32,
        /// The wanted group.
        gid: u32,
        /// The wanted permission bits.
        mode: u32,
    },
    /// Somebody else holds the lock on the root.
    #[error("{}: another process holds the lock (waited {} s)", path.display(), waited.as_secs_f64())]
    Locked {
        /// The root.
        path: PathBuf,
        /// How long the lock was waited for.
        waited: Duration,
    },
    /// The operating system refused an operation.
    #[error("{}: can not {operation}: {source}", path.display())]
    Io {
        /// The file or directory it was for.
        path: PathBuf,
        /// What was tried.
        operation: Operation,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>, operation: Operation, source: impl Into<io::Error>) -> Error {
        Error::Io { path: path.into(), operation, source: source.into() }
    }

    /// Returns the path the error is about.
    pub fn path(&self) -> &Path {
        match self {
            Error::Path { path, .. }
            | Error::Symlink { path }
            | Error::NotRegular { path, .. }
            | Error::HardLinked { path, .. }
            | Error::TooLarge { path, .. }
            | Error::Missing { path }
            | Error::Changed { path }
            | Error::Duplicate { path }
            | Error::Protected { path, .. }
            | Error::NameTaken { path, .. }
            | Error::NotCarriedOver { path, .. }
            | Error::Locked { path, .. }
            | Error::Io { path, .. } => path,
        }
    }

    /// Returns the operating system's error, if it is one.
    pub(crate) fn errno(&self) -> Option<Errno> {
        match self {
            Error::Io { source, .. } => Errno::from_io_error(source),
            _ => None,
        }
    }

    /// Says whether nothing is there, rather than something unusable.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self.errno(), Some(Errno::NOENT | Errno::NOTDIR))
    }

    /// Returns what to do now: one sentence, or `None` where there is nothing better to say than the error.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Error::Path { why: PathProblem::Reserved, .. } => Some("give the file another name"),
            Error::Path { .. } => Some("write the path relative to the root, in its shortest form"),
            Error::Symlink { .. } => Some("name the real path; links beneath the root are never followed"),
            Error::NotRegular { .. } => Some("name a regular file"),
            Error::HardLinked { .. } => Some(
                "find the other names with `find -samefile`: remove them, or give this name a copy of its own",
            ),
            Error::TooLarge { .. } => Some("check that this is the file that was meant"),
            Error::Missing { .. } => Some("check the path; files are replaced, never created"),
            Error::Changed { .. } => Some("plan again: the change was made for other content"),
            Error::Duplicate { .. } => Some("merge the two changes into one"),
            Error::Protected { by: Protection::MountPoint, .. } => Some(MOUNT_POINT),
            Error::Protected { by: Protection::Immutable, .. } => {
                Some("remove the attribute with `chattr -i`")
            }
            Error::Protected { by: Protection::AppendOnly, .. } => {
                Some("remove the attribute with `chattr -a`")
            }
            Error::NameTaken { .. } => Some("look at what is there and move it away"),
            Error::NotCarriedOver { .. } => Some("run as root or as the owner of the file"),
            Error::Locked { .. } => Some("wait for the other run to end, or wait longer for the lock"),
            Error::Io { operation, .. } => self.errno().and_then(|errno| remedy(operation, errno)),
        }
    }
}

const MOUNT_POINT: &str = "the file is mounted by itself (by `mount --bind` or as a container's volume): \
    change the file it is mounted from";

fn remedy(operation: &Operation, errno: Errno) -> Option<&'static str> {
    let text = match errno {
        Errno::PERM if *operation == Operation::SetOwner => {
            "only root can give a file to another owner: run as root or as the file's owner"
        }
        Errno::BUSY => MOUNT_POINT,
        Errno::ROFS => "the file system is read-only: mount it read-write",
        Errno::PERM => {
            "look for the immutable or append-only attribute with `lsattr -d`; else run as root or as the owner"
        }
        Errno::ACCESS => "run as root or as the owner of the file and its directory",
        Errno::NOSPC => "the file system is full: look at `df -h` and `df -i`",
        Errno::DQUOT => "the disk quota of the file's owner is used up: free space or raise it",
        Errno::XDEV => {
            "the file and its directory lie on different file systems: name the file where it really is"
        }
        Errno::LOOP => "a part of the path is a symbolic link: name the real path",
        Errno::NOENT => "check that the path exists",
        Errno::NOTDIR => "a part of the path is a file, not a directory",
        Errno::NAMETOOLONG => {
            "the name is too long: the copy beside the file needs 13 bytes more than the file's own name"
        }
        Errno::IO => "the disk reports errors: look at `dmesg` before anything is tried again",
        Errno::NOTSUP | Errno::NOSYS => "the file system lacks this: move the files to another one",
        _ => return None,
    };
    Some(text)
}

/// Says what is wrong with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathProblem {
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// It begins with a slash.
    #[error("it is absolute")]
    Absolute,
    /// It has two slashes in a row, or one at its end.
    #[error("it has an empty component")]
    EmptyComponent,
    /// It has a `.` component.
    #[error("it has a `.` component")]
    CurrentDirectory,
    /// It has a `..` component.
    #[error("it has a `..` component")]
    ParentDirectory,
    /// It has a zero byte, which no file name can have.
    #[error("it has a NUL byte")]
    Nul,
    /// It is a name this crate gives to its own files.
    #[error("names like this are kept for staged files")]
    Reserved,
}

/// Says what a path names other than a regular file or a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileKind {
    /// A directory.
    #[error("directory")]
    Directory,
    /// A named pipe.
    #[error("FIFO")]
    Fifo,
    /// A socket.
    #[error("socket")]
    Socket,
    /// A block device.
    #[error("block device")]
    BlockDevice,
    /// A character device.
    #[error("character device")]
    CharacterDevice,
    /// Something this crate has no name for.
    #[error("special file")]
    Other,
}

/// Says what keeps a file or directory from being changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Protection {
    /// The attribute of `chattr +i`.
    #[error("is immutable (chattr +i)")]
    Immutable,
    /// The attribute of `chattr +a`.
    #[error("is append-only (chattr +a)")]
    AppendOnly,
    /// A file that is mounted by itself; nothing can be renamed onto it.
    #[error("is a mount point")]
    MountPoint,
}

/// Says what has a name that was needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Occupant {
    /// A symbolic link.
    #[error("a symbolic link")]
    Symlink,
    /// Neither a regular file nor a link.
    #[error("a {0}")]
    Special(FileKind),
    /// A file of neither this user nor the owner of the file to replace.
    #[error("a file of user {0}")]
    OtherOwner(u32),
    /// A file with further names.
    #[error("a file with {0} hard links")]
    HardLinked(u64),
    /// A file that this commit did not put there.
    #[error("a file that another process put there")]
    Intruder,
}

/// Names what was tried when the operating system refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Operation {
    /// Resolving the path of the root.
    #[error("resolve the path")]
    Resolve,
    /// Opening a directory.
    #[error("open the directory")]
    OpenDirectory,
    /// Listing a directory.
    #[error("list the directory")]
    List,
    /// Creating files in a directory.
    #[error("write to the directory")]
    WriteDirectory,
    /// Syncing a directory.
    #[error("fsync the directory")]
    SyncDirectory,
    /// Locking the root.
    #[error("lock the directory")]
    Lock,
    /// Reading what the file system knows of a file.
    #[error("read the metadata")]
    Inspect,
    /// Opening a file.
    #[error("open the file")]
    Open,
    /// Reading a file.
    #[error("read the file")]
    Read,
    /// Removing what an earlier commit left.
    #[error("remove the rest of an earlier run")]
    RemoveStale,
    /// Creating the staged file.
    #[error("create the staged file")]
    Stage,
    /// Writing the staged file.
    #[error("write the staged file")]
    Write,
    /// Setting owner and group.
    #[error("set the owner")]
    SetOwner,
    /// Setting the permission bits.
    #[error("set the mode")]
    SetMode,
    /// Reading an extended attribute, or their list when the name is empty.
    #[error("read the extended attribute `{0}`")]
    ReadXattr(String),
    /// Setting an extended attribute.
    #[error("set the extended attribute `{0}`")]
    SetXattr(String),
    /// Syncing the staged file.
    #[error("fsync the staged file")]
    Sync,
    /// Exchanging a file with its staged one.
    #[error("exchange the file with its staged copy")]
    Exchange,
    /// Keeping the old content under a second name.
    #[error("keep the old content by a hard link")]
    Link,
    /// Renaming the staged file onto its target.
    #[error("rename the staged copy onto the file")]
    Rename,
    /// Giving a file its old content back.
    #[error("put the old content back")]
    PutBack,
    /// Removing a staged file, or the old content after success.
    #[error("remove the file")]
    Remove,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_error_of_the_system_names_path_operation_and_remedy() {
        use Errno as E;
        for errno in [E::BUSY, E::ROFS, E::PERM, E::ACCESS, E::NOSPC, E::DQUOT, E::XDEV, E::LOOP, E::NOENT] {
            let error = Error::io("/r/a.conf", Operation::Exchange, errno);
            let text = error.to_string();
            assert!(text.starts_with("/r/a.conf: can not exchange the file"), "{text}");
            assert!(text.contains(&io::Error::from(errno).to_string()), "{text}");
            assert!(error.help().is_some(), "{text}");
        }
    }

    #[test]
    fn an_unknown_error_of_the_system_invents_no_remedy() {
        assert_eq!(Error::io("/r/a", Operation::Read, Errno::BADF).help(), None);
    }
}
