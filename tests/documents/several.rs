//! Several documents in one run, and documents that extend others.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use crate::command::Sandbox;

const BASE: &str = "preload: {mode: exact}\naudit: {classes: [read]}\n";
const SITE: &str = "schema: kasm-db/v1\nextends: ../base.kasm-db.yaml\npreload: {libraries: [pgaudit]}\n";

fn write(sandbox: &Sandbox, path: &str, text: &str) {
    let path = sandbox.root().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A fleet: a base, a site without targets, and the two examples.
fn fleet() -> Sandbox {
    let sandbox = Sandbox::new();
    std::fs::remove_dir_all(sandbox.root().join("examples/fleet")).unwrap();
    write(&sandbox, "examples/base.kasm-db.yaml", BASE);
    write(&sandbox, "examples/site/kasm-db.yaml", SITE);
    sandbox
}

#[test]
fn all_documents_below_a_folder_are_checked_in_order_and_summed_up() {
    let sandbox = fleet();
    let run = sandbox.run("validate -f examples -R").expect(0);
    assert_eq!(
        run.stdout,
        "examples/existing/kasm-db.yaml: valid, 1 warning\n\
         examples/new/kasm-db.yaml: valid, 1 warning\n\
         examples/site/kasm-db.yaml: valid, 0 warnings\n\
         4 documents: all valid, 2 warnings\n"
    );
    assert_eq!(sandbox.run("-q validate -f examples -R").stdout, "4 documents: all valid, 2 warnings\n");
}

#[test]
fn the_worst_of_several_documents_is_the_exit_code_and_all_are_named() {
    let sandbox = fleet();
    write(&sandbox, "examples/broken/eu.kasm-db.yaml", "schema: kasm-db/v1\nimge: x\n");
    let run = sandbox.run("validate -f examples -R").expect(3);
    assert!(run.stdout.contains("examples/broken/eu.kasm-db.yaml: 1 error, 0 warnings\n"), "{run}");
    assert!(run.stdout.ends_with("5 documents: 1 with errors, 2 warnings\n"), "{run}");
    let run = sandbox.run("validate -f examples -R -f nothing.yaml").expect(1);
    assert!(run.stderr.contains("error: nothing.yaml: "), "{run}");
    assert!(run.stdout.ends_with("6 documents: 1 with errors, 2 warnings\n"), "{run}");
    let json = sandbox.run("-q validate --format json -f examples -R").expect(3).bytes;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let documents = json["documents"].as_array().unwrap();
    let valid: Vec<_> = documents.iter().map(|document| document["valid"].as_bool().unwrap()).collect();
    assert_eq!(valid, [false, true, true, true]);
    let fix = &documents[0]["diagnostics"][0]["fix"];
    assert_eq!(*fix, serde_json::json!({ "start": 19, "end": 23, "replacement": "image" }));
}

#[test]
fn a_document_alone_must_have_what_a_child_could_bring() {
    let sandbox = fleet();
    sandbox.run("validate -f examples/base.kasm-db.yaml").expect(3);
    std::fs::remove_file(sandbox.root().join("examples/site/kasm-db.yaml")).unwrap();
    sandbox.run("validate -f examples -R").expect(3);
}

#[test]
fn folders_without_documents_and_folders_alone_are_errors() {
    let sandbox = fleet();
    write(&sandbox, "empty/docker-compose.yaml", "");
    assert!(sandbox.run("validate -f empty -R").expect(1).stderr.contains("no document below empty"));
    assert!(sandbox.run("validate -f examples").expect(64).stderr.contains("`-R` takes every document"));
    sandbox.run("validate -R").expect(64);
    for command in ["plan", "apply -y"] {
        let run = sandbox.run(&format!("{command} -f examples/site -R")).expect(64);
        assert!(run.stderr.contains("no document that was found names a target"), "{run}");
    }
    let two = "-f examples/new/kasm-db.yaml -f examples/existing/kasm-db.yaml";
    let run = sandbox.run(&format!("plan {two} --out plan.json")).expect(64);
    assert!(run.stderr.contains("2 documents are named"), "{run}");
}

#[test]
fn the_targets_of_several_documents_are_planned_and_applied_in_order() {
    let sandbox = fleet();
    let two = "-f examples/new/kasm-db.yaml -f examples/existing/kasm-db.yaml";
    let at = |text: &str, part: &str| text.find(part).unwrap_or_else(|| panic!("no {part} in {text}"));
    let run = sandbox.run(&format!("plan {two} --detailed-exitcode")).expect(2);
    assert!(at(&run.stdout, "release (installer") < at(&run.stdout, "current (deployment"), "{run}");
    let json = sandbox.run(&format!("-q plan {two} --format json")).expect(0).bytes;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["documents"].as_array().unwrap().len(), 2);
    assert_eq!(json["targets"][1]["document"], "examples/existing/kasm-db.yaml");
    // What has no target is there for others.
    let run = sandbox.run("apply -y -f examples -R").expect(0);
    assert!(run.stdout.ends_with("Targets:\n  current: applied\n  release: applied\n"), "{run}");
    sandbox.run("plan -f examples -R --detailed-exitcode").expect(0);
}

