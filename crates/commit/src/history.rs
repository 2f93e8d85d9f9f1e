//! What was committed below a root, and the way back.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::change::Change;
use crate::digest::Digest;
use crate::error::Error;
use crate::lock;
use crate::record::{Generation, Replaced};
use crate::recover;
use crate::root::Root;
use crate::state::{StateDir, backup_name, read};

/// One file on the way back.
#[derive(Debug)]
#[non_exhaustive]
pub struct Back {
    /// What leads back; none of the same content.
    pub change: Change,
    /// Whether somebody changed the file since the last commit that did. That would be lost.
    pub edited: bool,
}

impl Root {
    /// Lists the commits that are kept, the oldest first. The last ten are.
    ///
    /// The [`Replaced::after`] of the last one that names a file tells whether it was changed since.
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

    /// Finds the changes that lead back to how the commit number `to` left the files; the number before the
    /// oldest that is kept stands for the files as that one found them.
    ///
    /// The changes are to be committed as any others, and are then in the history as any others. Each file is
    /// read, up to `limit` bytes.
    ///
    /// # Errors
    /// [`Error::NoGeneration`], [`Error::Backup`], [`Error::Missing`] for a file that is gone, and those of
    /// [`Root::history`] and [`Root::read`].
    pub fn way_back(&self, to: u64, limit: u64) -> Result<Vec<Back>, Error> {
        let history = self.history()?;
        let known = history.first().zip(history.last()).map(|(first, last)| (first.number - 1, last.number));
        let state = StateDir::open(self.dir())?;
        let (Some(state), true) = (state, known.is_some_and(|(first, last)| (first..=last).contains(&to)))
        else {
            return Err(Error::NoGeneration { path: self.path().to_path_buf(), number: to, known });
        };
        // Of each file the first commit behind `to` has what it was then, and the last one what it should be now.
        let mut files: BTreeMap<&PathBuf, (u64, usize, &Replaced, Digest)> = BTreeMap::new();
        for generation in history.iter().filter(|generation| generation.number > to) {
            for (index, file) in generation.files.iter().enumerate() {
                files.entry(&file.path).and_modify(|(.., last)| *last = file.after).or_insert((
                    generation.number,
                    index,
                    file,
                    file.after,
                ));
            }
        }
        let mut back = Vec::new();
        for (path, (number, index, file, last)) in files {
            let own = state.own(number)?;
            let name = backup_name(index);
            let damaged = || Error::Backup { path: own.join(&name) };
            let after = match read(&own, &name, file.before_len) {
                Ok(Some(bytes)) if Digest::of(&bytes) == file.before => bytes,
                Ok(_) | Err(Error::TooLarge { .. }) => return Err(damaged()),
                Err(error) => return Err(error),
            };
            let missing = || Error::Missing { path: self.path().join(path) };
            let before = self.read(path, limit)?.ok_or_else(missing)?.bytes;
            if before != after {
                let edited = Digest::of(&before) != last;
                back.push(Back { change: Change { path: path.clone(), before, after }, edited });
            }
        }
        Ok(back)
    }

    /// Returns the commit that was interrupted and has to be recovered, if there is one.
    ///
    /// Nothing is written. A commit that another process is just making is none; neither is one whose files
    /// are all in place, for which nothing is left to do but to say so.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Unrecognised`] where a recovery would fail too, [`Error::InsecureState`],
    /// [`Error::Io`].
    pub fn interrupted(&self) -> Result<Option<Generation>, Error> {
        let Some(state) = StateDir::open(self.dir())? else { return Ok(None) };
        if !state.has_journal()? || lock::is_held(self)? {
            return Ok(None);
        }
        let Some(record) = state.journal()? else { return Ok(None) };
        let finished = recover::is_finished(self.dir(), &state, &record)?;
        Ok((!finished).then_some(record))
    }

    /// Returns what is to follow the last commit, as it was given with it or set since.
    ///
    /// A program that has to do something once the files are in place, such as a restart in several steps,
    /// keeps there how far it is. If it is killed, the next run reads it and goes on. It is there from the
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
