//! A rollback is planned, shown and followed like an apply.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::{metadata, read_to_string, remove_file, write};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use testing::Sandbox;

use crate::PROGRAM;

const CONF: &str = "conf/database/postgresql.conf";

/// A deployment to which two documents were applied: the second one differs as it is said.
struct Applied {
    sandbox: Sandbox,
    conf: PathBuf,
}

impl Applied {
    fn new(first: &str, second: &str) -> Self {
        let sandbox = Sandbox::new(PROGRAM);
        let conf = sandbox.target("existing").join(CONF);
        let this = Self { sandbox, conf };
        for document in [first, second] {
            this.declare(document);
            this.sandbox.run("-q apply -y --files-only").expect(0);
        }
        this
    }

    fn declare(&self, document: &str) {
        let text = format!(
            "schema: kasm-db/v1\n{document}targets: [{{name: a, deployment: examples/existing/opt/kasm/1.11.0}}]\n"
        );
        write(self.sandbox.root().join("kasm-db.yaml"), text).unwrap();
    }

    fn inode(&self) -> u64 {
        metadata(&self.conf).unwrap().ino()
    }
}

/// What two documents need between them, and how a rollback says it.
const NEEDS: &[(&str, &str, &str)] = &[
    (
        "settings: {work_mem: 4MB}\n",
        "settings: {work_mem: 8MB}\n",
        "The server must reload its configuration",
    ),
    (
        "settings: {max_connections: 50}\n",
        "settings: {max_connections: 60}\n",
        "The database must be restarted.",
    ),
    (
        "settings: {work_mem: 4MB, max_connections: 50}\n",
        "settings: {work_mem: 8MB, max_connections: 60}\n",
        "The database must be restarted.",
    ),
    ("settings: {my.own: a}\n", "settings: {my.own: b}\n", "The server must reload its configuration"),
    ("image: kasmweb/postgres:1.11.0\n", "image: kasmweb/postgres:1.12.0\n", "its container is recreated."),
];

#[test]
fn what_a_rollback_needs_is_shown_before_the_question() {
    for (first, second, needs) in NEEDS {
        let applied = Applied::new(first, second);
        let run = applied.sandbox.run("rollback --dry-run").expect(0);
        assert!(run.stdout.contains(needs), "{second}: {run}");
    }
}

#[test]
fn a_rollback_that_needs_a_reload_keeps_the_inode() {
    for (first, second, needs) in NEEDS {
        let applied = Applied::new(first, second);
        let before = applied.inode();
        applied.sandbox.run("rollback -y").expect(0);
        if needs.contains("reload") {
            assert_eq!(applied.inode(), before, "{second}");
        } else if !second.contains("image") {
            assert_ne!(applied.inode(), before, "{second}");
        }
    }
}

#[test]
fn a_rollback_of_an_installer_needs_nothing_that_runs() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.run("-q apply -y -f examples/new/kasm-db.yaml").expect(0);
    let run = sandbox.run("rollback -y --installer examples/new/kasm_release").expect(0);
    assert!(run.stdout.contains("It takes effect when this tree is installed."), "{run}");
    assert!(!run.stdout.contains("Still needed"), "{run}");
}

#[test]
fn what_follows_a_rollback_is_done_as_the_document_says() {
    let restart = |text: &str| {
        format!(
            "{text}restart: {{policy: if_needed, stop: [echo, stopping], start: [echo, starting]}}\nverify: {{connect: none}}\n"
        )
    };
    let (first, second) =
        (restart("settings: {max_connections: 50}\n"), restart("settings: {max_connections: 60}\n"));
    let applied = Applied::new(&first, &second);
    let run = applied.sandbox.run("rollback -y").expect(0);
    let said: Vec<_> = run.stderr.lines().filter_map(|line| line.strip_prefix("  | ")).collect();
    assert_eq!(said, ["stopping", "starting"], "{run}");
    assert!(!run.stdout.contains("Still needed"), "{run}");

    // Left by choice, it is pending, and a recovery does it.
    let applied = Applied::new(&first, &second);
    applied.sandbox.run("rollback -y --no-restart").expect(9);
    let run = applied.sandbox.run("recover").expect(0);
    assert!(run.stderr.contains("  | stopping\n"), "{run}");
    applied.sandbox.run("recover").expect(0);

    // A command that fails is not done.
    let applied = Applied::new(&first, &second.replace("[echo, starting]", "['false']"));
    applied.sandbox.run("rollback -y").expect(9);

    // The files alone are written where that is wanted.
    let applied = Applied::new(&first, &second);
    let run = applied.sandbox.run("rollback -y --files-only").expect(0);
    assert!(
        !run.stderr.contains("  | ") && run.stdout.contains("Still needed: restart the database."),
        "{run}"
    );
}

#[test]
fn a_document_that_declares_something_else_is_pointed_out() {
    let applied = Applied::new("settings: {work_mem: 4MB}\n", "settings: {work_mem: 8MB}\n");
    let hint = "The document declares something else";
    let run = applied.sandbox.run("rollback --dry-run").expect(0);
    assert!(run.stderr.contains(hint), "{run}");
    applied.declare("settings: {work_mem: 4MB}\n");
    let run = applied.sandbox.run("rollback --dry-run").expect(0);
    assert!(!run.stderr.contains(hint), "{run}");
    // Without a document there is none to contradict.
    let run =
        applied.sandbox.run("rollback --dry-run --deployment examples/existing/opt/kasm/1.11.0").expect(0);
    assert!(!run.stderr.contains(hint), "{run}");
}

#[test]
fn a_file_that_is_gone_is_left_out_by_choice() {
    let applied = Applied::new("image: kasmweb/postgres:1.11.0\n", "image: kasmweb/postgres:1.12.0\n");
    let docker = applied.sandbox.target("existing").join("docker");
    let copies: Vec<_> =
        std::fs::read_dir(docker.join(".conf")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let changed = |path: &PathBuf| read_to_string(path).is_ok_and(|text| text.contains("postgres:1.12.0"));
    let gone = copies.iter().find(|path| changed(path)).unwrap();
    remove_file(gone).unwrap();
    let run = applied.sandbox.run("rollback -y").expect(4);
    assert!(run.stderr.contains("KDB605") && run.stderr.contains("--allow file-gone"), "{run}");
    applied.sandbox.run("rollback -y --allow file-gone").expect(0);
    assert!(read_to_string(docker.join("docker-compose.yaml")).unwrap().contains("postgres:1.11.0"));
    assert!(!gone.exists());
}
