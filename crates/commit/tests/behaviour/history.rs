//! What is kept of commits, and the way back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use kasm_db_commit::{Change, Digest, Error, Options, Report};

use crate::support::{Place, change, set_mode};

const LIMIT: u64 = 1 << 20;

/// Gives `a` the contents in turn, each by a commit of its own.
fn commit_all(place: &Place, contents: &[&str]) {
    for pair in contents.windows(2) {
        place.commit(&[change("a", pair[0], pair[1])]).unwrap();
    }
}

fn commit_with(place: &Place, changes: &[Change], options: &Options) -> Report {
    place.root().lock(Duration::ZERO).unwrap().commit_with(changes, options).unwrap()
}

/// Goes back and commits it.
fn roll_back(place: &Place, to: u64) {
    let back = place.root().way_back(to, LIMIT).unwrap();
    let changes: Vec<_> = back.into_iter().map(|back| back.change).collect();
    place.commit(&changes).unwrap();
}

#[test]
fn a_commit_is_in_the_history_with_digests_and_no_content() {
    let place = Place::with(&[("a", "secret one"), ("d/b", "b")]);
    set_mode(&place.at("a"), 0o640);
    let options = Options { tool: "test 1".into(), what: "apply".into(), ..Options::default() };
    let changes = [change("a", "secret one", "secret two"), change("d/b", "b", "c")];
    assert_eq!(commit_with(&place, &changes, &options).generation, Some(1));
    let history = place.root().history().unwrap();
    let [generation] = history.as_slice() else { panic!("{history:?}") };
    assert_eq!((generation.number, &*generation.tool, &*generation.what), (1, "test 1", "apply"));
    let [a, b] = generation.files.as_slice() else { panic!("{generation:?}") };
    assert_eq!((a.path.as_path(), a.mode, a.in_place), (Path::new("a"), 0o640, false));
    assert_eq!((a.before, a.after), (Digest::of(b"secret one"), Digest::of(b"secret two")));
    assert_eq!((b.before_len, b.after_len), (1, 1));
    let manifest = place.text(".kasm-db/generations/1/manifest");
    assert!(!manifest.contains("secret"), "{manifest}");
    assert_eq!(place.text(".kasm-db/generations/1/0.old"), "secret one");
}

#[test]
fn nobody_else_can_read_what_is_kept_and_git_does_not_see_it() {
    let place = Place::with(&[("a", "1")]);
    set_mode(&place.at("a"), 0o666);
    place.commit(&[change("a", "1", "2")]).unwrap();
    assert_eq!(place.text(".kasm-db/.gitignore"), "*\n");
    for (path, seen) in place.look_at_all().iter().filter(|(path, _)| path.starts_with(".kasm-db")) {
        let wanted = if seen.bytes.is_some() { 0o600 } else { 0o700 };
        assert_eq!(
            fs::metadata(place.at("").join(path)).unwrap().permissions().mode() & 0o7777,
            wanted,
            "{path:?}"
        );
    }
}

#[test]
fn ten_generations_are_kept() {
    let place = Place::with(&[("a", "0")]);
    let contents: Vec<String> = (0..14).map(|number| number.to_string()).collect();
    commit_all(&place, &contents.iter().map(String::as_str).collect::<Vec<_>>());
    let numbers: Vec<_> = place.root().history().unwrap().iter().map(|one| one.number).collect();
    assert_eq!(numbers, (4..=13).collect::<Vec<_>>());
    assert_eq!(fs::read_dir(place.at(".kasm-db/generations")).unwrap().count(), 10);
    for wrong in [2, 14] {
        let error = place.root().way_back(wrong, LIMIT).unwrap_err();
        assert!(matches!(error, Error::NoGeneration { known: Some((3, 13)), .. }), "{error}");
    }
    roll_back(&place, 3);
    assert_eq!(place.text("a"), "3");
}

#[test]
fn the_way_back_leads_to_what_a_commit_left_over_files_that_others_changed() {
    let place = Place::with(&[("a", "a0"), ("b", "b0"), ("c", "c0")]);
    place.commit(&[change("a", "a0", "a1"), change("b", "b0", "b1")]).unwrap();
    place.commit(&[change("b", "b1", "b2"), change("c", "c0", "c2")]).unwrap();
    place.commit(&[change("a", "a1", "a3")]).unwrap();
    let now = |place: &Place| ["a", "b", "c"].map(|path| place.text(path)).join(" ");
    roll_back(&place, 1);
    assert_eq!(now(&place), "a1 b1 c0");
    roll_back(&place, 3);
    assert_eq!(now(&place), "a3 b2 c2");
    roll_back(&place, 0);
    assert_eq!(now(&place), "a0 b0 c0");
    assert_eq!(place.root().history().unwrap().len(), 6);
    assert!(place.root().way_back(6, LIMIT).unwrap().is_empty());
}

