//! Questions that somebody answers at a terminal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Stdio;

use testing::{InTerminal, Sandbox};

use crate::PROGRAM;

const QUESTION: &str = "Only `yes` is accepted: ";

/// Runs a command up to its question.
fn asked(sandbox: &Sandbox, arguments: &str) -> InTerminal {
    let mut command = sandbox.command(PROGRAM);
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
        let sandbox = Sandbox::new(PROGRAM);
        let before = sandbox.seen(sandbox.root());
        let mut run = asked(&sandbox, "apply");
        run.answer(answer);
        assert_eq!(run.end(), Some(1), "{answer:?}: {}", run.said);
        assert!(run.said.contains("Nothing was written."), "{answer:?}: {}", run.said);
        assert_eq!(sandbox.seen(sandbox.root()), before, "{answer:?}");
    }
    let sandbox = Sandbox::new(PROGRAM);
    let before = sandbox.contents(&sandbox.target("existing"));
    for (question, command) in [("Apply these changes?", "apply"), ("Roll back?", "rollback")] {
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
        let sandbox = Sandbox::new(PROGRAM);
        let file = sandbox.target("existing").join(path);
        let mut run = asked(&sandbox, "apply");
        let mut bytes = std::fs::read(&file).unwrap_or_default();
        bytes.extend(text.as_bytes());
        std::fs::write(&file, bytes).unwrap();
        let before = sandbox.contents(&sandbox.target("existing"));
        run.answer("yes\n");
        assert_eq!(run.end(), Some(1), "{path}: {}", run.said);
        assert!(run.said.contains(&format!("{path} changed since the plan was made")), "{}", run.said);
        assert_eq!(sandbox.contents(&sandbox.target("existing")), before, "{path}");
    }
}

#[test]
fn several_targets_are_one_question() {
    for (answer, code, value) in [("yes\n", 0, "8MB"), ("no\n", 1, "4MB")] {
        let sandbox = Sandbox::new(PROGRAM);
        let mut document = String::from("schema: kasm-db/v1\nsettings: {work_mem: 8MB}\ntargets:\n");
        for name in ["a", "b"] {
            std::fs::create_dir(sandbox.root().join(name)).unwrap();
            std::fs::write(sandbox.root().join(name).join("postgresql.conf"), "work_mem = 4MB\n").unwrap();
            document.push_str(&format!(
                "  - {{name: {name}, files: {{postgresql_conf: {name}/postgresql.conf}}}}\n"
            ));
        }
        std::fs::write(sandbox.root().join("kasm-db.yaml"), document).unwrap();
        let mut command = sandbox.command(PROGRAM);
        command.args(["-q", "apply"]).stdout(Stdio::null());
        let mut run = InTerminal::start(command);
        run.wait_for(QUESTION);
        assert!(run.said.contains("Apply all these changes?"), "{}", run.said);
        run.answer(answer);
        assert_eq!(run.end(), Some(code), "{}", run.said);
        assert_eq!(run.said.matches(QUESTION).count(), 1, "{}", run.said);
        for name in ["a", "b"] {
            let text = std::fs::read_to_string(sandbox.root().join(name).join("postgresql.conf")).unwrap();
            assert_eq!(text, format!("work_mem = {value}\n"));
        }
    }
}
