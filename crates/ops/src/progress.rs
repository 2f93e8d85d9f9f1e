//! How far a run has come, for whoever gets a signal: it ends a run at once before anything is written, never between
//! two files, and after a command that stops or starts the deployment.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use live::{Commanding, Interrupted, Watch};

use crate::error::{Error, FilesState};
use crate::outcome::Outcome;

/// How long a command that stops or starts the deployment may continue after a signal. Stopping it half-way would
/// leave a deployment of which nobody knows what runs; systemd waits three times as long before it kills.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How far a run has come. Clones share it: one belongs to the run, one to the thread that waits for signals.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Shared>);

/// What the clones share.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Notified whenever somebody has ended to write, or to report what was written.
    written: Condvar,
}

/// Whoever holds the lock can neither be interrupted nor start to write.
#[derive(Debug, Default)]
struct State {
    /// How many threads write files just now.
    writing: usize,
    /// Whether what is written side by side is still to be reported.
    reporting: bool,
    /// Whether a signal has waited for that.
    is_waited_for: bool,
    /// Whether files of this run are in place.
    applied: bool,
    /// Whether files of this run were in place, and are as before.
    put_back: bool,
    /// Whether other files are written: a document, a folder of rendered files, or those that a recovery put back.
    written: bool,
    /// Which files of a target those are that changed.
    changed: Vec<String>,
    /// What follows them: the name of the step that the next run resumes at.
    next: Option<&'static str>,
    /// Whether everything that follows them is done.
    done: bool,
    /// The command that stops or starts the deployment, while it runs.
    command: Option<Running>,
    /// The signal that came while it had to wait, and when.
    came: Option<(&'static str, Instant)>,
    /// Whether everything is done, and only the result is still written.
    over: bool,
}

/// A command that a signal does not end at once.
#[derive(Debug)]
struct Running {
    shown: String,
    group: Option<u32>,
}

/// What a signal does to a run.
#[derive(Debug)]
pub enum Signalled<'a> {
    /// It waits until files are written, and the run ends then.
    Waits,
    /// It waits a moment until what was written is reported, and the run ends then; if that takes too long, it is to be
    /// accepted once more, and ends the run.
    WaitsForReport,
    /// The run is over, and ends as it does anyway once its result is written; a second signal ends it at once.
    IsOver,
    /// It waits until this command ends, at most for [`PATIENCE`]; a second signal ends the run at once.
    WaitsFor(String),
    /// The run ends now.
    Ends(Ending<'a>),
}

/// The end of a run. While it is held, the run starts neither to write nor to run a command: what the error says of the
/// files stays true until the process ends, and the group of a command cannot become another's.
#[derive(Debug)]
pub struct Ending<'a> {
    /// The error that the run ends with.
    pub error: Error,
    /// The process group of a command that is still running, and is to be ended.
    pub group: Option<u32>,
    _held: MutexGuard<'a, State>,
}

