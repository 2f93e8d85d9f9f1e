//! Random input for Compose, judged by the real one.
//!
//! `KASM_DB_SEED` is the first seed, and `KASM_DB_PROJECTS`, `KASM_DB_ENV_FILES` and `KASM_DB_RENDERED` say how many there are. What disagrees
//! is printed with its seed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]
#![allow(clippy::disallowed_methods, reason = "the crate reads no files, its tests do")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

mod env_files;
mod projects;
mod rendered;

/// Reads a number from the environment.
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// Returns the seeds: as many as a variable of the environment says.
fn seeds(name: &str, otherwise: u64) -> Range<u64> {
    let first = number("KASM_DB_SEED", 1);
    first..first + number(name, otherwise)
}

/// Judges every seed, on all processors; gives what was wrong, by seed.
fn each(seeds: Range<u64>, judge: impl Fn(u64) -> Result<(), String> + Sync) -> BTreeMap<u64, String> {
    let next = AtomicU64::new(seeds.start);
    let wrong = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    if let Err(why) = judge(seed) {
                        wrong.lock().unwrap().insert(seed, format!("seed {seed}: {why}"));
                    }
                }
            });
        }
    });
    wrong.into_inner().unwrap()
}

/// Fails if something was wrong, and shows the first of it.
fn agree(wrong: &BTreeMap<u64, String>) {
    let shown: Vec<_> = wrong.values().take(10).cloned().collect();
    assert!(wrong.is_empty(), "{} disagreements\n{}", wrong.len(), shown.join("\n"));
}
