//! The state directory: the journal, the generations with their backups, what is to follow a commit and what is managed.
//!
//! ```text
//! .kasm-db/               0755
//!   .gitignore            0644  so that a checkout stays clean
//!   layout                0644  the number of this layout, 2
//!   journal               0600  a commit is decided and under way
//!   journal.new           0600  a commit is being prepared
//!   follow-up             0600  what is to be done once the files are there
//!   follow-up.next        0600  the same, of a commit that is under way
//!   managed               0644  what is managed; 0600 if it is secret
//!   managed.next          0644  the same, of a commit that is under way
//!   generations/7/        0755
//!     manifest            0644  what everybody may know of the generation
//!     manifest.new        0644  the same, of a commit that is under way
//!   private/              0700
//!     lock                0600
//!     generations/7/      0700
//!       manifest          0600  what was the journal, once the commit is done
//!       0.old             0600  what the first of its files held before
//!       0.new             0600  while a file is written in place: what it gets
//! ```
//!
//! Everybody sees whether there is a journal or a follow-up record, and so whether something is pending; what is in them
//! their owner alone can read. A marker of its own could be there without them, or they without it.
//!
//! Layout 1 has no `private`, and the mode 0700. Its generations, with manifest and backups, stay where they are and as
//! they are until they are too old to be kept: `generations/7/` 0700. Journal and follow-up record have one place in both
//! layouts, so that a program that does not know this one refuses what it finds there.

pub(crate) mod files;
pub(crate) mod forget;
mod generations;
mod kept;
pub(crate) mod layout;
mod version;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use self::files::{Readers, Unsynced, read, stage, trusted};
use crate::dir::{Access, Dir};
use crate::error::{Damage, Error, MAX_RECORD, Operation};
use crate::path::STATE_DIR;
use crate::record::{Form, Generation};

const JOURNAL: &str = "journal";
const INTENT: &str = "journal.new";
const PRIVATE: &str = "private";
const LOCK: &str = "lock";
const GENERATIONS: &str = "generations";
const MANIFEST: &str = "manifest";
const MANIFEST_NEW: &str = "manifest.new";

/// The state directory of a root, open.
#[derive(Debug)]
pub(crate) struct StateDir {
    dir: Dir,
    private: Private,
    /// Not so for a directory of layout 1, and for one that was being made.
    is_current: bool,
}

/// The private part of a state directory.
#[derive(Debug)]
enum Private {
    /// There is none, as in layout 1.
    Absent,
    /// It is somebody else's.
    Closed,
    Open(Dir),
}

impl StateDir {
    /// Opens the directory; `None` if nothing was ever committed.
    pub(crate) fn open(root: &Dir) -> Result<Option<StateDir>, Error> {
        let dir = match root.descend(Path::new(STATE_DIR), Access::Read) {
            // Something else under its name is not nothing.
            Err(error) if error.is_missing() => match root.entry(OsStr::new(STATE_DIR))? {
                None => return Ok(None),
                Some(_) => return Err(not_a_directory(root.join(OsStr::new(STATE_DIR)))),
            },
            found => found?,
        };
        trusted(&dir)?;
        let private = match dir.descend(Path::new(PRIVATE), Access::Read) {
            Err(error) if error.is_missing() && dir.entry(OsStr::new(PRIVATE))?.is_none() => Private::Absent,
            Err(error) if error.is_missing() => return Err(not_a_directory(dir.join(OsStr::new(PRIVATE)))),
            Err(error) if error.is_permission_denied() => Private::Closed,
            found => Private::Open(found?),
        };
        if let Private::Open(private) = &private {
            trusted(private)?;
        }
        let is_current = version::is_current(&dir)?;
        Ok(Some(StateDir { dir, private, is_current }))
    }

    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Returns the private part; `None` if there is none.
    ///
    /// # Errors
    /// It is somebody else's.
    pub(crate) fn private(&self) -> Result<Option<&Dir>, Error> {
        match &self.private {
            Private::Absent => Ok(None),
            Private::Open(private) => Ok(Some(private)),
            Private::Closed => {
                let path = self.dir.join(OsStr::new(PRIVATE));
                Err(Error::io(path, Operation::OpenDirectory, Errno::ACCESS))
            }
        }
    }

