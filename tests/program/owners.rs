//! Who could replace what root reads, runs or writes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::{Permissions, create_dir_all, read_to_string, set_permissions, write};
use std::os::unix::fs::{PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};

use testing::Sandbox;

use crate::PROGRAM;

/// A user that no system has.
const SOMEBODY: u32 = 41_234;

const APPLY: &str = "-f examples/existing/kasm-db.yaml apply --yes";

/// The example, with commands of its own; `None` if this does not run as root.
fn tree(more: &str) -> Option<Sandbox> {
    if !rustix::process::geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none(), "this test takes root");
        return None;
    }
    let sandbox = Sandbox::new(PROGRAM);
    let restart = format!("verify: {{connect: none}}\nrestart: {{policy: if_needed{more}}}\ntargets:");
    sandbox.edit(&sandbox.document("existing"), "targets:", &restart);
    create_dir_all(sandbox.target("existing").join("bin")).unwrap();
    for name in ["stop", "start"] {
        let path = program(&sandbox, name);
        write(&path, format!("#!/bin/sh\ntouch {}\n", ran(&sandbox, name).display())).unwrap();
        mode(&path, 0o755);
    }
    Some(sandbox)
}

fn program(sandbox: &Sandbox, name: &str) -> PathBuf {
    sandbox.target("existing").join("bin").join(name)
}

fn ran(sandbox: &Sandbox, name: &str) -> PathBuf {
    sandbox.root().join(format!("{name}-ran"))
}

fn mode(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn give(path: &Path) {
    lchown(path, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
}

fn is_written(sandbox: &Sandbox) -> bool {
    let text = read_to_string(sandbox.target("existing").join("docker/docker-compose.yaml")).unwrap();
    text.contains("kasmweb/postgres:1.11.0")
}

#[test]
fn root_runs_no_program_of_somebody_else() {
    for spoil in [
        |sandbox: &Sandbox| give(&program(sandbox, "stop")),
        |sandbox: &Sandbox| give(program(sandbox, "stop").parent().unwrap()),
        |sandbox: &Sandbox| give(&sandbox.target("existing")),
    ] {
        let Some(sandbox) = tree("") else { return };
        spoil(&sandbox);
        let plan = sandbox.run("-f examples/existing/kasm-db.yaml plan").expect(0);
        assert!(plan.stderr.contains("warning[KDB606]") && plan.stderr.contains("runs as root"), "{plan}");
        let run = sandbox.run(APPLY).expect(4);
        assert!(run.stderr.contains("belongs to the user 41234") && !is_written(&sandbox), "{run}");
        assert!(!ran(&sandbox, "stop").exists());
        // The files alone may be written: nothing is run.
        sandbox.run(&format!("{APPLY} --files-only")).expect(0);
        assert!(is_written(&sandbox) && !ran(&sandbox, "stop").exists());
        // What an apply without a change runs is looked at, too.
        sandbox.run(&format!("{APPLY} --allow foreign-owner")).expect(0);
    }
}

#[test]
fn nobody_else_runs_a_program_of_somebody_else_either() {
    const CALLER: u32 = 41_235;
    let Some(sandbox) = tree("") else { return };
    // The program is in a folder that only root may enter.
    let program = sandbox.root().join("kasm-db");
    std::fs::copy(PROGRAM, &program).unwrap();
    mode(sandbox.root(), 0o755);
    let mut chown = sandbox.command("chown");
    sandbox.finish(chown.args(["-R", "-h", &format!("{CALLER}:{CALLER}"), "."])).expect(0);
    give(&self::program(&sandbox, "start"));
    let apply = |options: &str| {
        let mut command = sandbox.command("setpriv");
        let id = CALLER.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(&program);
        sandbox.finish(command.args(format!("{APPLY}{options}").split(' ')))
    };
    let run = apply("").expect(4);
    let says = "bin/start belongs to the user 41234, and runs as the user 41235";
    assert!(run.stderr.contains(says) && !is_written(&sandbox), "{run}");
    apply(" --allow foreign-owner").expect(0);
    assert!(is_written(&sandbox) && ran(&sandbox, "start").exists());
}

#[test]
fn a_script_that_looks_for_files_beside_it_finds_them() {
    let Some(sandbox) = tree("") else { return };
    for name in ["stop", "start"] {
        let text = format!(
            "#!/usr/bin/env bash\nset -e\ncd \"$(dirname \"$0\")/../docker\"\n\
                            cd \"$(dirname \"${{BASH_SOURCE[0]}}\")/../docker\"\ncp docker-compose.yaml {}\n",
            ran(&sandbox, name).display()
        );
        write(program(&sandbox, name), text).unwrap();
    }
    sandbox.run(APPLY).expect(0);
    assert!(read_to_string(ran(&sandbox, "start")).unwrap().contains("kasmweb/postgres:1.11.0"));
}

#[test]
fn a_document_of_root_and_a_choice_of_the_run_trust_the_owner_of_the_deployment() {
    for (more, option) in [(", trust: ['41234']", ""), ("", "--allow foreign-owner")] {
        let Some(sandbox) = tree(more) else { return };
        ["stop", "start"].iter().for_each(|name| give(&program(&sandbox, name)));
        sandbox.run(&format!("{APPLY} {option}")).expect(0);
        assert!(ran(&sandbox, "stop").exists() && ran(&sandbox, "start").exists());
    }
    // What is written down for a later run has the choice of the document, and not that of the run.
    for (more, option, code) in [(", trust: ['41234']", "", 0), ("", "--allow foreign-owner", 9)] {
        let Some(sandbox) = tree(more) else { return };
        ["stop", "start"].iter().for_each(|name| give(&program(&sandbox, name)));
        sandbox.run(&format!("{APPLY} {option} --no-restart")).expect(9);
        sandbox.run("recover -f examples/existing/kasm-db.yaml").expect(code);
        assert_eq!(ran(&sandbox, "stop").exists(), code == 0);
    }
}

#[test]
fn a_program_that_others_can_write_to_is_not_run() {
    for open in ["bin/stop", "bin"] {
        let Some(sandbox) = tree(", trust: ['41234']") else { return };
        let path = sandbox.target("existing").join(open);
        lchown(&path, Some(0), Some(SOMEBODY)).unwrap();
        mode(&path, 0o775);
        let run = sandbox.run(APPLY).expect(1);
        assert!(run.stderr.contains("can be replaced by others: its mode is 0775"), "{run}");
        assert!(run.stderr.contains("run `chmod go-w ") && !is_written(&sandbox), "{run}");
    }
    // A folder of `PATH` is on the way to a program, too.
    let Some(sandbox) = tree(", stop: [own-stop]") else { return };
    let folder = sandbox.root().join("own");
    create_dir_all(&folder).unwrap();
    write(folder.join("own-stop"), "#!/bin/sh\n").unwrap();
    mode(&folder.join("own-stop"), 0o755);
    mode(&folder, 0o777);
    let mut command = sandbox.command(PROGRAM);
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.display())).args(APPLY.split(' '));
    let run = sandbox.finish(&mut command).expect(1);
    assert!(run.stderr.contains("own can be replaced by others"), "{run}");
}