impl Progress {
    /// Accepts a signal, and tells what it does.
    pub fn signal(&self, name: &'static str) -> Signalled<'_> {
        let mut state = self.lock();
        if state.writing > 0 {
            state.came.get_or_insert((name, Instant::now()));
            return Signalled::Waits;
        }
        if state.reporting && !state.is_waited_for {
            state.is_waited_for = true;
            state.came.get_or_insert((name, Instant::now()));
            return Signalled::WaitsForReport;
        }
        if state.over && state.came.is_none() {
            state.came = Some((name, Instant::now()));
            return Signalled::IsOver;
        }
        if let (Some(command), None) = (&state.command, state.came) {
            let shown = command.shown.clone();
            state.came = Some((name, Instant::now()));
            return Signalled::WaitsFor(shown);
        }
        // What the command started is its own, and may need what it has begun to be ended in order.
        let group = state.command.as_ref().and_then(|command| command.group);
        Signalled::Ends(Ending { error: state.error(name), group, _held: state })
    }

    /// Waits until what was written is reported, at most so long. Returns whether it is: whoever reads the results may have
    /// stopped to read.
    pub fn is_reported(&self, at_most: Duration) -> bool {
        let is_reporting = |state: &mut State| state.reporting;
        let waited = self.0.written.wait_timeout_while(self.lock(), at_most, is_reporting);
        !waited.unwrap_or_else(PoisonError::into_inner).0.reporting
    }

    /// Returns what a run that breaks off here leaves: whether files are just being written, or have been.
    pub fn standing(&self) -> (bool, bool) {
        // Whoever panics may hold the lock; nothing is written while it is held.
        self.0.state.try_lock().map_or((false, false), |state| (state.writing > 0, state.applied))
    }

    /// Records that files are written that are not those of a target.
    pub fn written(&self) {
        self.lock().written = true;
    }

    /// Reports for the error of a result that cannot be written what holds for the files of the run at that point.
    #[must_use]
    pub fn of_result(&self, error: Error) -> Error {
        let state = self.lock();
        if !error.is_of_result || !(state.applied || state.written) {
            return error;
        }
        let files = if state.applied { state.files() } else { FilesState::Written };
        Error { kind: Outcome::Unfinished, ..error.state(files) }
    }

    /// Records that everything is done, and only the result is still to be written.
    pub fn over(&self) {
        let mut state = self.lock();
        // A signal that came before has ended the run in order.
        (state.over, state.came) = (true, None);
    }

    /// Begins another target: of that nothing has changed yet.
    pub(crate) fn another(&self) {
        let mut state = self.lock();
        (state.next, state.done, state.put_back) = (None, false, false);
    }

    /// Records which files have changed.
    pub(crate) fn changed(&self, files: impl IntoIterator<Item = String>) {
        self.lock().changed.extend(files);
    }

    /// Records that the files that have changed are as before.
    pub(crate) fn put_back(&self) {
        let mut state = self.lock();
        (state.applied, state.put_back) = (false, true);
        state.changed.clear();
    }

    /// Records which step comes next; `None` when all are done.
    pub(crate) fn next(&self, step: Option<&'static str>) {
        let mut state = self.lock();
        state.next = step;
        state.done = step.is_none();
    }

    /// Starts to write; from here on a signal ends nothing until [`Writing::end`], and until that of whoever else writes.
    pub(crate) fn writing(&self) -> Writing<'_> {
        self.lock().writing += 1;
        Writing(self)
    }

    /// Starts to write a target.
    ///
    /// # Errors
    /// A signal came while another one was written: no other is begun.
    pub(crate) fn writing_target(&self) -> Result<Writing<'_>, Error> {
        let mut state = self.lock();
        if let Some((name, _)) = state.came {
            return Err(state.error(name));
        }
        state.writing += 1;
        Ok(Writing(self))
    }

    /// Starts to write targets side by side: until [`Reporting`] is dropped, a signal waits until those are reported that are
    /// written.
    pub(crate) fn reporting(&self) -> Reporting<'_> {
        self.lock().reporting = true;
        Reporting(self)
    }

    /// Returns the error that ends the run if a signal came while it had to wait.
    pub(crate) fn interrupted(&self) -> Result<(), Error> {
        let state = self.lock();
        match state.came {
            Some((name, _)) => Err(state.error(name)),
            None => Ok(()),
        }
    }

    /// Waits until nobody writes, and returns the error that ends the run if a signal came: it names the files of all who
    /// wrote.
    pub(crate) fn all_written(&self) -> Result<(), Error> {
        let is_written_to = |state: &mut State| state.writing > 0;
        let waited = self.0.written.wait_while(self.lock(), is_written_to);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.interrupted()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn files(&self) -> FilesState {
        match (self.applied, self.next) {
            _ if self.put_back => FilesState::RolledBack,
            (_, Some(_)) => FilesState::NotFollowed,
            (_, None) if self.done => FilesState::AllDone,
            (true, None) => FilesState::Applied,
            (false, None) => FilesState::NothingChanged,
        }
    }

    fn error(&self, name: &str) -> Error {
        let files = self.files();
        let mut help = Vec::new();
        if !self.changed.is_empty() {
            help.push(format!("changed: {}", self.changed.join(", ")));
        }
        if let Some(step) = self.next {
            help.push(format!("`kasm-db apply` or `kasm-db recover` resumes at the step `{step}`"));
        }
        let error = Error::new(Outcome::Interrupted, format!("interrupted by {name}")).state(files);
        if help.is_empty() { error } else { error.help(help.join("; ")) }
    }
}

/// The time in which files are written. A signal that comes meanwhile is kept until its end.
pub(crate) struct Writing<'a>(&'a Progress);

impl Writing<'_> {
    /// Ends the writing; `applied` tells whether files have changed. Returns the error that ends the run if a signal
    /// came.
    pub(crate) fn end(self, applied: bool) -> Result<(), Error> {
        self.0.lock().applied |= applied;
        self.0.interrupted()
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.lock().writing -= 1;
        self.0.0.written.notify_all();
    }
}

/// The time in which targets are written side by side: what is written is reported later.
pub(crate) struct Reporting<'a>(&'a Progress);

impl Drop for Reporting<'_> {
    fn drop(&mut self) {
        self.0.lock().reporting = false;
        self.0.0.written.notify_all();
    }
}

