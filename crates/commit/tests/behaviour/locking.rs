//! One writer at a time.

use std::time::{Duration, Instant};

use kasm_db_commit::Error;

use crate::support::Place;

#[test]
fn a_second_root_on_the_same_directory_waits_and_is_told() {
    let place = Place::with(&[]);
    let (first, second) = (place.root(), place.root());
    let held = first.lock(Duration::ZERO).unwrap();

    let started = Instant::now();
    let timeout = Duration::from_millis(120);
    match second.lock(timeout) {
        Err(Error::Locked { path, waited, holder }) => {
            assert_eq!((path, waited), (place.shown(""), timeout));
            // Where the kernel does not list locks, it is not known.
            assert!(holder.is_none_or(|pid| pid == std::process::id()), "{holder:?}");
        }
        other => panic!("{other:?}"),
    }
    let waited = started.elapsed();
    assert!(waited >= timeout && waited < Duration::from_secs(5), "{waited:?}");

    drop(held);
    second.lock(Duration::ZERO).unwrap();
}

#[test]
fn one_root_gives_one_lock() {
    let place = Place::with(&[]);
    let root = place.root();
    let _held = root.lock(Duration::ZERO).unwrap();
    assert!(matches!(root.lock(Duration::ZERO), Err(Error::Locked { .. })));
}

#[test]
fn a_lock_is_taken_as_soon_as_it_is_free() {
    let place = Place::with(&[]);
    let root = place.root();
    let held = root.lock(Duration::ZERO).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| place.root().lock(Duration::from_secs(30)).map(drop));
        std::thread::sleep(Duration::from_millis(60));
        drop(held);
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn child_processes_that_start_meanwhile_do_not_keep_the_lock() {
    let place = Place::with(&[]);
    let root = place.root();
    std::thread::scope(|scope| {
        let children = scope.spawn(|| {
            for _ in 0..100 {
                std::process::Command::new("true").status().unwrap();
            }
        });
        while !children.is_finished() {
            drop(root.lock(Duration::ZERO).unwrap());
        }
    });
}

#[test]
fn a_lock_leaves_no_file() {
    let place = Place::with(&[("a", "")]);
    let before = place.look();
    drop(place.root().lock(Duration::ZERO).unwrap());
    assert_eq!(place.look(), before);
}
