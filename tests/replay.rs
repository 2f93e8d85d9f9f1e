//! Replays the committed corpora of the fuzz targets, without the fuzzer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

#[path = "fuzz_bodies/audit_log.rs"]
mod audit_log;
#[path = "fuzz_bodies/compose_edit.rs"]
mod compose_edit;
#[path = "fuzz_bodies/conf_edit.rs"]
mod conf_edit;
#[path = "fuzz_bodies/document.rs"]
mod document;
#[path = "fuzz_bodies/journal.rs"]
mod journal;
#[path = "fuzz_bodies/plan_file.rs"]
mod plan_file;
#[path = "fuzz_bodies/shown.rs"]
mod shown;

/// Runs every file of a corpus, as it is and cut short at every line.
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
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

#[test]
fn the_corpus_of_conf_edit_holds() {
    replay("conf_edit", conf_edit::run);
}

#[test]
fn the_corpus_of_compose_edit_holds() {
    replay("compose_edit", compose_edit::run);
}

#[test]
fn the_corpus_of_document_holds() {
    replay("document", document::run);
}

#[test]
fn the_corpus_of_plan_file_holds() {
    replay("plan_file", plan_file::run);
}

#[test]
fn the_corpus_of_shown_holds() {
    replay("shown", shown::run);
}

#[test]
fn the_corpus_of_journal_holds() {
    replay("journal", journal::run);
}

#[test]
fn the_corpus_of_audit_log_holds() {
    replay("audit_log", audit_log::run);
}
