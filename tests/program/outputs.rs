//! Where results may be written, and what they say of what the document asks for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::{create_dir, read_to_string, write};

use serde_json::Value;
use testing::Sandbox;

use crate::PROGRAM;

fn one(settings: &str, conf: &str) -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    let document = format!(
        "schema: kasm-db/v1\npostgres_major: 14\n{settings}targets: [{{name: t, files: {{postgresql_conf: t/postgresql.conf}}}}]\n"
    );
    write(sandbox.root().join("kasm-db.yaml"), document).unwrap();
    create_dir(sandbox.root().join("t")).unwrap();
    write(sandbox.root().join("t/postgresql.conf"), conf).unwrap();
    sandbox
}

#[test]
fn no_result_replaces_the_document_or_another_result() {
    let sandbox = one("settings: {work_mem: 8MB}\n", "");
    let before = sandbox.contents(sandbox.root());
    for arguments in [
        "plan --format json=kasm-db.yaml",
        "plan --format patch=./kasm-db.yaml",
        "plan --out kasm-db.yaml",
        "plan -f kasm-db.yaml --format json=kasm-db.yaml",
        "plan --format json=p --out p",
        "plan --format json=p --format patch=p",
    ] {
        let run = sandbox.run(arguments).expect(64);
        assert!(
            run.stderr.contains("is read by this run, or gets another result of it"),
            "{arguments}: {run}"
        );
        assert_eq!(sandbox.contents(sandbox.root()), before, "{arguments}");
    }
    sandbox.run("plan --out p").expect(0);
    sandbox.run("show p --format json=p").expect(64);
}

/// Refuses the arguments, and leaves every file as it is.
#[track_caller]
fn refuses(sandbox: &Sandbox, arguments: &str) {
    let before = sandbox.contents(sandbox.root());
    let run = sandbox.run(arguments).expect(64);
    assert!(run.stderr.contains("is read by this run"), "{arguments}: {run}");
    assert_eq!(sandbox.contents(sandbox.root()), before, "{arguments}");
}

#[test]
fn no_result_replaces_a_file_that_the_run_reads() {
    let sandbox = one("extends: base/kasm-db.yaml\nsettings: {work_mem: 8MB}\n", "include 'more.conf'\n");
    let root = sandbox.root();
    create_dir(root.join("base")).unwrap();
    write(root.join("base/kasm-db.yaml"), "schema: kasm-db/v1\n").unwrap();
    write(root.join("t/more.conf"), "").unwrap();
    sandbox.run("plan --out saved").expect(0);
    sandbox.run("apply -y").expect(0);
    std::os::unix::fs::symlink("t", root.join("link")).unwrap();
    let files = [
        "base/kasm-db.yaml",
        "base/../base/kasm-db.yaml",
        "t/postgresql.conf",
        "t/../t/more.conf",
        "link/more.conf",
        ".kasm-db/managed",
        ".kasm-db/other",
    ];
    for file in files {
        refuses(&sandbox, &format!("plan --format json={file}"));
        refuses(&sandbox, &format!("plan --format json --format human={file}"));
        refuses(&sandbox, &format!("plan --out {file} --format json=other"));
    }
    refuses(&sandbox, "plan -R -f . --format json=kasm-db.yaml");
    refuses(&sandbox, "plan -R -f . --target nothing --format json=kasm-db.yaml");
    refuses(&sandbox, "plan -R -f . -f nowhere --format json=kasm-db.yaml");
    refuses(&sandbox, "plan -R -f . --allow nothing --format json=kasm-db.yaml");
    sandbox.run("plan --format json=t/other --format human=link/new --out t/plan").expect(0);
    // What was not there when the plan was saved cannot be compared with it any more; a plan of now can.
    sandbox.run("plan --out saved").expect(0);
    refuses(&sandbox, "show saved --format json=base/kasm-db.yaml");
    refuses(&sandbox, "show saved --format json=t/more.conf");
    refuses(&sandbox, "show saved --format json=kasm-db.yaml");
    sandbox.run("show saved --format json=other").expect(0);
}

#[test]
fn two_results_never_go_to_one_file_however_it_is_spelt() {
    let sandbox = one("settings: {work_mem: 8MB}\n", "");
    std::os::unix::fs::symlink("t", sandbox.root().join("link")).unwrap();
    for (first, second) in [("p", "./p"), ("t/p", "t/../t/p"), ("t/p", "link/p"), ("p", "t/../p")] {
        refuses(&sandbox, &format!("plan --format json={first} --format human={second}"));
        refuses(&sandbox, &format!("plan --format json={first} --out {second}"));
    }
}

