//! The exit codes, and the errors that end a run.

use std::process::ExitCode;

/// How a run ended; the numbers are documented and do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// An error; nothing was changed.
    Error = 1,
    /// Differences, and only that.
    Differences = 2,
    /// The document is invalid.
    Invalid = 3,
    /// Refused: a blocker stands in the way.
    Refused = 4,
    /// The saved plan was made from something else than is there now.
    Stale = 5,
    /// Another run holds the lock.
    Locked = 6,
    /// Failed and rolled back; the files are as before.
    RolledBack = 7,
    /// Failed, and not everything could be put back.
    RecoveryPending = 8,
    /// The files are written, but something behind them is not done.
    Unfinished = 9,
    /// The command line is wrong.
    Usage = 64,
    /// A signal ended the run; the message says whether files changed.
    Interrupted = 130,
}

/// Of several targets the worst result counts, in this order.
const WORST_FIRST: &[Exit] = &[
    Exit::RecoveryPending,
    Exit::RolledBack,
    Exit::Error,
    Exit::Unfinished,
    Exit::Refused,
    Exit::Stale,
    Exit::Locked,
    Exit::Invalid,
    Exit::Differences,
    Exit::Done,
];

impl Exit {
    /// Gives the worse of two results.
    pub(crate) fn worse(self, other: Self) -> Self {
        let rank = |exit| WORST_FIRST.iter().position(|known| *known == exit).unwrap_or(0);
        if rank(self) <= rank(other) { self } else { other }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that ends a run: what, where, what now, and the exit code.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// What else is wrong: told with it, so that one run tells all.
    pub(crate) others: Vec<Failure>,
    /// What holds now for the files: one of [`state`].
    pub(crate) state: &'static str,
}

/// The sentences that say what holds for the files; programs may compare them, and they do not change.
pub(crate) mod state {
    pub(crate) const NOTHING_CHANGED: &str = "nothing changed";
    pub(crate) const ROLLED_BACK: &str = "rolled back: the files are as before";
    pub(crate) const RECOVERY_PENDING: &str = "recovery pending: run `kasm-db recover`";
    pub(crate) const NOT_RESTARTED: &str = "files applied, what follows is not done";
    pub(crate) const APPLIED: &str = "files applied, stack not restarted";
    pub(crate) const ALL_DONE: &str = "files applied, and what follows is done";
}

impl Failure {
    /// Starts an error before which nothing was changed.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), help: None, others: Vec::new(), state: state::NOTHING_CHANGED }
    }

    /// Makes one of several; the worst one ends the run.
    pub(crate) fn all(failures: Vec<Self>) -> Option<Self> {
        let exit = failures.iter().map(|failure| failure.exit).reduce(Exit::worse)?;
        let mut failures = failures.into_iter();
        let mut first = failures.next()?;
        first.others.extend(failures);
        Some(Self { exit, ..first })
    }

    /// Says what holds for the files, where it is not that nothing changed.
    #[must_use]
    pub(crate) fn state(mut self, state: &'static str) -> Self {
        self.state = state;
        self
    }

    /// Says what to do now.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_several_counts() {
        let order = [8, 7, 1, 9, 4, 5, 6, 3, 2, 0];
        assert_eq!(WORST_FIRST.iter().map(|exit| *exit as u8).collect::<Vec<_>>(), order);
        assert_eq!(Exit::Differences.worse(Exit::Refused), Exit::Refused);
        assert_eq!(Exit::RolledBack.worse(Exit::Error), Exit::RolledBack);
        assert_eq!(Exit::Done.worse(Exit::Done), Exit::Done);
    }
}
