//! How many files the process may have open.

use ops::Error;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many can be open at a time, whatever the command, if it looks at one target: with the libraries that talk to a server.
const NEEDED: u64 = 48;

/// As many as a process may usually have open.
const USUAL: u64 = 1024;

/// Refuses a run that could find no room: half of what it looks at would be unknown then.
///
/// # Errors
/// Too few files may be open, and the limit cannot be raised.
pub(crate) fn require() -> Result<(), Error> {
    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current.filter(|current| *current < USUAL) else { return Ok(()) };
    let most = limit.maximum.map_or(USUAL, |maximum| maximum.min(USUAL));
    let is_raised = most > current
        && setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum }).is_ok();
    let allowed = if is_raised { most } else { current };
    let open = match std::fs::read_dir("/proc/self/fd") {
        Ok(open) => open.count().try_into().unwrap_or(u64::MAX),
        // Without `/proc`, the three streams are known to be open.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 3,
        Err(_) => allowed,
    };
    if allowed.saturating_sub(open) >= NEEDED {
        return Ok(());
    }
    let message = format!("this process may have {allowed} open files, and too few of them are left");
    Err(Error::failed(message).help(format!("raise the limit, as `ulimit -n {USUAL}` does")))
}

/// Lets the run have as many files open as it may: the folders and locks of all targets are open until its end, and by default
/// a process may have 1,024. What cannot be raised is an error where it matters.
pub(crate) fn allow_all() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some() && limit.current != limit.maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
}
