//! The journal and the backups of the commit that is being made.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::bytes;
use crate::change::Options;
use crate::digest::Digest;
use crate::dir::{Access, Dir};
use crate::error::{Error, Operation};
use crate::record::{Form, Generation, Replaced};
use crate::state::files::Unsynced;
use crate::state::{StateDir, backup_name, copy_name, layout};

/// The most that a caller may note of a commit, in bytes: with it a record has far less than a record may have.
const MAX_NOTE: usize = 128 << 10;

/// Acquires the lock of a state directory, unless it is held already.
pub(crate) type Hold<'h> = &'h dyn Fn(&StateDir) -> Result<(), Error>;

#[derive(Debug)]
pub(crate) struct Log {
    root: Dir,
    state: StateDir,
    /// Whether this commit made the state directory.
    created: bool,
    own: Dir,
    record: Generation,
    /// What the decision needs, and is not synced yet.
    unsynced: Unsynced,
    /// Whether the journal is there, or may be.
    decided: bool,
}

impl Log {
    /// Writes down what is to be done, so that whatever is made from here on is found again. `hold` takes the lock of the
    /// state directory, before anything else is written there.
    pub(crate) fn begin(
        root: &Dir,
        files: Vec<Replaced>,
        options: &Options,
        hold: Hold<'_>,
    ) -> Result<Log, Error> {
        let root = root.descend(Path::new(""), Access::Read)?;
        if options.note.len() > MAX_NOTE {
            return Err(Error::LongNote { path: root.path().to_path_buf(), limit: MAX_NOTE });
        }
        let mut made = Unsynced::default();
        let (state, created) = StateDir::create(&root, &mut made)?;
        let undo = |error: Error, number: Option<u64>| {
            // What cannot be removed is found by the next commit.
            let _ = state.sweep();
            let _ = number.map(|number| state.remove_generation(number));
            if created {
                let _ = layout::remove(&root);
            }
            error
        };
        let number = match hold(&state).and_then(|()| state.next()) {
            Ok(number) => number,
            Err(error) => return Err(undo(error, None)),
        };
        let record = record(number, files, options);
        let mut unsynced = Unsynced::default();
        let begun = || {
            let own = state.begin_generation(&record, &mut unsynced)?;
            if let Some(bytes) = &options.follow_up {
                state.stage_follow_up(bytes, &mut unsynced)?;
            }
            if let Some(bytes) = &options.managed {
                state.stage_managed(bytes, options.managed_is_secret, &mut unsynced)?;
            }
            state.intend(&root, &record, made)?;
            Ok(own)
        };
        match begun() {
            Ok(own) => Ok(Log { root, state, created, own, record, unsynced, decided: false }),
            Err(error) => Err(undo(error, Some(number))),
        }
    }

    /// Returns the number of the generation.
    pub(crate) fn number(&self) -> u64 {
        self.record.number
    }

    /// Keeps the old content of a file, and returns where.
    pub(crate) fn back_up(&mut self, index: usize, content: &[u8]) -> Result<PathBuf, Error> {
        self.keep(&backup_name(index), content)
    }

    /// Keeps the new content of a file that is written in place.
    pub(crate) fn copy(&mut self, index: usize, content: &[u8]) -> Result<(), Error> {
        self.keep(&copy_name(index), content).map(drop)
    }

    fn keep(&mut self, name: &OsStr, content: &[u8]) -> Result<PathBuf, Error> {
        let path = self.own.join(name);
        let file = self.own.create(name, Operation::Backup)?;
        bytes::write_all(&file, content).map_err(|errno| Error::io(&path, Operation::Backup, errno))?;
        self.unsynced.add(file, path.clone());
        Ok(path)
    }

    /// Adds a new file that lies beside the old one.
    pub(crate) fn staged(&mut self, file: File, path: PathBuf) {
        self.unsynced.add(file, path);
    }

    /// Makes everything that was prepared last. All is written before the first sync: it takes the rest along.
    pub(crate) fn sync(&mut self) -> Result<(), Error> {
        self.unsynced.sync()?;
        self.own.synced()?;
        self.state.sync_generations()?;
        // Whatever was staged beside the journal must be there when that decides.
        let has_staged = self.record.follow_up.is_some() || self.record.managed.is_some();
        if has_staged { self.state.dir().synced() } else { Ok(()) }
    }

    /// The commit point: from here on the files will change, whatever happens.
    pub(crate) fn decide(&mut self) -> Result<(), Error> {
        self.decided = true;
        self.state.decide()
    }

    /// Ends a commit that is made. What it cannot do, the next recovery does.
    pub(crate) fn end(self) -> Vec<Error> {
        match self.state.end(&self.record) {
            Ok(()) => self.state.sweep().err().into_iter().collect(),
            Err(error) => vec![error],
        }
    }

    /// Accepts the decision back after every file is what it was.
    ///
    /// # Errors
    /// The decision may come back with the next power cut.
    pub(crate) fn withdraw(&mut self) -> Result<(), Error> {
        if self.decided {
            self.state.withdraw()?;
            self.decided = false;
        }
        Ok(())
    }

    /// Removes everything that was prepared; there is no decision any more.
    pub(crate) fn forget(self) -> Vec<Error> {
        let mut failed = Vec::new();
        failed.extend(self.state.remove_generation(self.record.number).err());
        failed.extend(self.state.sweep().err());
        if self.created {
            failed.extend(layout::remove(&self.root).err());
        }
        failed
    }
}

/// Creates the record of a commit that begins now.
fn record(number: u64, files: Vec<Replaced>, options: &Options) -> Generation {
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let Options { tool, what, note, follow_up, managed, .. } = options;
    Generation {
        number,
        time,
        tool: tool.clone(),
        what: what.clone(),
        files,
        note: note.clone(),
        follow_up: follow_up.as_deref().map(Digest::of),
        managed: managed.as_deref().map(Digest::of),
        form: Form::Full,
    }
}