#[test]
fn a_format_with_an_empty_file_is_wrong_usage() {
    let sandbox = one("settings: {work_mem: 8MB}\n", "");
    for format in ["html", "json"] {
        let run = sandbox.run(&format!("plan --format {format}=")).expect(64);
        assert!(run.stderr.contains("add a file after `=`, or remove `=`"), "{run}");
    }
}

#[test]
fn standard_input_is_not_a_plan_and_a_document() {
    let sandbox = one("settings: {work_mem: 8MB}\n", "");
    for arguments in ["apply - -f -", "show - -f -"] {
        let run = sandbox.run(arguments).expect(64);
        assert!(run.stderr.contains("cannot both be read from standard input"), "{run}");
    }
}

#[test]
fn a_target_that_no_document_has_names_each_that_there_is_once() {
    let sandbox = one("settings: {work_mem: 8MB}\n", "");
    let text = read_to_string(sandbox.root().join("kasm-db.yaml")).unwrap();
    let other = text.replace("]\n", ", {name: u, files: {postgresql_conf: t/postgresql.conf}}]\n");
    write(sandbox.root().join("other.yaml"), other).unwrap();
    let run = sandbox.run("plan -f kasm-db.yaml -f other.yaml --target nomatch").expect(64);
    assert!(run.stderr.contains("use a target that the documents declare: t, u\n"), "{run}");
}

#[test]
fn a_declared_class_is_one_that_is_audited() {
    for (classes, audits) in
        [("[ddl]", true), ("[all]", true), ("[all, -ddl]", false), ("[ddl, read, -ddl]", false)]
    {
        let audit = format!("preload: {{libraries: [pgaudit]}}\naudit: {{classes: {classes}}}\n");
        let run = one(&audit, "").run("plan --format json").expect(0);
        let value: Value = serde_json::from_slice(&run.bytes).unwrap();
        let managed = value["targets"][0]["managed"].as_array().unwrap().iter();
        let declared =
            managed.filter(|one| one["subject"] == "pgaudit.log").map(|one| &one["declared"]).next();
        let names = declared.unwrap().as_array().unwrap();
        assert_eq!(names.contains(&"ddl".into()), audits, "{classes}: {names:?}");
        assert!(!names.contains(&"all".into()), "{classes}");
    }
}

#[test]
fn a_setting_that_is_a_secret_is_not_shown_where_it_is_declared() {
    let settings =
        "settings: {primary_conninfo: 'password=hunter2', ssl_passphrase_command: 'echo hunter2'}\n";
    let sandbox = one(settings, "");
    for arguments in ["plan", "plan --format json", "apply -y", "history -v", "status --format json"] {
        let run = sandbox.run(arguments);
        assert!(!run.stdout.contains("hunter2") && !run.stderr.contains("hunter2"), "{arguments}: {run}");
    }
    let note = read_to_string(sandbox.root().join(".kasm-db/generations/1/manifest")).unwrap_or_default();
    assert!(!note.is_empty() && !note.contains("hunter2"), "{note}");
}

#[test]
fn a_file_in_place_of_the_state_folder_is_seen_before_anything_is_written() {
    for (path, folder) in [(".kasm-db", None), (".kasm-db/private", Some(".kasm-db"))] {
        let sandbox = one("settings: {work_mem: 8MB}\n", "work_mem = 4MB\n");
        if let Some(folder) = folder {
            create_dir(sandbox.root().join(folder)).unwrap();
        }
        write(sandbox.root().join(path), "x").unwrap();
        for arguments in ["apply -y", "apply --dry-run"] {
            let run = sandbox.run(arguments);
            assert!(run.code != Some(0) && run.code != Some(10), "{arguments}: {run}");
            assert!(run.stderr.contains(path), "{arguments}: {run}");
            assert_eq!(read_to_string(sandbox.root().join("t/postgresql.conf")).unwrap(), "work_mem = 4MB\n");
        }
    }
}

#[test]
fn what_an_earlier_run_left_is_not_forgotten() {
    let restart = "restart: {policy: if_needed, stop: ['true'], start: ['true']}\nverify: {connect: none}\n";
    let sandbox = one(&format!("settings: {{max_connections: 50}}\n{restart}"), "max_connections = 60\n");
    sandbox.run("apply -y --no-restart").expect(9);
    for arguments in ["apply -y --files-only", "rollback 1 -y --no-restart", "rollback 1 -y --files-only"] {
        let run = sandbox.run(arguments).expect(9);
        assert!(run.stderr.contains("kasm-db recover"), "{arguments}: {run}");
    }
    sandbox.run("recover").expect(0);
    sandbox.run("apply -y --files-only").expect(0);
}

#[test]
fn a_result_for_a_program_asks_nobody() {
    let sandbox = one("settings: {work_mem: 8MB}\n", "");
    let run = sandbox.run("apply --format json").expect(64);
    assert!(run.stderr.contains("this output format shows no plan"), "{run}");
}
