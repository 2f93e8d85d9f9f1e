//! What can go wrong, and the words for it: every message of this crate is written here.

mod facts;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

pub(crate) use facts::MAX_RECORD;
pub use facts::{Damage, Occupant, Operation, PathProblem, Protection, SpecialFile, Stranger};

/// Returns why a file could not be read, locked or replaced.
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
    #[error("{} is a symbolic link", path.display())]
    Symlink {
        /// The link.
        path: PathBuf,
    },
    /// The path names something that has no content to replace.
    #[error("{} is a {kind}, not a regular file", path.display())]
    NotRegular {
        /// The path.
        path: PathBuf,
        /// What is there.
        kind: SpecialFile,
    },
    /// The file has further names, which would keep the old content.
    #[error("{} has {links} hard links", path.display())]
    HardLinked {
        /// The file.
        path: PathBuf,
        /// How many names it has.
        links: u64,
    },
    /// The file is larger than the caller wants to read.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The file to replace does not exist.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is not the one the change was made for.
    #[error("{} changed since it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Two changes are for one file.
    #[error("{} is to be changed twice", path.display())]
    Duplicate {
        /// The file, by the second of its paths.
        path: PathBuf,
    },
    /// The file or directory cannot be renamed, and the file system says so before it is tried.
    #[error("{} {by}", path.display())]
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
    #[error("{} did not take owner {uid}:{gid} and mode {mode:04o}", path.display())]
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
    #[error("{}: {} holds the lock (waited {} s)", path.display(), process(*holder), waited.as_secs_f64())]
    Locked {
        /// The root.
        path: PathBuf,
        /// How long the lock was waited for.
        waited: Duration,
        /// The process that holds it, where the kernel tells.
        holder: Option<u32>,
    },
    /// An earlier commit was interrupted and has to be recovered first.
    #[error("{}: an earlier commit was interrupted", path.display())]
    Interrupted {
        /// The journal.
        path: PathBuf,
    },
    /// The journal or the manifest of a generation cannot be read.
    #[error("{} is damaged: {damage}", path.display())]
    Damaged {
        /// The journal or manifest.
        path: PathBuf,
        /// What is wrong with it.
        damage: Damage,
    },
    /// A file of an interrupted commit has neither its old nor its new content, or no longer its rights.
    #[error("{} {now}; the interrupted commit cannot be recovered", path.display())]
    Unrecognised {
        /// The file.
        path: PathBuf,
        /// What there is instead.
        now: Stranger,
        /// The generation of the interrupted commit, with the old contents.
        generation: PathBuf,
    },
    /// A backup is not there, or not what it was.
    #[error("{}: the backup is missing or damaged", path.display())]
    Backup {
        /// The backup.
        path: PathBuf,
    },
    /// There is no such generation to go back to.
    #[error("{}: there is no generation {number}{}", path.display(), range(*known))]
    NoGeneration {
        /// The root.
        path: PathBuf,
        /// The number that was asked for.
        number: u64,
        /// The first and the last one that there is a way back to.
        known: Option<(u64, u64)>,
    },
    /// Others than this user or root could have written what is in the state directory.
    #[error("{} belongs to user {uid} and has mode {mode:04o}, so others could write to it", path.display())]
    InsecureState {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        uid: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// A later version of the program has laid out the state directory.
    #[error("{} has the layout {layout}, and this program knows layouts up to {known}", path.display())]
    NewerLayout {
        /// The state directory.
        path: PathBuf,
        /// Its layout.
        layout: u64,
        /// The last layout that this program knows.
        known: u64,
    },
    /// What the caller notes of a commit is too long.
    #[error("{}: the note of the commit is longer than {limit} bytes", path.display())]
    LongNote {
        /// The root.
        path: PathBuf,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The operating system refused an operation.
    #[error("{}: cannot {operation}: {}", path.display(), reason(source))]
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
            | Error::Interrupted { path }
            | Error::Damaged { path, .. }
            | Error::Unrecognised { path, .. }
            | Error::Backup { path }
            | Error::NoGeneration { path, .. }
            | Error::InsecureState { path, .. }
            | Error::NewerLayout { path, .. }
            | Error::LongNote { path, .. }
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

    /// Returns whether nothing is there, rather than something unusable.
    pub fn is_missing(&self) -> bool {
        matches!(self.errno(), Some(Errno::NOENT | Errno::NOTDIR))
    }

    /// Returns whether the operating system refused it for want of a right.
    pub fn is_permission_denied(&self) -> bool {
        matches!(self.errno(), Some(Errno::ACCESS))
    }

    /// Returns what to do now: one sentence, or `None` where there is nothing better to say than the error.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Error::Path { why: PathProblem::Reserved, .. } => Some("give the file another name"),
            Error::Path { .. } => Some("write the path relative to the root, in its shortest form"),
            Error::Symlink { .. } => Some("name the real path; links beneath the root are never followed"),
            Error::NotRegular { .. } => Some("name a regular file"),
            Error::HardLinked { .. } => Some(
                "remove the other names, which `find -samefile` lists, or give this name a copy of its own",
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
            Error::NameTaken { .. } => Some("move away what is there"),
            Error::NotCarriedOver { .. } => Some("run as root or as the owner of the file"),
            Error::Locked { .. } => Some("wait until that run has ended, or wait longer for the lock"),
            Error::Interrupted { .. } => Some("recover it first"),
            Error::Damaged { damage: Damage::Layout, .. } => {
                Some("remove this file: the next run looks at what the folder holds, and writes it again")
            }
            Error::Damaged { .. } => Some(
                "compare each file with its backup in the last folder of `.kasm-db/private/generations`, put right what is \
                 wrong, and remove the damaged file",
            ),
            Error::Unrecognised { .. } => Some(
                "put its old content back, which is in the last folder of `.kasm-db/private/generations`, or remove \
                 `.kasm-db/journal` if all files are as they should be; then recover again",
            ),
            Error::Backup { .. } => Some("restore the content from a backup of your own"),
            Error::NoGeneration { .. } => Some("list the history for those that there are"),
            Error::InsecureState { .. } => Some(
                "check who has written there; if all is well, give it to root and remove the permissions of others",
            ),
            Error::NewerLayout { .. } => {
                Some("use the version of the program that wrote there, or a later one")
            }
            Error::LongNote { .. } => Some("write a shorter note"),
            Error::Io { operation, .. } => self.errno().and_then(|errno| remedy(operation, errno)),
        }
    }
}

