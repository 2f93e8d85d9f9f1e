//! How many files the process may have open.

use ops::{Error, limit_of_open_files};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As many may be open at a time while one target is looked at, whatever the command: with the libraries that talk to a server.
const NEEDED: usize = 48;

/// As many as a process may usually have open.
const USUAL: u64 = 1024;

/// Refuses a run that could find no room: what it cannot open would be unknown.
///
/// # Errors
/// Too few files may be open, and the limit cannot be raised.
pub(crate) fn require() -> Result<(), Error> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= USUAL) {
        return Ok(());
    }
    raise(limit, Some(limit.maximum.map_or(USUAL, |maximum| maximum.min(USUAL))));
    let Some((allowed, open)) = limit_of_open_files() else { return Ok(()) };
    if allowed.saturating_sub(open) >= NEEDED {
        return Ok(());
    }
    let message = format!("this process may have {allowed} open files, and too few of them are left");
    Err(Error::failed(message).help(format!("raise the limit, as `ulimit -n {USUAL}` does")))
}

/// Lets the run have as many files open as it may: the folders and locks of all targets are open until its end, and by default
/// a process may have 1,024.
pub(crate) fn allow_all() {
    let limit = getrlimit(Resource::Nofile);
    raise(limit, limit.maximum);
}

/// Raises the limit. If it cannot be raised, that is an error where more files are needed.
fn raise(limit: Rlimit, to: Option<u64>) {
    if limit.current != to {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: to, ..limit });
    }
}
