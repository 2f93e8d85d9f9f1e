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
//! 2. **Write down** what is to be done (`.kasm-db/journal.new`), and make it last.
//! 3. **Stage** every new file beside the old one (`.NAME.kasm-db-new`): created with mode 0600, then owner,
//!    extended attributes (ACL and security labels among them) and mode of the old one. **Back up** every old
//!    content (`.kasm-db/generations/N/`). Then `fsync` of every file and every directory.
//! 4. **Decide**: `journal.new` becomes `journal`, `fsync` of its directory. From here on a run that is killed
//!    is finished by [`Lock::recover`], which needs nothing but what is on the disk.
//! 5. **Exchange** each pair of names (`renameat2`, `RENAME_EXCHANGE`) and look at what came out: if it is
//!    not the content the change was made for, another process was faster, and everything goes back. Then
//!    `fsync` of every directory. Where names can not be exchanged, a hard link keeps the old file and a
//!    rename puts the new one in its place. A file that is to keep its inode is written in place instead.
//! 6. **Remove** the old files; the journal becomes the manifest of generation N. That is not synced: a journal
//!    that comes back tells of files that are all new.
//!
//! A reader sees each file old or new, never missing and never in between, but for files written in place.
//! After an error in steps 2 to 5 the files go back and the staged ones go away; [`State`] says whether that
//! worked. An `fsync` that fails is an error and is never tried again.
//!
//! Every lookup starts at the descriptor of the root, opened once. Someone who can write to a directory
//! beneath it can make a commit fail, but not make it write anywhere else.
//!
//! # Limitations
//! - A recovery refuses where a file has become something else than its old or new content: that is for a
//!   person to decide.
//! - The backups hold what the files held, passwords included: mode 0600, in a directory of mode 0700.
//! - Files are replaced, never created and never removed. Their inode changes, as with every editor that
//!   renames: who holds the old file open, or has it mounted by itself into a container, keeps the old
//!   content. [`Options::in_place`] is for these.
//! - Files with more than one hard link are refused. Inode flags (`chattr`) are not carried over, and the ones
//!   that forbid the change refuse it; nor are `security.ima` and `security.evm`, which belong to the old
//!   content.
//! - What another process writes to a file between the last look at it and a write in place is lost: only an
//!   exchange would bring it to light. What it appends meanwhile is found.
//! - A file is held in memory, before and after.
//! - Without `RENAME_EXCHANGE` (NFS, some FUSE file systems) a file that another process *renames* into place
//!   in the very moment of the change is lost.
//! - The lock keeps out those who ask for it, and is one per directory: two roots of which one lies in the
//!   other have two locks. It is as good as `flock` on a directory is, which some network file systems
//!   refuse.
//! - Linux only.

mod bytes;
mod change;
mod digest;
mod dir;
mod error;
mod exchange;
mod history;
mod in_place;
mod lock;
mod log;
mod member;
mod metadata;
mod outcome;
mod path;
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
pub use error::{Error, FileKind, Occupant, Operation, PathProblem, Protection, Stranger, reason};
pub use history::Back;
pub use lock::Lock;
pub use metadata::Metadata;
pub use outcome::{CommitError, Content, Kept, LostXattr, Pending, Report, State};
pub use record::{Damage, Generation, Replaced};
pub use recover::{Outcome, Recovery};
pub use rights::Writable;
pub use root::{File, Root};
