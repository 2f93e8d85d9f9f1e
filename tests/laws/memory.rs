//! Files in memory, as a target sees them.

use std::collections::BTreeMap;

use render::{Found, Source};

/// Files by their path below the target's root; nothing else is on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory(pub(crate) BTreeMap<String, Vec<u8>>);

impl Memory {
    pub(crate) fn new<const N: usize>(files: [(&str, &[u8]); N]) -> Self {
        Self(files.into_iter().map(|(path, bytes)| (path.to_string(), bytes.to_vec())).collect())
    }

    pub(crate) fn get(&self, path: &str) -> &[u8] {
        self.0.get(path).map_or(&[], Vec::as_slice)
    }
}

impl Source for Memory {
    fn read(&self, path: &str) -> Found<Vec<u8>> {
        self.0.get(path).map_or(Found::No, |bytes| Found::Yes(bytes.clone()))
    }

    fn list(&self, folder: &str) -> Found<Vec<String>> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let names = self.0.keys().filter_map(|path| path.strip_prefix(&prefix));
        let names: Vec<_> = names.filter(|name| !name.contains('/')).map(String::from).collect();
        if names.is_empty() { Found::No } else { Found::Yes(names) }
    }

    fn below_root(&self, _: &str) -> Option<String> {
        None
    }
}

/// Lets the reader of postgresql.conf look at the same files.
pub(crate) struct AsConf<'a>(pub(crate) &'a Memory);

impl pgconf::Source for AsConf<'_> {
    fn read(&self, path: &str) -> Found<Vec<u8>> {
        Source::read(self.0, path)
    }

    fn list(&self, folder: &str) -> Found<Vec<String>> {
        Source::list(self.0, folder)
    }
}