    /// Returns the private part, which is there.
    fn own_part(&self) -> Result<&Dir, Error> {
        let missing = || Error::Missing { path: self.dir.join(OsStr::new(PRIVATE)) };
        self.private()?.ok_or_else(missing)
    }

    /// Returns whether only the public part can be read.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.private, Private::Closed)
    }

    /// Opens the file that a run locks which writes here; `None` if there is none, or it is somebody else's.
    pub(crate) fn lock_file(&self) -> Result<Option<File>, Error> {
        let Private::Open(private) = &self.private else { return Ok(None) };
        Ok(private.open_regular(OsStr::new(LOCK))?.map(|opened| opened.file))
    }

    /// Reads the journal of a commit that is under way.
    pub(crate) fn journal(&self) -> Result<Option<Generation>, Error> {
        self.record(&self.dir, JOURNAL)
    }

    pub(crate) fn journal_path(&self) -> PathBuf {
        self.dir.join(OsStr::new(JOURNAL))
    }

    pub(crate) fn has_journal(&self) -> Result<bool, Error> {
        Ok(self.dir.entry(OsStr::new(JOURNAL))?.is_some())
    }

    /// Reads what a commit that was not decided had in mind. One that was cut short says nothing.
    pub(crate) fn intent(&self) -> Result<Option<Generation>, Error> {
        match self.record(&self.dir, INTENT) {
            Err(Error::Damaged { .. }) => Ok(None),
            found => found,
        }
    }

    fn record(&self, dir: &Dir, name: &str) -> Result<Option<Generation>, Error> {
        let damaged = |damage| Error::Damaged { path: dir.join(OsStr::new(name)), damage };
        match read(dir, OsStr::new(name), MAX_RECORD) {
            Ok(Some(bytes)) => Generation::decode(&bytes).map(Some).map_err(damaged),
            Ok(None) => Ok(None),
            Err(Error::TooLarge { .. }) => Err(damaged(Damage::Size)),
            Err(error) => Err(error),
        }
    }

    /// Writes down what a commit has in mind, so that it lasts, with what else was written into the directory.
    pub(crate) fn intend(
        &self,
        root: &Dir,
        record: &Generation,
        mut unsynced: Unsynced,
    ) -> Result<(), Error> {
        stage(&self.dir, INTENT, &record.encode(), Readers::Owner, Operation::Journal, &mut unsynced)?;
        self.settle(root, unsynced)
    }

    /// Decides on the commit that was prepared. If it fails after the rename, the journal may be there.
    pub(crate) fn decide(&self) -> Result<(), Error> {
        self.dir.rename(OsStr::new(INTENT), &self.dir, OsStr::new(JOURNAL), Operation::Journal)?;
        self.dir.synced()
    }

    /// Ends a commit whose files are in place and synced: its journal becomes the manifest.
    ///
    /// That need not be synced. A journal that a power cut brings back tells of files that are all new.
    pub(crate) fn end(&self, record: &Generation) -> Result<(), Error> {
        self.take_over(record)?;
        let own = self.own(record)?;
        self.dir.rename(OsStr::new(JOURNAL), &own, OsStr::new(MANIFEST), Operation::EndJournal)?;
        if record.form == Form::Full { self.publish(record) } else { Ok(()) }
    }

    /// Withdraws a decision, so that it lasts.
    pub(crate) fn withdraw(&self) -> Result<(), Error> {
        self.dir.remove(OsStr::new(JOURNAL), Operation::EndJournal)?;
        self.dir.synced()
    }
}

fn not_a_directory(path: PathBuf) -> Error {
    Error::io(path, Operation::OpenDirectory, Errno::NOTDIR)
}

/// The backup of the file at `index` of a record.
pub(crate) fn backup_name(index: usize) -> OsString {
    format!("{index}.old").into()
}

/// What a file that is written in place will get.
pub(crate) fn copy_name(index: usize) -> OsString {
    format!("{index}.new").into()
}
