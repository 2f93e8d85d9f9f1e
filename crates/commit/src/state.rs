//! The state directory: the journal, the generations with their backups, and what is to follow a commit.
//!
//! ```text
//! .kasm-db/               0700
//!   .gitignore            so that a checkout stays clean
//!   journal               a commit is decided and under way
//!   journal.new           a commit is being prepared
//!   follow-up             what is to be done once the files are there
//!   follow-up.next        the same, of a commit that is under way
//!   generations/7/
//!     manifest            what was the journal, once the commit is done
//!     0.old               what the first of its files held before
//!     0.new               while a file is written in place: what it gets
//! ```

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use crate::bytes;
use crate::digest::Digest;
use crate::dir::{Access, Dir};
use crate::error::{Error, Operation};
use crate::path::STATE_DIR;
use crate::record::{Damage, Generation, MAX_BYTES};

pub(crate) const JOURNAL: &str = "journal";
const INTENT: &str = "journal.new";
const FOLLOW_UP: &str = "follow-up";
const FOLLOW_UP_NEXT: &str = "follow-up.next";
const FOLLOW_UP_NEW: &str = "follow-up.new";
const GENERATIONS: &str = "generations";
const MANIFEST: &str = "manifest";
const IGNORE: &str = ".gitignore";

/// More than what follows can come to: it is taken from a document and those that it extends.
const MAX_FOLLOW_UP: u64 = 16 << 20;

/// How many generations are kept.
const KEPT: usize = 10;

/// The state directory of a root, open.
#[derive(Debug)]
pub(crate) struct StateDir {
    dir: Dir,
}

impl StateDir {
    /// Opens the directory; `None` if nothing was ever committed.
    pub(crate) fn open(root: &Dir) -> Result<Option<StateDir>, Error> {
        let dir = match root.descend(Path::new(STATE_DIR), Access::Read) {
            Err(error) if error.is_missing() => return Ok(None),
            found => found?,
        };
        let found = rustix::fs::fstat(dir.as_fd())
            .map_err(|errno| Error::io(dir.path(), Operation::Inspect, errno))?;
        // What is read here leads to writing, so nobody else may have had a hand in it.
        let (uid, mode) = (found.st_uid, found.st_mode & 0o7777);
        if (uid != 0 && uid != rustix::process::geteuid().as_raw()) || mode & 0o022 != 0 {
            return Err(Error::InsecureState { path: dir.path().to_path_buf(), uid, mode });
        }
        Ok(Some(StateDir { dir }))
    }

