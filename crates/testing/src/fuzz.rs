//! The bodies of the fuzz targets: what must hold for any bytes.
//!
//! `fuzz/` runs each with the fuzzer, and the tests named `replay` run each over the committed corpus.

use std::fs;

pub mod audit_log;
pub mod compose_edit;
pub mod conf_edit;
pub mod document;
pub mod journal;
#[cfg(feature = "program")]
pub mod plan_file;
#[cfg(feature = "program")]
pub mod shown;

/// Runs a body with every file of a target's corpus, as it is and cut short at every line.
pub fn replay(target: &str, run: fn(&[u8])) {
    let folder = crate::repository().join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 20, "{} holds {} files", folder.display(), paths.len());
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        let ends = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
        for end in ends.chain([bytes.len()]).take(200) {
            let outcome = std::panic::catch_unwind(|| run(&bytes[..end]));
            assert!(outcome.is_ok(), "{}, its first {end} bytes", path.display());
        }
    }
}
