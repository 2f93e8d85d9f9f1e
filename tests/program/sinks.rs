//! Where results go: several at once, to standard output and to files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use testing::{Sandbox, copy};

use crate::PROGRAM;

const CONF: &str = "conf/database/postgresql.conf";

/// Builds a document with two targets, `one` and `two`; a patch of the first would show a secret.
fn two_targets() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new(PROGRAM);
    let tree = sandbox.target("existing");
    for name in ["one", "two"] {
        copy(&tree, &sandbox.root().join(name));
    }
    let conf = sandbox.root().join("one").join(CONF);
    let line = "#shared_preload_libraries";
    sandbox.edit(&conf, line, &format!("ssl_passphrase_command = 'echo hunter2'\n{line}"));
    let text = "schema: kasm-db/v1\nimage: kasmweb/postgres:1.11.0\npreload: {libraries: [pgaudit]}\ntargets:\n  \
                - {name: one, deployment: one}\n  - {name: two, deployment: two}\n";
    fs::write(sandbox.root().join("kasm-db.yaml"), text).unwrap();
    (sandbox, conf)
}

#[test]
fn results_on_standard_output_come_one_after_the_other() {
    let (sandbox, _) = two_targets();
    let alone = |format: &str| sandbox.run(&format!("plan --format {format}")).expect(0).stdout;
    for [first, second] in [["human", "json"], ["json", "human"], ["json", "json"]] {
        let both = sandbox.run(&format!("plan --format {first} --format {second}")).expect(0);
        assert_eq!(both.stdout, alone(first) + &alone(second));
    }
}

#[test]
fn a_patch_that_is_refused_ends_neither_the_findings_nor_the_results_before_it() {
    let (sandbox, _) = two_targets();
    let plain = sandbox.run("plan").expect(0);
    let both = sandbox.run("plan --format human --format patch").expect(1);
    assert_eq!(both.stdout, plain.stdout);
    let said = both.stderr.strip_prefix(&plain.stderr).unwrap();
    assert!(said.starts_with("error: a patch of conf/database/postgresql.conf"), "{said}");
    let both = sandbox.run("plan --format patch --format human").expect(1);
    assert_eq!((both.stdout.as_str(), both.stderr), ("", format!("{}{said}", plain.stderr)));
}

#[test]
fn programs_get_the_error_of_another_result_wherever_theirs_goes() {
    let (sandbox, _) = two_targets();
    let plain: Value = serde_json::from_slice(&sandbox.run("plan --format json").expect(0).bytes).unwrap();
    let holds = |bytes: &[u8]| {
        let json: Value = serde_json::from_slice(bytes).unwrap();
        testing::envelope::holds(&json);
        assert_eq!(json["targets"], plain["targets"]);
        assert_eq!((&json["outcome"], &json["exit_code"]), (&"failed".into(), &1.into()));
        assert!(json["errors"][0]["message"].as_str().unwrap().starts_with("a patch of conf/"), "{json:#}");
    };
    for formats in ["--format json --format patch", "--format patch --format json"] {
        holds(&sandbox.run(&format!("plan {formats}")).expect(1).bytes);
    }
    for formats in ["--format json=plan.json --format patch", "--format patch --format json=plan.json"] {
        sandbox.run(&format!("plan {formats}")).expect(1);
        holds(&fs::read(sandbox.root().join("plan.json")).unwrap());
    }
    // The last result on standard output knows of a file that cannot be written.
    let run = sandbox.run("plan --format json --format human=no/folder").expect(1);
    let json: Value = serde_json::from_slice(&run.bytes).unwrap();
    assert!(json["errors"][0]["message"].as_str().unwrap().starts_with("no/folder: "), "{json:#}");
}

#[test]
fn a_run_that_fails_leaves_the_files_of_results_for_people_as_they_are() {
    let (sandbox, _) = two_targets();
    let file = sandbox.root().join("plan.txt");
    fs::write(&file, "of before").unwrap();
    sandbox.run("plan --format patch --format human=plan.txt").expect(1);
    assert_eq!(fs::read_to_string(&file).unwrap(), "of before");
    sandbox.run("plan --format human=plan.txt --format patch").expect(1);
    let human = sandbox.run("plan").expect(0).bytes;
    assert!(fs::read(&file).unwrap() == human, "the file is not whole");
}

#[test]
fn a_run_that_fails_early_replaces_no_file_of_a_later_target() {
    let (sandbox, _) = two_targets();
    let conf = sandbox.root().join("two").join(CONF);
    let before = fs::read(&conf).unwrap();
    // The patch of the first target is refused, and ends the run.
    let run = sandbox.run(&format!("plan --jobs 1 --format patch --format json=two/{CONF}")).expect(64);
    assert!(run.stderr.contains("is read by this run"), "{run}");
    assert_eq!(fs::read(&conf).unwrap(), before);
}
