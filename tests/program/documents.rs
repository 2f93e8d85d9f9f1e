//! Documents: valid ones, invalid ones, several in one run, and what is explained of them.
//!
//! `KASM_DB_BLESS=1 cargo test -p kasm-db --test program documents` writes what is compared.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]

mod explained;
mod files;
mod on_disk;
mod planned;
mod renovate;
mod running;
mod said;
mod several;

use std::path::PathBuf;

use testing::repository;

/// The folder of the documents and of what is said about them.
fn folder() -> PathBuf {
    repository().join("tests/documents")
}

/// Compares a text with the file that holds it, or writes it there.
#[track_caller]
fn compare(path: &str, text: &str) -> Result<(), String> {
    let file = folder().join(path);
    if std::env::var_os("KASM_DB_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
    }
    match std::fs::read_to_string(&file) {
        Ok(kept) if kept == text => Ok(()),
        Ok(kept) => Err(format!("tests/documents/{path}\nholds\n{kept}\nbut now it is\n{text}")),
        Err(error) => Err(format!("tests/documents/{path}: {error}\nit is\n{text}")),
    }
}
