//! Signals that end a run. What one does depends on how far the run has come: see [`Progress`].
//!
//! A thread waits for them. The flag that a handler could set would be of no use while the main thread
//! waits for an answer, a lock or a slow reader, and that is where an interrupt must end the run at once.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use ops::{Ending, PATIENCE, Progress, Signalled};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::exit::Exit;
use crate::output::results::Results;
use crate::output::{Terminal, escape};

/// How long the last words may take: a reader that has stopped reading must not keep a run alive.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Starts to wait for SIGINT, SIGTERM and SIGHUP. Beyond `ulimit -f` a write fails then, and ends no process: what was
/// begun is put back.
///
/// One that the caller has set to be ignored stays so: `nohup` does that, and shells do it for background
/// jobs.
pub(crate) fn watch(terminal: Terminal, progress: Progress, results: Results) {
    // Nobody asks the flag; that there is a handler makes of the signal an error of the write.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    let ignored = ignored();
    let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    // Without them the system's own way of ending a process holds, which is what it was before.
    let Ok(mut signals) = Signals::new(wanted) else { return };
    let waits = move || {
        for signal in signals.forever() {
            signalled(terminal, &progress, &results, name(signal));
        }
    };
    let _ = std::thread::Builder::new().name("signals".into()).spawn(waits);
}

fn signalled(terminal: Terminal, progress: &Progress, results: &Results, name: &'static str) {
    match progress.signal(name) {
        Signalled::Waits | Signalled::IsOver => {}
        Signalled::WaitsForReport => {
            if !progress.is_reported(LAST_WORDS) {
                signalled(terminal, progress, results, name);
            }
        }
        Signalled::WaitsFor(command) => {
            let text = format!(
                "{name}: waiting until `{}` ends, at most {} seconds; a second signal ends at once\n",
                escape(&command),
                PATIENCE.as_secs()
            );
            // Whoever reads this slowly must not keep the next signal waiting.
            let speaks = move || terminal.note(&text);
            let _ = std::thread::Builder::new().spawn(speaks);
        }
        Signalled::Ends(ending) => {
            let group = ending.group.and_then(|group| Pid::from_raw(i32::try_from(group).ok()?));
            group.map(|group| kill_process_group(group, Signal::TERM));
            leave(terminal, results.clone(), &ending);
        }
    }
}

/// Returns what holds and ends the process; the run is held until then, so that it still holds.
fn leave(terminal: Terminal, results: Results, ending: &Ending<'_>) -> ! {
    let error = ending.error.clone();
    let code = Exit::from(&error).code();
    let (said, done) = channel();
    let speaks = move || {
        terminal.bar.end();
        terminal.error(&error);
        results.break_off(&error);
        let _ = said.send(());
    };
    if std::thread::Builder::new().spawn(speaks).is_ok() {
        let _ = done.recv_timeout(LAST_WORDS);
    }
    std::process::exit(i32::from(code));
}

fn name(signal: i32) -> &'static str {
    match signal {
        SIGINT => "SIGINT",
        SIGTERM => "SIGTERM",
        _ => "SIGHUP",
    }
}

/// Returns the signals that this process was started to ignore, as a mask with bit 0 for signal 1.
fn ignored() -> u64 {
    // Longer than the file: the standard library would read it in a dozen pieces, as it has no size.
    let mut status = Vec::with_capacity(8192);
    let read = std::fs::File::open("/proc/self/status").and_then(|mut file| file.read_to_end(&mut status));
    let status = read.map(|_| String::from_utf8_lossy(&status)).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
