//! A set of files changes wholly.

use std::path::PathBuf;

use crate::support::{Progress, change};

#[test]
fn all_files_get_exactly_their_new_bytes() {
    let progress = Progress::with(&[("a", "old\r\n"), ("d/b", ""), ("d/e/c", "x")]);
    let large = "\0\u{85}no newline at the end".repeat(100_000);
    let report = progress
        .commit(&[change("a", "old\r\n", ""), change("d/b", "", &large), change("d/e/c", "x", "y\n")])
        .unwrap();
    assert_eq!(report.written, ["a", "d/b", "d/e/c"].map(PathBuf::from));
    assert!(report.unchanged.is_empty() && report.leftovers.is_empty() && report.lost_xattrs.is_empty());
    assert_eq!(progress.text("a"), "");
    assert_eq!(progress.text("d/b"), large);
    assert_eq!(progress.text("d/e/c"), "y\n");
}

#[test]
fn nothing_but_the_files_is_left() {
    let progress = Progress::with(&[("a", "1"), ("d/b", "1")]);
    let names = progress.names();
    progress.commit(&[change("a", "1", "2"), change("d/b", "1", "2")]).unwrap();
    assert_eq!(progress.names(), names);
}

#[test]
fn a_change_that_is_none_touches_neither_file_nor_directory() {
    let progress = Progress::with(&[("a", "same"), ("d/b", "same")]);
    let before = progress.look_at_all();
    let report = progress.commit(&[change("a", "same", "same"), change("d/b", "same", "same")]).unwrap();
    assert_eq!(report.unchanged, ["a", "d/b"].map(PathBuf::from));
    assert!(report.written.is_empty());
    assert_eq!(progress.look_at_all(), before);
}

#[test]
fn no_changes_are_a_commit_too() {
    assert!(Progress::with(&[]).commit(&[]).unwrap().written.is_empty());
}

#[test]
fn an_unchanged_file_keeps_its_inode_beside_a_changed_one() {
    let progress = Progress::with(&[("a", "1"), ("b", "1")]);
    let before = progress.look();
    let report = progress.commit(&[change("a", "1", "1"), change("b", "1", "2")]).unwrap();
    let after = progress.look();
    assert_eq!(report.written, [PathBuf::from("b")]);
    assert_eq!(after[&PathBuf::from("a")], before[&PathBuf::from("a")]);
    assert_ne!(after[&PathBuf::from("b")].ino, before[&PathBuf::from("b")].ino);
}

#[test]
fn the_rest_of_an_interrupted_run_is_removed() {
    let progress = Progress::with(&[("a", "1"), (".a.kasm-db-new", "torn"), (".a.kasm-db-old", "older")]);
    progress.commit(&[change("a", "1", "2")]).unwrap();
    assert_eq!(progress.text("a"), "2");
    assert_eq!(progress.names(), ["", "a"].map(PathBuf::from));
}

#[test]
fn the_rest_of_an_interrupted_run_is_removed_beside_a_file_that_is_done() {
    let progress = Progress::with(&[("a", "2"), (".a.kasm-db-new", "1"), ("b", "1")]);
    progress.commit(&[change("a", "2", "2"), change("b", "1", "2")]).unwrap();
    assert_eq!(progress.names(), ["", "a", "b"].map(PathBuf::from));
}

#[test]
fn a_reader_never_misses_the_file_nor_sees_half_of_it() {
    let progress = Progress::with(&[("a", "")]);
    let contents = ["", "x"].map(|text| text.repeat(50_000));
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                assert!(contents.contains(&progress.text("a")));
            }
        });
        for round in 0..60 {
            let change = change("a", &contents[round % 2], &contents[(round + 1) % 2]);
            progress.commit(&[change]).unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        reader.join().unwrap();
    });
}
