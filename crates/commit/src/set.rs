//! The steps that make many files one change.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use rustix::io::Errno;

use crate::change::Change;
use crate::dir::{Access, Dir};
use crate::error::{Error, Operation};
use crate::exchange;
use crate::member::{self, Member, Place};
use crate::outcome::{CommitError, LostXattr, Report, State};
use crate::path::RelPath;
use crate::stage;

/// Replaces all files or none. The order of the steps is the whole protocol.
pub(crate) fn commit(root: &Dir, changes: &[Change]) -> Result<Report, CommitError> {
    let mut set = Set::check(root, changes).map_err(CommitError::nothing_changed)?;
    match set.stage().and_then(|()| set.replace()) {
        Ok(()) => Ok(set.finish(root)),
        Err(cause) => Err(set.roll_back(cause)),
    }
}

/// The files that change, all of them checked, in their directories.
#[derive(Debug)]
struct Set<'a> {
    members: Vec<Member<'a>>,
    unchanged: Vec<RelPath<'a>>,
    /// Each directory once, however many files it has, and open for as long as it may have to be synced.
    dirs: Vec<Rc<Dir>>,
}

impl<'a> Set<'a> {
    /// Checks everything that can be known before anything is written.
    fn check(root: &Dir, changes: &'a [Change]) -> Result<Set<'a>, Error> {
        let mut set = Set { members: Vec::new(), unchanged: Vec::new(), dirs: Vec::new() };
        let mut dirs: BTreeMap<&Path, Rc<Dir>> = BTreeMap::new();
        let mut paths = HashSet::new();
        let mut files = HashSet::new();
        for change in changes {
            let path = RelPath::parse_target(&change.path)?;
            let duplicate = || Error::Duplicate { path: root.path().join(path.path()) };
            if !paths.insert(path.path()) {
                return Err(duplicate());
            }
            if change.is_none() {
                set.unchanged.push(path);
                continue;
            }
            let dir = match dirs.get(path.parent()) {
                Some(dir) => Rc::clone(dir),
                None => {
                    let dir = Rc::new(open_for_change(root, path)?);
                    dirs.insert(path.parent(), Rc::clone(&dir));
                    dir
                }
            };
            let member = Member::check(dir, path, change)?;
            // One file under two paths: a directory that is mounted twice.
            if !files.insert((member.target.dev, member.target.ino)) {
                return Err(duplicate());
            }
            set.members.push(member);
        }
        set.dirs = dirs.into_values().collect();
        Ok(set)
    }

    fn stage(&mut self) -> Result<(), Error> {
        self.members.iter_mut().try_for_each(stage::stage)?;
        self.sync()
    }

    fn replace(&mut self) -> Result<(), Error> {
        self.members.iter_mut().try_for_each(exchange::replace)?;
        self.sync()
    }

    /// Removes the old contents. The change is made and lasts; nothing here can take it back.
    fn finish(mut self, root: &Dir) -> Report {
        let mut leftovers = self.clean_up();
        for path in &self.unchanged {
            leftovers.extend(sweep(root, *path).err());
        }
        Report {
            written: self.members.iter().map(|member| member.change.path.clone()).collect(),
            unchanged: self.unchanged.iter().map(|path| path.path().to_path_buf()).collect(),
            lost_xattrs: self.members.iter().flat_map(lost_xattrs).collect(),
            leftovers,
        }
    }

    fn roll_back(mut self, cause: Error) -> CommitError {
        if self.members.iter().all(|member| member.place == Place::Untouched) {
            let leftovers = self.clean_up();
            return CommitError { cause, state: State::NothingChanged, leftovers };
        }
        let mut pending = Vec::new();
        let mut back = Vec::new();
        for member in self.members.iter_mut().filter(|member| member.place != Place::Untouched).rev() {
            match exchange::put_back(member) {
                Ok(()) => back.push(member),
                Err(why) => pending.push(exchange::pending(member, why)),
            }
        }
        // Before anything is removed: a power cut must not keep the removal and lose the way back. After an
        // fsync that failed this is not a retry but a sync of other names; and if it fails too, what the
        // disk holds is not known, and every content stays where it is.
        for dir in &self.dirs {
            let Err(errno) = dir.sync() else { continue };
            for member in back.iter_mut().filter(|member| Rc::ptr_eq(&member.dir, dir)) {
                pending.push(exchange::pending(member, sync_failed(dir, errno)));
            }
        }
        let leftovers = self.clean_up();
        let state = if pending.is_empty() { State::RolledBack } else { State::RecoveryPending(pending) };
        CommitError { cause, state, leftovers }
    }

    /// Removes what this commit made and no longer needs; returns what it could not do.
    fn clean_up(&mut self) -> Vec<Error> {
        let mut failed = Vec::new();
        let mut removed = false;
        for member in &mut self.members {
            for name in std::mem::take(&mut member.litter) {
                removed = true;
                failed.extend(member.dir.remove(&name, Operation::Remove).err());
            }
        }
        if removed {
            failed.extend(self.dirs.iter().filter_map(|dir| sync(dir).err()));
        }
        failed
    }

    fn sync(&self) -> Result<(), Error> {
        self.dirs.iter().try_for_each(|dir| sync(dir))
    }
}

fn sync(dir: &Dir) -> Result<(), Error> {
    dir.sync().map_err(|errno| sync_failed(dir, errno))
}

fn sync_failed(dir: &Dir, errno: Errno) -> Error {
    Error::io(dir.path(), Operation::SyncDirectory, errno)
}

fn open_for_change(root: &Dir, path: RelPath<'_>) -> Result<Dir, Error> {
    match root.descend(path.parent(), Access::Read) {
        Err(error) if error.is_missing() => Err(Error::Missing { path: root.path().join(path.path()) }),
        Err(error) => Err(error),
        Ok(dir) => member::check_directory(&dir).map(|()| dir),
    }
}

/// Removes what an interrupted commit left beside a file that needs no change any more.
///
/// What else is there, and what is wrong with a file that is not to be changed, is none of our business.
fn sweep(root: &Dir, path: RelPath<'_>) -> Result<(), Error> {
    let Ok(dir) = root.descend(path.parent(), Access::Search) else { return Ok(()) };
    let Ok(Some(target)) = dir.entry(path.name()) else { return Ok(()) };
    let Ok(stale) = member::stale_names(&dir, path.name(), &target) else { return Ok(()) };
    stale.iter().try_for_each(|name| dir.remove(name, Operation::RemoveStale))
}

fn lost_xattrs(member: &Member<'_>) -> impl Iterator<Item = LostXattr> {
    let path = &member.change.path;
    member.lost_xattrs.iter().map(|name| LostXattr { path: path.clone(), name: name.clone() })
}

#[cfg(test)]
mod tests;
