//! What cannot be replaced safely is not replaced, and neither is anything else of the set.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use kasm_db_commit::{Change, CommitError, Error, Occupant, Operation, Protection, SpecialFile, State};

use crate::support::{Frozen, Progress, SOON, can, change, is_root, set_flag};

/// Commits, and insists that it fails with everything as it was, down to inodes and times.
fn refused(progress: &Progress, changes: &[Change]) -> CommitError {
    let before = progress.look_at_all();
    let error = progress.commit(changes).unwrap_err();
    assert!(matches!(error.state, State::NothingChanged), "{error}");
    assert!(error.leftovers.is_empty(), "{error}");
    let mut after = progress.look_at_all();
    for (path, now) in &mut after {
        // A directory in which something was staged and removed again has another time, and only that.
        if now.bytes.is_none() {
            now.mtime = before[path].mtime;
        }
    }
    assert_eq!(after, before);
    *error
}

/// As [`refused`], for the second of three files; the other two are fine.
fn refused_second(progress: &Progress, path: &str) -> CommitError {
    progress.write("first", "1");
    progress.write("third", "1");
    let error =
        refused(progress, &[change("first", "1", "2"), change(path, "1", "2"), change("third", "1", "2")]);
    let start = path.split('/').next().unwrap();
    assert!(error.to_string().contains(start), "the error names no path: {error}");
    error
}

#[test]
fn a_file_that_changed_in_between_is_refused() {
    for now in ["", "2", "1\n", "11"] {
        let progress = Progress::with(&[("a", now)]);
        let error = refused_second(&progress, "a");
        assert!(matches!(error.cause, Error::Changed { path } if path == progress.shown("a")));
    }
}

#[test]
fn whatever_stands_in_the_way_is_told_at_once() {
    let progress = Progress::with(&[("a", "other"), ("b", "1"), ("d/c", "1"), ("good", "1")]);
    fs::hard_link(progress.at("b"), progress.at("b2")).unwrap();
    let changes = ["a", "b", "gone/x", "gone/y", "good", "d/c"].map(|path| change(path, "1", "2"));
    let error = refused(&progress, &changes);
    let told: Vec<_> = std::iter::once(&error.cause).chain(&error.others).map(Error::to_string).collect();
    let expected = [
        ("a", "changed since it was read"),
        ("b", "has 2 hard links"),
        ("gone/x", "does not exist"),
        ("gone/y", "does not exist"),
    ];
    assert_eq!(told, expected.map(|(path, why)| format!("{} {why}", progress.shown(path).display())));
}

#[test]
fn a_file_or_directory_that_does_not_exist_is_refused() {
    for path in ["gone", "no/such", "first/below"] {
        let error = refused_second(&Progress::with(&[]), path);
        assert!(matches!(error.cause, Error::Missing { .. }), "{error}");
    }
}

#[test]
fn a_link_is_refused_and_what_it_leads_to_stays() {
    let outside = Progress::with(&[("a", "1")]);
    let before = outside.look();
    let progress = Progress::with(&[]);
    symlink(outside.at("a"), progress.at("file")).unwrap();
    symlink(outside.at(""), progress.at("dir")).unwrap();
    for path in ["file", "dir/a"] {
        let error = refused_second(&progress, path);
        let link = progress.shown(if path == "file" { "file" } else { "dir" });
        assert!(matches!(&error.cause, Error::Symlink { path } if *path == link), "{error}");
    }
    assert_eq!(outside.look(), before);
}

