//! What is kept of commits, and the way back.

use std::fs;
use std::path::{Path, PathBuf};

use kasm_db_commit::{Change, Digest, Error, Options, Report};

use crate::support::{Progress, SOON, change, set_mode};

const LIMIT: u64 = 1 << 20;

/// Returns `a` the contents in turn, each by a commit of its own.
fn commit_all(progress: &Progress, contents: &[&str]) {
    for pair in contents.windows(2) {
        progress.commit(&[change("a", pair[0], pair[1])]).unwrap();
    }
}

fn commit_with(progress: &Progress, changes: &[Change], options: &Options) -> Report {
    progress.root().lock(SOON).unwrap().commit_with(changes, options).unwrap()
}

/// Goes back and commits it.
fn roll_back(progress: &Progress, to: u64) {
    let back = progress.root().way_back(to, LIMIT).unwrap();
    let changes: Vec<_> = back.files.into_iter().map(|back| back.change).collect();
    progress.commit(&changes).unwrap();
}

#[test]
fn a_commit_is_in_the_history_with_digests_and_no_content() {
    let progress = Progress::with(&[("a", "secret one"), ("d/b", "b")]);
    set_mode(&progress.at("a"), 0o640);
    let options = Options { tool: "test 1".into(), what: "apply".into(), ..Options::default() };
    let changes = [change("a", "secret one", "secret two"), change("d/b", "b", "c")];
    assert_eq!(commit_with(&progress, &changes, &options).generation, Some(1));
    let history = progress.root().history().unwrap();
    let [generation] = history.as_slice() else { panic!("{history:?}") };
    assert_eq!((generation.number, &*generation.tool, &*generation.what), (1, "test 1", "apply"));
    let [a, b] = generation.files.as_slice() else { panic!("{generation:?}") };
    assert_eq!((a.path.as_path(), a.mode, a.in_place), (Path::new("a"), 0o640, false));
    assert_eq!((a.before, a.after), (Some(Digest::of(b"secret one")), Some(Digest::of(b"secret two"))));
    assert_eq!((b.before_len, b.after_len), (1, 1));
    for part in ["", "private/"] {
        let manifest = progress.text(&format!(".kasm-db/{part}generations/1/manifest"));
        assert!(!manifest.contains("secret"), "{manifest}");
        // Not everybody could read the file.
        assert_eq!(manifest.contains(&Digest::of(b"secret one").to_string()), !part.is_empty());
        assert!(manifest.contains(&Digest::of(b"b").to_string()));
    }
    assert_eq!(progress.text(".kasm-db/private/generations/1/0.old"), "secret one");
}

#[test]
fn everybody_can_read_the_public_part_and_nobody_else_the_rest_and_git_sees_neither() {
    let progress = Progress::with(&[("a", "1")]);
    set_mode(&progress.at("a"), 0o666);
    let options =
        Options { follow_up: Some(b"then".to_vec()), managed: Some(b"all".to_vec()), ..Options::default() };
    commit_with(&progress, &[change("a", "1", "2")], &options);
    assert_eq!(progress.text(".kasm-db/.gitignore"), "*\n");
    assert_eq!(progress.text(".kasm-db/layout"), "2\n");
    assert_eq!(progress.text(".kasm-db/managed"), "all");
    for (path, seen) in progress.look_at_all().iter().filter(|(path, _)| path.starts_with(".kasm-db")) {
        let is_private = path.starts_with(".kasm-db/private") || path.ends_with("follow-up");
        let wanted = match (is_private, seen.bytes.is_some()) {
            (true, true) => 0o600,
            (true, false) => 0o700,
            (false, true) => 0o644,
            (false, false) => 0o755,
        };
        assert_eq!(seen.mode & 0o7777, wanted, "{path:?}");
    }
}

