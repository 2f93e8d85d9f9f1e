//! Signals that end a run: at once before anything is written, never between two files, and behind a command that
//! stops or starts the deployment.
//!
//! A thread waits for them. The flag that a handler could set would be of no use while the main thread
//! waits for an answer, a lock or a slow reader, and that is where an interrupt must end the run at once.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::exit::{Exit, Failure, state};
use crate::output::{Terminal, escape};

/// What the run is at. Who holds the lock can neither be interrupted nor start to write.
struct Run {
    writing: bool,
    /// Whether files of this run are in place.
    applied: bool,
    /// Which files those are.
    changed: Vec<String>,
    /// What follows them: the name of the step that whoever goes on begins with.
    next: Option<&'static str>,
    /// Whether all that follows them is done.
    done: bool,
    /// The command that stops or starts the deployment, while it runs.
    command: Option<Running>,
    /// The signal that came while it had to wait, and when.
    came: Option<(&'static str, Instant)>,
}

/// A command that a signal does not end at once.
struct Running {
    shown: String,
    group: Option<u32>,
}

static RUN: Mutex<Run> = Mutex::new(Run {
    writing: false,
    applied: false,
    changed: Vec::new(),
    next: None,
    done: false,
    command: None,
    came: None,
});

/// How long a command that stops or starts the deployment may go on after a signal. Stopping it half-way would
/// leave a deployment of which nobody knows what runs; systemd waits three times as long before it kills.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How long the last words may take: a reader that has stopped reading must not keep a run alive.
const LAST_WORDS: Duration = Duration::from_millis(500);

fn run() -> MutexGuard<'static, Run> {
    RUN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts to wait for SIGINT, SIGTERM and SIGHUP. Beyond `ulimit -f` a write fails then, and ends no process: what was
/// begun is put back.
///
/// One that the caller has set to be ignored stays so: `nohup` does that, and shells do it for background
/// jobs.
pub(crate) fn watch(terminal: Terminal) {
    // Nobody asks the flag; that there is a handler makes of the signal an error of the write.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    let ignored = ignored();
    let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    // Without them the system's own way of ending a process holds, which is what it was before.
    let Ok(mut signals) = Signals::new(wanted) else { return };
    let waits = move || {
        for signal in signals.forever() {
            let name = name(signal);
            signalled(terminal, name);
        }
    };
    let _ = std::thread::Builder::new().name("signals".into()).spawn(waits);
}

fn signalled(terminal: Terminal, name: &'static str) {
    let mut run = run();
    if run.writing {
        run.came.get_or_insert((name, Instant::now()));
        return;
    }
    match (&run.command, run.came) {
        (Some(command), None) => {
            let text = format!(
                "{name}: waiting until `{}` ends, at most {} seconds; a second signal ends at once\n",
                escape(&command.shown),
                PATIENCE.as_secs()
            );
            run.came = Some((name, Instant::now()));
            // Whoever reads this slowly must not keep the next signal waiting.
            let speaks = move || terminal.note(&text);
            let _ = std::thread::Builder::new().spawn(speaks);
        }
        (Some(command), Some(_)) => {
            // What it started is its own, and may need what it has begun to be ended in order.
            let group = command.group.and_then(|group| Pid::from_raw(i32::try_from(group).ok()?));
            group.map(|group| kill_process_group(group, Signal::TERM));
            leave(terminal, failure(name, &run));
        }
        (None, _) => leave(terminal, failure(name, &run)),
    }
}

/// Says what holds and ends the process.
fn leave(terminal: Terminal, failure: Failure) -> ! {
    let (said, done) = channel();
    let speaks = move || {
        terminal.failure(&failure);
        let _ = said.send(());
    };
    if std::thread::Builder::new().spawn(speaks).is_ok() {
        let _ = done.recv_timeout(LAST_WORDS);
    }
    std::process::exit(Exit::Interrupted as i32);
}

fn failure(name: &str, run: &Run) -> Failure {
    let state = match (run.applied, run.next) {
        (_, Some(_)) => state::NOT_RESTARTED,
        (_, None) if run.done => state::ALL_DONE,
        (true, None) => state::APPLIED,
        (false, None) => state::NOTHING_CHANGED,
    };
    let mut help = Vec::new();
    if !run.changed.is_empty() {
        help.push(format!("changed: {}", run.changed.join(", ")));
    }
    if let Some(step) = run.next {
        help.push(format!("`kasm-db apply` or `kasm-db recover` goes on at the step `{step}`"));
    }
    let failure = Failure::new(Exit::Interrupted, format!("interrupted by {name}")).state(state);
    if help.is_empty() { failure } else { failure.help(help.join("; ")) }
}

/// Says which files were changed, for the last words of a run that is interrupted.
pub(crate) fn changed(files: impl IntoIterator<Item = String>) {
    run().changed.extend(files);
}

/// Says which step comes next; `None` when all are done.
pub(crate) fn next(step: Option<&'static str>) {
    let mut run = run();
    run.next = step;
    run.done = step.is_none();
}

/// Begins another target: of that nothing is changed yet.
pub(crate) fn another() {
    let mut run = run();
    (run.next, run.done) = (None, false);
}

/// Gives the error that ends the run where a signal came while it had to wait.
pub(crate) fn check() -> Result<(), Failure> {
    let run = run();
    match run.came {
        Some((name, _)) => Err(failure(name, &run)),
        None => Ok(()),
    }
}

/// The time in which a command stops or starts the deployment: a signal waits for its end, but not for ever.
pub(crate) struct Commanding(());

/// Begins to run a command, which is shown as this.
pub(crate) fn commanding(shown: &str) -> Commanding {
    run().command = Some(Running { shown: shown.to_string(), group: None });
    Commanding(())
}

impl Commanding {
    /// Takes the process group that a second signal ends.
    pub(crate) fn started(&self, group: u32) {
        if let Some(command) = &mut run().command {
            command.group = Some(group);
        }
    }

    /// Tells that the group is gone: its number may be another's from now on.
    pub(crate) fn ended(&self) {
        if let Some(command) = &mut run().command {
            command.group = None;
        }
    }

    /// Gives the time at which it must end, where a signal came.
    pub(crate) fn until(&self) -> Option<Instant> {
        run().came.map(|(_, at)| at + PATIENCE)
    }
}

impl Drop for Commanding {
    fn drop(&mut self) {
        run().command = None;
    }
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
            Some((name, _)) => Err(failure(name, &run)),
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
