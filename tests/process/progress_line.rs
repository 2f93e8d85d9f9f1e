//! The line that shows how far a run over many targets is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::{File, create_dir, write};
use std::process::{Command, Stdio};

use testing::{InTerminal, Sandbox};

use crate::PROGRAM;

/// Writes a document with so many targets, one of which is blocked.
fn targets(number: usize) -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    let mut document =
        String::from("schema: kasm-db/v1\npostgres_major: 14\nsettings: {work_mem: 8MB}\ntargets:\n");
    for target in 0..number {
        document.push_str(&format!(
            "  - {{name: t{target}, files: {{postgresql_conf: t{target}/postgresql.conf}}}}\n"
        ));
        let folder = sandbox.root().join(format!("t{target}"));
        create_dir(&folder).unwrap();
        let text = if target == 0 { "work_mem =\n" } else { "work_mem = 4MB\n" };
        write(folder.join("postgresql.conf"), text).unwrap();
    }
    write(sandbox.root().join("kasm-db.yaml"), document).unwrap();
    sandbox
}

fn command(sandbox: &Sandbox, arguments: &str) -> Command {
    let mut command = sandbox.command(PROGRAM);
    command.args(arguments.split(' ')).env("TERM", "xterm");
    command
}

/// Runs a command with standard error in a terminal and results in a file; returns what it said on the terminal.
fn said(sandbox: &Sandbox, arguments: &str, code: i32) -> String {
    let mut command = command(sandbox, arguments);
    command.stdout(File::create(sandbox.root().join("results")).unwrap());
    let mut run = InTerminal::start(command);
    assert_eq!(run.end(), Some(code), "{arguments}: {}", run.said);
    run.said
}

const LINE: &str = "/5 targets, ";

#[test]
fn a_terminal_that_gets_no_results_shows_how_far_the_run_is() {
    for (arguments, code) in [
        ("plan", 4),
        ("plan --format json", 4),
        ("plan --summary", 4),
        ("apply --yes", 4),
        ("apply --yes --keep-going --format json", 10),
    ] {
        let sandbox = targets(5);
        let said = said(&sandbox, arguments, code);
        for part in [format!("0{LINE}").as_str(), " a second, ", "0 failed", "s left"] {
            assert!(said.contains(part), "{arguments}: {part} in {said:?}");
        }
        // It is taken away before anything else is written, and at the end.
        let last = said.rfind(LINE).unwrap();
        assert!(said[last..].contains("\u{1b}[2K"), "{arguments}: {said:?}");
        for (at, _) in said.match_indices("error") {
            let line = said[..at].rsplit(['\n', '\r']).next().unwrap();
            assert!(!line.contains(LINE) || line.contains("\u{1b}[2K"), "{arguments}: {line:?} in {said:?}");
        }
    }
}

#[test]
fn whoever_is_asked_is_asked_without_the_line() {
    let sandbox = targets(5);
    let mut command = command(&sandbox, "apply --keep-going");
    command.stdout(Stdio::null());
    let mut run = InTerminal::start(command);
    run.wait_for("Only `yes` is accepted: ");
    let asked = run.said.len();
    run.answer("yes\n");
    assert_eq!(run.end(), Some(10), "{}", run.said);
    let (before, after) = run.said.split_at(asked);
    assert!(before.ends_with("Only `yes` is accepted: "), "{before:?}");
    assert!(before.contains(LINE) && after.contains(LINE), "{:?}", run.said);
}

#[test]
fn nobody_else_gets_the_line() {
    let sandbox = targets(5);
    // Nothing but results and errors is wanted.
    assert!(!said(&sandbox, "-q plan", 4).contains(LINE));
    // One target alone.
    assert!(!said(&sandbox, "plan --target t1", 0).contains("targets, "));
    // A terminal that cannot take a line away.
    let mut dumb = command(&sandbox, "plan");
    dumb.env("TERM", "dumb").stdout(Stdio::null());
    let mut run = InTerminal::start(dumb);
    assert_eq!(run.end(), Some(4));
    assert!(!run.said.contains(LINE), "{}", run.said);
    // Standard error that is not a terminal.
    let run = sandbox.run("plan").expect(4);
    assert!(!run.stderr.contains(LINE), "{run}");
}

#[test]
fn results_on_the_same_terminal_are_not_mixed_with_the_line() {
    let sandbox = targets(5);
    for (arguments, is_shown) in [
        ("plan", false),
        ("plan --format json", false),
        ("plan --summary", true),
        ("plan --format json=plan.json", true),
    ] {
        let mut run = InTerminal::start_whole(command(&sandbox, arguments));
        assert_eq!(run.end(), Some(4), "{}", run.said);
        assert_eq!(run.said.contains(LINE), is_shown, "{arguments}: {:?}", run.said);
    }
}
