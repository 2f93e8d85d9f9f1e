//! Files as they are about to be.

use render::{Bytes, Found, Source};

/// A source with other bytes in some files.
pub(crate) struct Overlaid<'a, S> {
    /// Paths and bytes.
    pub(crate) files: Vec<(&'a str, Bytes)>,
    pub(crate) others: &'a S,
}

impl<S: Source> Source for Overlaid<'_, S> {
    fn read(&self, path: &str) -> Found<Bytes> {
        let file = self.files.iter().find(|(known, _)| *known == path);
        file.map_or_else(|| self.others.read(path), |(_, bytes)| Found::Yes(bytes.clone()))
    }

    fn list(&self, folder: &str) -> Found<Vec<String>> {
        self.others.list(folder)
    }

    fn below_root(&self, absolute: &str) -> Option<String> {
        self.others.below_root(absolute)
    }
}