#[test]
fn what_is_not_a_regular_file_is_refused_without_waiting_for_it() {
    let (done, finished) = mpsc::channel();
    let test = thread::spawn(move || {
        let progress = Progress::with(&[("dir/x", "")]);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            progress.at("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(progress.at("socket")).unwrap();
        for (path, expected) in
            [("fifo", SpecialFile::Fifo), ("socket", SpecialFile::Socket), ("dir", SpecialFile::Directory)]
        {
            let error = refused_second(&progress, path);
            assert!(matches!(error.cause, Error::NotRegular { kind, .. } if kind == expected), "{error}");
        }
        done.send(()).unwrap();
    });
    match finished.recv_timeout(Duration::from_secs(10)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it waits"),
        _ => test.join().unwrap(),
    }
}

#[test]
fn a_file_with_two_names_is_refused() {
    let progress = Progress::with(&[("a", "1")]);
    fs::hard_link(progress.at("a"), progress.at("b")).unwrap();
    let error = refused_second(&progress, "a");
    assert!(matches!(error.cause, Error::HardLinked { links: 2, .. }), "{error}");
}

#[test]
fn one_file_cannot_be_changed_twice() {
    let progress = Progress::with(&[("a", "1")]);
    for first in [change("a", "1", "2"), change("a", "1", "1")] {
        let error = refused(&progress, &[first, change("a", "1", "3")]);
        assert!(matches!(error.cause, Error::Duplicate { .. }), "{error}");
    }
}

#[test]
fn a_path_that_leads_out_is_refused() {
    let progress = Progress::with(&[]);
    for path in ["../first", "./first", "/etc/hostname", "d//first"] {
        let error = refused_second(&progress, path);
        assert!(matches!(error.cause, Error::Path { .. }), "{error}");
    }
}

#[test]
fn a_staged_file_is_not_a_target() {
    let progress = Progress::with(&[(".a.kasm-db-new", "1")]);
    let error = refused_second(&progress, ".a.kasm-db-new");
    assert!(matches!(error.cause, Error::Path { .. }), "{error}");
}

#[test]
fn a_name_that_is_too_long_to_stage_is_refused_before_anything_is_staged() {
    let name = "n".repeat(250);
    let error = refused_second(&Progress::with(&[(&name, "1")]), &name);
    assert!(matches!(error.cause, Error::Io { operation: Operation::Inspect, .. }), "{error}");
    assert!(error.help().unwrap().contains("rename the file"));
}

#[test]
fn a_staging_name_that_no_commit_can_have_made_is_left_alone() {
    let outside = Progress::with(&[("target", "precious")]);
    for beside in [".a.kasm-db-new", ".a.kasm-db-old"] {
        let link = Progress::with(&[("a", "1")]);
        symlink(outside.at("target"), link.at(beside)).unwrap();
        let dir = Progress::with(&[("a", "1")]);
        fs::create_dir(dir.at(beside)).unwrap();
        let linked = Progress::with(&[("a", "1"), ("other", "")]);
        fs::hard_link(linked.at("other"), linked.at(beside)).unwrap();
        for (progress, expected) in [
            (link, Occupant::Symlink),
            (dir, Occupant::Special(SpecialFile::Directory)),
            (linked, Occupant::HardLinked(2)),
        ] {
            let error = refused_second(&progress, "a");
            assert!(
                matches!(&error.cause, Error::NameTaken { path, by }
                    if *by == expected && path.file_name() == Some(OsStr::new(beside))),
                "{error}"
            );
        }
    }
    assert_eq!(outside.text("target"), "precious");
}

#[test]
fn a_stale_file_of_another_user_is_left_alone() {
    let progress = Progress::with(&[("a", "1"), (".a.kasm-db-new", "theirs")]);
    let given = std::os::unix::fs::chown(progress.at(".a.kasm-db-new"), Some(4711), None);
    if can("root, to give a file away", given) {
        let error = refused_second(&progress, "a");
        assert!(matches!(error.cause, Error::NameTaken { by: Occupant::OtherOwner(4711), .. }), "{error}");
    }
}

#[test]
fn a_directory_that_cannot_be_written_to_is_refused_before_anything_is_staged() {
    let progress = Progress::with(&[("d/a", "1"), ("d/b", "1")]);
    match Frozen::new(progress.at("d")) {
        Err(error) => assert!(!can("immutable directories", Err(error))),
        Ok(_frozen) => {
            let error = refused_second(&progress, "d/a");
            assert_eq!(error.cause.path(), progress.shown("d"));
            assert!(error.help().is_some());
            let both = refused(&progress, &["d/a", "d/b"].map(|path| change(path, "1", "2")));
            assert!(both.others.is_empty(), "told once: {:?}", both.others);
        }
    }
}

#[test]
fn an_immutable_or_append_only_file_is_refused_with_the_way_out() {
    use rustix::fs::IFlags;
    for (flag, expected, option) in [
        (IFlags::IMMUTABLE, Protection::Immutable, "chattr -i"),
        (IFlags::APPEND, Protection::AppendOnly, "chattr -a"),
    ] {
        let progress = Progress::with(&[("a", "1")]);
        if can("root and chattr", set_flag(&progress.at("a"), flag, true)) {
            let error = refused_second(&progress, "a");
            set_flag(&progress.at("a"), flag, false).unwrap();
            assert!(matches!(error.cause, Error::Protected { by, .. } if by == expected), "{error}");
            assert!(error.help().unwrap().contains(option));
        }
    }
}

/// Runs `test` of this binary again where `mounts` can be mounted without anybody else seeing it.
fn in_own_mounts(test: &str, progress: &Progress, mounts: &str) {
    let options = if is_root() { "-m" } else { "-rm" };
    let script = format!("cd \"$HERE\" && {mounts} || exit 99; exec \"$0\" --exact {test} --nocapture");
    let output = Command::new("unshare")
        .args([options, "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env("HERE", progress.at(""))
        .output();
    let setup = match &output {
        Err(error) => Err(error.to_string()),
        Ok(output) if output.status.code() == Some(99) || output.stdout.is_empty() => {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
        Ok(_) => Ok(()),
    };
    if can("a mount namespace", setup) {
        let output = output.unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }
}

/// The error of a commit in the directory that [`in_own_mounts`] prepared, or `None` outside of it.
fn inside(second: &str) -> Option<CommitError> {
    let here = std::env::var_os("HERE")?;
    let root = kasm_db_commit::Root::open(Path::new(&here)).unwrap();
    let changes = [change("first", "1", "2"), change("d/a", "1", "2"), change(second, "1", "2")];
    let error = root.lock(SOON).unwrap().commit(&changes).unwrap_err();
    assert!(matches!(error.state, State::NothingChanged), "{error}");
    Some(*error)
}

fn mounted() -> Progress {
    Progress::with(&[("first", "1"), ("d/a", "1"), ("e/b", "1")])
}

#[test]
fn a_file_that_is_mounted_by_itself_is_refused() {
    match inside("e/b") {
        None => {
            let test = "refusing::a_file_that_is_mounted_by_itself_is_refused";
            in_own_mounts(test, &mounted(), "mount --bind d/a d/a");
        }
        Some(error) => {
            assert!(matches!(error.cause, Error::Protected { by: Protection::MountPoint, .. }), "{error}");
            assert!(error.help().unwrap().contains("mounted"));
        }
    }
}

#[test]
fn a_read_only_file_system_is_refused_before_anything_is_staged() {
    match inside("e/b") {
        None => {
            let test = "refusing::a_read_only_file_system_is_refused_before_anything_is_staged";
            in_own_mounts(test, &mounted(), "mount --bind d d && mount -o remount,bind,ro d");
        }
        Some(error) => {
            assert!(matches!(error.cause, Error::Io { operation: Operation::WriteDirectory, .. }), "{error}");
            assert!(error.help().unwrap().contains("read-only"));
        }
    }
}

#[test]
fn one_file_reached_through_two_mounts_cannot_be_changed_twice() {
    match inside("e/a") {
        None => {
            let test = "refusing::one_file_reached_through_two_mounts_cannot_be_changed_twice";
            in_own_mounts(test, &mounted(), "mount --bind d e");
        }
        Some(error) => {
            assert!(matches!(&error.cause, Error::Duplicate { path } if path.ends_with("e/a")), "{error}");
        }
    }
}

#[test]
fn a_full_disk_leaves_everything_as_it_was() {
    if let Some(here) = std::env::var_os("HERE") {
        let root = kasm_db_commit::Root::open(&Path::new(&here).join("d")).unwrap();
        let large = Change { path: "a".into(), before: b"1".to_vec(), after: vec![b'x'; 1 << 20] };
        let error = root.lock(SOON).unwrap().commit(&[change("b", "1", "2"), large]).unwrap_err();
        assert!(matches!(error.state, State::NothingChanged), "{error}");
        assert!(matches!(error.cause, Error::Io { operation: Operation::Write, .. }), "{error}");
        assert!(error.help().unwrap().contains("full"));
        assert_eq!(root.list(Path::new(".")).unwrap().unwrap(), ["a", "b"]);
        assert_eq!(root.read(Path::new("b"), 9).unwrap().unwrap().bytes, b"1");
    } else {
        let test = "refusing::a_full_disk_leaves_everything_as_it_was";
        let mount = "mount -t tmpfs -o size=64k none d && printf 1 > d/a && printf 1 > d/b";
        in_own_mounts(test, &mounted(), mount);
    }
}
