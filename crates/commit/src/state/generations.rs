//! The generations: what is kept of the last commits.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::files::{Readers, Unsynced, stage, sweep};
use super::layout::public_dir;
use super::version::LAYOUT_NEW;
use super::{GENERATIONS, INTENT, MANIFEST, MANIFEST_NEW, StateDir};
use crate::dir::{Access, Dir};
use crate::error::{Damage, Error, Operation};
use crate::record::{Form, Generation};

/// How many generations are kept.
const KEPT: usize = 10;

impl StateDir {
    /// Opens the folder with what everybody may know of the generations, and with those of layout 1.
    pub(crate) fn generations(&self) -> Result<Dir, Error> {
        self.dir.descend(Path::new(GENERATIONS), Access::Read)
    }

    /// Opens the folder with the private parts of the generations; `None` if there is none.
    fn private_generations(&self) -> Result<Option<Dir>, Error> {
        let Some(private) = self.private()? else { return Ok(None) };
        there(private.descend(Path::new(GENERATIONS), Access::Read))
    }

    /// Opens the folder of a generation, in which its backups are.
    pub(crate) fn own(&self, record: &Generation) -> Result<Dir, Error> {
        let number = record.number.to_string();
        match record.form {
            Form::First => self.generations()?.descend(Path::new(&number), Access::Read),
            Form::Full | Form::Public => {
                self.own_part()?.descend(&Path::new(GENERATIONS).join(number), Access::Read)
            }
        }
    }

    /// Creates the folders of a generation, and puts down what everybody may know of it once it is made.
    pub(crate) fn begin_generation(
        &self,
        record: &Generation,
        unsynced: &mut Unsynced,
    ) -> Result<Dir, Error> {
        let name = OsString::from(record.number.to_string());
        let private = self.own_part()?.descend(Path::new(GENERATIONS), Access::Read)?;
        private.create_dir(&name)?;
        let public = public_dir(&self.generations()?, &name)?;
        stage_public(&public, record, unsynced)?;
        private.descend(Path::new(&name), Access::Read)
    }

    /// Makes last that a generation has its folder.
    pub(crate) fn sync_generations(&self) -> Result<(), Error> {
        self.private_generations()?.map_or(Ok(()), |generations| generations.synced())
    }

    /// Lets everybody know of a generation that is made.
    pub(super) fn publish(&self, record: &Generation) -> Result<(), Error> {
        let public = public_dir(&self.generations()?, OsStr::new(&record.number.to_string()))?;
        let (new, name) = (OsStr::new(MANIFEST_NEW), OsStr::new(MANIFEST));
        if public.entry(name)?.is_some() {
            return Ok(());
        }
        if public.entry(new)?.is_none() {
            let mut unsynced = Unsynced::default();
            stage_public(&public, record, &mut unsynced)?;
            unsynced.sync()?;
        }
        public.rename(new, &public, name, Operation::EndJournal)
    }

