//! What follows the files is part of the plan: it is shown before anybody says yes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use testing::{Run, Sandbox};

use crate::PROGRAM;

const DOCUMENT: &str = "-f examples/existing/kasm-db.yaml";

/// The example, with commands that stop and start it.
fn followed(more: &str) -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    let restart =
        format!("restart: {{policy: if_needed, timeout: 90s, stop: ['true', '--all']}}\n{more}targets:");
    sandbox.edit(&sandbox.document("existing"), "targets:", &restart);
    std::fs::create_dir_all(sandbox.target("existing").join("bin")).unwrap();
    let start = sandbox.target("existing").join("bin/start");
    std::fs::write(&start, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&start, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    sandbox
}

fn behind<'a>(run: &'a Run, who: &str) -> &'a str {
    run.stdout.split_once(&format!("Then, as {who}:\n")).map_or_else(|| panic!("{run}"), |(_, rest)| rest)
}

const STEPS: &str = "  stop: true --all\n  start: bin/start\n  \
                     wait for the database, at most 90 seconds: in the container kasm_db, as kasmapp in kasm\n  \
                     extension: CREATE EXTENSION IF NOT EXISTS pgaudit SCHEMA pg_catalog; in kasm\n";

#[test]
fn a_plan_shows_the_commands_the_connection_and_the_statements() {
    let sandbox = followed("");
    let run = sandbox.run(&format!("{DOCUMENT} plan --out plan.json")).expect(0);
    assert_eq!(behind(&run, "the user who applies it"), STEPS);
    // A quiet run leaves out the diff, not what is run.
    let run = sandbox.run(&format!("-q {DOCUMENT} plan")).expect(0);
    assert_eq!(behind(&run, "the user who applies it"), STEPS);
    let run = sandbox.run("show plan.json").expect(0);
    assert_eq!(behind(&run, "the user who applies it"), STEPS);
    let run = sandbox.run(&format!("{DOCUMENT} apply --yes --dry-run")).expect(0);
    let who = match rustix::process::geteuid().as_raw() {
        0 => "root".into(),
        uid => format!("the user {uid}"),
    };
    assert_eq!(behind(&run, &who), STEPS);
    for left in ["--files-only", "--no-restart"] {
        let run = sandbox.run(&format!("{DOCUMENT} apply --yes --dry-run {left}")).expect(0);
        assert!(!run.stdout.contains("Then, as"), "{run}");
    }
}

#[test]
fn a_plan_for_programs_has_what_follows() {
    let sandbox = followed("verify: {connect: tcp, user: auditor}\n");
    let wanted = json!({
        "steps": ["stop", "start", "healthy", "extension"],
        "stop": ["true", "--all"],
        "start": ["bin/start"],
        "stop_timeout_seconds": 300,
        "timeout_seconds": 90,
        "connect": "tcp",
        "container": "kasm_db",
        "user": "auditor",
        "database": "kasm",
        "extension_databases": ["kasm"],
        "sql": ["CREATE EXTENSION IF NOT EXISTS pgaudit SCHEMA pg_catalog"],
    });
    for command in ["plan --out plan.json --format json", "apply --yes --dry-run --format json"] {
        let run = sandbox.run(&format!("{DOCUMENT} {command}")).expect(0);
        let value: Value = serde_json::from_slice(&run.bytes).unwrap();
        assert_eq!(value["targets"][0]["follows"], wanted, "{command}");
    }
    let show: Value =
        serde_json::from_slice(&sandbox.run("show plan.json --format json").expect(0).bytes).unwrap();
    assert_eq!(show["targets"][0]["follows"], wanted);
}

#[test]
fn nothing_follows_where_nobody_is_to_restart_and_where_nothing_is_written() {
    let sandbox = Sandbox::new(PROGRAM);
    let run = sandbox.run(&format!("{DOCUMENT} plan")).expect(0);
    assert!(!run.stdout.contains("Then, as"), "{run}");
    let sandbox = followed("");
    sandbox.run(&format!("-q {DOCUMENT} apply --yes --files-only")).expect(0);
    let run = sandbox.run(&format!("{DOCUMENT} plan")).expect(0);
    assert!(!run.stdout.contains("Then, as"), "{run}");
}

#[test]
fn without_docker_a_restart_is_refused_before_anything_is_written() {
    let sandbox = Sandbox::new(PROGRAM);
    let document = sandbox.document("existing");
    sandbox.edit(&document, "targets:", "restart: {policy: if_needed}\ntargets:");
    // As in the container image, where neither the command nor the shell of Kasm's scripts is.
    for name in ["bin/stop", "bin/start"] {
        sandbox.edit(&sandbox.target("existing").join(name), "#!/bin/bash", "#!/nowhere/bash");
    }
    let run = |arguments: &str| {
        let mut command = sandbox.command(PROGRAM);
        command.args(arguments.split(' ')).arg("-f").arg(&document).env("PATH", "/nowhere");
        sandbox.finish(&mut command)
    };
    let refused = |arguments: &str| {
        let before = sandbox.contents(sandbox.root());
        let run = run(arguments).expect(4);
        let said = "error[KDB725]: `restart: {policy: if_needed}` needs the docker command: `docker` is not in PATH\n  \
            = help: use `--files-only`";
        assert!(run.stderr.contains(said), "{run}");
        assert!(sandbox.contents(sandbox.root()) == before, "{arguments}");
    };
    refused("apply --yes");
    refused("apply --yes --dry-run");
    run("apply --yes --files-only").expect(0);
    refused("rollback --yes");
    run("rollback --yes --files-only").expect(0);
}
