//! Saved plans: what they hold, what they stand for, and everything that must not be taken for one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use testing::{Run, Sandbox};

use crate::PROGRAM;

const PLAN: &str = "-q -f examples/existing/kasm-db.yaml plan --out plan.json";

/// A sandbox with a plan of the installed example in `plan.json`.
fn saved() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.run(PLAN).expect(0);
    let plan = sandbox.root().join("plan.json");
    (sandbox, plan)
}

fn read(plan: &PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(plan).unwrap()).unwrap()
}

/// Applies and expects that nothing at all happens to the target.
#[track_caller]
fn refused(sandbox: &Sandbox, arguments: &str, code: i32, says: &str) -> Run {
    let target = sandbox.target("existing");
    let before = sandbox.seen(&target);
    let run = sandbox.run(arguments).expect(code);
    assert!(run.stderr.contains(says), "{says:?} is not in\n{run}");
    let tells_state = arguments.contains("apply") && code != 64;
    assert_eq!(run.stderr.contains("  = state: nothing changed\n"), tells_state, "{run}");
    assert_eq!(sandbox.seen(&target), before, "{run}");
    run
}

#[test]
fn the_same_plan_gives_the_same_file_and_its_owner_alone_can_read_it() {
    let (sandbox, plan) = saved();
    let first = std::fs::read(&plan).unwrap();
    assert_eq!(std::fs::metadata(&plan).unwrap().permissions().mode() & 0o7777, 0o600);
    // It is replaced and not rewritten: who reads it now reads a whole one.
    let inode = std::fs::metadata(&plan).unwrap().ino();
    std::fs::set_permissions(&plan, PermissionsExt::from_mode(0o666)).unwrap();
    sandbox.run(PLAN).expect(0);
    assert_eq!(std::fs::read(&plan).unwrap(), first);
    assert_eq!(std::fs::metadata(&plan).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_ne!(std::fs::metadata(&plan).unwrap().ino(), inode);
    let left: Vec<_> =
        std::fs::read_dir(sandbox.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_plan_file_binds_every_file_that_was_read_or_looked_for() {
    let (_sandbox, plan) = saved();
    let plan = read(&plan);
    assert_eq!((&plan["format"], &plan["format_version"]), (&json!("kasm-db/plan/v2"), &json!("2.3")));
    assert_eq!(plan["documents"][0]["path"], "examples/existing/kasm-db.yaml");
    let inputs = plan["targets"][0]["inputs"].as_array().unwrap();
    let of = |path: &str| inputs.iter().find(|input| input["path"] == path).unwrap();
    assert_eq!(of("docker/docker-compose.yaml")["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(of("docker/.env"), &json!({"path": "docker/.env", "found": "absent", "sha256": null}));
    assert_eq!(of("conf/database/postgresql.auto.conf")["found"], "absent");
}

#[test]
fn what_cannot_be_a_plan_file_is_not_written_to() {
    let sandbox = Sandbox::new(PROGRAM);
    for (name, says) in [
        (".", "is not a regular file"),
        ("/dev/null", "is not a regular file"),
        ("nothing/plan.json", "cannot create the file"),
    ] {
        let arguments = format!("-q -f examples/existing/kasm-db.yaml plan --out {name}");
        refused(&sandbox, &arguments, 1, says);
    }
    // A link is replaced: what it leads to may be another's.
    let other = sandbox.root().join("other");
    std::fs::write(&other, "mine\n").unwrap();
    symlink("other", sandbox.root().join("plan.json")).unwrap();
    sandbox.run(PLAN).expect(0);
    assert_eq!(std::fs::read(&other).unwrap(), b"mine\n");
    assert!(std::fs::symlink_metadata(sandbox.root().join("plan.json")).unwrap().is_file());
}

#[test]
fn a_saved_plan_is_applied_without_asking_and_once() {
    let (sandbox, _) = saved();
    let run = sandbox.run("apply plan.json").expect(0);
    assert!(run.stdout.contains("Applied: 5 files"), "{run}");
    let applied = Sandbox::new(PROGRAM);
    applied.run("-f examples/existing/kasm-db.yaml apply -y").expect(0);
    let contents = |sandbox: &Sandbox| sandbox.contents(&sandbox.target("existing"));
    assert_eq!(contents(&sandbox), contents(&applied));
    let before = sandbox.seen(&sandbox.target("existing"));
    let run = sandbox.run("apply plan.json").expect(0);
    assert!(run.stdout.contains("already applied, no changes"), "{run}");
    assert_eq!(sandbox.seen(&sandbox.target("existing")), before);
}

#[test]
fn a_plan_that_was_applied_is_stale_once_there_is_more_to_do() {
    let (sandbox, _) = saved();
    let old = std::fs::read(at(&sandbox, "docker/docker-compose.yaml")).unwrap();
    sandbox.run("apply plan.json").expect(0);
    std::fs::write(at(&sandbox, "docker/.conf/docker-compose-late.yaml"), old).unwrap();
    let run = sandbox.run("apply plan.json").expect(5);
    assert!(run.stderr.contains("docker/.conf/docker-compose-late.yaml: appeared"), "{run}");
}

#[test]
fn a_plan_of_nothing_is_applied_and_does_nothing() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.run("-f examples/existing/kasm-db.yaml apply -y").expect(0);
    sandbox.run(PLAN).expect(0);
    let run = sandbox.run("apply plan.json").expect(0);
    assert!(run.stdout.contains("No changes"), "{run}");
}

#[test]
fn show_of_a_plan_that_holds_is_what_plan_shows() {
    let (sandbox, _) = saved();
    for format in ["human", "patch"] {
        let plan = sandbox.run(&format!("-q -f examples/existing/kasm-db.yaml plan --format {format}"));
        let show = sandbox.run(&format!("-q show plan.json --format {format}"));
        assert_eq!(show.stdout, plan.stdout);
    }
    let plan: Value =
        serde_json::from_slice(&sandbox.run("-q -f examples/existing/kasm-db.yaml plan --format json").bytes)
            .unwrap();
    let show: Value = serde_json::from_slice(&sandbox.run("show plan.json --format json").bytes).unwrap();
    assert_eq!(show["stale"], json!([]));
    for member in ["targets", "totals", "outcome"] {
        assert_eq!(show[member], plan[member], "{member}");
    }
}

/// Changes something, and gives what `apply` then names.
type Change = (&'static str, fn(&Sandbox), &'static str);

const CHANGES: &[Change] = &[
    (
        "a byte of a file that changes",
        |s| append(s, "docker/docker-compose.yaml"),
        "docker/docker-compose.yaml: changed",
    ),
    (
        "a byte of a file that was only read",
        |s| append(s, "docker/.conf/docker-compose-app.yaml"),
        "docker/.conf/docker-compose-app.yaml: changed",
    ),
    ("the conf", |s| append(s, "conf/database/postgresql.conf"), "conf/database/postgresql.conf: changed"),
    (
        "a file that goes",
        |s| remove(s, "docker/.conf/docker-compose-db.yaml"),
        "docker/.conf/docker-compose-db.yaml: gone",
    ),
    (
        "a conf that goes",
        |s| remove(s, "conf/database/postgresql.conf"),
        "conf/database/postgresql.conf: gone",
    ),
    ("a file that was not there", |s| write(s, "docker/.env"), "docker/.env: appeared"),
    (
        "a file that nobody looked for",
        |s| write(s, "docker/.conf/docker-compose-new.yaml"),
        "docker/.conf/docker-compose-new.yaml: appeared",
    ),
    (
        "an auto.conf",
        |s| write(s, "conf/database/postgresql.auto.conf"),
        "conf/database/postgresql.auto.conf: appeared",
    ),
    (
        "a file that becomes a folder",
        |s| {
            remove(s, "docker/.conf/docker-compose-app.yaml");
            std::fs::create_dir(at(s, "docker/.conf/docker-compose-app.yaml")).unwrap();
        },
        "docker/.conf/docker-compose-app.yaml: cannot be read any longer",
    ),
    (
        "the document",
        |s| s.edit(&s.document("existing"), "[read, write, ddl]", "[read]"),
        "examples/existing/kasm-db.yaml: changed (the document)",
    ),
    (
        "a comment of the document",
        |s| s.edit(&s.document("existing"), "targets:", "# new\ntargets:"),
        "examples/existing/kasm-db.yaml: changed (the document)",
    ),
    (
        "the document, to one that is not valid",
        |s| s.edit(&s.document("existing"), "targets:", "tragets:"),
        "examples/existing/kasm-db.yaml: changed (the document)",
    ),
    ("kasm-db", |s| tamper(s, |plan| plan["tool_version"] = json!("0.0.9")), "the plan was made by 0.0.9"),
];

fn at(sandbox: &Sandbox, path: &str) -> PathBuf {
    sandbox.target("existing").join(path)
}

fn append(sandbox: &Sandbox, path: &str) {
    let mut bytes = std::fs::read(at(sandbox, path)).unwrap();
    bytes.extend(b"\n");
    std::fs::write(at(sandbox, path), bytes).unwrap();
}

fn remove(sandbox: &Sandbox, path: &str) {
    std::fs::remove_file(at(sandbox, path)).unwrap();
}

fn write(sandbox: &Sandbox, path: &str) {
    std::fs::write(at(sandbox, path), "# new\n").unwrap();
}

/// Rewrites the plan file.
fn tamper(sandbox: &Sandbox, change: impl Fn(&mut Value)) {
    let path = sandbox.root().join("plan.json");
    let mut plan = read(&path);
    change(&mut plan);
    std::fs::write(path, serde_json::to_vec_pretty(&plan).unwrap()).unwrap();
}

#[test]
fn whatever_changed_makes_the_plan_stale_and_is_named() {
    for (what, change, says) in CHANGES {
        let (sandbox, _) = saved();
        change(&sandbox);
        let run = refused(&sandbox, "apply plan.json", 5, says);
        assert!(run.stderr.contains("is stale"), "{what}: {run}");
        // It can still be looked at: it tells what it tells, and what has changed.
        let show = sandbox.run("show plan.json").expect(5);
        assert!(show.stderr.contains(says), "{what}: {show}");
        assert!(show.stdout.contains("postgres:12-alpine -> kasmweb/postgres:1.11.0"), "{what}: {show}");
        assert!(
            show.stdout.contains("Plan: 2 to add, 4 to change, 0 to remove in 5 files."),
            "{what}: {show}"
        );
        let json: Value = serde_json::from_slice(&sandbox.run("show plan.json --format json").bytes).unwrap();
        assert!(!json["stale"].as_array().unwrap().is_empty(), "{what}");
        assert_eq!(json["targets"][0]["files"][0]["diff"], Value::Null, "{what}");
        sandbox.run("show plan.json --format patch").expect(5);
    }
}

#[test]
fn a_document_that_is_extended_is_a_part_of_the_document() {
    let sandbox = Sandbox::new(PROGRAM);
    let document = sandbox.document("existing");
    let base = document.with_file_name("base.kasm-db.yaml");
    std::fs::write(&base, "schema: kasm-db/v1\nsettings: {work_mem: 8MB}\n").unwrap();
    sandbox.edit(&document, "schema: kasm-db/v1\n", "schema: kasm-db/v1\nextends: base.kasm-db.yaml\n");
    sandbox.run(PLAN).expect(0);
    assert_eq!(read(&sandbox.root().join("plan.json"))["documents"].as_array().unwrap().len(), 2);
    sandbox.edit(&base, "}", "} # new");
    refused(&sandbox, "apply plan.json", 5, "examples/existing/base.kasm-db.yaml: changed (the document)");
    sandbox.edit(&base, " # new", "");
    sandbox.run("apply plan.json").expect(0);
}

/// A plan file has no say in how far documents may reach: what `-R` held together, `--top` or the same `-R` must name again.
#[test]
fn a_plan_of_a_folder_whose_documents_extend_one_above_them_says_how_it_is_applied() {
    let sandbox = Sandbox::new(PROGRAM);
    let many = sandbox.root().join("many");
    std::fs::create_dir_all(many.join("a")).unwrap();
    let base = "schema: kasm-db/v1\npostgres_major: 14\nsettings: {work_mem: 8MB}\n";
    std::fs::write(many.join("base.kasm-db.yaml"), base).unwrap();
    let text = "schema: kasm-db/v1\nextends: ../base.kasm-db.yaml\n\
                targets: [{name: a, files: {postgresql_conf: pg.conf}}]\n";
    std::fs::write(many.join("a/kasm-db.yaml"), text).unwrap();
    std::fs::write(many.join("a/pg.conf"), "work_mem = 4MB\n").unwrap();
    sandbox.run("plan -q -R -f many --out plan.json").expect(0);
    let says = "many/base.kasm-db.yaml is no longer part of the document: `extends` names a document that cannot be read";
    refused(&sandbox, "apply plan.json", 5, says);
    refused(&sandbox, "apply plan.json", 5, "`--top DIR` names a folder that holds both");
    sandbox.run("show plan.json --top many").expect(0);
    sandbox.run("apply plan.json -R -f many").expect(0);
    let run = sandbox.run("apply plan.json --top many").expect(0);
    assert!(run.stdout.contains("already applied, no changes"), "{run}");
}

#[test]
fn show_tells_a_plan_whose_target_is_out_of_reach() {
    let (sandbox, _) = saved();
    std::fs::rename(sandbox.root().join("examples"), sandbox.root().join("elsewhere")).unwrap();
    let run = sandbox.run("show plan.json").expect(0);
    assert!(run.stderr.contains("warning: cannot tell whether the plan still holds"), "{run}");
    assert!(run.stdout.contains("in 5 files"), "{run}");
}

#[test]
fn the_document_of_a_saved_plan_may_be_elsewhere() {
    let (sandbox, _) = saved();
    let document = sandbox.root().join("examples/existing/kasm-db.yaml");
    std::fs::rename(&document, sandbox.root().join("examples/existing/other.yaml")).unwrap();
    refused(&sandbox, "apply plan.json", 1, "use `-f FILE`");
    sandbox.run("-f examples/existing/other.yaml apply plan.json").expect(0);
}

#[test]
fn a_plan_whose_document_came_from_standard_input_needs_its_name() {
    let sandbox = Sandbox::new(PROGRAM);
    let document = std::fs::File::open(sandbox.document("existing")).unwrap();
    let mut command = sandbox.command(PROGRAM);
    command.current_dir(sandbox.root().join("examples/existing")).stdin(document);
    sandbox.finish(command.args(["-q", "-f", "-", "plan", "--out", "../../plan.json"])).expect(0);
    refused(&sandbox, "apply plan.json", 64, "came from standard input");
    let mut command = sandbox.command(PROGRAM);
    command.current_dir(sandbox.root().join("examples/existing"));
    sandbox.finish(command.args(["-f", "kasm-db.yaml", "apply", "../../plan.json"])).expect(0);
}

#[test]
fn a_plan_brings_its_targets_and_takes_no_others() {
    let sandbox = Sandbox::new(PROGRAM);
    let plan = "-q -f examples/existing/kasm-db.yaml --deployment examples/existing/opt/kasm/1.11.0 plan --out plan.json";
    sandbox.run(plan).expect(0);
    refused(
        &sandbox,
        "--installer examples/new/kasm_release apply plan.json",
        64,
        "not made with `--installer`",
    );
    refused(&sandbox, "--target current apply plan.json", 64, "another `--target`");
    // The same tree by another name is the same tree.
    sandbox.run("--deployment examples/existing/opt/kasm/current apply plan.json").expect(0);
}

#[test]
fn a_plan_that_was_made_from_a_copy_is_applied_on_the_host() {
    let sandbox = Sandbox::new(PROGRAM);
    let (host, copy) = (sandbox.root().join("host"), sandbox.root().join("copy"));
    let tree = sandbox.target("existing");
    for root in [&host, &copy] {
        std::fs::create_dir_all(root.join("opt/kasm")).unwrap();
        testing::copy(&tree, &root.join("opt/kasm/1.11.0"));
    }
    sandbox.edit(&sandbox.document("existing"), "opt/kasm/current", "/opt/kasm/1.11.0");
    sandbox.run(&format!("{PLAN} --root {}", copy.display())).expect(0);
    let apply = format!("apply plan.json --root {}", host.display());
    let before = sandbox.seen(&copy);
    let conf = host.join("opt/kasm/1.11.0/conf/database/postgresql.conf");
    let text = std::fs::read_to_string(&conf).unwrap();
    std::fs::write(&conf, format!("{text}\n")).unwrap();
    let run = sandbox.run(&apply).expect(5);
    assert!(run.stderr.contains("conf/database/postgresql.conf: changed"), "{run}");
    std::fs::write(&conf, text).unwrap();
    let run = sandbox.run(&apply).expect(0);
    assert!(run.stdout.contains("Applied: 5 files below [ROOT]/host/opt/kasm/1.11.0"), "{run}");
    assert_eq!(sandbox.seen(&copy), before);
    let run = sandbox.run(&apply).expect(0);
    assert!(run.stdout.contains("already applied"), "{run}");
}

#[test]
fn a_plan_comes_from_standard_input_too() {
    let (sandbox, plan) = saved();
    for (command, says) in [("show", "in 5 files"), ("apply", "Applied: 5 files")] {
        let mut program = sandbox.command(PROGRAM);
        program.args([command, "-"]).stdin(std::fs::File::open(&plan).unwrap());
        let run = sandbox.finish(&mut program).expect(0);
        assert!(run.stdout.contains(says), "{run}");
    }
    let mut program = sandbox.command(PROGRAM);
    let run = sandbox.finish(program.args(["apply", "-"]).stdin(std::process::Stdio::null())).expect(1);
    assert!(run.stderr.contains("<stdin> is cut short"), "{run}");
}

#[test]
fn a_plan_file_carries_the_document_and_what_follows() {
    let sandbox = Sandbox::new(PROGRAM);
    let document = sandbox.document("existing");
    sandbox.run(PLAN).expect(0);
    let path = sandbox.root().join("plan.json");
    assert_eq!(read(&path)["targets"][0]["follows"], Value::Null, "nobody is told to restart it");
    sandbox.edit(&document, "targets:", "restart: {policy: if_needed}\ntargets:");
    sandbox.run(PLAN).expect(0);
    let plan = read(&path);
    assert_eq!(plan["targets"][0]["follows"], follows("bin/stop"));
    assert!(plan["resolved"].as_str().unwrap().contains("image: kasmweb/postgres:1.11.0"));
    let types: Vec<_> =
        plan["targets"][0]["changes"].as_array().unwrap().iter().map(|c| &c["type"]).collect();
    assert_eq!(types, ["image", "image", "image", "image", "preload", "setting"]);
}

#[test]
fn a_blocked_plan_can_be_saved_and_shown_and_not_applied() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.edit(&sandbox.document("existing"), "postgres:1.11.0", "postgres:1.16.0");
    sandbox.run(PLAN).expect(4);
    assert_eq!(read(&sandbox.root().join("plan.json"))["targets"][0]["blocked"], true);
    let run = sandbox.run("show plan.json").expect(0);
    assert!(run.stderr.contains("error[KDB501]") && run.stdout.contains("Refused: major-change"), "{run}");
    refused(&sandbox, "apply plan.json", 4, "error[KDB501]");
}

#[test]
fn what_was_overruled_when_planning_is_overruled_again_when_applying() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.edit(&sandbox.document("existing"), "postgres:1.11.0", "postgres:1.16.0");
    sandbox.run(&format!("--allow major-change {PLAN}")).expect(0);
    assert_eq!(read(&sandbox.root().join("plan.json"))["targets"][0]["blocked"], false);
    refused(&sandbox, "apply plan.json", 4, "the plan was made with `--allow major-change`");
    sandbox.run("apply plan.json --allow major-change").expect(0);
}

/// What a plan file may say that this program does not say, and how it is found out.
type Lie = (&'static str, fn(&mut Value), i32, &'static str);

const LIES: &[Lie] = &[
    (
        "another edit",
        |p| p["targets"][0]["files"][1]["edits"][0]["end"] = json!(87),
        1,
        "its `files` do not match",
    ),
    ("no edit", |p| p["targets"][0]["files"][1]["edits"] = json!([]), 1, "its `files` do not match"),
    (
        "another text",
        |p| p["targets"][0]["files"][1]["edits"][0]["sha256"] = json!("0".repeat(64)),
        1,
        "its `files` do not match",
    ),
    (
        "another result",
        |p| p["targets"][0]["files"][1]["sha256_after"] = json!("0".repeat(64)),
        1,
        "its `files` do not match",
    ),
    (
        "one file less",
        |p| {
            p["targets"][0]["files"].as_array_mut().unwrap().pop();
        },
        1,
        "its `files` do not match",
    ),
    (
        "another value",
        |p| p["targets"][0]["changes"][0]["after"] = json!("evil/postgres:1"),
        1,
        "its `changes` do not match",
    ),
    ("no warnings, which bind nothing", |p| p["targets"][0]["findings"] = json!([]), 0, ""),
    ("no inputs", |p| p["targets"][0]["inputs"] = json!([]), 5, "is stale"),
    (
        "an input's hash",
        |p| {
            let inputs = p["targets"][0]["inputs"].as_array_mut().unwrap();
            let conf = inputs.iter_mut().find(|i| i["path"] == "conf/database/postgresql.conf").unwrap();
            flip(&mut conf["sha256"]);
        },
        5,
        "conf/database/postgresql.conf: changed",
    ),
    ("the document's hash", |p| flip(&mut p["documents"][0]["sha256"]), 5, "changed (the document)"),
    ("another needs", |p| p["targets"][0]["needs"] = json!("nothing"), 1, "its `summary` does not match"),
    ("another folder, which is only told", |p| p["targets"][0]["folder"] = json!("/etc"), 0, ""),
    ("another name", |p| p["targets"][0]["name"] = json!("other"), 1, "its `targets` do not match"),
    ("no targets", |p| p["targets"] = json!([]), 1, "its `targets` do not match"),
    (
        "a target twice",
        |p| {
            let t = p["targets"][0].clone();
            p["targets"].as_array_mut().unwrap().push(t);
        },
        1,
        "its `targets` do not match",
    ),
    (
        "a path that leads out",
        |p| p["targets"][0]["files"][0]["path"] = json!("../../etc/passwd"),
        1,
        "kasm-db writes no such `files.path`",
    ),
    (
        "a path that leads out later",
        |p| p["targets"][0]["files"][0]["path"] = json!("a/../../etc/passwd"),
        1,
        "no such `files.path`",
    ),
    (
        "an absolute path",
        |p| p["targets"][0]["files"][0]["path"] = json!("/etc/passwd"),
        1,
        "no such `files.path`",
    ),
    (
        "edits that overlap",
        |p| {
            let e = &mut p["targets"][0]["files"][0]["edits"];
            e[1]["start"] = json!(0);
        },
        1,
        "no such `files.edits`",
    ),
    (
        "an edit from behind",
        |p| p["targets"][0]["files"][0]["edits"][0]["end"] = json!(1),
        1,
        "no such `files.edits`",
    ),
    (
        "a hash that is none",
        |p| p["targets"][0]["files"][0]["sha256_after"] = json!("x"),
        1,
        "no such `files.sha256`",
    ),
    (
        "an unknown key",
        |p| p["targets"][0]["command"] = json!("id"),
        1,
        "kasm-db writes no key `targets.0.command`",
    ),
    ("an unknown kind", |p| p["targets"][0]["kind"] = json!("host"), 1, "is not a plan file: line"),
    (
        "an unknown major",
        |p| p["format_version"] = json!("3.0"),
        1,
        "of a version that this kasm-db does not know",
    ),
    (
        "another format",
        |p| p["format"] = json!("kasm-db/plan/v3"),
        1,
        "of a version that this kasm-db does not know",
    ),
    (
        "the format of 0.1.0",
        |p| p["format"] = json!("kasm-db/plan/v1"),
        1,
        "is a plan file of kasm-db 0.1.0, which this kasm-db does not apply",
    ),
    ("a format of others", |p| p["format"] = json!("terraform"), 1, "its format is not kasm-db/plan/v2"),
    (
        "a report",
        |p| p["format"] = json!("kasm-db/plan"),
        1,
        "the output of `plan` or `show` with `--format json`",
    ),
    ("a version that is none", |p| p["format_version"] = json!("1"), 1, "no such `format_version`"),
    ("another type", |p| p["targets"] = json!({}), 1, "is not a plan file: line"),
    (
        "another document",
        |p| p["documents"][0]["path"] = json!("examples/new/kasm-db.yaml"),
        5,
        "changed (the document)",
    ),
    (
        "another command behind the files",
        |p| p["targets"][0]["follows"] = follows("/tmp/evil"),
        1,
        "its `follows` do not match",
    ),
    ("another deployment", |p| p["selection"]["deployment"] = json!("/etc"), 5, "is stale"),
    ("an overruled blocker", |p| p["selection"]["allow"] = json!(["major-change"]), 0, ""),
];

/// What a plan file says of what follows, with a command to stop the deployment.
fn follows(stop: &str) -> Value {
    json!({
        "steps": ["stop", "start", "healthy", "extension"],
        "stop": [stop],
        "start": ["bin/start"],
        "stop_timeout_seconds": 300,
        "timeout_seconds": 300,
        "connect": "docker",
        "container": "kasm_db",
        "user": "kasmapp",
        "database": "kasm",
        "extension_databases": ["kasm"],
        "sql": ["CREATE EXTENSION IF NOT EXISTS pgaudit SCHEMA pg_catalog"],
    })
}

fn flip(hash: &mut Value) {
    let text = hash.as_str().unwrap();
    let other = if text.starts_with('0') { "1" } else { "0" };
    *hash = json!(format!("{other}{}", &text[1..]));
}

#[test]
fn a_plan_file_is_never_believed() {
    for (what, lie, code, says) in LIES {
        let (sandbox, _) = saved();
        tamper(&sandbox, lie);
        if *code == 0 {
            sandbox.run("apply plan.json").expect(0);
            continue;
        }
        let run = sandbox.run("apply plan.json");
        assert!(run.code == Some(*code) && run.stderr.contains(says), "{what}: {says:?} is not in\n{run}");
        refused(&sandbox, "apply plan.json", *code, says);
        // Whatever it is, looking at it breaks nothing.
        let show = sandbox.run("show plan.json");
        assert!(matches!(show.code, Some(0 | 1 | 5)), "{what}: {show}");
    }
}

#[test]
fn a_later_minor_may_say_more() {
    let (sandbox, _) = saved();
    tamper(&sandbox, |plan| {
        plan["format_version"] = json!("2.9");
        plan["targets"][0]["more"] = json!([1, {"a": null}]);
    });
    sandbox.run("show plan.json").expect(0);
    sandbox.run("apply plan.json").expect(0);
}

#[test]
fn a_plan_file_that_is_cut_short_is_refused_at_every_length() {
    let (sandbox, plan) = saved();
    let whole = std::fs::read(&plan).unwrap();
    let before = sandbox.seen(&sandbox.target("existing"));
    for length in (0..whole.len() - 2).step_by(97) {
        std::fs::write(&plan, &whole[..length]).unwrap();
        let run = sandbox.run("apply plan.json").expect(1);
        assert!(run.stderr.contains("plan.json is cut short"), "{length}: {run}");
    }
    assert_eq!(sandbox.seen(&sandbox.target("existing")), before);
}

#[test]
fn no_word_of_a_file_that_is_not_a_plan_is_repeated() {
    let (sandbox, plan) = saved();
    for text in [
        "hunter2",
        "\"hunter2\"",
        "{\"format\": \"hunter2\"}",
        "{\"format\": \"kasm-db/plan/v2\", \"format_version\": \"hunter2\"}",
        "{\"hunter2\": {",
        "[\"hunter2\"]",
    ] {
        std::fs::write(&plan, text).unwrap();
        for command in ["apply", "show"] {
            let run = sandbox.run(&format!("{command} plan.json")).expect(1).to_string();
            assert!(!run.contains("hunter2"), "{text}: {run}");
        }
    }
}

#[test]
fn only_a_regular_file_is_a_plan_file() {
    let (sandbox, plan) = saved();
    let other = sandbox.root().join("real.json");
    std::fs::rename(&plan, &other).unwrap();
    symlink("real.json", &plan).unwrap();
    refused(&sandbox, "apply plan.json", 1, "plan.json is a symbolic link");
    std::fs::remove_file(&plan).unwrap();
    std::fs::create_dir(&plan).unwrap();
    refused(&sandbox, "apply plan.json", 1, "plan.json is not a regular file");
    std::fs::remove_dir(&plan).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&plan).status().unwrap().success());
    refused(&sandbox, "apply plan.json", 1, "plan.json is not a regular file");
    refused(&sandbox, "apply /dev/zero", 1, "/dev/zero is not a regular file");
    refused(&sandbox, "apply nothing.json", 1, "nothing.json: cannot open the plan file: no such file");
    std::fs::remove_file(&plan).unwrap();
    std::fs::rename(&other, &plan).unwrap();
    // Sparse: no disk has to hold it.
    std::fs::OpenOptions::new().write(true).open(&plan).unwrap().set_len(1 << 30).unwrap();
    refused(&sandbox, "apply plan.json", 1, "is larger than 128 MiB");
}

