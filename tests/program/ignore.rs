//! Warnings that are silenced by name, and what `--quiet` leaves of the rest.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::process::Command;

use testing::{Run, Sandbox};

use crate::PROGRAM;

const DOCUMENT: &str = "examples/existing/kasm-db.yaml";

/// Returns a sandbox whose document has further lines, and whose postgresql.conf includes what cannot be seen.
fn sandbox(lines: &str) -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    let document = sandbox.document("existing");
    let text = fs::read_to_string(&document).unwrap();
    fs::write(document, format!("{text}{lines}")).unwrap();
    sandbox
}

fn run(sandbox: &Sandbox, arguments: &str) -> Run {
    let (command, rest) = arguments.split_once(' ').unwrap_or((arguments, ""));
    sandbox.run(&format!("{command} -f {DOCUMENT} {rest}"))
}

#[test]
fn a_document_silences_a_warning_and_plan_and_validate_count_it() {
    let without = sandbox("");
    for command in ["validate", "plan"] {
        assert!(run(&without, command).expect(0).stderr.contains("KDB221"), "{command}");
    }
    let with = sandbox("ignore: [no-digest]\n");
    let validate = run(&with, "validate").expect(0);
    assert_eq!(validate.stderr, "");
    assert!(validate.stdout.contains("valid, 0 warnings, 1 ignored"), "{validate}");
    let plan = run(&with, "plan").expect(0);
    assert!(!plan.stderr.contains("KDB221"), "{plan}");
    assert!(plan.stdout.ends_with("Ignored warnings: no-digest (1).\n"), "{plan}");
    let json = |command: &str| -> serde_json::Value {
        let run = run(&with, &format!("{command} --format json")).expect(0);
        serde_json::from_slice(&run.bytes).unwrap()
    };
    let expected = serde_json::json!([{ "name": "no-digest", "count": 1 }]);
    assert_eq!(json("plan")["targets"][0]["ignored"], expected);
    assert_eq!(json("validate")["documents"][0]["ignored"], expected);
    let names: Vec<_> =
        json("plan")["warnings"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert!(!names.contains(&"no-digest".into()), "{names:?}");
}

#[test]
fn the_command_line_silences_warnings_of_documents_and_of_files() {
    let sandbox = sandbox("");
    let conf = sandbox.target("existing").join("conf/database/postgresql.conf");
    let text = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, format!("{text}include_dir = '/nowhere/on/this/host'\n")).unwrap();
    let shown = run(&sandbox, "plan");
    assert!(shown.stderr.contains("KDB404") && shown.stderr.contains("KDB221"), "{shown}");
    let silenced = run(&sandbox, "plan --ignore conf-unseen,no-digest --ignore duplicate-compose-key");
    assert_eq!((silenced.code, silenced.stderr.as_str()), (shown.code, ""), "{silenced}");
    assert!(
        silenced
            .stdout
            .contains("Ignored warnings: conf-unseen (1), duplicate-compose-key (4), no-digest (1)."),
        "{silenced}"
    );
    let unknown = run(&sandbox, "plan --ignore major-change").expect(64);
    assert!(unknown.stderr.contains("no-digest"), "{unknown}");
}

#[test]
fn a_blocker_cannot_be_ignored_and_a_code_or_a_slip_is_corrected() {
    let refused = |name: &str| run(&sandbox(&format!("ignore: [{name}]\n")), "validate").expect(3).stderr;
    let blocker = refused("major-change");
    assert!(blocker.contains("`major-change` in `ignore[0]` cannot be ignored"), "{blocker}");
    assert!(
        blocker.contains("to override this blocker for one run, use `--allow major-change`"),
        "{blocker}"
    );
    let unknown_major = refused("major-unknown");
    assert!(unknown_major.contains("cannot be ignored"), "{unknown_major}");
    let log = refused("class-not-logged");
    assert!(log.contains("cannot be ignored"), "{log}");
    let code = refused("KDB221");
    assert!(code.contains("`ignore[0]` is a code; did you mean `no-digest`?"), "{code}");
    let slip = refused("no-digets");
    assert!(slip.contains("did you mean `no-digest`?"), "{slip}");
}

#[test]
fn plan_names_what_is_newly_ignored_since_the_last_apply() {
    let sandbox = sandbox("");
    let new = "New in `ignore:` since the last apply: no-digest.\n";
    run(&sandbox, "apply -y").expect(0);
    let document = sandbox.document("existing");
    let text = fs::read_to_string(&document).unwrap();
    fs::write(&document, format!("{text}ignore: [no-digest]\n")).unwrap();
    let plan = run(&sandbox, "plan").expect(0);
    assert!(plan.stdout.ends_with(new), "{plan}");
    let json = run(&sandbox, "plan --format json").expect(0);
    let json: serde_json::Value = serde_json::from_slice(&json.bytes).unwrap();
    assert_eq!(json["targets"][0]["newly_ignored"], serde_json::json!(["no-digest"]));
    // The next apply records it.
    sandbox.edit(&document, "[read, write, ddl]", "[read, write, ddl, role]");
    run(&sandbox, "apply -y").expect(0);
    let plan = run(&sandbox, "plan").expect(0);
    assert!(!plan.stdout.contains("New in"), "{plan}");
    let history = run(&sandbox, "history").expect(0);
    assert!(history.stdout.contains("        ignored warnings: no-digest\n"), "{history}");
}

