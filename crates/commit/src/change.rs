//! What is to happen to one file.

use std::fmt;
use std::path::PathBuf;

/// Replaces the content of one file.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    /// The file, relative to the root.
    pub path: PathBuf,
    /// The content the change was made for; any other is refused.
    pub before: Vec<u8>,
    /// The content the file shall have.
    pub after: Vec<u8>,
}

impl Change {
    pub(crate) fn is_none(&self) -> bool {
        self.before == self.after
    }
}

impl fmt::Debug for Change {
    /// Leaves the content out: it may hold passwords, and debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change").field("path", &self.path).finish_non_exhaustive()
    }
}