#[test]
fn whose_a_plan_file_is_does_not_matter_as_it_is_never_believed() {
    for (what, lie, code, says) in LIES {
        let (sandbox, plan) = saved();
        tamper(&sandbox, lie);
        std::fs::set_permissions(&plan, PermissionsExt::from_mode(0o666)).unwrap();
        if !give(&plan) {
            return;
        }
        sandbox.run("show plan.json");
        if *code == 0 {
            sandbox.run("apply plan.json").expect(0);
            continue;
        }
        let run = refused(&sandbox, "apply plan.json", *code, says);
        assert!(!run.stderr.contains("belongs to"), "{what}: {run}");
    }
    let (sandbox, plan) = saved();
    give(&plan);
    sandbox.run("apply plan.json").expect(0);
}

/// Returns a file to another user; tells whether this is root, who can.
fn give(path: &Path) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    assert!(is_root || std::env::var_os("CI").is_none(), "this test gives a file away, which takes root");
    is_root && std::os::unix::fs::lchown(path, Some(65534), Some(65534)).is_ok()
}

/// The one thing that a plan file says and that is not derived again is which document it is of.
#[test]
fn a_plan_file_cannot_name_a_document_that_somebody_else_wrote() {
    for is_parent in [false, true] {
        let (sandbox, _) = saved();
        let own = sandbox.root().join("theirs.kasm-db.yaml");
        let text = "schema: kasm-db/v1\nsettings: {archive_command: \"'touch /tmp/theirs'\", archive_mode: on}\n\
                    restart: {policy: never}\ntargets: [{name: installed, deployment: examples/existing/opt/kasm/1.11.0}]\n";
        std::fs::write(&own, text).unwrap();
        let named = if is_parent { "mine.kasm-db.yaml" } else { "theirs.kasm-db.yaml" };
        let mine = sandbox.root().join("mine.kasm-db.yaml");
        std::fs::write(mine, "schema: kasm-db/v1\nextends: theirs.kasm-db.yaml\n").unwrap();
        sandbox.run(&format!("-q -f {named} plan --out plan.json")).expect(0);
        if !give(&own) {
            return;
        }
        let says = "theirs.kasm-db.yaml belongs to";
        refused(&sandbox, "apply plan.json", 1, says);
        std::os::unix::fs::lchown(&own, Some(0), Some(0)).unwrap();
        std::fs::set_permissions(&own, PermissionsExt::from_mode(0o666)).unwrap();
        let run =
            refused(&sandbox, "apply plan.json", 1, "is writable by users other than its owner (mode 0666)");
        assert!(run.stderr.contains("help: name the document with `-f FILE`, or run `chmod go-w "), "{run}");
        sandbox.run("show plan.json").expect(0);
        // Whoever names the document knows which one it is.
        sandbox.run(&format!("apply plan.json -f {named}")).expect(0);
    }
}

