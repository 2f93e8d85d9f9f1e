//! The parts of a text that are hidden.

use std::ops::Range;

/// A part of a text that is not shown.
#[derive(Clone, Debug)]
pub(crate) struct Hidden {
    pub(super) range: Range<usize>,
    /// Whether it may be a secret, rather than something that is merely nobody's business.
    pub(super) secret: bool,
    /// Whether the range is a comment: its `#` stays.
    pub(super) comment: bool,
    /// Whether it is hidden also where the plan is about it.
    pub(super) always: bool,
    /// What stands in its place for Compose, if it takes no other text there.
    pub(super) instead: Option<Box<Instead>>,
}

/// What stands in place of a part for Compose.
#[derive(Clone, Debug)]
pub(super) struct Instead {
    pub(super) text: String,
    /// Whether a comment says so.
    pub(super) is_said: bool,
}

/// For whom a text is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// For somebody who reads a diff.
    People,
    /// For Compose, too.
    Compose,
}

impl Hidden {
    /// Hides what may be a secret.
    pub(super) fn secret(range: Range<usize>) -> Self {
        Self { range, secret: true, comment: false, always: false, instead: None }
    }

    /// Hides a whole text, also what a plan is about.
    pub(super) fn everything() -> Self {
        Self { always: true, ..Self::secret(0..usize::MAX) }
    }

    /// Makes it a comment.
    pub(super) fn comment(self) -> Self {
        Self { comment: true, ..self }
    }
}
