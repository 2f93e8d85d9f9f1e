//! What is said when this program breaks.

use ops::{Error, FilesState, Outcome, Progress};

use crate::exit::Exit;
use crate::output::Terminal;
use crate::output::results::Results;

/// Replaces the message of a panic. Rust's own prints what the code was about, which may be a line of a file.
pub(crate) fn report(terminal: Terminal, progress: Progress, results: Results) {
    std::panic::set_hook(Box::new(move |panic| {
        let (kind, state) = match progress.standing() {
            (true, _) => (Outcome::RecoveryPending, FilesState::RecoveryPending),
            (false, true) => (Outcome::Unfinished, FilesState::Applied),
            (false, false) => (Outcome::Failed, FilesState::NothingChanged),
        };
        let place = panic.location().map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
        let error = Error::new(kind, format!("kasm-db broke: this is a bug in it{place}"))
            .help("report it, with the command and this message");
        let error = error.state(state);
        terminal.bar.end();
        terminal.error(&error);
        results.break_off(&error);
        // Unwinding would run code that expects another world than the one that is left.
        std::process::exit(i32::from(Exit::from(kind).code()));
    }));
}
