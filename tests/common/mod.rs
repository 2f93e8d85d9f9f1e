//! What the tests of this folder share.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]
#![allow(dead_code, unreachable_pub, reason = "every test takes the part that it needs")]

use std::collections::BTreeMap;
use std::path::Path;

use render::{Found, Plan, Source, Target, TargetKind};

/// Files in memory, as a target's root would hold them.
#[derive(Clone, Debug, Default)]
pub struct Memory(pub BTreeMap<String, Vec<u8>>);

impl Memory {
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
            assert_eq!(after.0.get(&file.path), Some(&file.before), "{} is not what the plan saw", file.path);
            after.0.insert(file.path.clone(), file.after.clone());
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
    fn read(&self, path: &str) -> Found<Vec<u8>> {
        self.0.get(path).map_or(Found::No, |bytes| Found::Yes(bytes.clone()))
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
    fn read(&self, path: &str) -> Found<Vec<u8>> {
        Source::read(self.0, path)
    }

    fn list(&self, folder: &str) -> Found<Vec<String>> {
        Source::list(self.0, folder)
    }
}

/// Reads a document that must be valid.
#[track_caller]
pub fn desired(document: &str) -> model::DesiredState {
    let reading = model::read("kasm-db.yaml", document.as_bytes());
    let errors: Vec<_> = reading.diagnostics.iter().filter(|d| d.is_error()).map(|d| &d.message).collect();
    assert!(errors.is_empty(), "{errors:?} in\n{document}");
    reading.desired.unwrap()
}

/// A target of files by name.
pub fn files(compose: &[&str], postgresql_conf: Option<&str>, service: Option<&str>) -> Target {
    let kind = TargetKind::Files {
        compose: compose.iter().map(ToString::to_string).collect(),
        postgresql_conf: postgresql_conf.map(String::from),
        service: service.map(String::from),
    };
    Target { name: "test".into(), kind }
}

/// Gives the folder that an environment variable names, if it is set.
pub fn folder_from(variable: &str) -> Option<std::path::PathBuf> {
    let folder = std::path::PathBuf::from(std::env::var_os(variable)?);
    // Tests run in the folder of their crate, the variable is written for the workspace's.
    let folder = if folder.is_absolute() {
        folder
    } else {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder)
    };
    assert!(folder.is_dir(), "{variable} names {}, which is no folder", folder.display());
    Some(folder)
}
