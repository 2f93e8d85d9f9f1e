//! How many files a run may have open: it holds the folder and the lock of every target until its end.

use rustix::process::{Resource, getrlimit};

use crate::error::Error;

/// How many a target has open from the first pass on: its folder twice, as a lock is a description of its own, and the lock file
/// of its state directory.
const HELD: usize = 3;

/// How many a target has open at most while it is written; those of an installed deployment are about half as many.
const WRITING: usize = 32;

/// How many a target has open at most while it is examined.
const EXAMINING: usize = 8;

/// Refuses a run that would find no room half-way, before anything is opened.
///
/// # Errors
/// So many targets need more open files than the process may have.
pub(super) fn require(targets: usize, jobs: usize) -> Result<(), Error> {
    let Some((limit, open)) = limit() else { return Ok(()) };
    let needed = open + targets * HELD + WRITING.max(jobs * EXAMINING);
    if targets < 2 || needed <= limit {
        return Ok(());
    }
    let message = format!("{targets} targets need {needed} open files, and this process may have {limit}");
    Err(Error::failed(message).help(format!(
        "raise the limit, as `ulimit -n {needed}` does, or apply fewer targets at a time, with `--target` or `-f`"
    )))
}

/// Returns how many of so many targets can be written at a time: one that finds no room half-way fails, and one at a time need
/// not.
pub(super) fn room_for_writers(targets: usize) -> usize {
    let Some((limit, open)) = limit() else { return usize::MAX };
    // Each target that is written keeps its lock file open until the end.
    (limit.saturating_sub(open + targets) / WRITING).max(1)
}

/// Returns how many files the process may have open, and how many are; `None` if there is no limit, or nobody can tell.
fn limit() -> Option<(usize, usize)> {
    let limit = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok())?;
    Some((limit, std::fs::read_dir("/proc/self/fd").ok()?.count()))
}