    /// Returns the numbers of all generations, also of those that are not done, in order.
    pub(crate) fn numbers(&self) -> Result<Vec<u64>, Error> {
        let private = if self.is_closed() { None } else { self.private_generations()? };
        let mut numbers = Vec::new();
        for dir in [there(self.generations())?, private].into_iter().flatten() {
            numbers.extend(dir.names()?.iter().filter_map(number));
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    /// Returns the number that the next commit has.
    pub(crate) fn next(&self) -> Result<u64, Error> {
        Ok(self.numbers()?.last().map_or(1, |last| last + 1))
    }

    /// Reads the manifest of a generation; `None` if it never came to be. Who may not look into the private part gets
    /// what everybody may know.
    pub(crate) fn manifest(&self, number: u64) -> Result<Option<Generation>, Error> {
        let (dir, is_private) = match self.folder(number) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            // One of layout 1, which is somebody else's.
            Err(error) if self.is_closed() && error.is_permission_denied() => return Ok(None),
            Err(error) => return Err(error),
        };
        match self.record(&dir, MANIFEST)? {
            Some(found) if found.number != number => {
                Err(Error::Damaged { path: dir.join(OsStr::new(MANIFEST)), damage: Damage::Number })
            }
            // Without its private part a generation cannot be rolled back to.
            Some(found) if !is_private && !self.is_closed() && found.form == Form::Public => Ok(None),
            found => Ok(found),
        }
    }

    /// Reads what everybody may know of a commit that is under way.
    pub(crate) fn public_intent(&self) -> Result<Option<Generation>, Error> {
        for number in self.numbers()?.iter().rev() {
            let found = self.generations()?.descend(Path::new(&number.to_string()), Access::Read);
            let Ok(public) = found else { continue };
            if let Ok(Some(record)) = self.record(&public, MANIFEST_NEW) {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Opens the folder that has the manifest of a generation, and says whether it is in the private part.
    fn folder(&self, number: u64) -> Result<Option<(Dir, bool)>, Error> {
        let name = number.to_string();
        if !self.is_closed()
            && let Some(private) = self.private_generations()?
            && let Some(own) = there(private.descend(Path::new(&name), Access::Read))?
        {
            return Ok(Some((own, true)));
        }
        let Some(generations) = there(self.generations())? else { return Ok(None) };
        Ok(there(generations.descend(Path::new(&name), Access::Read))?.map(|own| (own, false)))
    }

    /// Removes what no commit needs any more: generations that never came to be, the oldest beyond those that
    /// are kept, and what was prepared. There must be no journal.
    pub(crate) fn sweep(&self) -> Result<(), Error> {
        self.sweep_of(&self.numbers()?)
    }

    /// As [`StateDir::sweep`], of these generations, which are all that there are.
    pub(crate) fn sweep_of(&self, numbers: &[u64]) -> Result<(), Error> {
        let (mut done, mut last) = (Vec::new(), None);
        for number in numbers {
            match self.folder(*number)? {
                Some((own, is_private)) if self.is_done(*number, &own, is_private)? => {
                    done.push((*number, is_private));
                    last = Some(own);
                }
                _ => self.remove_generation(*number)?,
            }
        }
        let kept = done.split_off(done.len().saturating_sub(KEPT));
        for (number, _) in done {
            self.remove_generation(number)?;
        }
        if let Some(own) = last {
            for name in own.names()?.iter().filter(|name| name.to_string_lossy().ends_with(".new")) {
                own.remove(name, Operation::Remove)?;
            }
        }
        sweep(&self.dir, INTENT)?;
        sweep(&self.dir, LAYOUT_NEW)?;
        self.sweep_staged()?;
        // A run that was killed earlier has not published its generation.
        for (number, _) in kept.into_iter().filter(|(_, is_private)| *is_private) {
            if !self.is_public(number)?
                && let Some(record) = self.manifest(number)?
            {
                self.publish(&record)?;
            }
        }
        Ok(())
    }

    fn is_done(&self, number: u64, own: &Dir, is_private: bool) -> Result<bool, Error> {
        let has_manifest = own.entry(OsStr::new(MANIFEST))?.is_some();
        Ok(has_manifest && (is_private || !matches!(self.manifest(number), Ok(None))))
    }

    fn is_public(&self, number: u64) -> Result<bool, Error> {
        match there(self.generations()?.descend(Path::new(&number.to_string()), Access::Read))? {
            Some(public) => Ok(public.entry(OsStr::new(MANIFEST))?.is_some()),
            None => Ok(false),
        }
    }

    /// Removes a generation: its manifests first, so that what is left of it counts for nothing.
    pub(crate) fn remove_generation(&self, number: u64) -> Result<(), Error> {
        let name = OsString::from(number.to_string());
        let dirs = [self.private_generations()?, there(self.generations())?];
        for dir in dirs.iter().flatten() {
            if let Ok(own) = dir.descend(Path::new(&name), Access::Read) {
                own.remove(OsStr::new(MANIFEST), Operation::Remove)?;
            }
        }
        dirs.iter().flatten().try_for_each(|dir| dir.remove_dir(&name))
    }
}

/// Writes what everybody may know of a generation beside its place.
fn stage_public(public: &Dir, record: &Generation, unsynced: &mut Unsynced) -> Result<(), Error> {
    let bytes = record.public().encode();
    stage(public, MANIFEST_NEW, &bytes, Readers::Everybody, Operation::Journal, unsynced)
}

fn number(name: &OsString) -> Option<u64> {
    let text = name.to_str()?;
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

/// Makes `None` of what is not there.
fn there(found: Result<Dir, Error>) -> Result<Option<Dir>, Error> {
    match found {
        Err(error) if error.is_missing() => Ok(None),
        found => found.map(Some),
    }
}
