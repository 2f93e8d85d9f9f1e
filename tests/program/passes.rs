//! The two passes of `apply`: every target is checked before the first one is written.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::{create_dir, hard_link, read_to_string, write};

use testing::Sandbox;

use crate::PROGRAM;

const OLD: &str = "work_mem = 4MB\n";
const NEW: &str = "work_mem = 8MB\n";

/// Writes a document with these targets of one `postgresql.conf` each, and the files of those that exist.
fn targets(names: &[&str], more: &str) -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    let mut document =
        format!("schema: kasm-db/v1\npostgres_major: 14\nsettings: {{work_mem: 8MB}}\n{more}targets:\n");
    for name in names {
        document
            .push_str(&format!("  - {{name: {name}, files: {{postgresql_conf: {name}/postgresql.conf}}}}\n"));
        let folder = sandbox.root().join(name);
        match *name {
            "gone" => continue,
            _ => create_dir(&folder).unwrap(),
        }
        write(folder.join("postgresql.conf"), OLD).unwrap();
    }
    write(sandbox.root().join("kasm-db.yaml"), document).unwrap();
    sandbox
}

fn conf(sandbox: &Sandbox, name: &str) -> String {
    read_to_string(sandbox.root().join(name).join("postgresql.conf")).unwrap()
}

/// Spoils a target in one of the ways that the first pass sees; returns the exit code.
fn spoil(sandbox: &Sandbox, name: &str, how: &str) -> i32 {
    let path = sandbox.root().join(name).join("postgresql.conf");
    match how {
        "blocker" => {
            write(path, format!("{OLD}include 'nowhere.conf'\n")).unwrap();
            4
        }
        "hard link" => {
            hard_link(&path, path.with_file_name("other")).unwrap();
            1
        }
        "unreadable" => {
            std::fs::remove_file(&path).unwrap();
            create_dir(&path).unwrap();
            1
        }
        other => panic!("{other}"),
    }
}

#[test]
fn whatever_fails_in_any_target_keeps_all_of_them_from_being_written() {
    for how in ["blocker", "hard link", "unreadable"] {
        for names in [["a", "b", "bad"], ["a", "bad", "b"], ["bad", "a", "b"]] {
            let sandbox = targets(&names, "");
            let code = spoil(&sandbox, "bad", how);
            let before = sandbox.seen(sandbox.root());
            let run = sandbox.run("apply -y").expect(code);
            assert_eq!((conf(&sandbox, "a"), conf(&sandbox, "b")), (OLD.into(), OLD.into()), "{how}: {run}");
            assert!(run.stdout.contains("  a    not started\n"), "{how}: {run}");
            let after = sandbox.seen(sandbox.root());
            let changed = before.iter().filter(|(path, seen)| after.get(*path) != Some(seen)).count();
            assert_eq!(changed, 0, "{how}: {run}");
        }
    }
}

#[test]
fn a_folder_that_is_missing_keeps_the_others_from_being_written() {
    let sandbox = Sandbox::new(PROGRAM);
    let old = sandbox.contents(&sandbox.target("existing"));
    let kasm = "examples/existing/opt/kasm";
    for names in [["1.11.0", "1.12.0"], ["1.12.0", "1.11.0"]] {
        let targets: String =
            names.iter().map(|name| format!("  - {{name: v{name}, deployment: {kasm}/{name}}}\n")).collect();
        let text = format!("schema: kasm-db/v1\nimage: kasmweb/postgres:1.11.0\ntargets:\n{targets}");
        write(sandbox.root().join("kasm-db.yaml"), text).unwrap();
        let run = sandbox.run("apply -y").expect(1);
        assert!(run.stderr.contains("1.12.0"), "{run}");
        assert_eq!(sandbox.contents(&sandbox.target("existing")), old, "{run}");
    }
    let run = sandbox.run("apply -y --keep-going").expect(10);
    assert!(run.stderr.contains("Left out, see above: v1.12.0."), "{run}");
    assert!(run.stderr.contains("partly applied: 1 of 2 targets written"), "{run}");
    assert_ne!(sandbox.contents(&sandbox.target("existing")), old, "{run}");
}

#[test]
fn all_targets_that_fail_are_reported_at_once() {
    let sandbox = targets(&["one", "fine", "two"], "");
    spoil(&sandbox, "one", "hard link");
    spoil(&sandbox, "two", "unreadable");
    let run = sandbox.run("apply -y").expect(1);
    assert!(
        run.stderr.contains("one/postgresql.conf") && run.stderr.contains("two/postgresql.conf"),
        "{run}"
    );
}