#[test]
fn no_plan_of_a_part_of_the_targets_is_saved() {
    let sandbox = Sandbox::new(PROGRAM);
    let document = sandbox.document("existing");
    sandbox.edit(&document, "targets:\n", "targets:\n  - name: other\n    deployment: opt/kasm/nothing\n");
    let run = sandbox.run(PLAN).expect(1);
    assert!(run.stderr.contains("plan.json: not written, as not every target could be planned"), "{run}");
    assert!(!sandbox.root().join("plan.json").exists());
}

/// A fleet: two documents that extend a base, each with a tree of its own.
fn fleet() -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    let fleet = sandbox.root().join("examples/fleet");
    for site in ["eu-1", "eu-2"] {
        let to = sandbox.root().join(site);
        testing::copy(&sandbox.target("existing"), &to);
        let document = std::fs::read_to_string(fleet.join("eu-1.kasm-db.yaml")).unwrap();
        let document = document.replace("../existing/opt/kasm/current", &format!("../../{site}"));
        std::fs::write(fleet.join(format!("{site}.kasm-db.yaml")), document.replace("eu-1", site)).unwrap();
    }
    sandbox
}

#[test]
fn the_plans_of_several_documents_are_saved_shown_and_applied_as_one() {
    let sandbox = fleet();
    let plan = sandbox.run("-q -f examples/fleet -R plan --out plan.json").expect(0);
    let file = read(&sandbox.root().join("plan.json"));
    assert_eq!(file["documents"][0]["path"], "examples/fleet/eu-1.kasm-db.yaml");
    assert_eq!(file["targets"][0]["name"], "eu-1");
    assert_eq!(file["others"][0]["documents"][0]["path"], "examples/fleet/eu-2.kasm-db.yaml");
    assert_eq!(file["others"][0]["documents"][1]["path"], "examples/fleet/base.kasm-db.yaml");
    assert_eq!(file["others"][0]["targets"][0]["name"], "eu-2");
    assert!(file["others"][0]["resolved"].as_str().unwrap().contains("log_min_duration_statement"), "{file}");
    assert_eq!(sandbox.run("-q show plan.json").expect(0).stdout, plan.stdout);
    let before = sandbox.contents(&sandbox.root().join("eu-1"));
    let run = sandbox.run("apply plan.json").expect(0);
    assert_eq!(run.stdout.matches("Applied: ").count(), 2, "{run}");
    for site in ["eu-1", "eu-2"] {
        assert_ne!(sandbox.contents(&sandbox.root().join(site)), before);
        sandbox.run(&format!("-f examples/fleet/{site}.kasm-db.yaml plan --detailed-exitcode")).expect(0);
    }
}