#[test]
fn one_document_with_errors_keeps_all_others_from_being_applied() {
    let sandbox = fleet();
    write(&sandbox, "examples/z/kasm-db.yaml", "schema: kasm-db/v1\nimge: x\n");
    let before = sandbox.seen(sandbox.root());
    sandbox.run("apply -y -f examples -R").expect(3);
    assert_eq!(sandbox.seen(sandbox.root()), before);
    let run = sandbox.run("plan -f examples -R").expect(3);
    assert!(run.stdout.contains("current (deployment"), "{run}");
}

#[test]
fn a_document_from_standard_input_extends_from_the_present_folder() {
    let sandbox = fleet();
    let validate = |folder: &Path| {
        let mut child = sandbox
            .command(env!("CARGO_BIN_EXE_kasm-db"))
            .current_dir(folder)
            .args(["validate", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(SITE.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let inside = validate(&sandbox.root().join("examples/site"));
    assert_eq!(String::from_utf8_lossy(&inside.stdout), "<stdin>: valid, 0 warnings\n");
    let outside = validate(sandbox.root());
    assert_eq!(outside.status.code(), Some(3));
    let said = String::from_utf8_lossy(&outside.stderr);
    assert!(said.contains("error[KDB006]") && said.contains("../base.kasm-db.yaml: no such file"), "{said}");
}

#[test]
fn a_saved_plan_is_stale_when_a_parent_changed() {
    let sandbox = fleet();
    let document = sandbox.document("new");
    sandbox.edit(&document, "schema: kasm-db/v1\n", "schema: kasm-db/v1\nextends: ../own.kasm-db.yaml\n");
    write(&sandbox, "examples/own.kasm-db.yaml", "verify: {database: kasm}\n");
    sandbox.run("plan -f examples/new/kasm-db.yaml --out plan.json").expect(0);
    write(&sandbox, "examples/own.kasm-db.yaml", "verify: {database: kasm} # other\n");
    let run = sandbox.run("apply plan.json").expect(5);
    assert!(run.stderr.contains("examples/own.kasm-db.yaml: changed"), "{run}");
}

#[test]
fn a_parent_that_is_no_file_is_not_waited_for() {
    let sandbox = fleet();
    let path = sandbox.root().join("examples/pipe.kasm-db.yaml");
    let status = sandbox.command("mkfifo").arg(&path).status().unwrap();
    assert!(status.success());
    write(&sandbox, "examples/site/kasm-db.yaml", "schema: kasm-db/v1\nextends: ../pipe.kasm-db.yaml\n");
    let run = sandbox.run("validate -f examples/site/kasm-db.yaml").expect(3);
    assert!(run.stderr.contains("examples/pipe.kasm-db.yaml: not a file"), "{run}");
}
