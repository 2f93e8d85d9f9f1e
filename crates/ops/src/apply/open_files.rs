//! How many files a run may have open: it holds the folder and the lock of every target until its end.

use std::collections::HashSet;
use std::path::Path;

use rustix::process::{Resource, getrlimit};

use crate::error::Error;

/// How many are open for the lock of a folder: the folder once more, as a lock is a description of its own, and the lock file of
/// its state directory.
const LOCK: usize = 2;

/// How many are open at most while a target is examined.
const EXAMINING: usize = 5;

/// So many files of a target change, if nobody knows how many.
const SOME: usize = 7;

/// Refuses a run that would find no room half-way, before anything is opened. Targets of one folder share its lock.
///
/// # Errors
/// The targets in these folders need more open files than the process may have.
pub(super) fn require<'f>(folders: impl Iterator<Item = &'f Path>, jobs: usize) -> Result<(), Error> {
    let (targets, locks) = count(folders);
    need(targets, targets + LOCK * locks + writing(SOME).max(jobs * EXAMINING))
}

/// Refuses to write targets if the one with the most files that change finds no room, when all are open.
///
/// # Errors
/// The targets in these folders need more open files than the process may have.
pub(super) fn require_to_write<'f>(
    folders: impl Iterator<Item = &'f Path>,
    changed: usize,
) -> Result<(), Error> {
    let (targets, locks) = count(folders);
    need(targets, locks + writing(changed))
}

/// Returns how many targets there are, and how many folders.
fn count<'f>(folders: impl Iterator<Item = &'f Path>) -> (usize, usize) {
    let mut targets = 0;
    let folders: HashSet<_> = folders.inspect(|_| targets += 1).collect();
    (targets, folders.len())
}

/// Returns how many of so many targets can be written at a time: one that finds no room half-way fails, and one at a time need
/// not.
pub(super) fn room_for_writers(targets: usize, changed: usize) -> usize {
    let Some((limit, open)) = limit() else { return usize::MAX };
    // Each target that is written keeps its lock file open until the end.
    (limit.saturating_sub(open + targets) / writing(changed)).max(1)
}

/// Returns how many are open at most while so many files of a target are written: each with its backup and its folder.
fn writing(changed: usize) -> usize {
    11 + 3 * changed
}

fn need(targets: usize, more: usize) -> Result<(), Error> {
    // A single target finds no room before it has written anything.
    if targets < 2 {
        return Ok(());
    }
    let Some((limit, open)) = limit() else { return Ok(()) };
    let needed = open + more;
    if needed <= limit {
        return Ok(());
    }
    let message = format!("{targets} targets need {needed} open files, and this process may have {limit}");
    Err(Error::failed(message).help(format!(
        "raise the limit, as `ulimit -n {needed}` does, or apply fewer targets at a time, with `--target` or `-f`"
    )))
}

/// Returns the limit of open files, and how many are open; `None` if there is no limit, or `/proc` is not mounted.
fn limit() -> Option<(usize, usize)> {
    let limit = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok())?;
    Some((limit, std::fs::read_dir("/proc/self/fd").ok()?.count()))
}
