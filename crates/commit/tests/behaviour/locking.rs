//! One writer at a time.

use std::time::{Duration, Instant};

use kasm_db_commit::Error;

use crate::support::{Progress, SOON};

#[test]
fn a_second_root_on_the_same_directory_waits_and_is_told() {
    let progress = Progress::with(&[]);
    let (first, second) = (progress.root(), progress.root());
    let held = first.lock(SOON).unwrap();

    let started = Instant::now();
    let timeout = Duration::from_millis(120);
    match second.lock(timeout) {
        Err(Error::Locked { path, waited, holder }) => {
            assert_eq!((path, waited), (progress.shown(""), timeout));
            // Where the kernel does not list locks, it is not known.
            assert!(holder.is_none_or(|pid| pid == std::process::id()), "{holder:?}");
        }
        other => panic!("{other:?}"),
    }
    let waited = started.elapsed();
    assert!(waited >= timeout && waited < Duration::from_secs(5), "{waited:?}");

    drop(held);
    second.lock(SOON).unwrap();
}

#[test]
fn one_root_gives_one_lock() {
    let progress = Progress::with(&[]);
    let root = progress.root();
    let _held = root.lock(SOON).unwrap();
    assert!(matches!(root.lock(Duration::ZERO), Err(Error::Locked { .. })));
}

#[test]
fn a_lock_is_taken_as_soon_as_it_is_free() {
    let progress = Progress::with(&[]);
    let root = progress.root();
    let held = root.lock(SOON).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| progress.root().lock(Duration::from_secs(30)).map(drop));
        std::thread::sleep(Duration::from_millis(60));
        drop(held);
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn child_processes_that_start_meanwhile_do_not_keep_the_lock() {
    let progress = Progress::with(&[]);
    let root = progress.root();
    std::thread::scope(|scope| {
        let children = scope.spawn(|| {
            for _ in 0..100 {
                std::process::Command::new("true").status().unwrap();
            }
        });
        while !children.is_finished() {
            drop(root.lock(SOON).unwrap());
        }
    });
}

#[test]
fn a_lock_leaves_no_file() {
    let progress = Progress::with(&[("a", "")]);
    let before = progress.look();
    drop(progress.root().lock(SOON).unwrap());
    assert_eq!(progress.look(), before);
}

#[test]
fn the_lock_file_is_locked_too_once_there_is_one_and_its_holder_is_named() {
    let progress = Progress::with(&[("a", "0")]);
    let root = progress.root();
    let lock = root.lock(SOON).unwrap();
    assert!(!progress.at(".kasm-db").exists());
    lock.commit(&[crate::support::change("a", "0", "1")]).unwrap();
    let file = std::fs::File::open(progress.at(".kasm-db/private/lock")).unwrap();
    assert!(matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)));
    drop(lock);
    file.lock().unwrap();
    match root.lock(Duration::ZERO) {
        Err(Error::Locked { holder, .. }) => {
            assert!(holder.is_none_or(|pid| pid == std::process::id()), "{holder:?}");
        }
        other => panic!("{other:?}"),
    }
    drop(file);
    root.lock(SOON).unwrap();
}
