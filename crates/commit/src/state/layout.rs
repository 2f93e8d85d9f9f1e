//! Making the state directory, and bringing one of layout 1 to layout 2.
//!
//! Each step is left out where it is done already, and the number comes last: a run that is killed leaves a
//! directory that can be read, and the next write continues.

use std::ffi::OsStr;
use std::path::Path;

use super::files::{PUBLIC_FILE, Readers, Unsynced, set_mode, stage, trusted};
use super::{GENERATIONS, LOCK, PRIVATE, Private, StateDir, version};
use crate::dir::{Access, Dir};
use crate::error::{Error, Operation};
use crate::path::STATE_DIR;

const IGNORE: &str = ".gitignore";

const PUBLIC_DIR: u32 = 0o755;
const PRIVATE_DIR: u32 = 0o700;

impl StateDir {
    /// Opens the directory, and makes it where it is not there; says whether it did. What it writes counts once it is
    /// [settled](StateDir::settle).
    pub(crate) fn create(root: &Dir, unsynced: &mut Unsynced) -> Result<(StateDir, bool), Error> {
        let found = StateDir::open(root)?;
        let created = found.is_none();
        let made = match found {
            Some(state) => state.made(root, created, unsynced),
            None => root
                .create_dir(OsStr::new(STATE_DIR))
                .and_then(|()| opened(root)?.made(root, created, unsynced)),
        };
        made.map(|state| (state, created)).inspect_err(|_| {
            if created {
                let _ = remove(root);
            }
        })
    }

    /// Makes last what was written into the directory, and its own name in the root; from then on it has the current layout.
    pub(crate) fn settle(&self, root: &Dir, mut unsynced: Unsynced) -> Result<(), Error> {
        if self.is_current && unsynced.is_empty() {
            return Ok(());
        }
        unsynced.sync().inspect_err(|_| version::withdraw(&self.dir))?;
        if !self.is_current {
            let private = self.own_part().and_then(Dir::synced);
            // Whoever finds the number does not sync this again, also if the run that made it was killed.
            private
                .and_then(|()| root.descend(Path::new(""), Access::Read)?.synced())
                .and_then(|()| version::put_down(&self.dir))
                .inspect_err(|_| version::withdraw(&self.dir))?;
        }
        self.dir.synced()
    }

    /// Creates what is missing of the current layout.
    fn made(self, root: &Dir, created: bool, unsynced: &mut Unsynced) -> Result<StateDir, Error> {
        let state = if matches!(self.private, Private::Absent) {
            self.dir.create_dir(OsStr::new(PRIVATE))?;
            opened(root)?
        } else {
            self
        };
        let private = state.own_part()?;
        if !state.is_current {
            set_mode(private, private.path(), PRIVATE_DIR)?;
        }
        private.create_dir(OsStr::new(GENERATIONS))?;
        if private.entry(OsStr::new(LOCK))?.is_none() {
            private.create(OsStr::new(LOCK), Operation::Layout)?;
        }
        state.dir.create_dir(OsStr::new(GENERATIONS))?;
        if !state.is_current {
            state.open_up(private, created, unsynced)?;
        }
        Ok(state)
    }

    /// Lets everybody into the public part, once what is secret in it is closed by itself.
    fn open_up(&self, private: &Dir, created: bool, unsynced: &mut Unsynced) -> Result<(), Error> {
        let generations = self.generations()?;
        let made = private.descend(Path::new(GENERATIONS), Access::Read)?;
        for name in generations.names()? {
            if made.entry(&name)?.is_some() {
                continue;
            }
            let old = generations.descend(Path::new(&name), Access::Read)?;
            set_mode(&old, old.path(), PRIVATE_DIR)?;
        }
        set_mode(&generations, generations.path(), PUBLIC_DIR)?;
        let ignore = OsStr::new(IGNORE);
        match self.dir.open_regular(ignore)? {
            // A power cut may have left it empty.
            Some(opened) if opened.metadata.len() > 0 => {
                set_mode(&opened.file, &self.dir.join(ignore), PUBLIC_FILE)?;
            }
            _ => stage(&self.dir, IGNORE, b"*\n", Readers::Everybody, Operation::Layout, unsynced)?,
        }
        // In one that was just made nothing is secret yet.
        if !created {
            private.synced()?;
        }
        set_mode(&self.dir, self.dir.path(), PUBLIC_DIR)?;
        version::write(&self.dir, unsynced)
    }
}

/// Opens the state directory, which is there.
fn opened(root: &Dir) -> Result<StateDir, Error> {
    StateDir::open(root)?.ok_or_else(|| Error::Missing { path: root.join(OsStr::new(STATE_DIR)) })
}

/// Opens a directory that everybody may enter, and makes it if it is not there.
pub(super) fn public_dir(dir: &Dir, name: &OsStr) -> Result<Dir, Error> {
    dir.create_dir(name)?;
    let made = dir.descend(Path::new(name), Access::Read)?;
    trusted(&made)?;
    set_mode(&made, made.path(), PUBLIC_DIR)?;
    Ok(made)
}

/// Removes a state directory in which nothing is kept yet.
pub(crate) fn remove(root: &Dir) -> Result<(), Error> {
    if let Ok(dir) = root.descend(Path::new(STATE_DIR), Access::Read) {
        if let Ok(private) = dir.descend(Path::new(PRIVATE), Access::Read) {
            private.remove_dir(OsStr::new(GENERATIONS))?;
        }
        dir.remove_dir(OsStr::new(PRIVATE))?;
        dir.remove_dir(OsStr::new(GENERATIONS))?;
    }
    root.remove_dir(OsStr::new(STATE_DIR))
}