#[test]
fn ten_generations_are_kept() {
    let progress = Progress::with(&[("a", "0")]);
    let contents: Vec<String> = (0..14).map(|number| number.to_string()).collect();
    commit_all(&progress, &contents.iter().map(String::as_str).collect::<Vec<_>>());
    let numbers: Vec<_> = progress.root().history().unwrap().iter().map(|one| one.number).collect();
    assert_eq!(numbers, (4..=13).collect::<Vec<_>>());
    assert_eq!(fs::read_dir(progress.at(".kasm-db/generations")).unwrap().count(), 10);
    assert_eq!(fs::read_dir(progress.at(".kasm-db/private/generations")).unwrap().count(), 10);
    for wrong in [2, 14] {
        let error = progress.root().way_back(wrong, LIMIT).unwrap_err();
        assert!(matches!(error, Error::NoGeneration { known: Some((3, 13)), .. }), "{error}");
    }
    roll_back(&progress, 3);
    assert_eq!(progress.text("a"), "3");
}

#[test]
fn the_way_back_leads_to_what_a_commit_left_over_files_that_others_changed() {
    let progress = Progress::with(&[("a", "a0"), ("b", "b0"), ("c", "c0")]);
    progress.commit(&[change("a", "a0", "a1"), change("b", "b0", "b1")]).unwrap();
    progress.commit(&[change("b", "b1", "b2"), change("c", "c0", "c2")]).unwrap();
    progress.commit(&[change("a", "a1", "a3")]).unwrap();
    let now = |progress: &Progress| ["a", "b", "c"].map(|path| progress.text(path)).join(" ");
    roll_back(&progress, 1);
    assert_eq!(now(&progress), "a1 b1 c0");
    roll_back(&progress, 3);
    assert_eq!(now(&progress), "a3 b2 c2");
    roll_back(&progress, 0);
    assert_eq!(now(&progress), "a0 b0 c0");
    assert_eq!(progress.root().history().unwrap().len(), 6);
    assert!(progress.root().way_back(6, LIMIT).unwrap().is_empty());
}

#[test]
fn an_edit_since_is_said_and_so_is_a_file_that_is_there_already() {
    let progress = Progress::with(&[("a", "0"), ("b", "0")]);
    progress.commit(&[change("a", "0", "1"), change("b", "0", "1")]).unwrap();
    progress.write("a", "edited");
    progress.write("b", "0");
    let back = progress.root().way_back(0, LIMIT).unwrap();
    let [one] = back.files.as_slice() else { panic!("{back:?}") };
    assert!(one.edited);
    assert_eq!((&*one.change.before, &*one.change.after), (b"edited".as_slice(), b"0".as_slice()));
}

#[test]
fn a_file_that_is_gone_since_is_named_and_the_others_lead_back() {
    let progress = Progress::with(&[("a", "0"), ("b", "0")]);
    progress.commit(&[change("a", "0", "1"), change("b", "0", "1")]).unwrap();
    fs::remove_file(progress.at("b")).unwrap();
    let back = progress.root().way_back(0, LIMIT).unwrap();
    assert_eq!(back.gone, [PathBuf::from("b")]);
    let [one] = back.files.as_slice() else { panic!("{back:?}") };
    assert_eq!(one.change.path, Path::new("a"));
}

#[test]
fn a_backup_that_is_gone_or_changed_is_named() {
    for damage in [None, Some("2"), Some("longer")] {
        let progress = Progress::with(&[("a", "0")]);
        commit_all(&progress, &["0", "1"]);
        let backup = progress.at(".kasm-db/private/generations/1/0.old");
        match damage {
            Some(bytes) => fs::write(&backup, bytes).unwrap(),
            None => fs::remove_file(&backup).unwrap(),
        }
        let error = progress.root().way_back(0, LIMIT).unwrap_err();
        assert!(matches!(&error, Error::Backup { path } if path.ends_with("1/0.old")), "{error}");
    }
}

#[test]
fn without_a_commit_there_is_no_history_and_no_way_back() {
    let progress = Progress::with(&[("a", "0")]);
    assert_eq!(progress.root().history().unwrap(), []);
    assert!(matches!(progress.root().way_back(0, LIMIT), Err(Error::NoGeneration { known: None, .. })));
    assert_eq!(progress.root().follow_up().unwrap(), None);
    progress.commit(&[change("a", "0", "0")]).unwrap();
    assert!(!progress.at(".kasm-db").exists());
}

