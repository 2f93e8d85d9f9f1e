//! Replaces a set of files under one root, wholly or not at all.
//!
//! ```
//! use std::path::{Path, PathBuf};
//! use std::time::Duration;
//!
//! use kasm_db_commit::{Change, Root};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let temp = tempfile::tempdir()?;
//! # let there = temp.path();
//! # std::fs::write(there.join("server.conf"), "port = 80\n")?;
//! let root = Root::open(there)?;
//! let lock = root.lock(Duration::from_secs(10))?;
//!
//! let path = Path::new("server.conf");
//! let file = root.read(path, 1 << 20)?.ok_or("no server.conf")?;
//! let change = Change { path: path.into(), before: file.bytes, after: b"port = 8080\n".to_vec() };
//! let report = lock.commit(&[change])?;
//!
//! assert_eq!(report.written, [PathBuf::from("server.conf")]);
//! assert_eq!(std::fs::read(there.join("server.conf"))?, b"port = 8080\n");
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//! 1. **Check** every file: regular, one link, reached without symbolic links, content still what the change
//!    was made for, directory writable. Nothing has been written if one fails.
//! 2. **Record** what is to be done (`.kasm-db/journal.new`), and sync it.
//! 3. **Stage** every new file beside the old one (`.NAME.kasm-db-new`): created with mode 0600, then owner,
//!    extended attributes (ACL and security labels among them) and mode of the old one. **Back up** every old
//!    content (`.kasm-db/private/generations/N/`). Then `fsync` of every file and every directory.
//! 4. **Decide**: `journal.new` becomes `journal`, `fsync` of its directory. From here on a run that is killed
//!    is finished by [`Lock::recover`], which needs nothing but what is on the disk.
//! 5. **Exchange** each pair of names (`renameat2`, `RENAME_EXCHANGE`) and compare the file that was replaced: if
//!    it does not have the content that the change was made for, another process was faster, and everything is
//!    rolled back. Then `fsync` of every directory. If names cannot be exchanged, a hard link keeps the old file
//!    and a rename puts the new one in its place. A file that is to keep its inode is written in place instead.
//! 6. **Remove** the old files; the journal becomes the manifest of generation N. That is not synced: if the
//!    journal is there again after a crash, the files in it are all new. The public note of the generation, which was
//!    staged with the backups, gets its name.
//!
//! A reader sees each file old or new, never missing and never partly written, except for files written in place.
//! After an error in steps 2 to 5 the old files are restored and the staged ones removed; [`State`] says whether
//! that worked. An `fsync` that fails is an error and is never repeated.
//!
//! Every lookup starts at the descriptor of the root, opened once. Someone who can write to a directory
//! beneath it can make a commit fail, but not make it write anywhere else.
//!
//! # The state directory
//! `.kasm-db/` below the root has two parts. The public one is readable by everybody (0755, files 0644): `layout`, which
//! is the number 2; `generations/N/manifest`, which tells what a commit was for, what its caller noted and which files it
//! changed, with digests of those that everybody could read; and `managed`, a record of the caller that outlasts the ten
//! generations. In the private one, `private/` (0700, files 0600), are the backups, the full manifests and the lock file.
//! `journal` and `follow-up` are in `.kasm-db/` with mode 0600: everybody sees that they are there, and so that something
//! is pending, and nobody but their owner what they say. Nobody but their owner or root may have written any of it:
//! [`Error::InsecureState`].
//!
//! A directory of layout 1 (version 0.1: all of it private, the backups in `generations/N/`) is read as it is. The first
//! commit makes it one of layout 2, in steps of which each leaves a directory that can be read; the old generations stay
//! where they are, closed, until they are too old to be kept. A journal of version 0.1 is recovered. A later layout is
//! refused: [`Error::NewerLayout`].
//!
//! # Limitations
//! - A recovery refuses if a file has neither its old nor its new content: that is for a person to decide.
//! - The backups hold what the files held, passwords included: mode 0600, in a directory of mode 0700.
//! - A state directory that its owner, or the owner of the root, puts back as a whole is believed.
//! - Files are replaced, never created and never removed. Their inode changes, as with every editor that
//!   renames: a process that has the old file open, and a container that has it as a single-file bind mount,
//!   keep the old content. [`Options::in_place`] is for these.
//! - Files with more than one hard link are refused. Inode flags (`chattr`) are not carried over, and the ones
//!   that forbid the change refuse it; nor are `security.ima` and `security.evm`, which belong to the old
//!   content.
//! - What another process writes to a file between the last comparison and a write in place is lost: only an
//!   exchange would reveal it. What it appends meanwhile is found.
//! - A file is held in memory, before and after.
//! - Without `RENAME_EXCHANGE` (NFS, some FUSE file systems) a file that another process *renames* into place
//!   in the very moment of the change is lost.
//! - The lock keeps out those who ask for it, and is one per directory: two roots of which one lies in the
//!   other have two locks. It is as good as `flock` on a directory is, which some network file systems
//!   refuse. Whoever can read the root can hold the lock on it; the one on `private/lock`, which a commit also takes, only
//!   its owner.
//! - Linux only.

mod bytes;
mod change;
mod digest;
mod dir;
mod error;
mod exchange;
mod folder;
mod history;
mod in_place;
mod lock;
mod log;
mod member;
mod metadata;
mod outcome;
mod path;
mod private;
mod record;
mod recover;
mod rights;
mod root;
mod set;
mod stage;
mod state;
mod xattr;

pub use change::{Change, Options};
pub use digest::Digest;
pub use error::{
    Damage, Error, Occupant, Operation, PathProblem, Protection, SpecialFile, Stranger, TOO_MANY_OPEN_FILES,
    reason,
};
pub use folder::{Folder, Readers, There};
pub use history::{Back, Interrupted, WayBack};
pub use lock::{Lock, Writer};
pub use metadata::Metadata;
pub use outcome::{CommitError, Content, Kept, LostXattr, Pending, Report, State};
pub use private::Private;
pub use record::{Generation, Replaced};
pub use recover::{Outcome, Recovery};
pub use rights::Writable;
pub use root::{File, Root};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
