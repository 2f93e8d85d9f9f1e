//! Links the program so that it starts fast, as a run for each of many hosts is mostly start, and so that it runs on any Linux.
//!
//! With glibc it is linked statically and at a fixed address, where that can be done: no library is looked up, loaded and corrected
//! at each start. The feature `host-libc` leaves it to the C library of the host.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is linked in place of modules of the C library.
const NO_MODULES: &str = "no_modules.c";
/// The function by which the C library loads modules, and its file that does so for the names of hosts and users.
const LOADS: &str = "__libc_dlopen_mode";
const LOADED_BY: &str = "nss_module.o";
/// The libraries that rustc asks for, and their static form.
const LIBRARIES: [(&str, &str); 7] = [
    ("gcc_s", "libgcc_eh.a"),
    ("util", "libutil.a"),
    ("rt", "librt.a"),
    ("pthread", "libpthread.a"),
    ("m", "libm.a"),
    ("dl", "libdl.a"),
    ("c", "libc.a"),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={NO_MODULES}");
    let has =
        |name: &str, value: &str| env::var(name).is_ok_and(|all| all.split(',').any(|one| one == value));
    if !has("CARGO_CFG_TARGET_OS", "linux") || !has("CARGO_CFG_TARGET_ENV", "gnu") {
        return;
    }
    // Asked for by whoever builds, and linked by rustc itself: position-independent.
    if has("CARGO_CFG_TARGET_FEATURE", "crt-static") {
        match without_modules(&Compiler::new()) {
            Some(arguments) => pass(&arguments),
            None => println!("cargo::error=the static C library loads modules in an unknown way"),
        }
        return;
    }
    // Of the tables 18,000 pointers are corrected at each start if the address is not fixed, on 86 pages that are copied for it. The
    // addresses of the stack and the heap are still random, and so are those of libraries.
    pass(&["-no-pie".into()]);
    if env::var("HOST") != env::var("TARGET") {
        return;
    }
    let compiler = Compiler::new();
    let is_host = env::var_os("CARGO_FEATURE_HOST_LIBC").is_some();
    // Another linker may link another C library.
    let is_own = env::var_os("RUSTC_LINKER").is_some();
    let linked = if is_host || is_own { None } else { statically(&compiler) };
    match linked {
        Some(arguments) => pass(&arguments),
        None => link_unwinder(&compiler),
    }
}

fn pass(arguments: &[String]) {
    for argument in arguments {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}

/// Returns what links the program statically, unless something is missing for it.
///
/// `crt-static` would do the same, but a build script cannot set it, and set for a whole workspace it is refused by macros.
fn statically(compiler: &Compiler) -> Option<Vec<String>> {
    let folder = out("static");
    fs::create_dir_all(&folder).ok()?;
    for (name, archive) in LIBRARIES {
        let archive = compiler.file(archive)?;
        // Before glibc 2.34 threads were a library of their own, which is not linked as a whole when it is static.
        if name == "pthread" && fs::metadata(&archive).ok()?.len() > 64 {
            return None;
        }
        // Found before the shared library of that name; a script that names a file is what every linker reads.
        fs::write(folder.join(format!("lib{name}.so")), format!("INPUT(\"{}\")\n", archive.display()))
            .ok()?;
    }
    let mut arguments = vec!["-static".into(), format!("-L{}", folder.display())];
    arguments.extend(without_modules(compiler)?);
    // Each needs the other, and some linkers look at an archive once.
    arguments.push("-Wl,--start-group,-lgcc_s,-lgcc,-lc,--end-group".into());
    Some(arguments)
}

/// Returns what keeps a static C library from loading modules, if that is known of this one.
fn without_modules(compiler: &Compiler) -> Option<Vec<String>> {
    let library = compiler.file("libc.a")?;
    let names = said(Command::new("nm").arg("--print-file-name").arg(library))?;
    let loads =
        |line: &str| line.contains(&format!(":{LOADED_BY}:")) && line.ends_with(&format!(" U {LOADS}"));
    if !names.lines().any(loads) {
        return None;
    }
    let object = out("no_modules.o");
    said(compiler.command().args(["-O2", "-fPIC", "-c", NO_MODULES, "-o"]).arg(&object))?;
    Some(vec![object.display().to_string(), format!("-Wl,--wrap={LOADS}")])
}

/// Links the unwinder statically: one library less to be found and loaded, of which a program that aborts on a panic uses next to
/// nothing.
fn link_unwinder(compiler: &Compiler) {
    let Some(unwinder) = compiler.file("libgcc_eh.a") else { return };
    let Some(folder) = unwinder.parent() else { return };
    println!("cargo::rustc-link-search=native={}", folder.display());
    println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
}

/// The C compiler, which rustc links with.
struct Compiler(String);

impl Compiler {
    fn new() -> Self {
        Self(env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".into()))
    }

    fn command(&self) -> Command {
        Command::new(&self.0)
    }

    /// Returns where a library of this compiler is.
    fn file(&self, name: &str) -> Option<PathBuf> {
        let printed = said(self.command().arg(format!("-print-file-name={name}")))?;
        let path = PathBuf::from(printed.trim_end());
        // A compiler without it prints the bare name.
        if !path.is_absolute() || !Path::is_file(&path) {
            return None;
        }
        // Its folder may have the version of the compiler, and is gone after an upgrade.
        println!("cargo::rerun-if-changed={}", path.display());
        Some(path)
    }
}

fn out(name: &str) -> PathBuf {
    PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join(name)
}

/// Returns what a command printed, if it ended well.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
