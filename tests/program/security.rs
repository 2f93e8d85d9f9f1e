//! Every promise of SECURITY.md is held by tests that are there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::{read_dir, read_to_string};
use std::path::Path;

use testing::repository;

#[test]
fn every_promise_names_tests_that_are_there() {
    let mut tests = String::new();
    add(&repository().join("tests"), &mut tests);
    add(&repository().join("crates"), &mut tests);
    let text = read_to_string(repository().join("SECURITY.md")).unwrap();
    let rows: Vec<_> =
        text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise")).collect();
    assert!(rows.len() > 12);
    for row in rows {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let named: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "{row}");
        for name in named {
            assert!(tests.contains(&format!("#[test]\nfn {name}()")), "there is no test {name}");
        }
    }
}

/// Adds the tests below a folder, each as its attribute and its name.
fn add(folder: &Path, tests: &mut String) {
    for entry in read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            add(&entry, tests);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let text = read_to_string(&entry).unwrap();
            for (at, _) in text.match_indices("#[test]\n") {
                let rest = text[at + 8..].trim_start();
                let line = rest.lines().find(|line| line.trim_start().starts_with("fn ")).unwrap_or_default();
                tests.push_str(&format!("#[test]\n{}\n", line.trim_start().trim_end_matches(" {")));
            }
        }
    }
}
