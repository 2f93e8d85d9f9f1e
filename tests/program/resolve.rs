//! A document and those that it extends, printed as one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use testing::Sandbox;

use crate::PROGRAM;

const BASE: &str = "schema: kasm-db/v1\nimage: kasmweb/postgres:1.16.0\nx-note: ours\npreload: {libraries: [pgaudit]}\n\
                    audit: {classes: [read, write]}\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    fs::create_dir(sandbox.root().join("eu")).unwrap();
    fs::write(sandbox.root().join("base.kasm-db.yaml"), BASE).unwrap();
    let own = "schema: kasm-db/v1\nextends: ../base.kasm-db.yaml\naudit: {classes: [all]}\n";
    fs::write(sandbox.root().join("eu/kasm-db.yaml"), own).unwrap();
    // A repository: otherwise a document may name nothing above its own folder.
    fs::create_dir(sandbox.root().join(".git")).unwrap();
    sandbox
}

#[test]
fn resolve_prints_the_merged_document_as_yaml_and_as_a_value() {
    let sandbox = sandbox();
    for command in ["resolve eu/kasm-db.yaml", "resolve -f eu/kasm-db.yaml"] {
        let run = sandbox.run(command).expect(0);
        assert_eq!(
            run.stdout,
            "schema: kasm-db/v1\nimage: kasmweb/postgres:1.16.0 # from ../base.kasm-db.yaml\npreload:\n  \
             libraries: [pgaudit] # from ../base.kasm-db.yaml\naudit:\n  classes: [all]\n"
        );
        assert_eq!(run.stderr, "");
    }
    let json = sandbox.run("resolve eu/kasm-db.yaml --format json").expect(0);
    let value: serde_json::Value = serde_json::from_slice(&json.bytes).unwrap();
    assert_eq!(
        value["resolved"],
        serde_json::json!({
            "schema": "kasm-db/v1", "image": "kasmweb/postgres:1.16.0",
            "preload": {"libraries": ["pgaudit"]}, "audit": {"classes": ["all"]},
        })
    );
    assert_eq!(value["extends"], serde_json::json!(["base.kasm-db.yaml"]));
    // What is printed is a document that means the same.
    let yaml = sandbox.run("resolve eu/kasm-db.yaml").expect(0).stdout;
    fs::write(sandbox.root().join("kasm-db.yaml"), yaml).unwrap();
    sandbox.run("validate").expect(0);
}

#[test]
fn resolve_prints_no_document_with_errors_and_no_two() {
    let sandbox = sandbox();
    fs::write(sandbox.root().join("bad.kasm-db.yaml"), "schema: kasm-db/v1\nimage: x\n").unwrap();
    let run = sandbox.run("resolve bad.kasm-db.yaml").expect(3);
    assert_eq!(run.stdout, "");
    let json = sandbox.run("resolve bad.kasm-db.yaml --format json").expect(3);
    let value: serde_json::Value = serde_json::from_slice(&json.bytes).unwrap();
    assert_eq!(value["resolved"], serde_json::Value::Null);
    assert_eq!(value["errors"][0]["code"], "KDB201");
    let run = sandbox.run("resolve eu/kasm-db.yaml base.kasm-db.yaml").expect(64);
    assert!(run.stderr.contains("name one document"), "{run}");
}
