//! Brings a commit that was interrupted to its end, or takes it back, from the journal and what lies about.
//!
//! Nothing is guessed. Each file must have its old or its new content, or what a write of the one over the
//! other leaves; then either all get the new one or all the old one. Whatever is done here can be
//! interrupted in its turn: the journal stays until the files are in place and synced.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::RenameFlags;
use rustix::io::Errno;

use crate::digest::Digest;
use crate::dir::{Access, Dir, Opened};
use crate::error::{Error, Operation, Stranger};
use crate::in_place;
use crate::log::Hold;
use crate::metadata::{Identity, Rights};
use crate::path::{RelPath, kept_name, staged_name};
use crate::record::{Generation, Replaced};
use crate::set::sweep;
use crate::stage::restage;
use crate::state::files::{read, sync_file};
use crate::state::{StateDir, backup_name, copy_name};
use crate::xattr;

/// Returns what a recovery did.
#[derive(Debug)]
#[non_exhaustive]
pub struct Recovery {
    /// What became of the interrupted commit.
    pub outcome: Outcome,
    /// What could not be cleaned up. It does no harm.
    pub leftovers: Vec<Error>,
}

/// Returns what became of an interrupted commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There was none.
    Nothing,
    /// Every file has its new content, and the commit is in the history.
    Finished(Generation),
    /// Every file has its old content, and the commit never was.
    Undone(Generation),
}

/// What a file of an interrupted commit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Here {
    Old,
    New,
    Torn,
}

/// One file of an interrupted commit, and the ways that lead on from it.
struct Case<'a> {
    file: &'a Replaced,
    before: Digest,
    after: Digest,
    index: usize,
    name: &'a OsStr,
    dir: Dir,
    here: Here,
    /// The file, open since it was looked at: no other one can get its number.
    there: Opened,
    /// What it held then.
    seen: Digest,
    /// Whether owner and mode are what they were.
    is_ours: bool,
    /// The name beside it that has the new content, or the old one.
    new: Option<OsString>,
    old: Option<OsString>,
    has_backup: bool,
}

/// Recovers; the lock is held.
pub(crate) fn recover(root: &Dir, hold: Hold<'_>) -> Result<Recovery, Error> {
    let Some(state) = StateDir::open(root)? else {
        return Ok(Recovery { outcome: Outcome::Nothing, leftovers: Vec::new() });
    };
    hold(&state)?;
    let outcome = match state.journal()? {
        None => Outcome::Nothing,
        Some(record) => {
            let cases = look(root, &state, &record)?;
            let whole = state.staged_is_whole(&record)?;
            // Whoever decided may have been killed before that lasted: a power cut must not take it back half-way.
            state.dir().synced()?;
            if whole && cases.iter().all(Case::can_finish) {
                finish(&state, &record, &cases)?;
                Outcome::Finished(record)
            } else if cases.iter().all(Case::can_undo) {
                undo(root, &state, &record, &cases)?;
                Outcome::Undone(record)
            } else {
                return Err(stuck(&state, &record, &cases));
            }
        }
    };
    let leftovers = tidy(root, &state).err().into_iter().collect();
    Ok(Recovery { outcome, leftovers })
}

/// Looks, without a write, whether a recovery has something to do to the files.
pub(crate) fn is_finished(root: &Dir, state: &StateDir, record: &Generation) -> Result<bool, Error> {
    let cases = look(root, state, record)?;
    Ok(!state.staged_waits()? && cases.iter().all(|case| case.here == Here::New))
}

fn look<'a>(root: &Dir, state: &StateDir, record: &'a Generation) -> Result<Vec<Case<'a>>, Error> {
    let own = state.own(record)?;
    record.files.iter().enumerate().map(|(index, file)| case(root, &own, index, file)).collect()
}