impl Watch for Progress {
    fn check(&self) -> Result<(), Interrupted> {
        match self.lock().came {
            Some((signal, _)) => Err(Interrupted { signal }),
            None => Ok(()),
        }
    }

    fn commanding<'a>(&'a self, shown: &str) -> Box<dyn Commanding + 'a> {
        self.lock().command = Some(Running { shown: shown.to_string(), group: None });
        Box::new(Command(self))
    }
}

/// The time in which a command stops or starts the deployment: a signal waits for its end, but not for ever.
struct Command<'a>(&'a Progress);

impl Commanding for Command<'_> {
    fn started(&self, group: u32) {
        if let Some(command) = &mut self.0.lock().command {
            command.group = Some(group);
        }
    }

    fn ended(&self) {
        if let Some(command) = &mut self.0.lock().command {
            command.group = None;
        }
    }

    fn until(&self) -> Option<Instant> {
        self.0.lock().came.map(|(_, at)| at + PATIENCE)
    }
}

impl Drop for Command<'_> {
    fn drop(&mut self) {
        self.0.lock().command = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::thread::spawn;

    use super::*;

    #[test]
    fn nothing_is_written_or_started_once_a_signal_ends_the_run() {
        let starts: [fn(&Progress); 2] =
            [|progress| drop(progress.writing()), |progress| drop(progress.commanding("stop"))];
        for start in starts {
            let progress = Progress::default();
            let Signalled::Ends(ending) = progress.signal("SIGTERM") else { unreachable!() };
            assert_eq!(ending.error.state, FilesState::NothingChanged);
            let (started, starting) = channel();
            let run = progress.clone();
            let thread = spawn(move || {
                start(&run);
                started.send(()).unwrap();
            });
            let waited = starting.recv_timeout(Duration::from_millis(200));
            assert_eq!(waited, Err(RecvTimeoutError::Timeout));
            drop(ending);
            thread.join().unwrap();
        }
    }

    #[test]
    fn a_signal_waits_for_all_who_write_and_nobody_else_begins() {
        let progress = Progress::default();
        let (one, other) = (progress.writing_target().unwrap(), progress.writing_target().unwrap());
        assert!(matches!(progress.signal("SIGTERM"), Signalled::Waits));
        assert_eq!(progress.writing_target().map(drop).unwrap_err().kind, Outcome::Interrupted);
        assert_eq!(one.end(true).unwrap_err().state, FilesState::Applied);
        assert!(matches!(progress.signal("SIGTERM"), Signalled::Waits));
        assert_eq!(other.end(false).unwrap_err().kind, Outcome::Interrupted);
        assert!(matches!(progress.signal("SIGTERM"), Signalled::Ends(_)));
    }

    #[test]
    fn a_signal_waits_once_until_what_was_written_is_reported() {
        let progress = Progress::default();
        let reporting = progress.reporting();
        drop(progress.writing_target().unwrap());
        assert!(matches!(progress.signal("SIGTERM"), Signalled::WaitsForReport));
        assert_eq!(progress.writing_target().map(drop).unwrap_err().kind, Outcome::Interrupted);
        assert!(!progress.is_reported(Duration::from_millis(20)));
        assert!(matches!(progress.signal("SIGTERM"), Signalled::Ends(_)));
        drop(reporting);
        assert!(progress.is_reported(Duration::ZERO));
    }

    #[test]
    fn the_error_of_a_signal_names_the_files_of_all_who_wrote_when_it_came() {
        let progress = Progress::default();
        let (one, other) = (progress.writing_target().unwrap(), progress.writing_target().unwrap());
        assert!(matches!(progress.signal("SIGTERM"), Signalled::Waits));
        progress.changed(["one".into()]);
        one.end(true).unwrap_err();
        let help = std::thread::scope(|scope| {
            let asked = scope.spawn(|| progress.all_written().unwrap_err().help);
            std::thread::sleep(Duration::from_millis(50));
            progress.changed(["other".into()]);
            other.end(true).unwrap_err();
            asked.join().unwrap()
        });
        assert_eq!(help.as_deref(), Some("changed: one, other"));
    }

    #[test]
    fn a_second_signal_ends_the_command_that_the_first_one_waits_for() {
        let progress = Progress::default();
        let command = progress.commanding("stop it");
        command.started(7);
        assert!(matches!(progress.signal("SIGINT"), Signalled::WaitsFor(shown) if shown == "stop it"));
        assert!(matches!(progress.signal("SIGINT"), Signalled::Ends(Ending { group: Some(7), .. })));
    }
}