    /// Opens the directory, and makes it where it is not there; says whether it did.
    pub(crate) fn create(root: &Dir) -> Result<(StateDir, bool), Error> {
        if let Some(state) = StateDir::open(root)? {
            state.dir.create_dir(OsStr::new(GENERATIONS))?;
            return Ok((state, false));
        }
        root.create_dir(OsStr::new(STATE_DIR))?;
        let open =
            || StateDir::open(root)?.ok_or_else(|| Error::Missing { path: root.join(STATE_DIR.as_ref()) });
        let made = open().and_then(|state| {
            let ignore = state.dir.create(OsStr::new(IGNORE), Operation::Journal)?;
            let path = state.dir.join(OsStr::new(IGNORE));
            bytes::write_all(&ignore, b"*\n").map_err(|errno| Error::io(path, Operation::Journal, errno))?;
            state.dir.create_dir(OsStr::new(GENERATIONS))?;
            Ok(state)
        });
        made.map(|state| (state, true)).inspect_err(|_| {
            let _ = remove(root);
        })
    }

    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
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
        match read(dir, OsStr::new(name), MAX_BYTES) {
            Ok(Some(bytes)) => Generation::decode(&bytes).map(Some).map_err(damaged),
            Ok(None) => Ok(None),
            Err(Error::TooLarge { .. }) => Err(damaged(Damage::Size)),
            Err(error) => Err(error),
        }
    }

    /// Writes down what a commit has in mind, so that it lasts.
    pub(crate) fn intend(&self, record: &Generation) -> Result<(), Error> {
        let name = OsStr::new(INTENT);
        self.dir.remove(name, Operation::RemoveStale)?;
        self.write(name, &record.encode(), Operation::Journal)?;
        self.dir.synced()
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
        if record.follow_up.is_some() && self.dir.entry(OsStr::new(FOLLOW_UP_NEXT))?.is_some() {
            let (next, name) = (OsStr::new(FOLLOW_UP_NEXT), OsStr::new(FOLLOW_UP));
            self.dir.rename(next, &self.dir, name, Operation::FollowUp)?;
            self.dir.synced()?;
        }
        let own = self.own(record.number)?;
        self.dir.rename(OsStr::new(JOURNAL), &own, OsStr::new(MANIFEST), Operation::EndJournal)
    }

    /// Takes a decision back, so that it lasts.
    pub(crate) fn withdraw(&self) -> Result<(), Error> {
        self.dir.remove(OsStr::new(JOURNAL), Operation::EndJournal)?;
        self.dir.synced()
    }

    /// Tells whether what is to follow is there, or was taken over already.
    pub(crate) fn follow_up_is_whole(&self, record: &Generation) -> Result<bool, Error> {
        let Some(wanted) = record.follow_up else { return Ok(true) };
        let next = read(&self.dir, OsStr::new(FOLLOW_UP_NEXT), MAX_FOLLOW_UP)?;
        Ok(next.is_none_or(|bytes| Digest::of(&bytes) == wanted))
    }

    pub(crate) fn follow_up_waits(&self) -> Result<bool, Error> {
        Ok(self.dir.entry(OsStr::new(FOLLOW_UP_NEXT))?.is_some())
    }

    /// Writes what is to follow a commit that is being prepared.
    pub(crate) fn stage_follow_up(&self, bytes: &[u8]) -> Result<(), Error> {
        let name = OsStr::new(FOLLOW_UP_NEXT);
        self.dir.remove(name, Operation::RemoveStale)?;
        self.write(name, bytes, Operation::FollowUp)
    }

    pub(crate) fn follow_up(&self) -> Result<Option<Vec<u8>>, Error> {
        read(&self.dir, OsStr::new(FOLLOW_UP), MAX_FOLLOW_UP)
    }

    pub(crate) fn set_follow_up(&self, bytes: &[u8]) -> Result<(), Error> {
        let (new, name) = (OsStr::new(FOLLOW_UP_NEW), OsStr::new(FOLLOW_UP));
        self.dir.remove(new, Operation::RemoveStale)?;
        let set = self
            .write(new, bytes, Operation::FollowUp)
            .and_then(|()| self.dir.rename(new, &self.dir, name, Operation::FollowUp));
        set.inspect_err(|_| {
            let _ = self.dir.remove(new, Operation::Remove);
        })?;
        self.dir.synced()
    }

    pub(crate) fn clear_follow_up(&self) -> Result<(), Error> {
        self.dir.remove(OsStr::new(FOLLOW_UP), Operation::FollowUp)?;
        self.dir.synced()
    }

    fn write(&self, name: &OsStr, bytes: &[u8], operation: Operation) -> Result<(), Error> {
        let path = self.dir.join(name);
        let file = self.dir.create(name, operation.clone())?;
        bytes::write_all(&file, bytes).map_err(|errno| Error::io(&path, operation, errno))?;
        sync_file(&file, &path)
    }

    /// Opens the folder of generations.
    pub(crate) fn generations(&self) -> Result<Dir, Error> {
        self.dir.descend(Path::new(GENERATIONS), Access::Read)
    }

    /// Opens the folder of one generation.
    pub(crate) fn own(&self, number: u64) -> Result<Dir, Error> {
        self.generations()?.descend(Path::new(&number.to_string()), Access::Read)
    }

    /// Returns the numbers of all generations, also of those that are not done, in order.
    pub(crate) fn numbers(&self) -> Result<Vec<u64>, Error> {
        let names = match self.generations() {
            Err(error) if error.is_missing() => return Ok(Vec::new()),
            found => found?.names()?,
        };
        let number = |name: &OsString| {
            let text = name.to_str()?;
            text.parse().ok().filter(|number: &u64| number.to_string() == text)
        };
        let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Reads the manifest of a generation; `None` if it never came to be.
    pub(crate) fn manifest(&self, number: u64) -> Result<Option<Generation>, Error> {
        let dir = match self.own(number) {
            Err(error) if error.is_missing() => return Ok(None),
            found => found?,
        };
        match self.record(&dir, MANIFEST)? {
            Some(found) if found.number != number => {
                Err(Error::Damaged { path: dir.join(OsStr::new(MANIFEST)), damage: Damage::Number })
            }
            found => Ok(found),
        }
    }

    /// Removes what no commit needs any more: generations that never came to be, the oldest beyond those that
    /// are kept, and what was prepared. There must be no journal.
    pub(crate) fn sweep(&self) -> Result<(), Error> {
        self.sweep_of(&self.numbers()?)
    }

    /// As [`StateDir::sweep`], of these generations, which are all that there are.
    pub(crate) fn sweep_of(&self, numbers: &[u64]) -> Result<(), Error> {
        let (mut done, mut last) = (Vec::new(), None);
        if !numbers.is_empty() {
            let generations = self.generations()?;
            for number in numbers {
                let own = generations.descend(Path::new(&number.to_string()), Access::Read)?;
                if own.entry(OsStr::new(MANIFEST))?.is_some() {
                    done.push(*number);
                    last = Some(own);
                } else {
                    self.remove_generation(*number)?;
                }
            }
        }
        for number in &done[..done.len().saturating_sub(KEPT)] {
            self.remove_generation(*number)?;
        }
        if let Some(own) = last {
            for name in own.names()?.iter().filter(|name| name.to_string_lossy().ends_with(".new")) {
                own.remove(name, Operation::Remove)?;
            }
        }
        for name in [INTENT, FOLLOW_UP_NEXT, FOLLOW_UP_NEW] {
            if self.dir.entry(OsStr::new(name))?.is_some() {
                self.dir.remove(OsStr::new(name), Operation::RemoveStale)?;
            }
        }
        Ok(())
    }

    /// Removes a generation: its manifest first, so that what is left of it counts for nothing.
    pub(crate) fn remove_generation(&self, number: u64) -> Result<(), Error> {
        let generations = self.generations()?;
        let name = OsString::from(number.to_string());
        if let Ok(own) = generations.descend(Path::new(&name), Access::Read) {
            own.remove(OsStr::new(MANIFEST), Operation::Remove)?;
        }
        generations.remove_dir(&name)
    }
}