fn case<'a>(root: &Dir, own: &Dir, index: usize, file: &'a Replaced) -> Result<Case<'a>, Error> {
    let path = RelPath::parse_target(&file.path)?;
    let name = path.name();
    let strange = |now| Error::Unrecognised {
        path: root.path().join(&file.path),
        now,
        generation: own.path().to_path_buf(),
    };
    let dir = match root.descend(path.parent(), Access::Read) {
        Err(error) if error.is_missing() => return Err(strange(Stranger::Missing)),
        found => found?,
    };
    // A journal has both digests; a public manifest is not a journal.
    let (Some(before), Some(after)) = (file.before, file.after) else {
        return Err(strange(Stranger::Content));
    };
    let opened = dir.open_regular(name)?.ok_or_else(|| strange(Stranger::Missing))?;
    let is_ours = Identity::of(&opened.metadata).rights() == rights(file);
    let longest = file.before_len.max(file.after_len);
    let found = opened.read(&dir.join(name), longest)?.ok_or_else(|| strange(Stranger::Content))?;
    let digest = Digest::of(&found);
    let of = |name: &OsStr, wanted: Digest, limit: u64| match read(own, name, limit) {
        Err(Error::TooLarge { .. }) => Ok(None),
        found => Ok(found?.filter(|bytes| Digest::of(bytes) == wanted)),
    };
    let backup = of(&backup_name(index), before, file.before_len)?;
    let copy = if file.in_place { of(&copy_name(index), after, file.after_len)? } else { None };
    let here = if digest == after {
        Here::New
    } else if digest == before {
        Here::Old
    } else {
        match (&backup, &copy) {
            (Some(old), Some(new)) if file.in_place && in_place::is_torn(&found, old, new) => Here::Torn,
            _ => return Err(strange(Stranger::Content)),
        }
    };
    let beside = |wanted, limit| {
        let names = [staged_name(name), kept_name(name)].into_iter();
        names.filter(|_| !file.in_place).find(|name| is_replacement(&dir, name, file, wanted, limit))
    };
    let new =
        if file.in_place { copy.is_some().then(|| copy_name(index)) } else { beside(after, file.after_len) };
    let old = beside(before, file.before_len);
    let (there, seen, has_backup) = (opened, digest, backup.is_some());
    Ok(Case { file, before, after, index, name, dir, here, there, seen, is_ours, new, old, has_backup })
}

/// Returns whether a name stands for a file that may take the place of another: with its content, and with its
/// owner and mode. Who can write to the directory could have put anything there.
fn is_replacement(dir: &Dir, name: &OsStr, file: &Replaced, wanted: Digest, limit: u64) -> bool {
    let Ok(Some(opened)) = dir.open_regular(name) else { return false };
    if Identity::of(&opened.metadata).rights() != rights(file) || opened.metadata.nlink() > 2 {
        return false;
    }
    matches!(opened.read(&dir.join(name), limit), Ok(Some(bytes)) if Digest::of(&bytes) == wanted)
}

fn rights(file: &Replaced) -> Rights {
    Rights { mode: file.mode, uid: file.uid, gid: file.gid }
}

impl Case<'_> {
    /// Returns whether what an exchange brought out is the file that was looked at: neither its content nor its
    /// rights have changed since.
    fn came_out(&self, beside: &OsStr, expected: Digest) -> bool {
        let Ok(Some(opened)) = self.dir.open_regular(beside) else { return false };
        let longest = self.file.before_len.max(self.file.after_len);
        Identity::of(&opened.metadata).rights() == rights(self.file)
            && matches!(opened.read(&self.dir.join(beside), longest), Ok(Some(bytes)) if Digest::of(&bytes) == expected)
    }

    fn can_finish(&self) -> bool {
        self.here == Here::New || (self.obstacle().is_none() && self.new.is_some())
    }

    fn can_undo(&self) -> bool {
        self.here == Here::Old || (self.obstacle().is_none() && (self.old.is_some() || self.has_backup))
    }

    /// Returns why the file may not be written, whatever it should get.
    fn obstacle(&self) -> Option<Stranger> {
        if !self.file.in_place {
            return (!self.is_ours).then_some(Stranger::Rights);
        }
        // A file written in place keeps its mode and group, whatever they are by now. Of another owner it is another file,
        // and whose that is could read what it gets. The journal has no numbers of files: some file systems give out others
        // when they are mounted again.
        if self.there.metadata.uid() != self.file.uid {
            return Some(Stranger::Rights);
        }
        (self.there.metadata.nlink() != 1).then_some(Stranger::Linked)
    }
}

