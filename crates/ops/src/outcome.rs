//! How a run ended.

/// How a run ended, or one target of it. The program has one exit code for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, or nothing to do.
    Done,
    /// Something differs, and that is all.
    Differences,
    /// An error; nothing was changed.
    Failed,
    /// The document is invalid.
    Invalid,
    /// A blocker stands in the way.
    Refused,
    /// The saved plan was made from inputs that have changed since.
    Stale,
    /// Another run holds the lock.
    Locked,
    /// Failed and rolled back; the files are as before.
    RolledBack,
    /// Failed, and not every file could be put back.
    RecoveryPending,
    /// The files are written, but what follows them is not done.
    Unfinished,
    /// Some targets were written, then the run stopped.
    PartlyApplied,
    /// The choices contradict each other or the document.
    Usage,
    /// A signal ended the run; [`FilesState`](crate::FilesState) says whether files changed.
    Interrupted,
}

/// Of several targets the worst outcome wins, in this order. The first two end a run at once.
pub const WORST_FIRST: &[Outcome] = &[
    Outcome::Interrupted,
    Outcome::Usage,
    Outcome::RecoveryPending,
    Outcome::PartlyApplied,
    Outcome::RolledBack,
    Outcome::Failed,
    Outcome::Unfinished,
    Outcome::Refused,
    Outcome::Stale,
    Outcome::Locked,
    Outcome::Invalid,
    Outcome::Differences,
    Outcome::Done,
];

impl Outcome {
    /// Returns the worse of two outcomes.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        let rank = |outcome| WORST_FIRST.iter().position(|known| *known == outcome).unwrap_or(0);
        if rank(self) <= rank(other) { self } else { other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_of_two_outcomes_wins() {
        assert_eq!(Outcome::Differences.worse(Outcome::Refused), Outcome::Refused);
        assert_eq!(Outcome::RolledBack.worse(Outcome::Failed), Outcome::RolledBack);
        assert_eq!(Outcome::PartlyApplied.worse(Outcome::RolledBack), Outcome::PartlyApplied);
        assert_eq!(Outcome::RecoveryPending.worse(Outcome::Interrupted), Outcome::Interrupted);
        assert_eq!(Outcome::Done.worse(Outcome::Done), Outcome::Done);
    }
}