#[test]
fn a_warning_about_the_tag_is_one_line_of_validate_and_plan_alone() {
    let sandbox = sandbox("");
    let line = "warning[KDB221]: examples/existing/kasm-db.yaml:5:8: `image` has no digest, and its tag is mutable; \
                append `@sha256:…` to pin the contents\n";
    for command in ["validate", "plan"] {
        let stderr = run(&sandbox, command).expect(0).stderr;
        assert!(stderr.starts_with(line), "{command}: {stderr}");
    }
    for command in ["apply -y", "history", "status", "render --out rendered"] {
        let run = run(&sandbox, command);
        assert!(!run.stderr.contains("KDB221"), "{command}: {run}");
    }
}

#[test]
fn blockers_come_after_the_plan() {
    let sandbox = sandbox("");
    sandbox.edit(&sandbox.document("existing"), "kasmweb/postgres:1.11.0", "kasmweb/postgres:1.16.0");
    for (command, code) in [("plan", 4), ("apply -y", 4), ("render --out rendered", 0)] {
        let both = format!("{PROGRAM} {command} -f {DOCUMENT} 2>&1");
        let run = sandbox.finish(sandbox.command("sh").args(["-c", &both])).expect(code);
        let (before, after) = run.stdout.split_once("error[KDB501]").unwrap();
        assert!(command.starts_with("render") || before.contains("\n+++ b/"), "{command}: {before}");
        assert!(!after.contains("--- a/"), "{command}: {after}");
        assert!(after.contains("`--allow major-change` proceeds anyway"), "{command}: {after}");
    }
}

#[test]
fn quiet_leaves_results_and_errors_of_every_command() {
    let sandbox = sandbox("");
    run(&sandbox, "render --out rendered").expect(0);
    let quiet = |arguments: &str| run(&sandbox, &format!("{arguments} -q"));
    let plan = quiet("plan --out plan.json");
    assert_eq!(plan.stderr, "", "{plan}");
    assert!(plan.stdout.contains("Plan: ") && !plan.stdout.contains("+++ b/"), "{plan}");
    sandbox.edit(&sandbox.document("existing"), "[read, write, ddl]", "[read, write, ddl, role]");
    let check = quiet("render --out rendered --check").expect(2);
    assert!(check.stdout.contains("changed  ") && !check.stdout.contains("+++ b/"), "{check}");
    assert_eq!(check.stderr, "");
    let show = sandbox.run("show -q plan.json").expect(5);
    assert!(show.stderr.contains("error: the plan is stale"), "{show}");
    let apply = quiet("apply -y").expect(0);
    assert_eq!(apply.stderr, "", "{apply}");
    assert!(apply.stdout.contains("Applied: "), "{apply}");
    let rollback = quiet("rollback -y").expect(0);
    assert_eq!(rollback.stderr, "", "{rollback}");
    assert!(rollback.stdout.contains("  ~ conf/database/postgresql.conf\n"), "{rollback}");
    assert!(!rollback.stdout.contains("+++ b/") && rollback.stdout.contains("Rolled back: "), "{rollback}");
}

#[test]
fn the_history_has_the_message_and_the_commit_of_the_document() {
    let sandbox = sandbox("");
    let git = |arguments: &[&str]| {
        let mut command: Command = sandbox.command("git");
        command.args(["-c", "user.name=anna", "-c", "user.email=anna@example.com"]).args(arguments);
        let run = sandbox.finish(command.env("GIT_CONFIG_GLOBAL", "/dev/null")).expect(0);
        run.stdout.trim().to_string()
    };
    git(&["init", "-q", "examples"]);
    git(&["-C", "examples", "add", "existing/kasm-db.yaml"]);
    git(&["-C", "examples", "commit", "-q", "-m", "audit"]);
    let commit = git(&["-C", "examples", "rev-parse", "HEAD"]);
    let mut apply = sandbox.command(PROGRAM);
    apply.args([
        "apply",
        "-y",
        "-f",
        DOCUMENT,
        "--message",
        "Audit as the policy asks\n\nticket\u{1b}[2J 4711",
    ]);
    sandbox.finish(&mut apply).expect(0);
    let history = run(&sandbox, "history").expect(0);
    for part in [
        "        Audit as the policy asks\n",
        "ticket\\u{1b}[2J 4711\n",
        &format!("from [ROOT]/{DOCUMENT} at commit {}\n", &commit[..12]),
        "        services.db.image: postgres:12-alpine -> kasmweb/postgres:1.11.0 (4 files)\n",
        "        pgaudit.log: not set -> read, write, ddl\n",
    ] {
        assert!(history.stdout.contains(part), "{part:?}: {history}");
    }
    let json = run(&sandbox, "history --format json").expect(0);
    let json: serde_json::Value = serde_json::from_slice(&json.bytes).unwrap();
    let generation = &json["targets"][0]["generations"][0];
    assert_eq!(generation["git_commit"], commit);
    assert_eq!(generation["message"], "Audit as the policy asks\n\nticket\u{1b}[2J 4711");
    assert_eq!(generation["documents"][0]["sha256"].as_str().unwrap().len(), 64);
    assert!(generation["who"]["uid"].is_u64() && generation["changes"][0]["subject"].is_string());
    let mut rollback = sandbox.command(PROGRAM);
    rollback.args(["rollback", "-y", "-f", DOCUMENT, "--message", "too many entries"]);
    sandbox.finish(&mut rollback).expect(0);
    let history = run(&sandbox, "history").expect(0);
    assert!(history.stdout.contains("        too many entries\n"), "{history}");
    let empty = sandbox.finish(sandbox.command(PROGRAM).args(["rollback", "--message", " "])).expect(64);
    assert!(empty.stderr.contains("write at least one word"), "{empty}");
}
