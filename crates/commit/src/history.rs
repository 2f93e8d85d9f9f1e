//! What was committed below a root, and the way back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::change::Change;
use crate::digest::Digest;
use crate::error::Error;
use crate::lock;
use crate::record::{Form, Generation, Replaced};
use crate::recover;
use crate::root::Root;
use crate::state::files::read;
use crate::state::{StateDir, backup_name};

/// One file on the way back.
#[derive(Debug)]
#[non_exhaustive]
pub struct Back {
    /// What leads back; none of the same content.
    pub change: Change,
    /// Whether somebody changed the file since the last commit that did. That would be lost.
    pub edited: bool,
}

/// What leads back to how an earlier commit left the files.
#[derive(Debug, Default)]
pub struct WayBack {
    /// The files that change, by path.
    pub files: Vec<Back>,
    /// The files that are gone since. They are not created again.
    pub gone: Vec<PathBuf>,
}

impl WayBack {
    /// Returns whether the files are as they were.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.gone.is_empty()
    }
}

/// A commit that was interrupted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interrupted {
    /// What it was for, such as `apply`; empty if that is not known.
    pub what: String,
    /// Its number, if that is known.
    pub number: Option<u64>,
}

impl Root {
    /// Lists the commits that are kept, the oldest first. The last ten are.
    ///
    /// The [`Replaced::after`] of the last one that names a file tells whether it was changed since. Who may not look into
    /// the private part of the state directory gets what everybody may know, and nothing of layout 1.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::InsecureState`], [`Error::Io`].
    pub fn history(&self) -> Result<Vec<Generation>, Error> {
        let Some(state) = StateDir::open(self.dir())? else { return Ok(Vec::new()) };
        let mut all = Vec::new();
        for number in state.numbers()? {
            all.extend(state.manifest(number)?);
        }
        Ok(all)
    }

    /// Returns what the commits that are kept replaced of a file, the oldest first; nothing of what may not be read.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::InsecureState`], [`Error::Io`].
    pub fn replaced(&self, path: &Path) -> Result<Vec<Vec<u8>>, Error> {
        let Some(state) = StateDir::open(self.dir())? else { return Ok(Vec::new()) };
        let mut contents = Vec::new();
        for generation in self.history()? {
            let Some((index, file)) = generation.files.iter().enumerate().find(|(_, file)| file.path == path)
            else {
                continue;
            };
            let Ok(own) = state.own(&generation) else { continue };
            if let Ok(Some(bytes)) = read(&own, &backup_name(index), file.before_len) {
                contents.push(bytes);
            }
        }
        Ok(contents)
    }

    /// Finds the changes that lead back to how the commit number `to` left the files; the number before the
    /// oldest that is kept stands for the files as that one found them.
    ///
    /// The changes are to be committed as any others, and are then in the history as any others. Each file is
    /// read, up to `limit` bytes.
    ///
    /// # Errors
    /// [`Error::NoGeneration`], [`Error::Backup`], and those of [`Root::history`] and [`Root::read`].
    pub fn way_back(&self, to: u64, limit: u64) -> Result<WayBack, Error> {
        let history = self.history()?;
        let known = history.first().zip(history.last()).map(|(first, last)| (first.number - 1, last.number));
        let state = StateDir::open(self.dir())?;
        let (Some(state), true) = (state, known.is_some_and(|(first, last)| (first..=last).contains(&to)))
        else {
            return Err(Error::NoGeneration { path: self.path().to_path_buf(), number: to, known });
        };
        // Of each file the first commit behind `to` has what it was then, and the last one what it should be now.
        let mut files: BTreeMap<&PathBuf, (&Generation, usize, &Replaced, Option<Digest>)> = BTreeMap::new();
        for generation in history.iter().filter(|generation| generation.number > to) {
            for (index, file) in generation.files.iter().enumerate() {
                files
                    .entry(&file.path)
                    .and_modify(|(.., last)| *last = file.after)
                    .or_insert((generation, index, file, file.after));
            }
        }
        let mut back = WayBack::default();
        for (path, (generation, index, file, last)) in files {
            let own = state.own(generation)?;
            let name = backup_name(index);
            let damaged = || Error::Backup { path: own.join(&name) };
            let after = match read(&own, &name, file.before_len) {
                Ok(Some(bytes)) if Some(Digest::of(&bytes)) == file.before => bytes,
                Ok(_) | Err(Error::TooLarge { .. }) => return Err(damaged()),
                Err(error) => return Err(error),
            };
            let Some(before) = self.read(path, limit)?.map(|file| file.bytes) else {
                back.gone.push(path.clone());
                continue;
            };
            if before != after {
                let edited = Some(Digest::of(&before)) != last;
                back.files.push(Back { change: Change { path: path.clone(), before, after }, edited });
            }
        }
        Ok(back)
    }

