//! Which kind of file it is, as plans, diffs and what they hide tell them apart.

use std::path::Path;

/// The kinds of files that are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A compose file.
    Compose,
    /// postgresql.conf or a file that it includes.
    Conf,
}

impl FileKind {
    /// Judges a file by its name, where nothing else is known of it.
    pub fn of(path: &Path) -> Self {
        // What is neither is taken for a compose file, of which nothing is shown that is no image.
        if path.extension().is_some_and(|extension| extension == "conf") { Self::Conf } else { Self::Compose }
    }
}
