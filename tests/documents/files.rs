//! What a document may be on disk, and what it may not.

use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use crate::command::Sandbox;

const MINIMAL: &str = "schema: kasm-db/v1\n";

/// Bytes of a document that ends in a comment of this length.
fn sized(bytes: usize) -> String {
    format!("{MINIMAL}# {}\n", "a".repeat(bytes - MINIMAL.len() - 3))
}

#[test]
fn what_is_no_document_is_told_from_one_with_errors() {
    let sandbox = Sandbox::new();
    let at = |name: &str| sandbox.root().join(name);
    let write = |name: &str, text: &str| std::fs::write(at(name), text).unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    symlink("loop", at("loop")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("limit", at("link")).unwrap();
    write("empty", "");
    write("limit", &sized(1 << 20));
    write("above", &sized((1 << 20) + 1));
    let many: String = (0..5000).map(|number| format!("key{number}: 1\n")).collect();
    write("many", &format!("{MINIMAL}{many}"));
    for (path, code, says) in [
        ("limit", 0, "limit: valid"),
        ("link", 0, "link: valid"),
        ("above", 3, "larger than 1048576 bytes (1 MiB)"),
        ("/dev/zero", 3, "larger than 1048576 bytes (1 MiB)"),
        ("empty", 3, "empty document"),
        ("/dev/null", 3, "empty document"),
        ("many", 3, "many: 100 errors or more"),
        ("folder", 64, "folder is a folder"),
        ("folder/kasm-db.yaml", 1, "no such file"),
        ("empty/kasm-db.yaml", 1, "not a directory"),
        ("loop", 1, "too many levels of symbolic links"),
        ("dangling", 1, "no such file"),
        ("/proc/self/mem", 1, "can not read the document"),
    ] {
        let run = sandbox.run(&format!("validate -f {path}")).expect(code);
        assert!(run.to_string().contains(says), "{path}\n{run}");
    }
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    let sandbox = Sandbox::new();
    std::fs::set_permissions(sandbox.root(), PermissionsExt::from_mode(0o755)).unwrap();
    let path = sandbox.root().join("kasm-db.yaml");
    std::fs::write(&path, MINIMAL).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
    let mut command = if rustix::process::geteuid().is_root() {
        // Root reads everything; and another user may not get to where this was built.
        let program = sandbox.root().join("kasm-db");
        // Not by this process: a child that another test starts meanwhile would have the copy open, too, and a file
        // that somebody can write to is not run.
        let copy = Command::new("cp").arg(env!("CARGO_BIN_EXE_kasm-db")).arg(&program).status();
        assert!(copy.unwrap().success());
        let mut command = sandbox.command("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
        command
    } else {
        sandbox.command(env!("CARGO_BIN_EXE_kasm-db"))
    };
    let run = sandbox.finish(command.arg("validate")).expect(1);
    assert!(run.stderr.contains("kasm-db.yaml: can not open the document: permission denied"), "{run}");
}

/// As a shell's `-f <(…)` is. Where a folder is searched, nobody named it, and there may be nobody to write to it.
#[test]
fn a_pipe_that_is_named_is_read_and_one_that_is_found_is_not() {
    let sandbox = Sandbox::new();
    let path = sandbox.root().join("folder/kasm-db.yaml");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    assert!(sandbox.command("mkfifo").arg(&path).status().unwrap().success());
    let run = sandbox.run("validate -f folder -R").expect(1);
    assert!(run.stderr.contains("no document below folder"), "{run}");
    let writer = std::thread::spawn(move || {
        std::fs::OpenOptions::new().write(true).open(path).unwrap().write_all(MINIMAL.as_bytes()).unwrap();
    });
    let run = sandbox.run("validate -f folder/kasm-db.yaml").expect(0);
    assert_eq!(run.stdout, "folder/kasm-db.yaml: valid, 0 warnings\n");
    writer.join().unwrap();
}
