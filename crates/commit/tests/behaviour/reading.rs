//! Reading and listing beneath the root.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

use kasm_db_commit::{Error, PathProblem, Root, SpecialFile};

use crate::support::{Progress, set_mode};

fn read(progress: &Progress, path: &str) -> Result<Option<String>, Error> {
    let file = progress.root().read(Path::new(path), 1 << 20)?;
    Ok(file.map(|file| String::from_utf8(file.bytes).unwrap()))
}

#[test]
fn a_file_is_read_with_the_metadata_of_that_very_file() {
    let progress = Progress::with(&[("d/a", "hello")]);
    set_mode(&progress.at("d/a"), 0o640);
    let file = progress.root().read(Path::new("d/a"), 5).unwrap().unwrap();
    let found = fs::metadata(progress.at("d/a")).unwrap();
    assert_eq!(file.bytes, b"hello");
    assert_eq!(file.metadata.mode, 0o640);
    assert_eq!((file.metadata.uid, file.metadata.gid), (found.uid(), found.gid()));
    assert_eq!((file.metadata.dev, file.metadata.ino), (found.dev(), found.ino()));
    assert_eq!((file.metadata.len, file.metadata.nlink), (5, 1));
    assert_eq!(file.metadata.mtime, found.modified().unwrap());
}

#[test]
fn what_does_not_exist_is_none_wherever_the_path_ends() {
    let progress = Progress::with(&[("d/a", "")]);
    for path in ["b", "x/y/z", "d/b", "d/a/b"] {
        assert_eq!(read(&progress, path).unwrap(), None, "{path}");
    }
}

#[test]
fn a_file_above_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let progress = Progress::with(&[("a", "12345")]);
    assert!(progress.root().read(Path::new("a"), 5).unwrap().is_some());
    match progress.root().read(Path::new("a"), 4) {
        Err(Error::TooLarge { path, limit: 4 }) => assert_eq!(path, progress.shown("a")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_the_kernel_makes_up_is_not_a_regular_one() {
    for (folder, file) in
        [("/proc/self", "environ"), ("/proc/self", "status"), ("/sys/kernel", "uevent_seqnum")]
    {
        let root = Root::open(Path::new(folder)).unwrap();
        let refused = |error| matches!(error, Error::NotRegular { kind: SpecialFile::Kernel, .. });
        assert!(root.read(Path::new(file), 1 << 20).is_err_and(refused), "{folder}/{file}");
        assert!(root.read_start(Path::new(file), 10).is_err_and(refused), "{folder}/{file}");
    }
}

#[test]
fn the_start_of_a_file_is_as_long_as_is_asked_for() {
    let progress = Progress::with(&[("a/b", "12345")]);
    for (limit, start) in [(0, ""), (4, "1234"), (5, "12345"), (6, "12345")] {
        assert_eq!(progress.root().read_start(Path::new("a/b"), limit).unwrap().bytes, start.as_bytes());
    }
    assert!(progress.root().read_start(Path::new("a/c"), 1).unwrap_err().is_missing());
}

#[test]
fn a_path_without_links_is_opened_as_long_as_it_has_none() {
    let progress = Progress::with(&[("one/a", "one")]);
    let one = progress.shown("one");
    assert_eq!(Root::open_resolved(&one).unwrap().path(), one);
    fs::rename(&one, progress.at("two")).unwrap();
    symlink("two", &one).unwrap();
    assert!(matches!(Root::open_resolved(&one), Err(Error::Symlink { path }) if path == one));
}

#[test]
fn the_links_of_the_root_itself_are_followed_once() {
    let progress = Progress::with(&[("one/a", "one"), ("two/a", "two")]);
    symlink("one", progress.at("current")).unwrap();
    let root = Root::open(&progress.at("current")).unwrap();
    assert_eq!(root.path(), progress.shown("one"));
    fs::remove_file(progress.at("current")).unwrap();
    symlink("two", progress.at("current")).unwrap();
    assert_eq!(root.read(Path::new("a"), 9).unwrap().unwrap().bytes, b"one");
}

#[test]
fn what_cannot_be_a_root_is_refused_by_name() {
    let progress = Progress::with(&[("file", "")]);
    for path in ["file", "gone"] {
        let error = Root::open(&progress.at(path)).unwrap_err();
        assert!(error.path().ends_with(path), "{error}");
        assert!(error.help().is_some());
    }
    assert_eq!(Root::open(Path::new("/")).unwrap().path(), Path::new("/"));
}

#[test]
fn a_link_beneath_the_root_is_refused_by_name_as_file_and_as_directory() {
    let progress = Progress::with(&[("real/a", "")]);
    symlink("real", progress.at("link")).unwrap();
    symlink("a", progress.at("real/b")).unwrap();
    for (path, link) in [("link/a", "link"), ("real/b", "real/b")] {
        match read(&progress, path) {
            Err(Error::Symlink { path }) => assert_eq!(path, progress.shown(link)),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(progress.root().list(Path::new("link")), Err(Error::Symlink { .. })));
}

#[test]
fn a_path_that_leads_out_is_refused() {
    let progress = Progress::with(&[("in/a", ""), ("secret", "")]);
    let root = Root::open(&progress.at("in")).unwrap();
    let absolute = progress.at("secret");
    for (path, expected) in [
        ("../secret", PathProblem::ParentDirectory),
        ("a/../../secret", PathProblem::ParentDirectory),
        (absolute.to_str().unwrap(), PathProblem::Absolute),
        ("", PathProblem::Empty),
        ("a//b", PathProblem::EmptyComponent),
    ] {
        match root.read(Path::new(path), 9) {
            Err(Error::Path { why, .. }) => assert_eq!(why, expected, "{path}"),
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[test]
fn a_device_is_refused_unopened() {
    let dev = Root::open(Path::new("/dev")).unwrap();
    match dev.read(Path::new("null"), 9) {
        Err(Error::NotRegular { kind, .. }) => assert_eq!(kind, SpecialFile::CharacterDevice),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_directory_is_listed_in_byte_order() {
    let progress = Progress::with(&[("d/b", ""), ("d/B", ""), ("d/.a", ""), ("d/ä", ""), ("d/c/x", "")]);
    let names = progress.root().list(Path::new("d")).unwrap().unwrap();
    assert_eq!(names, [".a", "B", "b", "c", "ä"]);
    assert_eq!(progress.root().list(Path::new(".")).unwrap().unwrap(), ["d"]);
    assert_eq!(progress.root().list(Path::new("e")).unwrap(), None);
    assert_eq!(progress.root().list(Path::new("d/b")).unwrap(), None);
}

#[test]
fn debug_output_shows_no_content() {
    let progress = Progress::with(&[("a", "hunter2")]);
    let file = progress.root().read(Path::new("a"), 99).unwrap().unwrap();
    let change = crate::support::change("a", "hunter2", "hunter3");
    let text = format!("{file:?} {change:?}");
    assert!(!text.contains("hunter"), "{text}");
    assert!(!text.contains("104, 117, 110"), "{text}");
}
