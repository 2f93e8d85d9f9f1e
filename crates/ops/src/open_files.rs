//! How many files a run may have open: how much is done side by side, and whether an apply finds room. That one holds the folder
//! and the lock of every target until its end.

use std::collections::HashSet;
use std::path::Path;

use rustix::process::{Resource, getrlimit};

use crate::error::Error;

/// How many are open for the lock of a folder: the folder once more, as a lock is a description of its own, and the lock file of
/// its state directory.
const LOCK: usize = 2;

/// How many are open at most for what is done once at a time, whatever is done beside it.
const ONCE: usize = 20;

/// How many are open at most while a target is looked at, and what is running is asked: a program with its streams, and a
/// connection.
const LOOKING: usize = 15;

/// So many files of a target change, if nobody knows how many.
const SOME: usize = 7;

/// Returns how many of so many things are done side by side: as many as find room, and one if none does.
pub(crate) fn side_by_side(wanted: usize) -> usize {
    if wanted < 2 {
        return wanted;
    }
    let Some((limit, open)) = limit() else { return wanted };
    (limit.saturating_sub(open + ONCE) / LOOKING).clamp(1, wanted)
}

/// Refuses a run that would find no room half-way, before anything is opened. Targets of one folder share its lock.
///
/// # Errors
/// The targets in these folders need more open files than the process may have.
pub(crate) fn require<'f>(folders: impl Iterator<Item = &'f Path>) -> Result<(), Error> {
    let (targets, locks) = count(folders);
    need(targets, targets + LOCK * locks + writing(SOME))
}

/// Refuses to write targets if the one with the most files that change finds no room, when all are open.
///
/// # Errors
/// The targets in these folders need more open files than the process may have.
pub(crate) fn require_to_write<'f>(
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
pub(crate) fn room_for_writers(targets: usize, changed: usize) -> usize {
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

/// Returns how many files this process may have open, and how many it has; `None` if there is no limit.
pub fn limit() -> Option<(usize, usize)> {
    let limit = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok())?;
    let open = match std::fs::read_dir("/proc/self/fd") {
        Ok(open) => open.count(),
        // Without `/proc`, only the three streams are known to be open.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 3,
        // There is not even room for this folder.
        Err(_) => limit,
    };
    Some((limit, open))
}
