//! What a document may be on disk, and what it may not.

use std::os::unix::fs::{PermissionsExt, symlink};

use testing::Sandbox;

use crate::PROGRAM;

const MINIMAL: &str = "schema: kasm-db/v1\n";

/// Bytes of a document that ends in a comment of this length.
fn sized(bytes: usize) -> String {
    format!("{MINIMAL}# {}\n", "a".repeat(bytes - MINIMAL.len() - 3))
}

#[test]
fn what_is_not_a_document_is_told_from_one_with_errors() {
    let sandbox = Sandbox::new(PROGRAM);
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
        ("/dev/zero", 1, "it is a character device, not a regular file"),
        ("empty", 3, "the document is empty"),
        ("/dev/null", 1, "it is a character device, not a regular file"),
        ("many", 3, "many: 100 errors or more"),
        ("folder", 64, "folder is a folder, not a document"),
        ("folder/kasm-db.yaml", 1, "no such file"),
        ("empty/kasm-db.yaml", 1, "not a directory"),
        ("loop", 1, "too many levels of symbolic links"),
        ("dangling", 1, "no such file"),
        ("/proc/self/mem", 1, "it is a file of the kernel, not a regular file"),
        ("/proc/self/environ", 1, "it is a file of the kernel, not a regular file"),
    ] {
        let run = sandbox.run(&format!("validate -f {path}")).expect(code);
        assert!(run.to_string().contains(says), "{path}\n{run}");
    }
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    let sandbox = Sandbox::new(PROGRAM);
    std::fs::set_permissions(sandbox.root(), PermissionsExt::from_mode(0o755)).unwrap();
    let path = sandbox.root().join("kasm-db.yaml");
    std::fs::write(&path, MINIMAL).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
    let mut command = if rustix::process::geteuid().is_root() {
        // Root reads everything; and another user may not get to where this was built.
        let program = sandbox.copied_program();
        let mut command = sandbox.command("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
        command
    } else {
        sandbox.command(PROGRAM)
    };
    let run = sandbox.finish(command.arg("validate")).expect(1);
    assert!(run.stderr.contains("kasm-db.yaml: cannot open the document: permission denied"), "{run}");
}

/// Nobody may ever write to a pipe that is in the way.
#[test]
fn a_pipe_is_never_waited_for() {
    let sandbox = Sandbox::new(PROGRAM);
    let path = sandbox.root().join("folder/kasm-db.yaml");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    assert!(sandbox.command("mkfifo").arg(&path).status().unwrap().success());
    let run = sandbox.run("validate -f folder -R").expect(1);
    assert!(run.stderr.contains("no document below folder"), "{run}");
    let run = sandbox.run("validate -f folder/kasm-db.yaml").expect(1);
    assert!(run.stderr.contains("it is a FIFO, not a regular file"), "{run}");
    std::fs::write(sandbox.root().join("child.yaml"), "schema: kasm-db/v1\nextends: folder/kasm-db.yaml\n")
        .unwrap();
    let run = sandbox.run("validate -f child.yaml").expect(3);
    assert!(run.stderr.contains("folder/kasm-db.yaml: it is a FIFO, not a regular file"), "{run}");
}

/// What `<(…)` makes of a command is the caller's own descriptor.
#[test]
fn a_descriptor_that_the_caller_hands_over_is_read() {
    let sandbox = Sandbox::new(PROGRAM);
    let script = format!("exec {PROGRAM} validate -f <(echo 'schema: kasm-db/v1')");
    let run = sandbox.finish(sandbox.command("bash").args(["-c", &script])).expect(0);
    assert!(run.stdout.contains(": valid, 0 warnings\n"), "{run}");
}
