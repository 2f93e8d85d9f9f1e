//! The folders with what was once done wrongly. `KASM_DB_FOUND` names the folder that they are in.

#![allow(clippy::print_stderr, reason = "a test says what it could not look at")]

use std::path::Path;

use testing::folder_from;

/// Runs a test on a folder, if it is there.
pub(crate) fn on(name: &str, test: impl FnOnce(&Path)) {
    match folder_from("KASM_DB_FOUND") {
        Some(found) => test(&found.join(name)),
        None => eprintln!("KASM_DB_FOUND is not set; {name} is not read"),
    }
}
