//! Links the program so that it starts fast: a run for each of many hosts is mostly start.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let has =
        |name: &str, value: &str| env::var(name).is_ok_and(|all| all.split(',').any(|one| one == value));
    // What is linked statically has the unwinder, and needs no dynamic linker. With `-no-pie` behind the `-static-pie` of rustc it
    // would ask for one, and die at its start.
    let is_static = has("CARGO_CFG_TARGET_FEATURE", "crt-static");
    if !has("CARGO_CFG_TARGET_OS", "linux") || !has("CARGO_CFG_TARGET_ENV", "gnu") || is_static {
        return;
    }
    // At a fixed address: otherwise 18,000 pointers of tables are corrected at each start, on 86 pages that are copied for it.
    // The addresses of the stack, the heap and the libraries are still random.
    println!("cargo::rustc-link-arg-bins=-no-pie");
    // One library less to be found and loaded, of which a program that aborts on a panic uses next to nothing.
    let Some(unwinder) = unwinder() else { return };
    let Some(folder) = unwinder.parent() else { return };
    // Its folder has the version of the compiler, and is gone after an upgrade.
    println!("cargo::rerun-if-changed={}", unwinder.display());
    println!("cargo::rustc-link-search=native={}", folder.display());
    println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
}

/// Returns the static unwinder of the compiler that links, if it has one for this machine.
fn unwinder() -> Option<PathBuf> {
    if env::var("HOST").ok()? != env::var("TARGET").ok()? {
        return None;
    }
    // Another linker may link another C library, which the unwinder of `cc` does not fit.
    let linker = env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".into());
    let printed = Command::new(linker).arg("-print-file-name=libgcc_eh.a").output().ok()?;
    let path = PathBuf::from(String::from_utf8(printed.stdout).ok()?.trim_end());
    // A compiler without it prints the bare name.
    Some(path).filter(|path| path.is_absolute() && Path::is_file(path))
}