const MOUNT_POINT: &str = "change the file that is mounted, or write it in place: it is a single-file bind mount \
    (by `mount --bind` or a container's volume)";

/// What to do if a process has as many files open as it may have.
pub const TOO_MANY_OPEN_FILES: &str =
    "raise the limit of open files, as `ulimit -n 4096` does, or work on fewer targets at a time";

/// Returns what the operating system said, without the number that Rust appends.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

fn process(holder: Option<u32>) -> String {
    holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

fn range(known: Option<(u64, u64)>) -> String {
    known.map_or_else(
        || ": nothing was committed yet".to_owned(),
        |(first, last)| match last.saturating_sub(first) {
            0 => format!("; available: {first}"),
            1 => format!("; available: {first} and {last}"),
            _ => format!("; available: {first} to {last}"),
        },
    )
}

fn remedy(operation: &Operation, errno: Errno) -> Option<&'static str> {
    let text = match errno {
        Errno::PERM if *operation == Operation::SetOwner => {
            "run as root or as the file's owner: only root can give a file to another owner"
        }
        Errno::BUSY => MOUNT_POINT,
        Errno::ROFS => "mount the file system read-write: it is read-only",
        Errno::PERM => {
            "check for the immutable or append-only attribute with `lsattr -d`; if there is none, run as root or as the owner"
        }
        Errno::ACCESS => "run as root or with `sudo`",
        Errno::NOSPC => "free space: `df -h` and `df -i` show what is full",
        Errno::DQUOT => "free space or raise the disk quota of the file's owner",
        Errno::XDEV => "name the file by its real path: it and its directory are on different file systems",
        Errno::LOOP => "name the real path: a part of this one is a symbolic link",
        Errno::NOENT => "check that the path exists",
        Errno::NOTDIR => "check the path: a part of it is a file, not a directory",
        Errno::NAMETOOLONG => "rename the file: the copy beside it needs a name that is 13 bytes longer",
        Errno::MFILE => TOO_MANY_OPEN_FILES,
        Errno::IO => "check `dmesg` before you try again: the disk reports errors",
        Errno::NOTSUP | Errno::NOSYS => "move the files to another file system: this one lacks the feature",
        _ => return None,
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_error_of_the_system_names_path_operation_and_remedy() {
        use Errno as E;
        for errno in
            [E::BUSY, E::ROFS, E::PERM, E::ACCESS, E::NOSPC, E::DQUOT, E::XDEV, E::LOOP, E::NOENT, E::MFILE]
        {
            let error = Error::io("/r/a.conf", Operation::Exchange, errno);
            let text = error.to_string();
            assert!(text.starts_with("/r/a.conf: cannot exchange the file"), "{text}");
            assert!(!text.contains("os error") && text.len() > 45, "{text}");
            assert!(error.help().is_some(), "{text}");
        }
    }

    #[test]
    fn what_the_system_says_is_said_without_its_number() {
        let error = Error::io("/r/a.conf", Operation::Exchange, Errno::ROFS);
        assert_eq!(
            error.to_string(),
            "/r/a.conf: cannot exchange the file with its staged copy: read-only file system"
        );
    }

    #[test]
    fn an_unknown_error_of_the_system_invents_no_remedy() {
        assert_eq!(Error::io("/r/a", Operation::Read, Errno::BADF).help(), None);
    }
}