#[test]
fn what_is_to_follow_is_there_with_the_commit_and_until_it_is_cleared() {
    let progress = Progress::with(&[("a", "0")]);
    let options = Options { follow_up: Some(b"stop\0".to_vec()), ..Options::default() };
    commit_with(&progress, &[change("a", "0", "0")], &options);
    assert_eq!(progress.root().follow_up().unwrap(), None);
    commit_with(&progress, &[change("a", "0", "1")], &options);
    assert_eq!(progress.root().follow_up().unwrap().as_deref(), Some(b"stop\0".as_slice()));
    let root = progress.root();
    let lock = root.lock(SOON).unwrap();
    lock.set_follow_up(b"start").unwrap();
    assert_eq!(root.follow_up().unwrap().as_deref(), Some(b"start".as_slice()));
    lock.clear_follow_up().unwrap();
    lock.clear_follow_up().unwrap();
    assert_eq!(root.follow_up().unwrap(), None);
}

#[test]
fn a_follow_up_that_is_larger_than_any_is_not_read() {
    let progress = Progress::with(&[]);
    let root = progress.root();
    root.lock(SOON).unwrap().set_follow_up(b"start").unwrap();
    let path = progress.at(".kasm-db/follow-up");
    fs::File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(matches!(root.follow_up(), Err(Error::TooLarge { .. })));
}

#[test]
fn what_is_to_follow_needs_no_commit() {
    let progress = Progress::with(&[]);
    let root = progress.root();
    root.lock(SOON).unwrap().set_follow_up(b"start").unwrap();
    assert_eq!(root.follow_up().unwrap().as_deref(), Some(b"start".as_slice()));
}

#[test]
fn a_commit_that_fails_leaves_neither_history_nor_what_would_follow() {
    let progress = Progress::with(&[("a", "0"), ("b", "0")]);
    commit_all(&progress, &["0", "1"]);
    fs::create_dir(progress.at(".b.kasm-db-new")).unwrap();
    let before = progress.look_at_all();
    let options = Options { follow_up: Some(b"restart".to_vec()), ..Options::default() };
    let root = progress.root();
    let changes = [change("a", "1", "2"), change("b", "0", "2")];
    root.lock(SOON).unwrap().commit_with(&changes, &options).unwrap_err();
    let names = |look: &std::collections::BTreeMap<_, crate::support::Seen>| -> Vec<PathBuf> {
        look.keys().cloned().collect()
    };
    assert_eq!(names(&progress.look_at_all()), names(&before));
    assert_eq!(root.follow_up().unwrap(), None);
}