#[test]
fn to_keep_going_leaves_out_what_failed_and_says_so() {
    for how in ["blocker", "hard link", "unreadable"] {
        let sandbox = targets(&["bad", "a", "b"], "");
        spoil(&sandbox, "bad", how);
        let run = sandbox.run("apply -y --keep-going").expect(10);
        assert_eq!((conf(&sandbox, "a"), conf(&sandbox, "b")), (NEW.into(), NEW.into()), "{how}: {run}");
        assert!(run.stderr.contains("Left out, see above: bad."), "{how}: {run}");
        assert!(run.stderr.contains("partly applied: 2 of 3 targets written"), "{how}: {run}");
        // What it left out is what keeps the next one from being done.
        let run = sandbox.run("apply -y --keep-going").expect(if how == "blocker" { 4 } else { 1 });
        assert!(!run.stderr.contains("partly applied"), "{how}: {run}");
    }
}

#[test]
fn a_target_that_changes_while_another_one_is_written_ends_the_run_with_what_was_written() {
    let more = "restart: {policy: if_needed, stop: [./touch], start: ['true']}\nverify: {connect: none}\n";
    let sandbox = targets(&["a", "b", "c"], more);
    let document = sandbox.root().join("kasm-db.yaml");
    // A restart, which stops the first database with a command that changes the second one's file.
    sandbox.edit(&document, "work_mem: 8MB", "max_connections: 50");
    let command =
        format!("#!/bin/sh\necho '# by hand' >> '{}'\n", sandbox.root().join("b/postgresql.conf").display());
    let path = sandbox.root().join("touch");
    write(&path, command).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    sandbox.edit(&document, "./touch", path.to_str().unwrap());
    let run = sandbox.run("apply -y").expect(10);
    assert!(run.stderr.contains("b/postgresql.conf changed since the plan was made"), "{run}");
    assert!(run.stderr.contains("partly applied: 1 of 3 targets written\n"), "{run}");
    let table = "  b  failed\n  c  not started\n  a  applied: 1 change in 1 file, needs a restart\n\
                 3 targets: 1 failed, 1 not started, 1 applied\n";
    assert!(run.stdout.ends_with(&format!("\nTargets:\n{table}")), "{run}");
    let targets = "  a: applied\n  b: failed\n  c: not started\n";
    assert!(
        run.stderr.contains(&format!("targets written\n{targets}  = help: fix the error above")),
        "{run}"
    );
    assert!(
        run.stderr.ends_with("  = state: partly applied: some targets are written, others are not\n"),
        "{run}"
    );
    assert!(conf(&sandbox, "a").contains("max_connections = 50"));
    assert_eq!(conf(&sandbox, "b"), format!("{OLD}# by hand\n"));
    assert_eq!(conf(&sandbox, "c"), OLD);
}

#[test]
fn what_follows_is_left_for_all_targets_by_choice() {
    let more = "restart: {policy: if_needed, stop: ['true'], start: ['true']}\nverify: {connect: none}\n";
    let sandbox = targets(&["a", "b"], more);
    sandbox.edit(&sandbox.root().join("kasm-db.yaml"), "work_mem: 8MB", "max_connections: 50");
    sandbox.run("apply -y --no-restart").expect(9);
    for name in ["a", "b"] {
        assert!(conf(&sandbox, name).contains("max_connections = 50"), "{name}");
    }
    sandbox.run("apply -y").expect(0);
    sandbox.run("status").expect(0);
}

#[test]
fn two_targets_of_one_file_are_refused() {
    let sandbox = targets(&["a"], "");
    let text = read_to_string(sandbox.root().join("kasm-db.yaml")).unwrap();
    let again = "  - {name: again, files: {postgresql_conf: a/../a/postgresql.conf}}\n";
    write(sandbox.root().join("kasm-db.yaml"), text + again).unwrap();
    let said = "/a/postgresql.conf would be changed for the target `a`, and belongs to `again`, too";
    for command in ["plan", "plan --out saved", "apply -y", "apply saved"] {
        let run = sandbox.run(command).expect(4);
        assert!(run.stderr.contains(said), "{command}: {run}");
        assert_eq!(run.stderr.contains("KDB512"), command.starts_with("plan"), "{command}: {run}");
    }
    let shown = sandbox.run("show saved").expect(0);
    assert!(shown.stderr.contains(said), "{shown}");
    let rows = sandbox.run("plan --summary").expect(4).stdout;
    assert!(
        rows.contains("again  blocked: shared-file\n") && rows.contains("a      1 change in 1 file"),
        "{rows}"
    );
    assert_eq!(conf(&sandbox, "a"), OLD);
    sandbox.run("apply -y --target again").expect(0);
    assert_eq!(conf(&sandbox, "a"), NEW);
    // Now neither of them changes it.
    sandbox.run("plan --detailed-exitcode").expect(0);
}

