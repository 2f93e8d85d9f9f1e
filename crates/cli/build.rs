//! Links the program so that it starts fast: a run for each of many hosts is mostly start.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).as_deref() == Ok(value);
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    let is_static = features.split(',').any(|feature| feature == "crt-static");
    // What is linked statically is linked as its target has it.
    if !is("CARGO_CFG_TARGET_OS", "linux") || !is("CARGO_CFG_TARGET_ENV", "gnu") || is_static {
        return;
    }
    // At a fixed address: otherwise 18,000 pointers of tables are corrected at each start, on 86 pages that are copied for it.
    // The stack, the heap and the libraries are where chance puts them all the same.
    println!("cargo::rustc-link-arg-bins=-no-pie");
    // One library less to be found and loaded, of which a program that aborts on a panic uses next to nothing.
    if let Some(folder) = unwinder() {
        println!("cargo::rustc-link-search=native={}", folder.display());
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// Returns the folder with the static unwinder of the C compiler, where one for this machine is there.
fn unwinder() -> Option<PathBuf> {
    if env::var("HOST").ok()? != env::var("TARGET").ok()? {
        return None;
    }
    let printed = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output().ok()?;
    let path = PathBuf::from(String::from_utf8(printed.stdout).ok()?.trim_end());
    // A compiler without it prints the bare name.
    path.is_absolute()
        .then_some(path.as_path())
        .filter(|path| path.is_file())
        .and_then(Path::parent)
        .map(Into::into)
}
