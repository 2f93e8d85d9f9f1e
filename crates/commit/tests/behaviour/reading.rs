//! Reading and listing beneath the root.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

use kasm_db_commit::{Error, FileKind, PathProblem, Root};

use crate::support::{Place, set_mode};

fn read(place: &Place, path: &str) -> Result<Option<String>, Error> {
    let file = place.root().read(Path::new(path), 1 << 20)?;
    Ok(file.map(|file| String::from_utf8(file.bytes).unwrap()))
}

#[test]
fn a_file_is_read_with_the_metadata_of_that_very_file() {
    let place = Place::with(&[("d/a", "hello")]);
    set_mode(&place.at("d/a"), 0o640);
    let file = place.root().read(Path::new("d/a"), 5).unwrap().unwrap();
    let found = fs::metadata(place.at("d/a")).unwrap();
    assert_eq!(file.bytes, b"hello");
    assert_eq!(file.metadata.mode, 0o640);
    assert_eq!((file.metadata.uid, file.metadata.gid), (found.uid(), found.gid()));
    assert_eq!((file.metadata.dev, file.metadata.ino), (found.dev(), found.ino()));
    assert_eq!((file.metadata.len, file.metadata.nlink), (5, 1));
    assert_eq!(file.metadata.mtime, found.modified().unwrap());
}

#[test]
fn what_does_not_exist_is_none_wherever_the_path_ends() {
    let place = Place::with(&[("d/a", "")]);
    for path in ["b", "x/y/z", "d/b", "d/a/b"] {
        assert_eq!(read(&place, path).unwrap(), None, "{path}");
    }
}

#[test]
fn a_file_above_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let place = Place::with(&[("a", "12345")]);
    assert!(place.root().read(Path::new("a"), 5).unwrap().is_some());
    match place.root().read(Path::new("a"), 4) {
        Err(Error::TooLarge { path, limit: 4 }) => assert_eq!(path, place.shown("a")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_names_no_size_is_limited_by_what_it_yields() {
    let proc = Root::open(Path::new("/proc/self")).unwrap();
    assert!(proc.read(Path::new("status"), 1 << 20).unwrap().is_some());
    assert!(matches!(proc.read(Path::new("status"), 10), Err(Error::TooLarge { .. })));
}

#[test]
fn the_links_of_the_root_itself_are_followed_once() {
    let place = Place::with(&[("one/a", "one"), ("two/a", "two")]);
    symlink("one", place.at("current")).unwrap();
    let root = Root::open(&place.at("current")).unwrap();
    assert_eq!(root.path(), place.shown("one"));
    fs::remove_file(place.at("current")).unwrap();
    symlink("two", place.at("current")).unwrap();
    assert_eq!(root.read(Path::new("a"), 9).unwrap().unwrap().bytes, b"one");
}

#[test]
fn what_can_not_be_a_root_is_refused_by_name() {
    let place = Place::with(&[("file", "")]);
    for path in ["file", "gone"] {
        let error = Root::open(&place.at(path)).unwrap_err();
        assert!(error.path().ends_with(path), "{error}");
        assert!(error.help().is_some());
    }
    assert_eq!(Root::open(Path::new("/")).unwrap().path(), Path::new("/"));
}

#[test]
fn a_link_beneath_the_root_is_refused_by_name_as_file_and_as_directory() {
    let place = Place::with(&[("real/a", "")]);
    symlink("real", place.at("link")).unwrap();
    symlink("a", place.at("real/b")).unwrap();
    for (path, link) in [("link/a", "link"), ("real/b", "real/b")] {
        match read(&place, path) {
            Err(Error::Symlink { path }) => assert_eq!(path, place.shown(link)),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(place.root().list(Path::new("link")), Err(Error::Symlink { .. })));
}

#[test]
fn a_path_that_leads_out_is_refused() {
    let place = Place::with(&[("in/a", ""), ("secret", "")]);
    let root = Root::open(&place.at("in")).unwrap();
    let absolute = place.at("secret");
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
        Err(Error::NotRegular { kind, .. }) => assert_eq!(kind, FileKind::CharacterDevice),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_directory_is_listed_in_byte_order() {
    let place = Place::with(&[("d/b", ""), ("d/B", ""), ("d/.a", ""), ("d/ä", ""), ("d/c/x", "")]);
    let names = place.root().list(Path::new("d")).unwrap().unwrap();
    assert_eq!(names, [".a", "B", "b", "c", "ä"]);
    assert_eq!(place.root().list(Path::new(".")).unwrap().unwrap(), ["d"]);
    assert_eq!(place.root().list(Path::new("e")).unwrap(), None);
    assert_eq!(place.root().list(Path::new("d/b")).unwrap(), None);
}

#[test]
fn debug_output_shows_no_content() {
    let place = Place::with(&[("a", "hunter2")]);
    let file = place.root().read(Path::new("a"), 99).unwrap().unwrap();
    let change = crate::support::change("a", "hunter2", "hunter3");
    let text = format!("{file:?} {change:?}");
    assert!(!text.contains("hunter"), "{text}");
    assert!(!text.contains("104, 117, 110"), "{text}");
}