/// Returns why neither way leads on.
fn stuck(state: &StateDir, record: &Generation, cases: &[Case<'_>]) -> Error {
    let generation = state.own(record).map_or_else(|_| state.journal_path(), |own| own.path().into());
    let blocks = |case: &&Case<'_>| !case.can_finish() && !case.can_undo();
    let case = cases.iter().find(blocks).or_else(|| cases.iter().find(|case| !case.can_finish()));
    match case {
        Some(case) => Error::Unrecognised {
            path: case.dir.join(case.name),
            now: case.obstacle().unwrap_or(Stranger::Lost),
            generation,
        },
        None => Error::Interrupted { path: state.journal_path() },
    }
}

fn finish(state: &StateDir, record: &Generation, cases: &[Case<'_>]) -> Result<(), Error> {
    let own = state.own(record)?;
    for case in cases.iter().filter(|case| case.here != Here::New) {
        let Some(new) = &case.new else { continue };
        if case.file.in_place {
            overwrite(case, &own, new)?;
        } else {
            exchange(case, new, case.before)?;
        }
    }
    sync(cases)?;
    remove_beside(cases)?;
    state.end(record)
}

fn undo(root: &Dir, state: &StateDir, record: &Generation, cases: &[Case<'_>]) -> Result<(), Error> {
    let own = state.own(record)?;
    for case in cases.iter().filter(|case| case.here != Here::Old) {
        match &case.old {
            _ if case.file.in_place => overwrite(case, &own, &backup_name(case.index))?,
            Some(old) => exchange(case, old, case.after)?,
            None => {
                let backup = backup_name(case.index);
                let content = read(&own, &backup, case.file.before_len)?
                    .ok_or_else(|| Error::Backup { path: own.join(&backup) })?;
                let path = case.dir.join(case.name);
                // The new file has the attributes of the old one.
                let there = case.dir.open_regular(case.name)?;
                let there = there.ok_or_else(|| Error::Missing { path: path.clone() })?;
                let xattrs = xattr::read_all(&there.file, &path)?;
                restage(&case.dir, case.name, &content, rights(case.file), &xattrs)?;
                exchange(case, &staged_name(case.name), case.after)?;
            }
        }
    }
    sync(cases)?;
    state.withdraw()?;
    for case in cases {
        sweep(root, &case.file.path)?;
    }
    state.remove_generation(record.number)
}

fn overwrite(case: &Case<'_>, own: &Dir, source: &OsStr) -> Result<(), Error> {
    let content = read(own, source, u64::MAX)?.ok_or_else(|| Error::Backup { path: own.join(source) })?;
    in_place::overwrite(&case.dir, case.name, &case.there, case.seen, &content)
}

/// Puts what is beside a file into its place; what comes out must be what was seen there.
fn exchange(case: &Case<'_>, beside: &OsStr, expected: Digest) -> Result<(), Error> {
    let (dir, path) = (&case.dir, case.dir.join(case.name));
    let swap = || rustix::fs::renameat_with(dir, beside, dir, case.name, RenameFlags::EXCHANGE);
    match swap() {
        Ok(()) => {}
        // The content that goes is the old one, which is backed up, or the new one, which nobody will miss.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            return dir.rename(beside, dir, case.name, Operation::Rename);
        }
        Err(errno) => return Err(Error::io(path, Operation::Exchange, errno)),
    }
    if case.came_out(beside, expected) {
        return Ok(());
    }
    swap().map_err(|errno| Error::io(&path, Operation::PutBack, errno))?;
    Err(Error::Changed { path })
}

fn sync(cases: &[Case<'_>]) -> Result<(), Error> {
    // One that is as it should be may have been written by a run that was killed before it synced the file.
    for case in cases.iter().filter(|case| case.file.in_place) {
        sync_file(&case.there.file, &case.dir.join(case.name))?;
    }
    cases.iter().try_for_each(|case| case.dir.synced())
}

fn remove_beside(cases: &[Case<'_>]) -> Result<(), Error> {
    for case in cases.iter().filter(|case| !case.file.in_place) {
        for name in [staged_name(case.name), kept_name(case.name)] {
            let Some(found) = case.dir.entry(&name)? else { continue };
            let us = rustix::process::geteuid().as_raw();
            // Of anybody else it cannot be the rest of a commit.
            if found.occupant().is_none() && [us, case.file.uid].contains(&found.identity.uid) {
                case.dir.remove(&name, Operation::RemoveStale)?;
            }
        }
    }
    Ok(())
}

/// Removes what commits left that were interrupted before they were decided, or after they were made.
fn tidy(root: &Dir, state: &StateDir) -> Result<(), Error> {
    let mut records: Vec<Generation> = state.intent()?.into_iter().collect();
    let numbers = state.numbers()?;
    if let Some(last) = numbers.last() {
        records.extend(state.manifest(*last).ok().flatten());
    }
    for file in records.iter().flat_map(|record| &record.files) {
        sweep(root, Path::new(&file.path))?;
    }
    state.sweep_of(&numbers)
}