#[test]
fn targets_of_one_name_are_told_apart_by_their_documents() {
    let sandbox = targets(&["a"], "");
    let text = read_to_string(sandbox.root().join("kasm-db.yaml")).unwrap();
    write(sandbox.root().join("two.yaml"), text).unwrap();
    let both = "-f kasm-db.yaml -f two.yaml";
    let said = "would be changed for the target `kasm-db.yaml: a`, and belongs to `two.yaml: a`, too";
    let applied = sandbox.run(&format!("{both} apply -y")).expect(4);
    assert!(applied.stderr.contains(said), "{applied}");
    assert_eq!(conf(&sandbox, "a"), OLD);
    for (format, part) in [
        ("human", "\n  two.yaml: a      blocked: shared-file\n"),
        ("summary", "two.yaml: a      blocked: shared-file\n"),
        ("markdown", "| `two.yaml: a` | blocked: shared-file |"),
        ("markdown", "<summary>kasm-db.yaml: a: "),
        ("html", "kasm-db.yaml: a<"),
        ("html", "two.yaml: a<"),
        ("sarif", "\"fullyQualifiedName\": \"two.yaml: a\""),
    ] {
        let run = sandbox.run(&format!("{both} plan --format {format}")).expect(4);
        assert!(run.stdout.contains(part), "{format}: {run}");
        assert!(run.stderr.contains("two.yaml: a:\n") && run.stderr.contains(said), "{format}: {run}");
    }
}

#[test]
fn a_dry_run_checks_all_targets_and_says_once_that_nothing_was_written() {
    let sandbox = targets(&["a", "b"], "");
    let run = sandbox.run("apply --dry-run").expect(0);
    assert_eq!(run.stderr.matches("Dry run: nothing was written.").count(), 1, "{run}");
    assert_eq!(run.stdout.matches("not applied, as this is a dry run").count(), 2, "{run}");
    assert_eq!((conf(&sandbox, "a"), conf(&sandbox, "b")), (OLD.into(), OLD.into()));
}

#[test]
fn beyond_the_failures_that_are_allowed_the_first_pass_writes_nothing() {
    let sandbox = targets(&["one", "fine", "two"], "");
    spoil(&sandbox, "one", "hard link");
    spoil(&sandbox, "two", "blocker");
    for (allowed, text) in [(0, "allows 0"), (1, "allows 1")] {
        let run = sandbox.run(&format!("apply -y --keep-going --max-failures {allowed}")).expect(1);
        let said = format!("Nothing is written: 2 targets failed, and `--max-failures` {text}.\n");
        assert!(run.stderr.contains(&said) && !run.stderr.contains("Left out"), "{run}");
        assert_eq!(conf(&sandbox, "fine"), OLD, "{run}");
        assert!(run.stdout.contains("  fine  not started\n"), "{run}");
    }
    let run = sandbox.run("apply -y --keep-going --max-failures 2").expect(10);
    assert!(run.stderr.contains("Left out, see above: one, two."), "{run}");
    assert_eq!(conf(&sandbox, "fine"), NEW, "{run}");
    let run = sandbox.run("apply -y --max-failures 2").expect(64);
    assert!(run.stderr.contains("--keep-going"), "{run}");
    sandbox.run("apply -y --keep-going --max-failures many").expect(64);
}