/// Lets somebody write to a file of root by an ACL, and leaves owner and group as they are.
fn share(path: &Path) {
    let entry = |tag: u16, permissions: u16, id: u32| {
        [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    // The owner, somebody, the group, the mask and others.
    let entries =
        [entry(1, 7, !0), entry(2, 7, SOMEBODY), entry(4, 5, !0), entry(16, 7, !0), entry(32, 5, !0)];
    let acl = [&2_u32.to_le_bytes()[..], &entries.concat()].concat();
    rustix::fs::setxattr(path, "system.posix_acl_access", &acl, rustix::fs::XattrFlags::empty()).unwrap();
}

#[test]
fn whom_an_acl_lets_write_counts_as_others_do() {
    for (shared, option, code, says) in [
        ("bin/stop", "", 1, "can be replaced by others: its mode is 0775"),
        ("bin", "", 1, "can be replaced by others"),
        ("docker/docker-compose.yaml", " --files-only", 4, "KDB603"),
        ("docker", " --files-only", 4, "KDB603"),
        ("..", " --files-only", 4, ", above the target"),
        ("../../../kasm-db.yaml", "", 1, "is writable by users other than its owner"),
    ] {
        let Some(sandbox) = tree("") else { return };
        share(&sandbox.target("existing").join(shared));
        let run = sandbox.run(&format!("{APPLY}{option}")).expect(code);
        assert!(run.stderr.contains(says) && run.stderr.contains("run `chmod "), "{shared}: {run}");
        assert!(!is_written(&sandbox) && !ran(&sandbox, "stop").exists(), "{shared}: {run}");
        // What it says to do helps: the bits of the group are the mask.
        mode(&sandbox.target("existing").join(shared), 0o755);
        sandbox.run(APPLY).expect(0);
    }
}

#[test]
fn a_document_that_others_can_write_to_runs_nothing() {
    let Some(sandbox) = tree("") else { return };
    let base = sandbox.document("existing").with_file_name("base.kasm-db.yaml");
    write(&base, "schema: kasm-db/v1\n").unwrap();
    sandbox.edit(
        &sandbox.document("existing"),
        "schema: kasm-db/v1\n",
        "schema: kasm-db/v1\nextends: base.kasm-db.yaml\n",
    );
    for path in [base, sandbox.document("existing")] {
        mode(&path, 0o666);
        let run = sandbox.run(APPLY).expect(1);
        assert!(run.stderr.contains("its commands would be run"), "{run}");
        assert!(run.stderr.contains("run `chmod go-w examples/existing/"), "{run}");
        assert!(!is_written(&sandbox) && !ran(&sandbox, "stop").exists(), "{run}");
        mode(&path, 0o644);
        give(&path);
        let run = sandbox.run(APPLY).expect(1);
        assert!(run.stderr.contains("belongs to the user 41234"), "{run}");
        lchown(&path, Some(0), Some(0)).unwrap();
    }
    sandbox.run(APPLY).expect(0);
    assert!(ran(&sandbox, "start").exists());
}

#[test]
fn folders_above_the_target_count_for_what_is_written() {
    let Some(sandbox) = tree("") else { return };
    let above = sandbox.target("existing").parent().unwrap().to_path_buf();
    mode(&above, 0o777);
    let run = sandbox.run(&format!("{APPLY} --files-only")).expect(4);
    assert!(run.stderr.contains("KDB603") && run.stderr.contains(", above the target"), "{run}");
    mode(&above, 0o755);
    give(&above);
    let run = sandbox.run(&format!("{APPLY} --files-only")).expect(4);
    assert!(run.stderr.contains("KDB606") && !is_written(&sandbox), "{run}");
    sandbox.run(&format!("{APPLY} --files-only --allow foreign-owner")).expect(0);
    let run = sandbox.run("-f examples/existing/kasm-db.yaml rollback --yes --files-only").expect(4);
    assert!(run.stderr.contains("KDB606") && is_written(&sandbox), "{run}");
}
