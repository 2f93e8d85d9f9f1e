//! What only looks at a repository runs nothing, opens no connection, and writes nothing but what it was told to.

use std::collections::BTreeSet;
use std::fs::{Permissions, read_to_string, set_permissions, write};
use std::os::unix::fs::PermissionsExt as _;

use testing::{Run, Sandbox};

use super::repository;
use crate::PROGRAM;

/// Asks for everything that an apply would do.
const DOCUMENT: &str = "schema: kasm-db/v1
image: kasmweb/postgres:1.11.0
preload: {libraries: [pgaudit]}
audit: {classes: [read], extension: true}
restart: {policy: if_needed, stop: [touch, ran], start: [./start], trust: ['65534']}
verify: {connect: docker, container: kasm_db}
targets: [{name: t, files: {compose: [c.yaml], postgresql_conf: postgresql.conf}}]
";

const COMMANDS: [&str; 9] = [
    "validate -v",
    "plan -vv",
    "plan --out saved.json",
    "show saved.json",
    "render",
    "render --check",
    "explain restart.stop",
    "history",
    "import --compose c.yaml -o -",
];

/// Returns what a command does in the repository, as strace has it: the calls by which something is run or connected to.
fn calls(sandbox: &Sandbox, command: &str) -> (Run, String) {
    let trace = sandbox.root().join("trace");
    let mut strace = sandbox.command("strace");
    strace.current_dir(sandbox.root().join("repo")).args(["-f", "-qq", "-o"]).arg(&trace);
    strace.envs([("PGHOST", "127.0.0.1"), ("PGPORT", "1"), ("PGSSLMODE", "disable")]);
    strace.args(["-e", "trace=execve,execveat,socket,connect,sendto,sendmsg", PROGRAM]);
    let run = sandbox.finish(strace.args(command.split(' ')));
    (run, read_to_string(trace).unwrap())
}

/// Creates a repository with commands, a way to a server, and files of a target.
fn site(connect: &str) -> Sandbox {
    let sandbox = repository(PROGRAM);
    let at = |path: &str| sandbox.root().join("repo").join(path);
    write(at("kasm-db.yaml"), DOCUMENT.replace("docker, container: kasm_db", connect)).unwrap();
    write(at("c.yaml"), "services: {db: {image: \"postgres:12\", container_name: kasm_db}}\n").unwrap();
    write(at("postgresql.conf"), "port = 5432\n").unwrap();
    write(at("start"), "#!/bin/sh\ntouch ran\n").unwrap();
    set_permissions(at("start"), Permissions::from_mode(0o755)).unwrap();
    sandbox
}

#[test]
fn what_only_looks_runs_nothing_and_connects_to_nobody() {
    for connect in ["docker, container: kasm_db", "tcp"] {
        let sandbox = site(connect);
        let before = sandbox.seen(sandbox.root());
        for command in COMMANDS {
            let (run, calls) = calls(&sandbox, command);
            assert_eq!(run.code, Some(0), "{command}: {run}");
            let others: Vec<_> = calls.lines().skip(1).filter(|line| line.contains('(')).collect();
            assert!(calls.lines().next().unwrap().contains("execve("), "{command}: {calls}");
            assert!(others.is_empty(), "{command}: {others:#?}");
        }
        let names = |seen: &std::collections::BTreeMap<std::path::PathBuf, _>| -> BTreeSet<_> {
            seen.keys().cloned().collect()
        };
        let after = sandbox.seen(sandbox.root());
        let new: Vec<_> = names(&after).difference(&names(&before)).cloned().collect();
        let is_told = |path: &std::path::Path| {
            ["saved.json", "trace"].iter().any(|name| path.ends_with(name))
                || path.components().any(|part| part.as_os_str() == "rendered")
        };
        assert!(new.iter().all(|path| is_told(path)), "{new:#?}");
        let kept = before
            .iter()
            .filter(|(path, seen)| after.get(*path).is_some_and(|now| now.content == seen.content));
        assert_eq!(kept.count(), before.len());
    }
}

#[test]
fn what_is_run_and_connected_to_would_be_seen() {
    assert!(calls(&site("tcp"), "verify").1.contains("connect("));
    let (_, calls) = calls(&site("none"), "apply --yes --allow major-change");
    assert!(calls.lines().filter(|line| line.contains("execve(")).count() > 1, "{calls}");
}
