//! Signals that end a run: at once before anything is written, and never between two files.
//!
//! A thread waits for them. The flag that a handler could set would be of no use while the main thread
//! waits for an answer, a lock or a slow reader, and that is where an interrupt must end the run at once.

use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::{Exit, Failure, state};
use crate::output::Terminal;

/// What the run is at. Who holds the lock can neither be interrupted nor start to write.
struct Run {
    writing: bool,
    /// Whether files of this run are in place.
    applied: bool,
    /// The signal that came while files were written.
    came: Option<&'static str>,
}

static RUN: Mutex<Run> = Mutex::new(Run { writing: false, applied: false, came: None });

/// How long the last words may take: a reader that has stopped reading must not keep a run alive.
const LAST_WORDS: Duration = Duration::from_millis(500);

fn run() -> MutexGuard<'static, Run> {
    RUN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts to wait for SIGINT, SIGTERM and SIGHUP.
///
/// One that the caller has set to be ignored stays so: `nohup` does that, and shells do it for background
/// jobs.
pub(crate) fn watch(terminal: Terminal) {
    let ignored = ignored();
    let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    // Without them the system's own way of ending a process holds, which is what it was before.
    let Ok(mut signals) = Signals::new(wanted) else { return };
    let waits = move || {
        for signal in signals.forever() {
            let name = name(signal);
            let mut run = run();
            if run.writing {
                run.came = Some(name);
            } else {
                leave(terminal, name, run.applied);
            }
        }
    };
    let _ = std::thread::Builder::new().name("signals".into()).spawn(waits);
}

/// Says what holds and ends the process.
fn leave(terminal: Terminal, name: &'static str, applied: bool) -> ! {
    let (said, done) = channel();
    let speaks = move || {
        terminal.failure(&failure(name, applied));
        let _ = said.send(());
    };
    if std::thread::Builder::new().spawn(speaks).is_ok() {
        let _ = done.recv_timeout(LAST_WORDS);
    }
    std::process::exit(Exit::Interrupted as i32);
}

fn failure(name: &str, applied: bool) -> Failure {
    let state = if applied { state::APPLIED } else { state::NOTHING_CHANGED };
    Failure::new(Exit::Interrupted, format!("interrupted by {name}")).state(state)
}

/// The time in which files are written. A signal that comes meanwhile is kept until its end.
pub(crate) struct Writing(());

/// Starts to write; from here on a signal ends nothing.
pub(crate) fn writing() -> Writing {
    run().writing = true;
    Writing(())
}

impl Writing {
    /// Ends the writing; `applied` tells whether files have changed. Gives the error that ends the run where
    /// a signal came.
    pub(crate) fn end(self, applied: bool) -> Result<(), Failure> {
        let mut run = run();
        run.applied |= applied;
        match run.came {
            Some(name) => Err(failure(name, run.applied)),
            None => Ok(()),
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        run().writing = false;
    }
}

/// Tells what a run that breaks off here leaves: whether files are just being written, or have been.
pub(crate) fn standing() -> (bool, bool) {
    // Whoever panics may hold the lock; nothing is written while it is held.
    RUN.try_lock().map_or((false, false), |run| (run.writing, run.applied))
}

fn name(signal: i32) -> &'static str {
    match signal {
        SIGINT => "SIGINT",
        SIGTERM => "SIGTERM",
        _ => "SIGHUP",
    }
}

/// Gives the signals that this process was started to ignore, as a mask with bit 0 for signal 1.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
