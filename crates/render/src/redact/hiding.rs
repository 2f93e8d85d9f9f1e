//! What hides the parts of a text, found when they are shown.

use std::ops::Range;
use std::sync::Arc;

use model::yaml::Tree;

use super::compose::compose;
use super::hidden::{For, Hidden};
use super::known::Known;

/// What of a text is hidden. It is found in the lines that are shown, when they are shown: most of a file never is.
#[derive(Clone, Debug)]
pub(crate) enum Hiding {
    /// All of it.
    Everything,
    /// What a conf hides; with the secrets of the target that are known.
    Conf(Arc<Known>),
    /// What a compose file hides from somebody.
    Compose(Arc<Tree>, Arc<Known>, For),
}

impl Hiding {
    /// Returns the secrets that are known.
    pub(super) fn known(&self) -> Option<&Known> {
        match self {
            Self::Everything => None,
            Self::Conf(known) | Self::Compose(_, known, _) => Some(known),
        }
    }

    /// Finds what is hidden of a part of a text. A conf is looked at line by line.
    pub(super) fn parts(&self, bytes: &[u8], within: Range<usize>) -> Vec<Hidden> {
        match self {
            Self::Everything => vec![Hidden::everything()],
            Self::Conf(_) => Vec::new(),
            Self::Compose(tree, known, whom) => compose(tree, bytes, known, *whom, within),
        }
    }
}
