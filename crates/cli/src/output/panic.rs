//! What is said when this program breaks.

use crate::exit::{Exit, Failure, state};
use crate::interrupt;
use crate::output::Terminal;

/// Replaces the message of a panic. Rust's own prints what the code was about, which may be a line of a file.
pub(crate) fn report(terminal: Terminal) {
    std::panic::set_hook(Box::new(move |panic| {
        let (exit, state) = match interrupt::standing() {
            (true, _) => (Exit::RecoveryPending, state::RECOVERY_PENDING),
            (false, true) => (Exit::Unfinished, state::APPLIED),
            (false, false) => (Exit::Error, state::NOTHING_CHANGED),
        };
        let place = panic.location().map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
        let failure = Failure::new(exit, format!("kasm-db broke: this is a bug in it{place}"))
            .help("please report it, with the command and this message");
        terminal.failure(&failure.state(state));
        // Unwinding would run code that expects another world than the one that is left.
        std::process::exit(exit as i32);
    }));
}
