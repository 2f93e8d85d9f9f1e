//! How a target ends.

/// How one of the targets ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its files were written.
    Applied,
    /// There was nothing to do.
    Nothing,
    /// It was planned, in a dry run.
    Planned,
    /// A blocker stands in the way.
    Refused,
    /// Whoever was asked did not say yes.
    Declined,
    /// It failed.
    Failed,
    /// The run ended before it.
    NotStarted,
}

impl End {
    /// Returns it in a few words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Nothing => "nothing to do",
            Self::Planned => "not applied, as this is a dry run",
            Self::Refused => "refused",
            Self::Declined => "not applied, as nobody said yes",
            Self::Failed => "failed",
            Self::NotStarted => "not started",
        }
    }
}
