//! The rows of JSON: their order, their errors, and what they say of a run that did not come to its end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use testing::{Run, Sandbox};

use crate::PROGRAM;

/// Writes a document with these targets of one `postgresql.conf` each, whose database has to be restarted, and their
/// files. Both have one folder, and the same commands.
fn document(sandbox: &Sandbox, name: &str, targets: &[&str]) {
    let mut text = String::from(
        "schema: kasm-db/v1\npostgres_major: 14\nsettings: {max_connections: 150}\nverify: {connect: none}\n\
         restart: {policy: if_needed, stop: [./stop], start: [./start]}\ntargets:\n",
    );
    for target in targets {
        text.push_str(&format!(
            "  - {{name: {target}, files: {{postgresql_conf: {target}/postgresql.conf}}}}\n"
        ));
        let folder = sandbox.root().join(target);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("postgresql.conf"), "max_connections = 100\n").unwrap();
    }
    script(sandbox, "stop", "exit 0");
    script(sandbox, "start", "exit 0");
    fs::write(sandbox.root().join(name), text).unwrap();
}

fn script(sandbox: &Sandbox, path: &str, body: &str) {
    let path = sandbox.root().join(path);
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn value(run: &Run) -> Value {
    serde_json::from_slice(&run.bytes).unwrap()
}

/// Returns these members of each row.
fn rows(value: &Value, members: &[&str]) -> Value {
    let rows = value["targets"].as_array().unwrap().iter();
    rows.map(|row| members.iter().map(|member| row[*member].clone()).collect::<Value>()).collect()
}

/// Applies, and sends so many signals once a script has made the file `begun`.
fn interrupted(sandbox: &Sandbox, more: &[&str], signals: usize) -> Value {
    let mut command = sandbox.command(PROGRAM);
    command.args(["apply", "--yes", "--format", "json"]).args(more);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let begun = sandbox.root().join("begun");
    (0..600).take_while(|_| !begun.exists()).for_each(|_| std::thread::sleep(Duration::from_millis(20)));
    for _ in 0..signals {
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        std::thread::sleep(Duration::from_millis(300));
    }
    let output = child.wait_with_output().unwrap();
    testing::envelope::check(&output.stdout, output.status.code());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn rows_of_an_apply_are_in_the_order_of_the_documents_and_their_targets() {
    let sandbox = Sandbox::new(PROGRAM);
    document(&sandbox, "z.yaml", &["z2", "z1"]);
    document(&sandbox, "a.yaml", &["a"]);
    fs::write(sandbox.root().join("bad.yaml"), "schema: kasm-db/v1\nimge: x\n").unwrap();
    for (second, third) in [("bad.yaml", 3), ("nothing.yaml", 1)] {
        let command = format!("apply --yes -f z.yaml -f {second} -f a.yaml --format json");
        let run = value(&sandbox.run(&command).expect(third));
        assert_eq!(
            rows(&run, &["document", "name", "end"]),
            json!([
                ["z.yaml", "z2", "not_started"],
                ["z.yaml", "z1", "not_started"],
                [second, null, null],
                ["a.yaml", "a", "not_started"]
            ])
        );
    }
    let run = value(&sandbox.run("apply --yes -f z.yaml -f a.yaml --format json").expect(0));
    assert_eq!(
        rows(&run, &["name", "end", "followed", "pending"]),
        json!([
            ["z2", "applied", ["stop", "start"], null],
            ["z1", "applied", ["stop", "start"], null],
            ["a", "applied", ["stop", "start"], null]
        ])
    );
}

#[test]
fn a_step_that_fails_is_pending_and_not_among_those_that_were_done() {
    let sandbox = Sandbox::new(PROGRAM);
    document(&sandbox, "kasm-db.yaml", &["one", "two"]);
    script(&sandbox, "start", "exit 3");
    let run = value(&sandbox.run("apply --yes --format json").expect(10));
    assert_eq!(
        rows(&run, &["name", "end", "outcome", "followed", "pending"]),
        json!([["one", "applied", "unfinished", ["stop"], "start"], ["two", "not_started", null, [], null]])
    );
    let again = value(&sandbox.run("apply --yes --dry-run --target one --format json").expect(9));
    assert_eq!(rows(&again, &["end", "followed", "pending"]), json!([["nothing", [], "start"]]));
    let back = value(&sandbox.run("rollback --yes --target one --format json").expect(9));
    assert_eq!(
        rows(&back, &["outcome", "needs", "followed", "pending"]),
        json!([["unfinished", "restart", ["stop"], "start"]])
    );
}

#[test]
fn a_run_that_is_interrupted_behind_a_target_says_what_was_written() {
    let sandbox = Sandbox::new(PROGRAM);
    document(&sandbox, "kasm-db.yaml", &["one", "two", "three"]);
    // The second target's database does not stop.
    script(&sandbox, "stop", "test -e once && touch begun && exec sleep 60\ntouch once");
    // The first signal waits for the command, and the second one ends it.
    let value = interrupted(&sandbox, &[], 2);
    assert_eq!(
        rows(&value, &["name", "end", "outcome", "generation", "followed", "pending"]),
        json!([
            ["one", "applied", "done", 1, ["stop", "start"], null],
            ["two", "applied", "interrupted", 2, [], "stop"],
            ["three", "not_started", null, null, [], null]
        ])
    );
    assert_eq!(value["exit_code"], 130);
}

#[test]
fn a_signal_that_waits_for_a_command_leaves_the_step_behind_it() {
    for (script_of, done, next) in
        [("stop", json!(["stop"]), "start"), ("start", json!(["stop", "start"]), "healthy")]
    {
        let sandbox = Sandbox::new(PROGRAM);
        document(&sandbox, "kasm-db.yaml", &["one"]);
        script(&sandbox, script_of, "touch begun; sleep 1");
        let apply = interrupted(&sandbox, &[], 1);
        assert_eq!(
            rows(&apply, &["end", "outcome", "followed", "pending"]),
            json!([["applied", "interrupted", done, next]])
        );
        let status = value(&sandbox.run("status --format json").expect(9));
        assert_eq!(rows(&status, &["outcome", "pending"]), json!([["unfinished", next]]));
    }
}

#[test]
fn files_that_were_put_back_are_not_among_those_that_were_written() {
    let sandbox = Sandbox::new(PROGRAM);
    document(&sandbox, "kasm-db.yaml", &["one"]);
    script(&sandbox, "start", "grep -q 'max_connections = 100' one/postgresql.conf");
    let command = "apply --yes --rollback-on-failure --format json";
    let run = value(&sandbox.run(command).expect(7));
    assert_eq!(
        rows(&run, &["end", "outcome", "written", "followed", "pending"]),
        json!([["failed", "rolled_back", [], ["stop", "put_back", "stop", "start"], null]])
    );
    // A signal behind that finds the files as before, and a step to be done.
    script(&sandbox, "stop", "test -e once && touch begun && exec sleep 60\ntouch once");
    let run = interrupted(&sandbox, &["--rollback-on-failure"], 2);
    assert_eq!(
        rows(&run, &["end", "outcome", "written", "followed", "pending"]),
        json!([["failed", "interrupted", [], ["stop", "put_back"], "stop"]])
    );
    assert_eq!(run["errors"][0]["state"], "rolled_back");
}

#[test]
fn what_a_recovery_finished_is_written() {
    let sandbox = crate::upgrade::Tree::new("journal");
    let run = value(&sandbox.run("apply --yes --files-only --format json").expect(9));
    assert_eq!(rows(&run, &["end", "recovered"]), json!([["nothing", "finished"]]));
    assert!(run["totals"]["written"].as_u64().unwrap() > 0, "{run:#}");
}

#[test]
fn every_document_of_a_render_is_in_the_list() {
    let sandbox = Sandbox::new(PROGRAM);
    document(&sandbox, "good.yaml", &["one"]);
    fs::copy(sandbox.root().join("good.yaml"), sandbox.root().join("same-folder.yaml")).unwrap();
    fs::write(sandbox.root().join("bad.yaml"), "schema: kasm-db/v1\nimge: x\n").unwrap();
    let files = "-f good.yaml -f bad.yaml -f same-folder.yaml -f nothing.yaml";
    let run = value(&sandbox.run(&format!("render {files} --format json")).expect(64));
    let documents: Vec<_> = run["documents"].as_array().unwrap().iter().collect();
    let documents: Vec<_> = documents.iter().map(|row| json!([row["document"], row["outcome"]])).collect();
    assert_eq!(
        json!(documents),
        json!([
            ["good.yaml", "done"],
            ["bad.yaml", "invalid"],
            ["same-folder.yaml", "usage"],
            ["nothing.yaml", "failed"]
        ])
    );
}

#[test]
fn a_target_in_order_does_not_fail_with_the_others() {
    let sandbox = Sandbox::new(PROGRAM);
    document(&sandbox, "kasm-db.yaml", &["one", "two"]);
    sandbox.run("-q apply --yes --files-only --target one").expect(0);
    let run = value(&sandbox.run("apply --files-only --format json").expect(64));
    assert_eq!(
        rows(&run, &["name", "end", "outcome"]),
        json!([["one", "nothing", "done"], ["two", "not_started", null]])
    );
}

#[test]
fn a_bad_document_does_not_hide_the_targets_of_others() {
    let sandbox = Sandbox::new(PROGRAM);
    document(&sandbox, "kasm-db.yaml", &["one"]);
    fs::write(sandbox.root().join("bad.yaml"), "schema: kasm-db/v1\nimge: x\n").unwrap();
    sandbox.run("apply --yes").expect(0);
    for (other, code) in [("bad.yaml", 3), ("nothing.yaml", 1)] {
        for command in ["history", "recover"] {
            let files = format!("-f kasm-db.yaml -f {other}");
            let run = value(&sandbox.run(&format!("{command} {files} --format json")).expect(code));
            assert_eq!(
                rows(&run, &["document", "name"]),
                json!([["kasm-db.yaml", "one"], [other, null]]),
                "{command}"
            );
            let said = sandbox.run(&format!("{command} {files}")).expect(code);
            assert!(!said.stdout.is_empty(), "{said}");
        }
    }
}

#[test]
fn every_row_of_a_failure_has_its_error() {
    let sandbox = Sandbox::new(PROGRAM);
    document(&sandbox, "kasm-db.yaml", &["one"]);
    fs::write(sandbox.root().join("bad.yaml"), "schema: kasm-db/v1\nimge: x\n").unwrap();
    let gone = "schema: kasm-db/v1\ntargets: [{name: gone, deployment: nowhere}]\n";
    fs::write(sandbox.root().join("gone.yaml"), gone).unwrap();
    fs::write(sandbox.root().join("text"), "no plan").unwrap();
    for (command, code) in [
        ("rollback --yes -f bad.yaml", 3),
        ("render -f gone.yaml", 1),
        ("show text", 1),
        ("apply text", 1),
        ("show .", 1),
    ] {
        // That there is one is checked of every run.
        let run = value(&sandbox.run(&format!("{command} --format json")).expect(code));
        let list = if command.starts_with("render") { "documents" } else { "targets" };
        let rows = run[list].as_array().unwrap();
        assert!(!rows.is_empty() && !rows[0]["errors"].as_array().unwrap().is_empty(), "{command}: {run:#}");
    }
}

#[test]
fn of_a_plan_whose_document_is_gone_nothing_is_said_to_hold() {
    let sandbox = Sandbox::new(PROGRAM);
    document(&sandbox, "kasm-db.yaml", &["one"]);
    sandbox.run("-q plan --out plan.json").expect(0);
    fs::remove_file(sandbox.root().join("kasm-db.yaml")).unwrap();
    let run = value(&sandbox.run("show plan.json --format json").expect(0));
    assert_eq!((&run["stale"], &run["documents"][0]["outcome"]), (&Value::Null, &json!("failed")));
    assert_eq!(rows(&run, &["outcome"]), json!([[null]]));
    let run = sandbox.run("show plan.json").expect(0);
    assert!(run.stdout.contains("max_connections"), "{run}");
    assert!(run.stderr.contains("cannot tell whether the plan still holds"), "{run}");
}

#[test]
fn a_stale_plan_of_several_targets_names_the_target() {
    let sandbox = Sandbox::new(PROGRAM);
    document(&sandbox, "kasm-db.yaml", &["one", "two"]);
    sandbox.run("-q plan --out plan.json").expect(0);
    fs::write(sandbox.root().join("two/postgresql.conf"), "max_connections = 90\n").unwrap();
    let run = value(&sandbox.run("show plan.json --format json").expect(5));
    assert_eq!(run["stale"], json!(["two: two/postgresql.conf: changed"]));
    assert_eq!(run["documents"][0]["outcome"], "done");
    assert_eq!(rows(&run, &["name", "outcome"]), json!([["one", null], ["two", "stale"]]));
    assert_eq!((&run["errors"][0]["target"], &run["totals"]["stale"]), (&json!("two"), &json!(2)));
    let run = sandbox.run("apply plan.json").expect(5);
    assert!(run.stderr.contains("\n  two: two/postgresql.conf: changed\n"), "{run}");
}

#[test]
fn a_result_that_cannot_be_written_says_what_holds_for_the_files() {
    let sandbox = Sandbox::new(PROGRAM);
    document(&sandbox, "kasm-db.yaml", &["one"]);
    let conf = "--conf one/postgresql.conf";
    for (arguments, code, state) in [
        ("plan", 1, "nothing changed"),
        ("apply --yes", 9, "files applied, and what follows is done"),
        ("rollback --yes --files-only", 9, "files applied, stack not restarted"),
        ("render", 9, "the files are written"),
        (&format!("import {conf} -o new.yaml"), 9, "the files are written"),
        ("history", 1, "nothing changed"),
    ] {
        let mut command = sandbox.command(PROGRAM);
        command.args(arguments.split(' ')).args(["--format", "json"]);
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = command.stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments}: {said}");
        let state = match state {
            // These can change nothing.
            "nothing changed" => String::new(),
            state => format!("  = state: {state}\n"),
        };
        let wanted = format!("error: standard output: cannot write to it: no space left on device\n{state}");
        assert!(said.ends_with(&wanted), "{arguments}: {said}");
        assert_eq!(said.matches("standard output").count(), 1, "{arguments}: {said}");
    }
    // Everything was done nonetheless.
    assert!(sandbox.root().join("new.yaml").exists() && sandbox.root().join("rendered").exists());
    sandbox.run("plan --detailed-exitcode").expect(2);
}

#[test]
fn policies_are_false_for_a_document_that_manages_nothing() {
    let sandbox = Sandbox::new(PROGRAM);
    document(&sandbox, "kasm-db.yaml", &["one"]);
    let path = sandbox.root().join("kasm-db.yaml");
    sandbox.edit(&path, "settings: {max_connections: 150}\n", "");
    for (policy, command, filter) in crate::json::policies() {
        let run = sandbox.run(&command);
        let judged = crate::json::jq(&filter, &run.bytes);
        let holds = ["no-blocker", "no-recreate", "in-sync", "valid"].contains(&policy.as_str());
        assert_eq!(judged.status.code(), Some(i32::from(!holds)), "{policy}: {run}");
    }
}

/// Returns the lines of an apply, each as its event and this member.
fn events(run: &Run, member: &str) -> Vec<(String, Value)> {
    let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (end, events) = lines.split_last().unwrap();
    assert_eq!(end["format"], "kasm-db/apply-end", "{run}");
    let name = |line: &Value| line["event"].as_str().unwrap().to_string();
    events.iter().map(|line| (name(line), line[member].clone())).collect()
}

#[test]
fn json_lines_say_what_an_apply_does_while_it_does_it() {
    let sandbox = Sandbox::new(PROGRAM);
    document(&sandbox, "kasm-db.yaml", &["a", "b"]);
    script(&sandbox, "start", "echo started; exit 0");
    let run = sandbox.run("apply --yes --format json-lines").expect(0);
    let names: Vec<_> = events(&run, "target").into_iter().map(|(name, target)| (target, name)).collect();
    let of = |target: &str| -> Vec<&str> {
        names.iter().filter(|(of, _)| *of == target).map(|(_, name)| name.as_str()).collect()
    };
    let each = [
        "planned",
        "written",
        "next_step",
        "command",
        "step_done",
        "next_step",
        "command",
        "output",
        "step_done",
        "next_step",
        "next_step",
        "ended",
    ];
    assert_eq!(of("a"), each, "{run}");
    assert_eq!(of("b"), each, "{run}");
    // Both are planned before the first one is written.
    assert_eq!(names[..2], [(json!("a"), "planned".into()), (json!("b"), "planned".into())]);
    let ends: Vec<_> = events(&run, "end").into_iter().filter(|(name, _)| name == "ended").collect();
    assert_eq!(ends, [("ended".into(), json!("applied")), ("ended".into(), json!("applied"))]);
    let output = events(&run, "text").into_iter().find(|(name, _)| name == "output").unwrap();
    assert_eq!(output.1, "started");
}

#[test]
fn json_lines_of_a_failure_have_the_error_in_its_line_and_at_the_end() {
    let sandbox = Sandbox::new(PROGRAM);
    document(&sandbox, "kasm-db.yaml", &["a", "b"]);
    script(&sandbox, "stop", "echo no; exit 3");
    let run = sandbox.run("apply --yes --format json-lines");
    let failed = events(&run, "problem").into_iter().find(|(name, _)| name == "failed").unwrap().1;
    let end: Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    assert!(
        end["errors"].as_array().unwrap().iter().any(|error| error["message"] == failed["message"]),
        "{run}"
    );
    let ends: Vec<_> = events(&run, "end").into_iter().filter(|(name, _)| name == "ended").collect();
    assert_eq!(ends.last().unwrap().1, "not_started", "{run}");
}

#[test]
fn json_lines_come_while_the_apply_runs_and_end_if_it_is_interrupted() {
    use std::io::{BufRead as _, BufReader};
    let sandbox = Sandbox::new(PROGRAM);
    document(&sandbox, "kasm-db.yaml", &["a"]);
    script(&sandbox, "stop", "echo $$ > begun; sleep 60");
    let mut command = sandbox.command(PROGRAM);
    command.args(["apply", "--yes", "--format", "json-lines"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    // This one is read while the command runs.
    assert!(lines.any(|line| line.contains("\"event\":\"command\"")));
    for _ in 0..2 {
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        std::thread::sleep(Duration::from_millis(200));
    }
    let last: Value = serde_json::from_str(&lines.last().unwrap()).unwrap();
    assert_eq!((&last["format"], &last["exit_code"]), (&json!("kasm-db/apply-end"), &json!(130)));
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_summary_has_a_line_for_each_target_the_worst_first() {
    let sandbox = Sandbox::new(PROGRAM);
    document(&sandbox, "kasm-db.yaml", &["a", "b", "c"]);
    fs::write(sandbox.root().join("a/postgresql.conf"), "max_connections = 150\n").unwrap();
    fs::write(sandbox.root().join("c/postgresql.conf"), "max_connections =\n").unwrap();
    let run = sandbox.run("plan --summary").expect(4);
    let blocked = "c  blocked: conf-syntax\n";
    let lines = "b  1 change in 1 file, needs a restart\na  no changes\n";
    let counts = "3 targets: 1 blocked, 1 would change, 1 without changes\n";
    assert_eq!(run.stdout, format!("{blocked}{lines}{counts}"));
    let run = sandbox.run("apply --summary").expect(4);
    assert_eq!(
        run.stdout,
        "c  blocked: conf-syntax\nb  not started\na  no changes\n\
         3 targets: 1 blocked, 1 not started, 1 without changes\n"
    );
    let run = sandbox.run("apply --summary --target a,b").expect(64);
    assert!(run.stderr.contains("cannot ask whether to apply: this output format shows no plan"), "{run}");
    let run = sandbox.run("apply --summary --keep-going --yes").expect(10);
    assert_eq!(
        run.stdout,
        "c  blocked: conf-syntax\nb  applied: 1 change in 1 file, needs a restart\na  no changes\n\
         3 targets: 1 blocked, 1 applied, 1 without changes\n"
    );
    // It goes beside another format, and to a file.
    sandbox.run("plan --target b --format json=plan.json --format summary=log.txt").expect(0);
    assert_eq!(
        fs::read_to_string(sandbox.root().join("log.txt")).unwrap(),
        "b  no changes\n1 target: 1 without changes\n"
    );
    let run = sandbox.run("plan --summary -f nothing.yaml").expect(1);
    assert!(run.stdout.starts_with("nothing.yaml  nothing.yaml: cannot open the document"), "{run}");
}

#[test]
fn gitlab_counts_the_changes_and_is_not_told_of_a_part_of_them() {
    let sandbox = Sandbox::new(PROGRAM);
    let run = sandbox.run("plan -f examples/new/kasm-db.yaml --format gitlab-terraform").expect(0);
    assert_eq!(run.stdout, "{\"create\":5,\"update\":6,\"delete\":1}\n");
    fs::write(sandbox.root().join("broken.yaml"), "schema: kasm-db/v1\nimage: 1\n").unwrap();
    let run =
        sandbox.run("plan -f examples/new/kasm-db.yaml -f broken.yaml --format gitlab-terraform").expect(3);
    assert_eq!(run.stdout, "");
}
