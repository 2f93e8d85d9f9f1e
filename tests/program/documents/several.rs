//! Several documents in one run, and documents that extend others.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use testing::{Run, Sandbox};

use crate::PROGRAM;

const BASE: &str = "preload: {mode: exact}\naudit: {classes: [read]}\n";
const SITE: &str = "schema: kasm-db/v1\nextends: ../base.kasm-db.yaml\npreload: {libraries: [pgaudit]}\n";

fn write(sandbox: &Sandbox, path: &str, text: &str) {
    let path = sandbox.root().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A fleet in a Git work tree: a base, a site without targets, and the two examples.
fn fleet() -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    std::fs::create_dir(sandbox.root().join(".git")).unwrap();
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
    assert!(run.stdout.ends_with("6 documents: 1 not read, 1 with errors, 2 warnings\n"), "{run}");
    let json = sandbox.run("-q validate --format json -f examples -R").expect(3).bytes;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let documents = json["documents"].as_array().unwrap();
    let valid: Vec<_> = documents.iter().map(|document| document["valid"].as_bool().unwrap()).collect();
    assert_eq!(valid, [false, true, true, true]);
    let fix = &documents[0]["errors"][0]["fix"];
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
    assert!(
        sandbox.run("validate -f examples").expect(64).stderr.contains("pass `-R` to read all documents")
    );
    sandbox.run("validate -R").expect(64);
    for command in ["plan", "apply -y"] {
        let run = sandbox.run(&format!("{command} -f examples/site -R")).expect(64);
        assert!(run.stderr.contains("no document that was found names a target"), "{run}");
    }
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
    let table: Vec<_> = run.stdout.split("\nTargets:\n").nth(1).unwrap().lines().collect();
    assert!(table[0].starts_with("  examples/existing/kasm-db.yaml: current  applied: "), "{run}");
    assert!(table[1].starts_with("  examples/new/kasm-db.yaml: release       applied: "), "{run}");
    assert_eq!(table[2..], ["2 targets: 2 applied"], "{run}");
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
fn whatever_is_wrong_with_any_document_is_reported_before_an_apply() {
    let sandbox = fleet();
    write(&sandbox, "examples/z/kasm-db.yaml", "schema: kasm-db/v1\nimge: x\n");
    let before = sandbox.seen(sandbox.root());
    let run = sandbox.run("apply -y -f one.yaml -f examples/z/kasm-db.yaml -f two.yaml").expect(1);
    for part in ["error: one.yaml: cannot open", "error: two.yaml: cannot open", "error[KDB101]"] {
        assert!(run.stderr.contains(part), "{run}");
    }
    assert_eq!(sandbox.seen(sandbox.root()), before);
}

#[test]
fn a_document_from_standard_input_extends_from_the_present_folder() {
    let sandbox = fleet();
    let validate = |folder: &Path| {
        let mut child = sandbox
            .command(PROGRAM)
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
    assert!(
        said.contains("error[KDB006]") && said.contains("../base.kasm-db.yaml: it leads out of "),
        "{said}"
    );
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
fn a_parent_that_is_not_a_file_is_not_waited_for() {
    let sandbox = fleet();
    let path = sandbox.root().join("examples/pipe.kasm-db.yaml");
    let status = sandbox.command("mkfifo").arg(&path).status().unwrap();
    assert!(status.success());
    write(&sandbox, "examples/site/kasm-db.yaml", "schema: kasm-db/v1\nextends: ../pipe.kasm-db.yaml\n");
    let run = sandbox.run("validate -f examples/site/kasm-db.yaml").expect(3);
    assert!(run.stderr.contains("examples/pipe.kasm-db.yaml: it is a FIFO, not a regular file"), "{run}");
}

const TWO: &str = "-f examples/new/kasm-db.yaml -f examples/existing/kasm-db.yaml";

/// A document on standard input, for commands whose folder is the sandbox.
fn piped(sandbox: &Sandbox, arguments: &str, document: &str) -> Run {
    let path = sandbox.root().join("piped.yaml");
    std::fs::write(&path, document).unwrap();
    let mut command = sandbox.command(PROGRAM);
    let run = command.args(arguments.split_whitespace()).stdin(std::fs::File::open(&path).unwrap());
    sandbox.finish(run)
}

#[test]
fn a_target_is_looked_for_in_all_documents() {
    let sandbox = fleet();
    for (command, code) in [("plan", 0), ("status", 9), ("verify", 9), ("history", 0), ("apply -y", 0)] {
        let run = sandbox.run(&format!("-q {command} {TWO} --target current")).expect(code);
        assert!(
            run.stdout.contains("existing/opt/kasm") || run.stdout.contains("kasm-db.yaml: current"),
            "{run}"
        );
        assert!(!run.stdout.contains("kasm_release"), "{run}");
        let before = sandbox.seen(sandbox.root());
        let run = sandbox.run(&format!("-q {command} {TWO} --target curent")).expect(64);
        assert!(
            run.stderr.contains("no target matches `curent`") && run.stderr.contains("`current`"),
            "{run}"
        );
        assert!(run.stdout.is_empty() && sandbox.seen(sandbox.root()) == before, "{run}");
    }
}

#[test]
fn a_document_that_is_named_twice_is_one() {
    let sandbox = fleet();
    let twice = "-f examples/new/kasm-db.yaml -f ./examples/../examples/new/kasm-db.yaml -f examples/new -R";
    for command in ["plan", "status", "verify", "history", "render", "validate"] {
        let once = sandbox.run(&format!("{command} -f examples/new/kasm-db.yaml"));
        if command == "render" {
            std::fs::remove_dir_all(sandbox.root().join("examples/new/rendered")).unwrap();
        }
        assert_eq!(sandbox.run(&format!("{command} {twice}")).to_string(), once.to_string());
    }
}

/// Two documents may well call their targets the same.
#[test]
fn what_is_said_of_a_target_names_its_document_where_there_are_several() {
    let sandbox = fleet();
    sandbox.edit(&sandbox.document("new"), "name: release", "name: current");
    for command in ["status", "verify"] {
        let run = sandbox.run(&format!("-q {command} {TWO}")).expect(9);
        for example in ["new", "existing"] {
            assert!(run.stdout.contains(&format!("examples/{example}/kasm-db.yaml: current")), "{run}");
        }
        let run = sandbox.run(&format!("-q {command} --format json {TWO}")).expect(9);
        let json: serde_json::Value = serde_json::from_slice(&run.bytes).unwrap();
        let names: Vec<_> = json["targets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| (t["document"].as_str().unwrap(), t["name"].as_str().unwrap()))
            .collect();
        assert_eq!(
            names,
            [("examples/new/kasm-db.yaml", "current"), ("examples/existing/kasm-db.yaml", "current")]
        );
        let run = sandbox
            .run(&format!("-q {command} -f examples/new/kasm-db.yaml"))
            .expect(if command == "status" { 2 } else { 0 });
        assert!(run.stdout.starts_with("current"), "{run}");
    }
}

#[test]
fn a_document_that_cannot_be_read_is_counted_and_keeps_no_other_from_being_looked_at() {
    let sandbox = fleet();
    let both = "-f nothing.yaml -f examples/new/kasm-db.yaml";
    let run = sandbox.run(&format!("-q validate {both}")).expect(1);
    assert_eq!(run.stdout, "2 documents: 1 not read, 0 with errors, 1 warning\n");
    let run = sandbox.run(&format!("-q validate --format json {both}")).expect(1);
    let json: serde_json::Value = serde_json::from_slice(&run.bytes).unwrap();
    let first = &json["documents"][0];
    assert_eq!((&first["document"], &first["valid"]), (&"nothing.yaml".into(), &false.into()));
    assert!(first["errors"][0]["message"].as_str().unwrap().contains("no such file"), "{first}");
    assert_eq!(json["documents"][1]["errors"], serde_json::json!([]));
    for (command, shown) in [
        ("plan", true),
        ("status", true),
        ("verify", true),
        ("render", true),
        ("apply -y", false),
        ("history", true),
    ] {
        let run = sandbox.run(&format!("-q {command} {both}")).expect(1);
        assert_eq!(run.stdout.contains("release") || run.stdout.contains("examples/new"), shown, "{run}");
        assert!(run.stderr.contains("nothing.yaml: cannot open the document: no such file"), "{run}");
    }
}

#[test]
fn every_command_takes_a_document_from_standard_input() {
    let sandbox = fleet();
    let document = std::fs::read_to_string(sandbox.document("existing")).unwrap();
    let document = document.replace("deployment: opt", "deployment: examples/existing/opt");
    let run = |arguments: &str, code: i32| piped(&sandbox, arguments, &document).expect(code);
    run("validate -f -", 0);
    run("plan -f - --detailed-exitcode", 2);
    run("render -f - --out out", 0);
    assert!(run("apply -f -", 64).stderr.contains("cannot ask whether to apply"));
    run("plan -f - --out plan.json", 0);
    assert!(sandbox.run("apply plan.json").expect(64).stderr.contains("came from standard input"));
    run("apply -f - -y", 0);
    run("plan -f - -f - --detailed-exitcode", 0);
    run("render -f - --out out --check", 0);
    for command in ["status", "verify"] {
        let text = run(&format!("{command} -f - --format json"), 9);
        let json: serde_json::Value = serde_json::from_slice(&text.bytes).unwrap();
        assert_eq!(json["targets"][0]["document"], "<stdin>");
    }
    run("history -f -", 0);
    // Where a document is written, it is standard output.
    let imported = run("import -f - --deployment examples/existing/opt/kasm/current", 0).stdout;
    piped(&sandbox, "plan -f - --detailed-exitcode", &imported).expect(0);
}

#[test]
fn import_writes_one_document_and_searches_for_none() {
    let sandbox = fleet();
    let before = sandbox.seen(sandbox.root());
    for (arguments, message) in [
        ("-f a.yaml -f b.yaml", "only one document is written"),
        ("-f examples -R", "`-R` searches a folder"),
    ] {
        let run = sandbox
            .run(&format!("import --deployment examples/existing/opt/kasm/current {arguments}"))
            .expect(64);
        assert!(run.stderr.contains(message), "{run}");
    }
    assert_eq!(sandbox.seen(sandbox.root()), before);
}