    /// Returns the commit that was interrupted and has to be recovered, if there is one.
    ///
    /// Nothing is written. A commit that another process is just making is none; neither is one whose files
    /// are all in place, for which nothing is left to do but to say so. Who may not read the journal sees that there is
    /// one.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Unrecognised`] where a recovery would fail too, [`Error::InsecureState`],
    /// [`Error::NewerLayout`], [`Error::Io`].
    pub fn interrupted(&self) -> Result<Option<Interrupted>, Error> {
        let Some(state) = StateDir::open(self.dir())? else { return Ok(None) };
        if !state.has_journal()? {
            return Ok(None);
        }
        if state.is_closed() {
            if lock::is_held(self, None)? {
                return Ok(None);
            }
            let known = state.public_intent()?;
            let what = known.as_ref().map(|record| record.what.clone()).unwrap_or_default();
            return Ok(Some(Interrupted { what, number: known.map(|record| record.number) }));
        }
        let Some(record) = state.journal()? else { return Ok(None) };
        // A program of layout 1 holds no other lock than that of the root.
        let file = if record.form == Form::First { None } else { state.lock_file()? };
        if lock::is_held(self, file.as_ref())? {
            return Ok(None);
        }
        let finished = recover::is_finished(self.dir(), &state, &record)?;
        Ok((!finished).then_some(Interrupted { what: record.what, number: Some(record.number) }))
    }

    /// Returns what is managed, as it was given with the last commit that said so.
    ///
    /// # Errors
    /// [`Error::InsecureState`], [`Error::NewerLayout`], [`Error::Io`].
    pub fn managed(&self) -> Result<Option<Vec<u8>>, Error> {
        match StateDir::open(self.dir())? {
            Some(state) => state.managed(),
            None => Ok(None),
        }
    }

    /// Returns what is to follow the last commit, as it was given with it or set since.
    ///
    /// A program that has to do something once the files are in place, such as a restart in several steps,
    /// keeps there how far it is. If it is killed, the next run reads it and continues. It is there from the
    /// commit on, whenever the power fails; after an interrupted commit recover first.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use kasm_db_commit::{Change, Options, Root};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let temp = tempfile::tempdir()?;
    /// # std::fs::write(temp.path().join("server.conf"), "port = 80\n")?;
    /// # let root = Root::open(temp.path())?;
    /// let lock = root.lock(Duration::ZERO)?;
    /// lock.recover()?;
    /// if root.follow_up()?.is_none() {
    ///     let change = Change {
    ///         path: "server.conf".into(),
    ///         before: b"port = 80\n".to_vec(),
    ///         after: b"port = 8080\n".to_vec(),
    ///     };
    ///     let follow_up = Some(b"stop the server".to_vec());
    ///     lock.commit_with(&[change], &Options { follow_up, ..Options::default() })?;
    /// }
    /// // Whoever comes here after a crash finds the step that was next.
    /// while let Some(step) = root.follow_up()? {
    ///     match &step[..] {
    ///         b"stop the server" => lock.set_follow_up(b"start the server")?,
    ///         _ => lock.clear_follow_up()?,
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InsecureState`], [`Error::Io`].
    pub fn follow_up(&self) -> Result<Option<Vec<u8>>, Error> {
        match StateDir::open(self.dir())? {
            Some(state) => state.follow_up(),
            None => Ok(None),
        }
    }
}
