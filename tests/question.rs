//! Questions that somebody answers at a terminal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod command;
#[path = "command/terminal.rs"]
mod terminal;

use std::process::Stdio;

use command::Sandbox;
use terminal::InTerminal;

const QUESTION: &str = "Only `yes` goes on: ";

/// Runs a command up to its question.
fn asked(sandbox: &Sandbox, arguments: &str) -> InTerminal {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_kasm-db"));
    command.args(["-q", "-f", "examples/existing/kasm-db.yaml"]).args(arguments.split(' '));
    command.stdout(Stdio::null());
    let mut run = InTerminal::start(command);
    run.wait_for(QUESTION);
    run
}

#[test]
fn only_yes_writes() {
    // The last one is the end of input.
    for answer in ["y\n", "\n", "no\n", "YES\n", "yes please\n", "\u{4}"] {
        let sandbox = Sandbox::new();
        let before = sandbox.seen(sandbox.root());
        let mut run = asked(&sandbox, "apply");
        run.answer(answer);
        assert_eq!(run.end(), Some(1), "{answer:?}: {}", run.said);
        assert!(run.said.contains("Nothing was written."), "{answer:?}: {}", run.said);
        assert_eq!(sandbox.seen(sandbox.root()), before, "{answer:?}");
    }
    let sandbox = Sandbox::new();
    let before = sandbox.contents(&sandbox.target("existing"));
    for (question, command) in [("Apply this?", "apply"), ("Go back?", "rollback")] {
        let mut run = asked(&sandbox, command);
        assert!(run.said.contains(question), "{}", run.said);
        run.answer("yes\n");
        assert_eq!(run.end(), Some(0), "{}", run.said);
    }
    let after = sandbox.contents(&sandbox.target("existing"));
    assert!(before.iter().all(|(path, seen)| after.get(path) == Some(seen)));
}

#[test]
fn whatever_was_read_and_has_changed_before_the_answer_keeps_the_plan_from_being_applied() {
    for (path, text) in [
        ("docker/docker-compose.yaml", "# another\n"),
        ("conf/database/postgresql.conf", "work_mem = 8MB\n"),
        // Neither of these is to change.
        ("docker/.conf/docker-compose-app.yaml", "# another\n"),
        ("docker/.env", "A=b\n"),
    ] {
        let sandbox = Sandbox::new();
        let file = sandbox.target("existing").join(path);
        let mut run = asked(&sandbox, "apply");
        let mut bytes = std::fs::read(&file).unwrap_or_default();
        bytes.extend(text.as_bytes());
        std::fs::write(&file, bytes).unwrap();
        let before = sandbox.contents(&sandbox.target("existing"));
        run.answer("yes\n");
        assert_eq!(run.end(), Some(1), "{path}: {}", run.said);
        assert!(run.said.contains(&format!("{path}: changed since the plan was made")), "{}", run.said);
        assert_eq!(sandbox.contents(&sandbox.target("existing")), before, "{path}");
    }
}
