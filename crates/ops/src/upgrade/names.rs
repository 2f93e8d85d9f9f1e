//! The names that the commands of an upgrade are made from.

use std::path::Path;

use model::Series;

use crate::path::quoted;

/// What the steps are made from.
pub(crate) struct Names {
    /// The tree, with all links followed.
    pub(crate) tree: String,
    /// The tree of the new release.
    pub(crate) new_tree: String,
    /// Whether that is installed already.
    pub(crate) is_installed: bool,
    pub(crate) container: String,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) volume: String,
    pub(crate) compose_file: String,
    pub(crate) service: String,
    pub(crate) from: Option<Series>,
    pub(crate) to: Option<Series>,
    /// The image at the end.
    pub(crate) image: String,
    /// The document.
    pub(crate) document: String,
    pub(crate) audits: bool,
}

impl Names {
    /// Returns the file that the database is dumped to.
    pub(crate) fn dump(&self) -> String {
        let folder = Path::new(&self.tree).parent().unwrap_or(Path::new("/"));
        folder.join("backups/kasm-db-before-upgrade.tar").display().to_string()
    }
}

/// Returns a path as a shell takes it.
pub(crate) fn shell(text: &str) -> String {
    quoted(text)
}
