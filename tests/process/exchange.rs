//! Names that are exchanged while the program runs.
//!
//! `KASM_DB_RACES` is the number of runs of each race.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Returns the number of runs of each race.
pub(crate) fn races() -> usize {
    std::env::var("KASM_DB_RACES").map_or(100, |number| number.parse().unwrap())
}

/// Exchanges pairs of names for as long as the program runs in `work`, and returns how often.
pub(crate) fn exchanging(pairs: &[[&Path; 2]], pause: Duration, work: impl FnOnce()) -> u64 {
    let (done, count) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for [one, other] in pairs {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    if renameat_with(CWD, *one, CWD, *other, RenameFlags::EXCHANGE).is_ok() {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    std::thread::sleep(pause);
                }
            });
        }
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        done.store(true, Ordering::Relaxed);
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
    count.load(Ordering::Relaxed)
}