#[test]
fn what_is_managed_outlasts_the_generations_and_commits_that_say_nothing_of_it() {
    let progress = Progress::with(&[("a", "0")]);
    let root = progress.root();
    assert_eq!(root.managed().unwrap(), None);
    let options = Options { managed: Some(b"all".to_vec()), ..Options::default() };
    commit_with(&progress, &[change("a", "0", "0")], &options);
    assert_eq!(root.managed().unwrap(), None);
    commit_with(&progress, &[change("a", "0", "1")], &options);
    let contents: Vec<String> = (1..14).map(|number| number.to_string()).collect();
    commit_all(&progress, &contents.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(root.managed().unwrap().as_deref(), Some(b"all".as_slice()));
    root.lock(SOON).unwrap().set_managed(b"less").unwrap();
    assert_eq!(root.managed().unwrap().as_deref(), Some(b"less".as_slice()));
}

#[test]
fn a_note_is_in_the_history_and_a_longer_one_is_refused() {
    let progress = Progress::with(&[("a", "0")]);
    let note = |len: usize| Options { note: vec![b' '; len], ..Options::default() };
    commit_with(&progress, &[change("a", "0", "1")], &note(128 << 10));
    let root = progress.root();
    assert_eq!(root.history().unwrap()[0].note.len(), 128 << 10);
    let changes = [change("a", "1", "2")];
    let error = root.lock(SOON).unwrap().commit_with(&changes, &note((128 << 10) + 1)).unwrap_err();
    assert!(matches!(error.cause, Error::LongNote { .. }), "{error}");
    assert_eq!((progress.text("a").as_str(), root.history().unwrap().len()), ("1", 1));
}

#[test]
fn a_layout_that_is_not_known_is_refused_by_its_number() {
    let progress = Progress::with(&[("a", "0")]);
    commit_all(&progress, &["0", "1"]);
    let root = progress.root();
    for (text, newer) in [("3\n", Some(3)), ("2", None), ("1\n", None), ("two\n", None), ("", None)] {
        progress.write(".kasm-db/layout", text);
        let lock = root.lock(SOON).unwrap();
        let refused = [
            root.history().unwrap_err(),
            root.follow_up().unwrap_err(),
            root.interrupted().unwrap_err(),
            lock.recover().unwrap_err(),
            lock.commit(&[change("a", "1", "2")]).unwrap_err().cause,
        ];
        for error in refused {
            match (&error, newer) {
                (Error::NewerLayout { layout, known: 2, .. }, Some(number)) => assert_eq!(*layout, number),
                (Error::Damaged { path, .. }, None) => assert!(path.ends_with(".kasm-db/layout")),
                _ => panic!("{text:?}: {error}"),
            }
        }
    }
    assert_eq!(progress.text("a"), "1");
}

#[test]
fn whoever_else_could_write_to_either_part_is_named() {
    for part in [".kasm-db", ".kasm-db/private"] {
        let progress = Progress::with(&[("a", "0")]);
        commit_all(&progress, &["0", "1"]);
        set_mode(&progress.at(part), 0o770);
        let error = progress.root().history().unwrap_err();
        assert!(matches!(&error, Error::InsecureState { path, .. } if path.ends_with(part)), "{error}");
    }
}

#[test]
fn a_state_directory_that_was_only_begun_is_completed() {
    // Without the number, and with less and less besides.
    let gone: &[&str] =
        &["layout", "private/lock", ".gitignore", "generations", "private/generations", "private"];
    for count in 1..=gone.len() {
        let progress = Progress::with(&[("a", "0")]);
        progress.root().lock(SOON).unwrap().set_follow_up(b"x").unwrap();
        for name in &gone[..count] {
            let path = progress.at(".kasm-db").join(name);
            if path.is_dir() { fs::remove_dir(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        set_mode(&progress.at(".kasm-db"), 0o700);
        assert_eq!(progress.root().history().unwrap(), []);
        assert_eq!(progress.root().interrupted().unwrap(), None);
        commit_all(&progress, &["0", "1"]);
        assert_eq!(progress.text(".kasm-db/layout"), "2\n");
        assert_eq!(progress.root().history().unwrap().len(), 1);
        assert_eq!(progress.root().follow_up().unwrap().as_deref(), Some(b"x".as_slice()));
    }
}

#[test]
fn files_that_a_power_cut_left_empty_are_written_again() {
    let progress = Progress::with(&[("a", "0")]);
    fs::create_dir(progress.at(".kasm-db")).unwrap();
    for name in [".gitignore", "layout.new", "follow-up.next", "managed.next", "journal.new"] {
        progress.write(&format!(".kasm-db/{name}"), "");
    }
    commit_all(&progress, &["0", "1"]);
    assert_eq!(progress.text(".kasm-db/.gitignore"), "*\n");
    assert_eq!(progress.text(".kasm-db/layout"), "2\n");
    let names: Vec<_> =
        fs::read_dir(progress.at(".kasm-db")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

#[test]
fn what_nobody_was_told_of_a_generation_is_told_with_the_next_one() {
    let progress = Progress::with(&[("a", "0")]);
    commit_all(&progress, &["0", "1", "2"]);
    let manifest = |number| progress.at(&format!(".kasm-db/generations/{number}/manifest"));
    let (first, second) = (fs::read(manifest(1)).unwrap(), fs::read(manifest(2)).unwrap());
    fs::remove_dir_all(progress.at(".kasm-db/generations/1")).unwrap();
    fs::remove_file(manifest(2)).unwrap();
    commit_all(&progress, &["2", "3"]);
    assert_eq!((fs::read(manifest(1)).unwrap(), fs::read(manifest(2)).unwrap()), (first, second));
}
