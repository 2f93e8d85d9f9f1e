//! The folders that tests read.

use std::path::{Path, PathBuf};

/// Returns the root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Returns the folder that an environment variable names, if it is set.
#[must_use]
pub fn folder_from(variable: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os(variable)?);
    // Tests run in the folder of their crate, the variable is written for the workspace's.
    let folder = if folder.is_absolute() { folder } else { repository().join(folder) };
    assert!(folder.is_dir(), "{variable} names {}, which is not a folder", folder.display());
    Some(folder)
}