/// Writes five targets whose database is stopped with a command that fails for `b` and `d`.
fn two_of_five_fail() -> Sandbox {
    let sandbox = targets(&["a", "b", "c", "d", "e"], "");
    let document = sandbox.root().join("kasm-db.yaml");
    sandbox.edit(&document, "work_mem: 8MB", "max_connections: 50");
    let stop = sandbox.root().join("stop");
    // The commands have no argument that names the target, so they count.
    let count = sandbox.root().join("count");
    let script =
        format!("#!/bin/sh\necho >> '{0}'\ncase $(wc -l < '{0}') in 2|4) exit 1 ;; esac\n", count.display());
    write(&stop, script).unwrap();
    std::fs::set_permissions(&stop, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let restart = format!(
        "restart: {{policy: if_needed, stop: ['{}'], start: ['true']}}\nverify: {{connect: none}}\ntargets:\n",
        stop.display()
    );
    sandbox.edit(&document, "targets:\n", &restart);
    sandbox
}

#[test]
fn up_to_the_failures_that_are_allowed_the_second_pass_continues() {
    for (option, written, ends) in [
        ("", "ab", "  b  applied, and a step is pending"),
        ("--keep-going", "ab", "  b  applied, and a step is pending"),
        ("--keep-going --max-failures 0", "ab", "  b  applied, and a step is pending"),
        ("--keep-going --max-failures 1", "abcd", "  d  applied, and a step is pending"),
        ("--keep-going --max-failures 2", "abcde", "  d  applied, and a step is pending"),
    ] {
        let sandbox = two_of_five_fail();
        let run = sandbox.run(&format!("apply -y {option}")).expect(if written == "abcde" { 9 } else { 10 });
        for name in ["a", "b", "c", "d", "e"] {
            let is_written = conf(&sandbox, name).contains("max_connections = 50");
            assert_eq!(is_written, written.contains(name), "{option}, {name}: {run}");
        }
        assert!(run.stdout.contains(ends), "{option}: {run}");
        let stops = option.ends_with(['0', '1']);
        assert_eq!(run.stderr.contains("The run stops here: "), stops, "{option}: {run}");
    }
}

#[test]
fn failures_of_both_passes_count_together_and_are_in_the_rows() {
    let sandbox = two_of_five_fail();
    spoil(&sandbox, "a", "hard link");
    // `c` is now the second one that is stopped.
    let run = sandbox.run("apply -y --keep-going --max-failures 1 --format json").expect(10);
    let value: serde_json::Value = serde_json::from_slice(&run.bytes).unwrap();
    let ends: Vec<_> =
        value["targets"].as_array().unwrap().iter().map(|row| row["end"].as_str().unwrap()).collect();
    assert_eq!(ends, ["failed", "applied", "applied", "not_started", "not_started"], "{run}");
    assert!(
        run.stderr.contains("The run stops here: 2 targets failed, and `--max-failures` allows 1.\n"),
        "{run}"
    );
    let run = sandbox.run("apply -y --keep-going --max-failures 0 --format json-lines").expect(1);
    let lines: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = lines.iter().find(|line| line["event"] == "too_many_failed").unwrap();
    assert_eq!(line["target"], serde_json::Value::Null, "{line}");
}

#[test]
fn a_signal_ends_the_run_whatever_may_fail() {
    let sandbox = two_of_five_fail();
    let stop = sandbox.root().join("stop");
    // The command gets the signal's turn: it comes while it runs, and the run ends behind it.
    write(&stop, "#!/bin/sh\nkill -TERM $PPID\nsleep 1\n").unwrap();
    // Nothing follows the files of those behind it.
    let behind = sandbox.root().join("behind");
    create_dir(&behind).unwrap();
    write(behind.join("postgresql.conf"), OLD).unwrap();
    let target = "targets: [{name: behind, files: {postgresql_conf: postgresql.conf}}]";
    let text = format!("schema: kasm-db/v1\npostgres_major: 14\nsettings: {{work_mem: 8MB}}\n{target}\n");
    write(behind.join("kasm-db.yaml"), text).unwrap();
    let run = sandbox.run("apply -y --keep-going --max-failures 5 -f kasm-db.yaml -f behind/kasm-db.yaml");
    let run = run.expect(130);
    assert!(conf(&sandbox, "a").contains("max_connections = 50"));
    assert_eq!((conf(&sandbox, "b"), conf(&sandbox, "behind")), (OLD.into(), OLD.into()));
    assert_eq!(run.stderr.matches("interrupted by SIGTERM").count(), 1, "{run}");
}

#[test]
fn plans_of_several_targets_end_with_how_they_end_and_one_alone_does_not() {
    let sandbox = targets(&["a", "b", "c"], "");
    write(sandbox.root().join("a/postgresql.conf"), NEW).unwrap();
    spoil(&sandbox, "c", "blocker");
    let table = "\nTargets:\n  c  blocked: conf-include\n  b  1 change in 1 file, needs a reload\n  a  no changes\n\
                 3 targets: 1 blocked, 1 would change, 1 without changes\n";
    let run = sandbox.run("plan").expect(4);
    assert!(run.stdout.ends_with(table), "{run}");
    let run = sandbox.run("-q plan").expect(4);
    assert!(run.stdout.ends_with(table), "{run}");
    let run = sandbox.run("plan --target b").expect(0);
    assert!(!run.stdout.contains("Targets:"), "{run}");
}

#[test]
fn beyond_fifty_targets_those_without_changes_are_only_counted() {
    let names: Vec<_> = (0..60).map(|number| format!("t{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for (number, shown) in [(50, 49), (51, 0), (60, 0)] {
        let sandbox = targets(&names[..number], "");
        for name in &names[1..number] {
            write(sandbox.root().join(name).join("postgresql.conf"), NEW).unwrap();
        }
        let run = sandbox.run("-q plan").expect(0);
        let table = run.stdout.split("\nTargets:\n").nth(1).unwrap();
        assert!(table.starts_with("  t0"), "{run}");
        assert_eq!(table.matches("no changes").count(), shown, "{run}");
        let counts = format!("{number} targets: 1 would change, {} without changes\n", number - 1);
        assert!(table.ends_with(&counts), "{run}");
    }
}
