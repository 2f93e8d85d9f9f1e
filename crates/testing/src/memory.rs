//! Files in memory, as a target sees them.

use std::collections::BTreeMap;
use std::path::Path;

use render::{Bytes, Found, Plan, Source};

/// Files by their path below the target's root; nothing else is on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory(pub BTreeMap<String, Vec<u8>>);

impl Memory {
    /// Creates files of paths and contents.
    pub fn new<const N: usize>(files: [(&str, &[u8]); N]) -> Self {
        Self(files.into_iter().map(|(path, bytes)| (path.to_string(), bytes.to_vec())).collect())
    }

    /// Returns the content of a file, which is empty if it is not there.
    pub fn get(&self, path: &str) -> &[u8] {
        self.0.get(path).map_or(&[], Vec::as_slice)
    }

    /// Reads every file below a folder.
    pub fn load(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        walk(folder, folder, &mut files);
        Self(files)
    }

    /// Puts a plan's files in place.
    pub fn apply(&self, plan: &Plan) -> Self {
        let mut after = self.clone();
        for file in &plan.files {
            assert_eq!(
                after.0.get(&file.path).map(Vec::as_slice),
                Some(&*file.before),
                "{} is not what the plan saw",
                file.path
            );
            after.0.insert(file.path.clone(), file.after.to_vec());
        }
        after
    }
}

fn walk(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

impl Source for Memory {
    fn read(&self, path: &str) -> Found<Bytes> {
        self.0.get(path).map_or(Found::No, |bytes| Found::Yes(bytes.as_slice().into()))
    }

    fn list(&self, folder: &str) -> Found<Vec<String>> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let below: Vec<_> = self.0.keys().filter_map(|path| path.strip_prefix(&prefix)).collect();
        if below.is_empty() {
            return Found::No;
        }
        Found::Yes(below.into_iter().filter(|name| !name.contains('/')).map(String::from).collect())
    }

    fn below_root(&self, _: &str) -> Option<String> {
        None
    }
}

/// Lets the reader of postgresql.conf look at files in memory.
pub struct ConfFiles<'a>(pub &'a Memory);

impl pgconf::Source for ConfFiles<'_> {
    fn read(&self, path: &str) -> Found<Bytes> {
        Source::read(self.0, path)
    }

    fn list(&self, folder: &str) -> Found<Vec<String>> {
        Source::list(self.0, folder)
    }
}
