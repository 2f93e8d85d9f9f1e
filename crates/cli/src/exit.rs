//! The exit codes, and the sentences that say what holds for the files.

use std::fmt::Write as _;
use std::process::ExitCode;

use ops::{Error, FilesState, Outcome};

/// How the program ends; the numbers are documented and do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit(u8);

/// One exit code, as `--help`, the manual pages and README have it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// The number.
    pub(crate) code: u8,
    /// One word for it.
    pub(crate) name: &'static str,
    /// What it means, without a full stop.
    pub(crate) meaning: &'static str,
}

/// Defines the table of exit codes, so that no outcome can be without its row.
macro_rules! exits {
    ($($outcome:ident $code:literal $name:literal $meaning:literal;)*) => {
        /// Every exit code, in ascending order.
        pub(crate) const TABLE: &[Row] = &[$(Row { code: $code, name: $name, meaning: $meaning },)*];

        impl From<Outcome> for Exit {
            fn from(outcome: Outcome) -> Self {
                Self(match outcome { $(Outcome::$outcome => $code,)* })
            }
        }
    };
}

exits! {
    Done 0 "done" "done, or nothing to do";
    Failed 1 "failed" "error, nothing changed";
    Differences 2 "differences"
        "differences, and nothing else (`plan --detailed-exitcode`, `render --check`, `status`)";
    Invalid 3 "invalid" "the document is invalid";
    Refused 4 "refused" "refused: a blocker";
    Stale 5 "stale" "the saved plan is stale";
    Locked 6 "locked" "another run holds the lock";
    RolledBack 7 "rolled-back" "failed and rolled back; the files are as before";
    RecoveryPending 8 "recovery-pending" "failed or interrupted, recovery pending: run `kasm-db recover`";
    Unfinished 9 "unfinished"
        "files applied, but a follow-up step is pending or failed; `verify` found a failure";
    PartlyApplied 10 "partly-applied" "partly applied: some targets were written, then the run stopped";
    Usage 64 "usage" "wrong usage";
    Interrupted 130 "interrupted" "interrupted; the message says whether files changed";
}

impl Exit {
    /// Returns the number.
    pub(crate) fn code(self) -> u8 {
        self.0
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        error.kind.into()
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// Returns the sentence on runs of several targets.
pub(crate) fn severity() -> String {
    let codes = |outcomes: &[Outcome], separator: &str| {
        let codes: Vec<_> = outcomes.iter().map(|outcome| Exit::from(*outcome).code().to_string()).collect();
        codes.join(separator)
    };
    let (at_once, by_target) = ops::WORST_FIRST.split_at(2);
    format!(
        "With several targets, the most severe code is returned, in the order {}.\n\
         {} take precedence over all others.",
        codes(by_target, " "),
        codes(at_once, " and ")
    )
}

/// Returns the exit codes as `--help` shows them.
pub(crate) fn help() -> String {
    let mut text = String::from("Exit codes:\n");
    for Row { code, meaning, .. } in TABLE {
        let _ = writeln!(text, "  {code:>3}  {meaning}");
    }
    text + &severity()
}

/// Returns the exit codes as README has them: a table and a sentence below it.
pub(crate) fn markdown() -> String {
    let mut text = String::from("| exit | name | meaning |\n|---|---|---|\n");
    for Row { code, name, meaning } in TABLE {
        let _ = writeln!(text, "| {code} | {name} | {meaning} |");
    }
    format!("{text}\n{}\n", severity())
}

/// Returns the sentence that says what holds for the files; programs may compare them, and they do not change.
pub(crate) fn sentence(state: FilesState) -> &'static str {
    match state {
        FilesState::NothingChanged => "nothing changed",
        FilesState::RolledBack => "rolled back: the files are as before",
        FilesState::RecoveryPending => "recovery pending: run `kasm-db recover`",
        FilesState::NotFollowed => "files applied, what follows is not done",
        FilesState::Applied => "files applied, stack not restarted",
        FilesState::AllDone => "files applied, and what follows is done",
        FilesState::Written => "the files are written",
        FilesState::PartlyApplied => "partly applied: some targets are written, others are not",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_several_outcomes_is_the_exit_code() {
        let order = ops::WORST_FIRST.iter().map(|outcome| Exit::from(*outcome).code());
        assert_eq!(order.collect::<Vec<_>>(), [130, 64, 8, 10, 7, 1, 9, 4, 5, 6, 3, 2, 0]);
    }

    #[test]
    fn the_table_is_in_ascending_order_and_ranks_every_code() {
        assert!(TABLE.is_sorted_by(|one, next| one.code < next.code));
        let mut ranked: Vec<_> = ops::WORST_FIRST.iter().map(|outcome| Exit::from(*outcome).code()).collect();
        ranked.sort_unstable();
        assert_eq!(ranked, TABLE.iter().map(|row| row.code).collect::<Vec<_>>());
    }
}