/// Removes a state directory in which nothing is kept yet.
pub(crate) fn remove(root: &Dir) -> Result<(), Error> {
    let name = OsStr::new(STATE_DIR);
    if let Ok(dir) = root.descend(Path::new(STATE_DIR), Access::Read) {
        dir.remove_dir(OsStr::new(GENERATIONS))?;
    }
    root.remove_dir(name)
}

/// The backup of the file at `index` of a record.
pub(crate) fn backup_name(index: usize) -> OsString {
    format!("{index}.old").into()
}

/// What a file that is written in place will get.
pub(crate) fn copy_name(index: usize) -> OsString {
    format!("{index}.new").into()
}

/// Reads a file of at most `limit` bytes; `None` if there is none.
pub(crate) fn read(dir: &Dir, name: &OsStr, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    let path = dir.join(name);
    let Some(opened) = dir.open_regular(name)? else { return Ok(None) };
    opened.read(&path, limit)?.map(Some).ok_or(Error::TooLarge { path, limit })
}

/// Makes a file last. An `fsync` that failed is never tried again: the lost pages would count as written.
pub(crate) fn sync_file(file: &File, path: &Path) -> Result<(), Error> {
    rustix::fs::fsync(file).map_err(|errno| Error::io(path, Operation::Sync, errno))
}
