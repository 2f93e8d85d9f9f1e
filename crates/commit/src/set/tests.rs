//! Errors that come after the first file has been replaced.

use std::fs;
use std::path::Path;

use super::*;
use crate::outcome::Content;

fn change(path: &str) -> Change {
    Change { path: path.into(), before: format!("{path} old").into(), after: format!("{path} new").into() }
}

/// Three files in two directories, all of them staged.
fn three(temp: &Path) -> (Dir, Vec<Change>) {
    fs::create_dir(temp.join("d")).unwrap();
    let changes = ["a", "d/b", "d/c"].map(change).to_vec();
    for change in &changes {
        fs::write(temp.join(&change.path), &change.before).unwrap();
    }
    (Dir::open(temp).unwrap(), changes)
}

fn begun<'a>(root: &Dir, changes: &'a [Change]) -> (Set<'a>, Log) {
    let set = Set::check(root, changes, &[]).unwrap();
    let files = set.members.iter().map(Member::record).collect();
    (set, Log::begin(root, files, &Options::default(), &|_| Ok(())).unwrap())
}

/// Everything up to the first exchange.
fn prepared<'a>(root: &Dir, changes: &'a [Change]) -> (Set<'a>, Log) {
    let (mut set, mut log) = begun(root, changes);
    set.prepare(&mut log).unwrap();
    log.decide().unwrap();
    (set, log)
}

fn text(temp: &Path, name: &str) -> String {
    fs::read_to_string(temp.join(name)).unwrap()
}

fn count(temp: &Path) -> usize {
    ["", "d"].iter().map(|dir| fs::read_dir(temp.join(dir)).unwrap().count()).sum()
}

#[test]
fn a_file_that_became_a_directory_takes_the_others_back() {
    let temp = tempfile::tempdir().unwrap();
    let (root, changes) = three(temp.path());
    let (mut set, log) = prepared(&root, &changes);
    fs::remove_file(temp.path().join("d/b")).unwrap();
    fs::create_dir(temp.path().join("d/b")).unwrap();

    let cause = set.replace().unwrap_err();
    assert_eq!(text(temp.path(), "a"), "a new", "the error came too early for this test");
    let error = set.roll_back(cause, log);
    assert!(matches!(error.state, State::RolledBack), "{error}");
    assert!(matches!(error.cause, Error::Changed { ref path } if path.ends_with("d/b")), "{error}");
    assert_eq!(text(temp.path(), "a"), "a old");
    assert_eq!(text(temp.path(), "d/c"), "d/c old");
    assert_eq!(count(temp.path()), 4, "staged files are left");
    assert!(error.leftovers.is_empty());
}

#[test]
fn an_edit_after_the_checks_is_kept_and_takes_the_others_back() {
    let temp = tempfile::tempdir().unwrap();
    let (root, changes) = three(temp.path());
    let (mut set, log) = prepared(&root, &changes);
    fs::write(temp.path().join("d/c"), "edited").unwrap();

    let cause = set.replace().unwrap_err();
    let error = set.roll_back(cause, log);
    assert!(matches!(error.state, State::RolledBack), "{error}");
    assert_eq!(text(temp.path(), "a"), "a old");
    assert_eq!(text(temp.path(), "d/b"), "d/b old");
    assert_eq!(text(temp.path(), "d/c"), "edited");
    assert_eq!(count(temp.path()), 4);
}

#[test]
fn an_error_while_staging_leaves_nothing_behind() {
    let temp = tempfile::tempdir().unwrap();
    let (root, changes) = three(temp.path());
    let (mut set, mut log) = begun(&root, &changes);
    fs::create_dir(temp.path().join("d/.b.kasm-db-new")).unwrap();

    let cause = set.prepare(&mut log).unwrap_err();
    let error = set.roll_back(cause, log);
    assert!(matches!(error.state, State::NothingChanged), "{error}");
    assert_eq!(count(temp.path()), 5, "only the directory of the test is left");
    assert_eq!(text(temp.path(), "a"), "a old");
}

#[test]
fn a_file_that_cannot_be_put_back_is_named_and_the_rest_is_put_back() {
    let temp = tempfile::tempdir().unwrap();
    let (root, changes) = three(temp.path());
    let (mut set, log) = prepared(&root, &changes);
    set.replace().unwrap();
    // The new file of `a` is edited, so its roll back would lose the edit.
    fs::write(temp.path().join("a"), "edited").unwrap();

    let error = set.roll_back(Error::Missing { path: "the cause".into() }, log);
    let State::RecoveryPending(pending) = &error.state else { panic!("{error}") };
    let [file] = pending.as_slice() else { panic!("{error}") };
    assert_eq!(file.path, root.path().join("a"));
    assert_eq!(file.holds, Content::Foreign);
    let kept = file.kept.as_ref().unwrap();
    assert_eq!((kept.content, fs::read_to_string(&kept.path).unwrap()), (Content::Old, "a old".to_owned()));
    assert_eq!(text(temp.path(), "a"), "edited");
    assert_eq!(text(temp.path(), "d/b"), "d/b old");
    assert_eq!(text(temp.path(), "d/c"), "d/c old");
    assert_eq!(count(temp.path()), 6, "the old content of `a` and the journal and nothing else is left");
    assert_eq!(
        error.to_string(),
        format!(
            "the cause does not exist; recovery is pending, files that could not be put back: 1\n\
             {0}/a holds what another process wrote, and {0}/.a.kasm-db-new holds the old content: \
             {0}/a changed since it was read",
            root.path().display()
        )
    );
}

#[test]
fn a_commit_that_cannot_undo_removes_no_old_content() {
    let temp = tempfile::tempdir().unwrap();
    let (root, changes) = three(temp.path());
    let (mut set, log) = prepared(&root, &changes);
    set.replace().unwrap();
    // Without the new file there is nothing to exchange the old one with.
    fs::rename(temp.path().join("d/b"), temp.path().join("b.moved")).unwrap();

    let error = set.roll_back(Error::Missing { path: "the cause".into() }, log);
    let State::RecoveryPending(pending) = &error.state else { panic!("{error}") };
    assert_eq!(pending.iter().map(|file| file.holds).collect::<Vec<_>>(), [Content::Missing]);
    assert_eq!(text(temp.path(), "d/.b.kasm-db-new"), "d/b old");
    assert_eq!(text(temp.path(), "a"), "a old");
}