#[test]
fn a_plan_of_several_documents_is_stale_as_a_whole() {
    let sandbox = fleet();
    sandbox.run("-q -f examples/fleet -R plan --out plan.json").expect(0);
    let first = sandbox.root().join("eu-1");
    let before = sandbox.seen(&first);
    let conf = sandbox.root().join("eu-2/conf/database/postgresql.conf");
    std::fs::write(&conf, [&std::fs::read(&conf).unwrap()[..], b"# edited\n"].concat()).unwrap();
    for command in ["apply plan.json", "show plan.json"] {
        let run = sandbox.run(command).expect(5);
        let line = "  examples/fleet/eu-2.kasm-db.yaml: eu-2: conf/database/postgresql.conf: changed\n";
        assert!(run.stderr.contains(line), "{run}");
    }
    assert_eq!(sandbox.seen(&first), before);
    sandbox.edit(&sandbox.root().join("examples/fleet/base.kasm-db.yaml"), "[read, write, ddl]", "[read]");
    let run = sandbox.run("apply plan.json").expect(5);
    assert_eq!(
        run.stderr.matches("examples/fleet/base.kasm-db.yaml: changed (the document)").count(),
        1,
        "{run}"
    );
}

#[test]
fn the_documents_of_a_plan_may_be_elsewhere_if_they_are_as_many() {
    let sandbox = fleet();
    sandbox.run("-q -f examples/fleet -R plan --out plan.json").expect(0);
    std::fs::rename(sandbox.root().join("examples/fleet"), sandbox.root().join("examples/sites")).unwrap();
    sandbox.run("apply plan.json").expect(1);
    let run = sandbox.run("apply plan.json -f examples/sites/eu-1.kasm-db.yaml").expect(64);
    assert!(run.stderr.contains("the plan is of 2 documents, and `-f` names 1 document"), "{run}");
    sandbox.run("apply plan.json -f examples/sites -R").expect(0);
}

#[test]
fn no_plan_is_saved_if_one_of_several_documents_is_not_valid() {
    let sandbox = fleet();
    sandbox.edit(&sandbox.root().join("examples/fleet/eu-2.kasm-db.yaml"), "250ms", "[]");
    let run = sandbox.run("-q -f examples/fleet -R plan --out plan.json").expect(1);
    assert!(run.stderr.contains("plan.json: not written, as not every target could be planned"), "{run}");
    assert!(!sandbox.root().join("plan.json").exists());
}