#[test]
fn an_edit_since_is_said_and_so_is_a_file_that_is_there_already() {
    let place = Place::with(&[("a", "0"), ("b", "0")]);
    place.commit(&[change("a", "0", "1"), change("b", "0", "1")]).unwrap();
    place.write("a", "edited");
    place.write("b", "0");
    let back = place.root().way_back(0, LIMIT).unwrap();
    let [one] = back.as_slice() else { panic!("{back:?}") };
    assert!(one.edited);
    assert_eq!((&*one.change.before, &*one.change.after), (b"edited".as_slice(), b"0".as_slice()));
}

#[test]
fn a_backup_that_is_gone_or_changed_is_named() {
    for damage in [None, Some("2"), Some("longer")] {
        let place = Place::with(&[("a", "0")]);
        commit_all(&place, &["0", "1"]);
        let backup = place.at(".kasm-db/generations/1/0.old");
        match damage {
            Some(bytes) => fs::write(&backup, bytes).unwrap(),
            None => fs::remove_file(&backup).unwrap(),
        }
        let error = place.root().way_back(0, LIMIT).unwrap_err();
        assert!(matches!(&error, Error::Backup { path } if path.ends_with("1/0.old")), "{error}");
    }
}

#[test]
fn without_a_commit_there_is_no_history_and_no_way_back() {
    let place = Place::with(&[("a", "0")]);
    assert_eq!(place.root().history().unwrap(), []);
    assert!(matches!(place.root().way_back(0, LIMIT), Err(Error::NoGeneration { known: None, .. })));
    assert_eq!(place.root().follow_up().unwrap(), None);
    place.commit(&[change("a", "0", "0")]).unwrap();
    assert!(!place.at(".kasm-db").exists());
}

#[test]
fn what_is_to_follow_is_there_with_the_commit_and_until_it_is_cleared() {
    let place = Place::with(&[("a", "0")]);
    let options = Options { follow_up: Some(b"stop\0".to_vec()), ..Options::default() };
    commit_with(&place, &[change("a", "0", "0")], &options);
    assert_eq!(place.root().follow_up().unwrap(), None);
    commit_with(&place, &[change("a", "0", "1")], &options);
    assert_eq!(place.root().follow_up().unwrap().as_deref(), Some(b"stop\0".as_slice()));
    let root = place.root();
    let lock = root.lock(Duration::ZERO).unwrap();
    lock.set_follow_up(b"start").unwrap();
    assert_eq!(root.follow_up().unwrap().as_deref(), Some(b"start".as_slice()));
    lock.clear_follow_up().unwrap();
    lock.clear_follow_up().unwrap();
    assert_eq!(root.follow_up().unwrap(), None);
}

#[test]
fn a_follow_up_that_is_larger_than_any_is_not_read() {
    let place = Place::with(&[]);
    let root = place.root();
    root.lock(Duration::ZERO).unwrap().set_follow_up(b"start").unwrap();
    let path = place.at(".kasm-db/follow-up");
    fs::File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(matches!(root.follow_up(), Err(Error::TooLarge { .. })));
}

#[test]
fn what_is_to_follow_needs_no_commit() {
    let place = Place::with(&[]);
    let root = place.root();
    root.lock(Duration::ZERO).unwrap().set_follow_up(b"start").unwrap();
    assert_eq!(root.follow_up().unwrap().as_deref(), Some(b"start".as_slice()));
}

#[test]
fn a_commit_that_fails_leaves_neither_history_nor_what_would_follow() {
    let place = Place::with(&[("a", "0"), ("b", "0")]);
    commit_all(&place, &["0", "1"]);
    fs::create_dir(place.at(".b.kasm-db-new")).unwrap();
    let before = place.look_at_all();
    let options = Options { follow_up: Some(b"restart".to_vec()), ..Options::default() };
    let root = place.root();
    let changes = [change("a", "1", "2"), change("b", "0", "2")];
    root.lock(Duration::ZERO).unwrap().commit_with(&changes, &options).unwrap_err();
    let names = |look: &std::collections::BTreeMap<_, crate::support::Seen>| -> Vec<std::path::PathBuf> {
        look.keys().cloned().collect()
    };
    assert_eq!(names(&place.look_at_all()), names(&before));
    assert_eq!(root.follow_up().unwrap(), None);
}
