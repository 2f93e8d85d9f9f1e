//! The steps that make many files one change.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};

use crate::change::{Change, Options};
use crate::dir::{Access, Dir};
use crate::error::{Error, Operation};
use crate::exchange;
use crate::log::{Hold, Log};
use crate::member::{self, Member, Progress};
use crate::outcome::{CommitError, LostXattr, Report, State};
use crate::path::{RelPath, kept_name, staged_name};
use crate::stage;
use crate::state::StateDir;

/// Replaces all files or none. The order of the steps is the whole protocol.
pub(crate) fn commit(
    root: &Dir,
    changes: &[Change],
    options: &Options,
    hold: Hold<'_>,
) -> Result<Report, Box<CommitError>> {
    let mut set = Set::check(root, changes, &options.in_place)?;
    if set.members.is_empty() {
        return Ok(set.finish(root, None));
    }
    let files = set.members.iter().map(Member::record).collect();
    let mut log = Log::begin(root, files, options, hold)
        .map_err(|error| CommitError::nothing_changed(error, Vec::new()))?;
    let made = set.prepare(&mut log).and_then(|()| log.decide()).and_then(|()| set.replace());
    match made {
        Ok(()) => Ok(set.finish(root, Some(log))),
        Err(cause) => Err(Box::new(set.roll_back(cause, log))),
    }
}

/// Checks as [`commit`] does before it writes, and writes nothing. However many files change, few are open at a time.
pub(crate) fn check(root: &Dir, changes: &[Change], options: &Options) -> Result<(), Box<CommitError>> {
    check_all(root, changes, &options.in_place, drop)
}

/// The files that change, all of them checked, in their directories.
#[derive(Debug)]
struct Set<'a> {
    members: Vec<Member<'a>>,
    unchanged: Vec<RelPath<'a>>,
    /// Each directory once, however many files it has, and open for as long as it may have to be synced.
    dirs: Vec<Rc<Dir>>,
}

/// What the checks have met.
#[derive(Debug, Default)]
struct Seen<'a> {
    paths: HashSet<&'a Path>,
    files: HashSet<(u64, u64)>,
    /// The directories of the files that were kept.
    dirs: BTreeMap<&'a Path, Weak<Dir>>,
}

/// A file that passed the checks.
enum Checked<'a> {
    Unchanged(RelPath<'a>),
    Changes(Member<'a>),
}

/// Checks everything that can be known before anything is written. A directory is open as long as a file in it is kept.
///
/// # Errors
/// Everything that prevents the change of any file.
fn check_all<'a>(
    root: &Dir,
    changes: &'a [Change],
    in_place: &[PathBuf],
    mut keep: impl FnMut(Checked<'a>),
) -> Result<(), Box<CommitError>> {
    let mut seen = Seen::default();
    let mut wrong = Vec::new();
    for change in changes {
        let in_place = in_place.contains(&change.path);
        match check_one(root, change, in_place, &mut seen) {
            Ok(checked) => keep(checked),
            Err(error) => wrong.push(error),
        }
    }
    if changes.iter().any(|change| !change.is_none()) {
        wrong.extend(check_state(root).err());
    }
    let mut told = HashSet::new();
    // An error of a directory comes with each file in it.
    let mut wrong = wrong.into_iter().filter(|error| told.insert(error.to_string()));
    wrong.next().map_or(Ok(()), |cause| Err(CommitError::nothing_changed(cause, wrong.collect())))
}

fn check_one<'a>(
    root: &Dir,
    change: &'a Change,
    in_place: bool,
    seen: &mut Seen<'a>,
) -> Result<Checked<'a>, Error> {
    let path = RelPath::parse_target(&change.path)?;
    let duplicate = || Error::Duplicate { path: root.path().join(path.path()) };
    if !seen.paths.insert(path.path()) {
        return Err(duplicate());
    }
    if change.is_none() {
        return Ok(Checked::Unchanged(path));
    }
    let dir = match seen.dirs.get(path.parent()).and_then(Weak::upgrade) {
        Some(dir) => dir,
        None => {
            let dir = Rc::new(open(root, path)?);
            seen.dirs.insert(path.parent(), Rc::downgrade(&dir));
            dir
        }
    };
    if !in_place {
        member::check_directory(&dir)?;
    }
    let member = Member::check(dir, path, change, in_place)?;
    // One file under two paths: a directory that is mounted twice.
    if !seen.files.insert((member.target.dev, member.target.ino)) {
        return Err(duplicate());
    }
    Ok(Checked::Changes(member))
}

