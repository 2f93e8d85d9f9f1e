//! Files that are written in place.

use std::fs;
use std::path::PathBuf;

use kasm_db_commit::{Change, CommitError, Error, Options, Report, State};

use crate::support::{Progress, SOON, can, change, set_flag, set_mode};

fn commit(progress: &Progress, changes: &[Change], in_place: &[&str]) -> Result<Report, Box<CommitError>> {
    let in_place = in_place.iter().map(PathBuf::from).collect();
    let options = Options { in_place, ..Options::default() };
    progress.root().lock(SOON).unwrap().commit_with(changes, &options)
}

#[test]
fn a_file_in_place_keeps_its_inode_and_gets_exactly_its_new_bytes() {
    for (before, after) in [("short", "much longer"), ("much longer", "short"), ("", "x"), ("x", "")] {
        let progress = Progress::with(&[("a", before), ("d/b", "old")]);
        set_mode(&progress.at("a"), 0o640);
        let look = progress.look();
        let changes = [change("a", before, after), change("d/b", "old", "new")];
        let report = commit(&progress, &changes, &["a"]).unwrap();
        assert_eq!((report.written.len(), report.leftovers.len()), (2, 0));
        assert_eq!((progress.text("a"), progress.text("d/b")), (after.to_owned(), "new".to_owned()));
        let now = progress.look();
        let (a, b) = (PathBuf::from("a"), PathBuf::from("d/b"));
        assert_eq!((now[&a].ino, now[&a].kept()), (look[&a].ino, look[&a].kept()));
        assert_ne!(now[&b].ino, look[&b].ino);
        assert_eq!(progress.names(), look.into_keys().collect::<Vec<_>>());
        // The copy of what it got is needed no more; the backup stays.
        let own = fs::read_dir(progress.at(".kasm-db/private/generations/1")).unwrap().count();
        assert_eq!(own, 3);
        assert!(progress.root().history().unwrap()[0].files[0].in_place);
    }
}

#[test]
fn a_directory_that_cannot_be_written_to_is_not_an_obstacle() {
    let progress = Progress::with(&[("d/a", "1")]);
    let frozen = crate::support::Frozen::new(progress.at("d"));
    if can("immutable directories", frozen.as_ref().map(drop).map_err(Clone::clone)) {
        commit(&progress, &[change("d/a", "1", "2")], &["d/a"]).unwrap();
        assert_eq!(progress.text("d/a"), "2");
    }
}

#[test]
fn an_immutable_file_and_one_with_two_names_are_refused_in_place_too() {
    let progress = Progress::with(&[("a", "1")]);
    if can("root and chattr", set_flag(&progress.at("a"), rustix::fs::IFlags::IMMUTABLE, true)) {
        let error = commit(&progress, &[change("a", "1", "2")], &["a"]).unwrap_err();
        set_flag(&progress.at("a"), rustix::fs::IFlags::IMMUTABLE, false).unwrap();
        assert!(matches!(error.cause, Error::Protected { .. }), "{error}");
    }
    fs::hard_link(progress.at("a"), progress.at("b")).unwrap();
    let error = commit(&progress, &[change("a", "1", "2")], &["a"]).unwrap_err();
    assert!(matches!(error.cause, Error::HardLinked { .. }), "{error}");
    assert!(matches!(error.state, State::NothingChanged));
    assert!(!progress.at(".kasm-db").exists());
}

#[test]
fn another_content_than_expected_is_not_written_over() {
    let progress = Progress::with(&[("a", "theirs"), ("b", "1")]);
    let error = commit(&progress, &[change("b", "1", "2"), change("a", "1", "2")], &["a"]).unwrap_err();
    assert!(matches!(error.cause, Error::Changed { .. }), "{error}");
    assert_eq!((progress.text("a"), progress.text("b")), ("theirs".to_owned(), "1".to_owned()));
}
