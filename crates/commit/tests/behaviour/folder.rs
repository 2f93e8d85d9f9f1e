//! Results: whole files in a folder, below which no link is followed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

use kasm_db_commit::{Error, Folder, Readers, SpecialFile, There};

use crate::support::Progress;

fn put(folder: &Folder, path: &str, text: &str) -> Result<(), Error> {
    let write = |file: &mut File| file.write_all(text.as_bytes());
    folder.write(Path::new(path), Readers::ByUmask, There::Replaced, write)
}

fn kind(error: &Error) -> Option<io::ErrorKind> {
    match error {
        Error::Io { source, .. } => Some(source.kind()),
        _ => None,
    }
}

#[test]
fn a_file_is_written_whole_and_replaces_a_file_or_a_link() {
    let progress = Progress::with(&[("out/a", "old"), ("mine", "mine")]);
    symlink("../mine", progress.at("out/link")).unwrap();
    fs::hard_link(progress.at("out/a"), progress.at("second")).unwrap();
    let folder = Folder::open(progress.root().path(), Path::new("out")).unwrap();
    for path in ["a", "link", "new", "sub/folder/new"] {
        put(&folder, path, path).unwrap();
        assert_eq!(fs::read_to_string(progress.at("out").join(path)).unwrap(), path);
        assert!(fs::symlink_metadata(progress.at("out").join(path)).unwrap().is_file());
        assert_eq!(folder.read(Path::new(path), 99).unwrap().unwrap(), path.as_bytes());
    }
    assert_eq!(fs::read_to_string(progress.at("mine")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(progress.at("second")).unwrap(), "old");
    assert_eq!(fs::read_dir(progress.at("out")).unwrap().count(), 4, "a file was left");
}

#[test]
fn no_link_is_followed_below_the_folder_nor_on_the_way_to_it() {
    let progress = Progress::with(&[("out/a", "a"), ("else/b", "b")]);
    let top = progress.root().path().to_path_buf();
    symlink("../else", progress.at("out/link")).unwrap();
    symlink("out", progress.at("way")).unwrap();
    let is_link = |error: Error| matches!(error, Error::Symlink { .. });
    assert!(Folder::open(&top, Path::new("way")).is_err_and(is_link));
    assert!(Folder::create(&top, Path::new("way/sub")).is_err_and(is_link));
    assert!(Folder::open(&progress.at("way"), Path::new("")).is_err_and(is_link));
    let folder = Folder::open(&top, Path::new("out")).unwrap();
    assert!(put(&folder, "link/b", "x").is_err_and(is_link));
    assert!(put(&folder, "link/sub/b", "x").is_err_and(is_link));
    assert!(folder.read(Path::new("link/b"), 9).is_err_and(is_link));
    assert!(folder.read(Path::new("link"), 9).is_err_and(is_link));
    assert!(folder.remove(Path::new("link/b")).is_err_and(is_link));
    for path in ["../else/b", "/etc/hostname", "a/../../else/b", ""] {
        assert!(matches!(put(&folder, path, "x"), Err(Error::Path { .. })), "{path}");
    }
    assert_eq!(fs::read_dir(progress.at("else")).unwrap().count(), 1);
    // The folder is the one that was opened, wherever its name leads now.
    fs::rename(progress.at("out"), progress.at("moved")).unwrap();
    symlink("else", progress.at("out")).unwrap();
    put(&folder, "a", "new").unwrap();
    assert_eq!(fs::read_to_string(progress.at("moved/a")).unwrap(), "new");
    assert!(!progress.at("else/a").exists());
}

#[test]
fn a_file_that_must_not_be_there_is_never_replaced() {
    let progress = Progress::with(&[("a", "mine")]);
    symlink("nowhere", progress.at("dangling")).unwrap();
    let folder = Folder::open(progress.root().path(), Path::new("")).unwrap();
    let create = |path: &str, write: &dyn Fn(&mut File) -> io::Result<()>| {
        folder.write(Path::new(path), Readers::ByUmask, There::Nothing, |file| write(file))
    };
    for path in ["a", "dangling"] {
        let refused = create(path, &|file| file.write_all(b"x")).unwrap_err();
        assert_eq!(kind(&refused), Some(io::ErrorKind::AlreadyExists), "{path}");
    }
    // One that appears while the new one is written is not replaced either.
    let late = |file: &mut File| {
        fs::write(progress.at("late"), "theirs")?;
        file.write_all(b"x")
    };
    assert_eq!(kind(&create("late", &late).unwrap_err()), Some(io::ErrorKind::AlreadyExists));
    assert_eq!(fs::read_to_string(progress.at("late")).unwrap(), "theirs");
    create("new", &|file| file.write_all(b"x")).unwrap();
    assert_eq!(fs::read_dir(progress.at(".")).unwrap().count(), 4, "a file was left");
}

#[test]
fn what_fails_leaves_the_old_file_and_nothing_else() {
    let progress = Progress::with(&[("a", "old"), ("folder/b", "")]);
    let folder = Folder::open(progress.root().path(), Path::new("")).unwrap();
    let fails = |file: &mut File| {
        file.write_all(b"half")?;
        Err(io::ErrorKind::StorageFull.into())
    };
    let failed = folder.write(Path::new("a"), Readers::ByUmask, There::Replaced, fails).unwrap_err();
    assert_eq!(kind(&failed), Some(io::ErrorKind::StorageFull));
    assert_eq!(fs::read_to_string(progress.at("a")).unwrap(), "old");
    let failed = put(&folder, "folder", "x").unwrap_err();
    assert!(matches!(failed, Error::NotRegular { kind: SpecialFile::Directory, .. }), "{failed}");
    let failed = put(&folder, "a/b", "x").unwrap_err();
    assert_eq!((kind(&failed), failed.path()), (Some(io::ErrorKind::NotADirectory), &*progress.shown("a")));
    assert_eq!(fs::read_dir(progress.at(".")).unwrap().count(), 2, "a file was left");
}

#[test]
fn a_new_file_is_for_its_owner_from_the_beginning_and_its_name_was_nobodys() {
    let progress = Progress::with(&[("mine", "mine")]);
    for number in 0..3 {
        let name = format!(".kasm-db-result.{}.{number}", std::process::id());
        symlink("mine", progress.at(&name)).unwrap();
    }
    let folder = Folder::open(progress.root().path(), Path::new("")).unwrap();
    let write = |file: &mut File| {
        assert_eq!(file.metadata()?.mode() & 0o7777, 0o600);
        file.write_all(b"x")
    };
    folder.write(Path::new("a"), Readers::Owner, There::Replaced, write).unwrap();
    assert_eq!(fs::metadata(progress.at("a")).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_to_string(progress.at("mine")).unwrap(), "mine");
}

#[test]
fn a_file_is_removed_with_the_folders_that_are_empty_then() {
    let progress = Progress::with(&[("out/a/b/c", ""), ("out/a/d", "")]);
    let folder = Folder::open(progress.root().path(), Path::new("out")).unwrap();
    folder.remove(Path::new("a/b/c")).unwrap();
    assert!(!progress.at("out/a/b").exists() && progress.at("out/a/d").exists());
    folder.remove(Path::new("a/d")).unwrap();
    folder.remove(Path::new("a/d")).unwrap();
    assert!(!progress.at("out/a").exists() && progress.at("out").exists());
}
