//! Leaving a deployment: values are restored or kept, and what kasm-db keeps is deleted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use testing::Sandbox;

use crate::PROGRAM;

const FILE: &str = "-f examples/existing/kasm-db.yaml";
const TREE: &str = "--deployment examples/existing/opt/kasm/current";

fn applied() -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.run(&format!("apply -y {FILE}")).expect(0);
    sandbox
}

fn kept(sandbox: &Sandbox) -> bool {
    sandbox.target("existing").join(".kasm-db").exists()
}

#[test]
fn forget_restores_the_bytes_from_before_and_deletes_what_is_kept() {
    let before = {
        let sandbox = Sandbox::new(PROGRAM);
        sandbox.contents(&sandbox.target("existing"))
    };
    for of in [FILE, TREE] {
        let sandbox = applied();
        let run = sandbox.run(&format!("forget -y {of}")).expect(0);
        assert!(run.stdout.contains("no longer declared, set by generation 1"), "{run}");
        let folder = "[ROOT]/examples/existing/opt/kasm/1.11.0";
        let said = format!("Forgotten: {folder}/.kasm-db is deleted, with the history and the backups.\n");
        assert!(run.stdout.ends_with(&said), "{run}");
        assert!(!kept(&sandbox) && !sandbox.target("existing").join(".kasm-db-gone").exists());
        assert_eq!(sandbox.contents(&sandbox.target("existing")), before);
        let run = sandbox.run(&format!("history {TREE}")).expect(0);
        assert!(run.stdout.contains("Nothing was applied yet."), "{run}");
        let run = sandbox.run(&format!("forget -y {of}")).expect(0);
        assert!(
            run.stdout.ends_with(&format!("Nothing to forget: nothing was applied below {folder}.\n")),
            "{run}"
        );
    }
}

#[test]
fn keep_leaves_the_values_and_deletes_what_is_kept() {
    let sandbox = applied();
    let before = sandbox.contents(&sandbox.target("existing"));
    let run = sandbox.run(&format!("forget -y --keep {TREE}")).expect(0);
    assert!(run.stderr.contains("`pgaudit.log` is no longer declared and stays"), "{run}");
    assert!(!kept(&sandbox));
    assert_eq!(sandbox.contents(&sandbox.target("existing")), before);
}

#[test]
fn a_dry_run_and_a_refusal_leave_everything_as_it_is() {
    let sandbox = applied();
    let before = sandbox.seen(sandbox.root());
    let run = sandbox.run(&format!("forget --dry-run {FILE}")).expect(0);
    assert!(run.stdout.contains("+++ b/conf/database/postgresql.conf"), "{run}");
    let run = sandbox.run(&format!("forget {FILE}")).expect(64);
    assert!(run.stderr.contains("cannot ask whether to apply"), "{run}");
    let run = sandbox.run(&format!("forget --keep {FILE}")).expect(64);
    assert!(run.stderr.contains("cannot ask whether to forget"), "{run}");
    assert_eq!(sandbox.seen(sandbox.root()), before);
}

#[test]
fn what_was_edited_by_hand_stays() {
    let sandbox = applied();
    let conf = sandbox.target("existing").join("conf/database/postgresql.conf");
    sandbox.edit(&conf, "'read, write, ddl'", "'all'");
    sandbox.run(&format!("forget -y {FILE}")).expect(0);
    assert!(fs::read_to_string(conf).unwrap().contains("pgaudit.log = 'all'\n"));
    assert!(!kept(&sandbox));
}

#[test]
fn a_restart_that_is_pending_is_not_forgotten() {
    let sandbox = Sandbox::new(PROGRAM);
    let document = sandbox.document("existing");
    let text = fs::read_to_string(&document).unwrap();
    fs::write(&document, format!("{text}restart: {{policy: if_needed}}\nverify: {{connect: none}}\n"))
        .unwrap();
    sandbox.run(&format!("apply -y --no-restart {FILE}")).expect(9);
    let run = sandbox.run(&format!("forget -y --keep {TREE}"));
    assert_ne!(run.code, Some(0), "{run}");
    assert!(kept(&sandbox), "{run}");
}

#[test]
fn the_result_for_programs_is_that_of_an_apply() {
    let sandbox = applied();
    let run = sandbox.run(&format!("forget -y --format json {FILE}")).expect(0);
    let value: serde_json::Value = serde_json::from_slice(&run.bytes).unwrap();
    assert_eq!(value["format"], "kasm-db/apply");
    assert_eq!(value["targets"][0]["written"].as_array().unwrap().len(), 5);
    assert!(!kept(&sandbox));
}