impl<'a> Set<'a> {
    fn check(root: &Dir, changes: &'a [Change], in_place: &[PathBuf]) -> Result<Set<'a>, Box<CommitError>> {
        let (mut members, mut unchanged) = (Vec::<Member<'_>>::new(), Vec::new());
        check_all(root, changes, in_place, |checked| match checked {
            Checked::Unchanged(path) => unchanged.push(path),
            Checked::Changes(member) => members.push(member),
        })?;
        let dirs: BTreeMap<_, _> = members.iter().map(|member| (member.dir.path(), &member.dir)).collect();
        let dirs = dirs.into_values().map(Rc::clone).collect();
        Ok(Set { members, unchanged, dirs })
    }

    /// Makes every new file and every backup, and then makes all of it last.
    fn prepare(&mut self, log: &mut Log) -> Result<(), Error> {
        for (index, member) in self.members.iter_mut().enumerate() {
            if member.in_place {
                log.copy(index, &member.change.after)?;
            } else {
                let file = stage::stage(member)?;
                log.staged(file, member.dir.join(&member.staged_name()));
            }
            member.backup = Some(log.back_up(index, &member.change.before)?);
        }
        log.sync()?;
        self.sync()
    }

    /// What is written in place comes last: it is the only step that can leave a file torn.
    fn replace(&mut self) -> Result<(), Error> {
        for in_place in [false, true] {
            let of_this_kind = self.members.iter_mut().filter(|member| member.in_place == in_place);
            of_this_kind.into_iter().try_for_each(exchange::replace)?;
        }
        self.sync()
    }

    /// Removes the old contents. The change is made and lasts; nothing here can take it back.
    fn finish(mut self, root: &Dir, log: Option<Log>) -> Report {
        let generation = log.as_ref().map(Log::number);
        let mut leftovers = self.clean_up();
        for path in &self.unchanged {
            leftovers.extend(sweep(root, path.path()).err());
        }
        // After the old contents are gone: as long as the journal is there, it tells where they are.
        leftovers.extend(log.into_iter().flat_map(Log::end));
        Report {
            written: self.members.iter().map(|member| member.change.path.clone()).collect(),
            unchanged: self.unchanged.iter().map(|path| path.path().to_path_buf()).collect(),
            lost_xattrs: self.members.iter().flat_map(lost_xattrs).collect(),
            generation,
            leftovers,
        }
    }

    fn roll_back(mut self, cause: Error, mut log: Log) -> CommitError {
        let touched = self.members.iter().any(|member| member.progress != Progress::Untouched);
        let mut pending = Vec::new();
        let mut back = Vec::new();
        for member in self.members.iter_mut().filter(|member| member.progress != Progress::Untouched).rev() {
            match exchange::put_back(member) {
                Ok(()) => back.push(member),
                Err(why) => pending.push(exchange::pending(member, why)),
            }
        }
        // Before anything is removed: a power cut must not keep the removal and lose the way back. After an
        // fsync that failed this is not a retry but a sync of other names; and if it fails too, what the
        // disk holds is not known, and every content stays where it is.
        for dir in self.dirs.iter().filter(|_| touched) {
            let Err(errno) = dir.sync() else { continue };
            for member in back.iter_mut().filter(|member| Rc::ptr_eq(&member.dir, dir)) {
                let why = Error::io(dir.path(), Operation::SyncDirectory, errno);
                pending.push(exchange::pending(member, why));
            }
        }
        // A journal that would come back could make the change that was just said not to be.
        let withdrawn = if pending.is_empty() { log.withdraw() } else { Ok(()) };
        let mut leftovers = Vec::new();
        let state = match withdrawn {
            Err(error) => {
                leftovers.push(error);
                State::RecoveryPending(pending)
            }
            Ok(()) if !pending.is_empty() => State::RecoveryPending(pending),
            Ok(()) if touched => State::RolledBack,
            Ok(()) => State::NothingChanged,
        };
        leftovers.extend(self.clean_up());
        // With the journal stay the backups that it speaks of.
        if !matches!(state, State::RecoveryPending(_)) {
            leftovers.extend(log.forget());
        }
        CommitError { cause, others: Vec::new(), state, leftovers }
    }

    /// Removes what this commit made and no longer needs; returns what it could not do.
    ///
    /// Not synced: what a power cut brings back is found by the next recovery, from the journal or the last
    /// manifest.
    fn clean_up(&mut self) -> Vec<Error> {
        let mut failed = Vec::new();
        for member in &mut self.members {
            for name in std::mem::take(&mut member.litter) {
                failed.extend(member.dir.remove(&name, Operation::Remove).err());
            }
        }
        failed
    }

    fn sync(&self) -> Result<(), Error> {
        self.dirs.iter().try_for_each(|dir| dir.synced())
    }
}

fn open(root: &Dir, path: RelPath<'_>) -> Result<Dir, Error> {
    match root.descend(path.parent(), Access::Read) {
        Err(error) if error.is_missing() => Err(Error::Missing { path: root.path().join(path.path()) }),
        found => found,
    }
}

/// Refuses to begin where another commit was interrupted, or where no journal can be written.
fn check_state(root: &Dir) -> Result<(), Error> {
    match StateDir::open(root)? {
        None => member::check_directory(root),
        Some(state) if state.has_journal()? => Err(Error::Interrupted { path: state.journal_path() }),
        Some(state) => {
            member::check_directory(state.dir())?;
            state.private()?.map_or(Ok(()), member::check_directory)
        }
    }
}

/// Removes what an interrupted commit left beside a file that needs no change any more.
///
/// What else is there, and what is wrong with a file that is not to be changed, is none of our business.
pub(crate) fn sweep(root: &Dir, path: &Path) -> Result<(), Error> {
    let Ok(path) = RelPath::parse_target(path) else { return Ok(()) };
    let Ok(dir) = root.descend(path.parent(), Access::Search) else { return Ok(()) };
    // Nearly always there is nothing, and then the file itself says nothing either.
    let is_there = |beside: OsString| !matches!(dir.entry(&beside), Ok(None));
    if ![staged_name(path.name()), kept_name(path.name())].into_iter().any(is_there) {
        return Ok(());
    }
    let Ok(Some(target)) = dir.entry(path.name()) else { return Ok(()) };
    let Ok(stale) = member::stale_names(&dir, path.name(), &target) else { return Ok(()) };
    stale.iter().try_for_each(|name| dir.remove(name, Operation::RemoveStale))
}

fn lost_xattrs(member: &Member<'_>) -> impl Iterator<Item = LostXattr> {
    let path = &member.change.path;
    member.lost_xattrs.iter().map(|name| LostXattr { path: path.clone(), name: name.clone() })
}

#[cfg(test)]
mod killed;
#[cfg(test)]
mod tests;
