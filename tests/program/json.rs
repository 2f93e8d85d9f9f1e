//! What programs read: one envelope for every command and every outcome, by a schema of its own.
//!
//! `KASM_DB_BLESS=1 cargo test -p kasm-db --test program json` writes the schemas.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use testing::{Run, Sandbox, repository};

use crate::PROGRAM;

fn path(name: &str) -> PathBuf {
    repository().join(format!("schemas/{name}.v2.schema.json"))
}

#[test]
fn the_schemas_are_the_committed_ones() {
    for name in kasm_db::parts::schemas().filter(|name| *name != "document") {
        let (path, schema) = (path(name), kasm_db::parts::schema(name));
        if std::env::var_os("KASM_DB_BLESS").is_some() {
            fs::write(&path, &schema).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        let help = "run `KASM_DB_BLESS=1 cargo test -p kasm-db --test program json` and commit the files";
        assert!(committed == schema, "{} is not what the structs make: {help}", path.display());
    }
}

/// What stands in the way of a run, and what the commands do then.
struct Situation {
    name: &'static str,
    prepare: fn(&Sandbox) -> Held,
    /// The exit code of each command.
    codes: &'static [(&'static str, i32)],
    /// The policies of `docs/json.md` that hold.
    holds: &'static [&'static str],
}

/// What must stay as it is while commands run.
type Held = Option<File>;

/// The commands that are about targets and their documents, as they are run.
const COMMANDS: [&str; 10] = [
    "validate",
    "plan",
    "apply --yes",
    "status",
    "verify",
    "render",
    "history",
    "rollback --yes",
    "recover",
    "audit",
];

const SITUATIONS: &[Situation] = &[
    Situation {
        name: "not applied yet",
        prepare: |_| None,
        codes: &[("status", 9), ("verify", 9), ("rollback --yes", 1)],
        holds: &["no-blocker", "ddl-audited", "valid", "own-images"],
    },
    Situation {
        name: "applied",
        prepare: |sandbox| {
            sandbox.run(&format!("{DOCUMENT} -q apply --yes")).expect(0);
            None
        },
        codes: &[("status", 9), ("verify", 9)],
        holds: &[
            "no-blocker",
            "ddl-audited",
            "valid",
            "own-images",
            "no-recreate",
            "in-sync",
            "managed-in-sync",
        ],
    },
    Situation {
        name: "an invalid document",
        prepare: |sandbox| {
            sandbox.edit(&sandbox.document("existing"), "preload:", "preloads:");
            None
        },
        codes: &[
            ("validate", 3),
            ("plan", 3),
            ("apply --yes", 3),
            ("status", 3),
            ("verify", 3),
            ("render", 3),
            ("history", 3),
            ("rollback --yes", 3),
            ("recover", 3),
            ("audit", 3),
        ],
        holds: &[],
    },
    Situation {
        name: "no document",
        prepare: |sandbox| {
            fs::remove_file(sandbox.document("existing")).unwrap();
            None
        },
        codes: ALL_FAIL,
        holds: &[],
    },
    Situation {
        name: "a document that nobody may read",
        prepare: |sandbox| {
            mode(&sandbox.document("existing"), 0o000);
            None
        },
        codes: ALL_FAIL,
        holds: &[],
    },
    Situation {
        name: "no folder of the target",
        prepare: |sandbox| {
            fs::remove_dir_all(sandbox.target("existing")).unwrap();
            None
        },
        codes: ALL_FAIL_OF_TARGETS,
        holds: &["valid"],
    },
    Situation {
        name: "a folder that nobody may enter",
        prepare: |sandbox| {
            mode(&sandbox.target("existing"), 0o000);
            None
        },
        codes: &[
            ("plan", 1),
            ("apply --yes", 1),
            ("status", 1),
            // Its files are not all that there is to ask.
            ("verify", 9),
            ("render", 1),
            ("history", 1),
            ("rollback --yes", 1),
            ("recover", 1),
            ("audit", 1),
        ],
        holds: &["ddl-audited", "valid", "own-images"],
    },
    Situation {
        name: "a blocker",
        prepare: |sandbox| {
            let document = sandbox.document("existing");
            sandbox.edit(&document, "kasmweb/postgres:1.11.0", "kasmweb/postgres:1.16.1");
            None
        },
        codes: &[("plan", 4), ("apply --yes", 4), ("status", 9), ("verify", 9), ("rollback --yes", 1)],
        holds: &["ddl-audited", "valid", "own-images"],
    },
    Situation {
        name: "another run",
        prepare: |sandbox| {
            let held = File::open(sandbox.target("existing")).unwrap();
            held.lock().unwrap();
            Some(held)
        },
        codes: &[("apply --yes", 6), ("status", 9), ("verify", 9), ("rollback --yes", 6), ("recover", 6)],
        holds: &["no-blocker", "ddl-audited", "valid", "own-images"],
    },
];

const ALL_FAIL: &[(&str, i32)] = &[
    ("validate", 1),
    ("plan", 1),
    ("apply --yes", 1),
    ("status", 1),
    ("verify", 1),
    ("render", 1),
    ("history", 1),
    ("rollback --yes", 1),
    ("recover", 1),
    ("audit", 1),
];

const ALL_FAIL_OF_TARGETS: &[(&str, i32)] = &[
    ("plan", 1),
    ("apply --yes", 1),
    ("status", 1),
    ("verify", 1),
    ("render", 1),
    ("history", 1),
    ("rollback --yes", 1),
    ("recover", 1),
    ("audit", 1),
];

const DOCUMENT: &str = "-f examples/existing/kasm-db.yaml";

/// A user who is not root, as whom everything is run: root may read what nobody may.
const NOBODY: u32 = 65534;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn give(path: &Path, uid: u32) {
    lchown(path, Some(uid), Some(uid)).unwrap();
    if fs::symlink_metadata(path).unwrap().is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path(), uid));
    }
}

/// Runs a command as a user who owns the whole sandbox. The sandbox checks the envelope, its schema and the exit code.
fn as_nobody(sandbox: &Sandbox, binary: &Path, arguments: &str) -> Run {
    let id = NOBODY.to_string();
    let mut command = sandbox.command("setpriv");
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(binary);
    sandbox.finish(command.args(arguments.split(' ')))
}

/// Returns the policies of the documentation: their names, and the command and the filter of each.
pub(crate) fn policies() -> Vec<(String, String, String)> {
    let text = fs::read_to_string(repository().join("docs/json.md")).unwrap();
    let parts = text.split("<!-- policy: ").skip(1);
    parts
        .map(|part| {
            let (name, rest) = part.split_once(" -->").unwrap();
            let line = rest.lines().find(|line| line.starts_with("kasm-db ")).unwrap();
            let (command, filter) = split(line);
            (name.to_string(), command, filter)
        })
        .collect()
}

/// Splits an example at its pipe: the arguments of the program, and those of jq.
fn split(line: &str) -> (String, String) {
    let (command, filter) = line.strip_prefix("kasm-db ").unwrap().split_once(" | jq ").unwrap();
    (command.to_string(), filter.to_string())
}

/// Runs jq as a shell would.
pub(crate) fn jq(filter: &str, input: &[u8]) -> std::process::Output {
    let mut child = Command::new("sh")
        .args(["-c", &format!("jq {filter}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn every_command_tells_every_outcome_and_the_policies_see_it() {
    let policies = policies();
    assert!(policies.len() > 4);
    let mut wrong = Vec::new();
    // Another user cannot look into the folder that the program was built in.
    let beside = Sandbox::new(PROGRAM);
    mode(beside.root(), 0o755);
    let binary = beside.copied_program();
    for Situation { name, prepare, codes, holds } in SITUATIONS {
        // Each starts from the same tree: some of them write.
        let run = |arguments: &str| {
            let sandbox = Sandbox::new(PROGRAM);
            if fs::metadata(sandbox.root()).unwrap().uid() != 0 {
                assert!(std::env::var_os("CI").is_none(), "this test takes root");
                return None;
            }
            mode(&sandbox.target("existing"), 0o755);
            let held = prepare(&sandbox);
            give(sandbox.root(), NOBODY);
            let run = as_nobody(&sandbox, &binary, &format!("{DOCUMENT} {arguments}"));
            drop(held);
            Some(run)
        };
        for command in COMMANDS {
            let Some(run) = run(&format!("{command} --format json")) else { return };
            let expected = codes.iter().find(|(other, _)| *other == command).map_or(0, |(_, code)| *code);
            if run.code != Some(expected) {
                wrong.push(format!("{name}: {command}: not {expected}\n{run}"));
            }
        }
        for (policy, command, filter) in &policies {
            let Some(run) = run(command) else { return };
            let judged = jq(filter, &run.bytes);
            let expected = if holds.contains(&policy.as_str()) { 0 } else { 1 };
            let said = String::from_utf8_lossy(&judged.stderr).into_owned();
            if judged.status.code() != Some(expected) {
                wrong.push(format!("{name}: {policy}: not {expected}: {said}\n{run}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_example_of_the_documentation_runs() {
    let text = fs::read_to_string(repository().join("docs/json.md")).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("kasm-db ")).collect();
    assert!(lines.len() > 12);
    let sandbox = Sandbox::new(PROGRAM);
    for line in lines {
        let (command, filter) = split(line);
        let run = sandbox.run(&format!("{DOCUMENT} {command}"));
        let judged = jq(&filter, &run.bytes);
        let said = String::from_utf8_lossy(&judged.stderr);
        // With `-e`, 1 is an answer; more is an error of the filter.
        assert!(
            judged.status.code() <= Some(1) && said.is_empty(),
            "{line}: {:?}: {said}\n{run}",
            judged.status
        );
        let answers = !judged.stdout.is_empty();
        assert!(answers || line.contains("DROP TABLE"), "{line} says nothing\n{run}");
    }
}

#[test]
fn a_stale_plan_is_an_error_and_what_changed_is_named() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.run(&format!("{DOCUMENT} -q plan --out plan.json")).expect(0);
    let value = |run: &Run| serde_json::from_slice::<Value>(&run.bytes).unwrap();
    let show = value(&sandbox.run("show plan.json --format json").expect(0));
    assert_eq!((&show["format"], &show["stale"]), (&json!("kasm-db/show"), &json!([])));
    fs::write(sandbox.target("existing").join("docker/.env"), "A=b\n").unwrap();
    let apply = value(&sandbox.run("apply plan.json --format json").expect(5));
    assert_eq!((&apply["outcome"], &apply["errors"][0]["outcome"]), (&json!("stale"), &json!("stale")));
    assert_eq!(apply["targets"][0]["outcome"], "stale");
    let show = value(&sandbox.run("show plan.json --format json").expect(5));
    assert_eq!(show["stale"], json!(["docker/.env: appeared"]));
    assert_eq!((&show["outcome"], &show["errors"][0]["outcome"]), (&json!("stale"), &json!("stale")));
    let target = &show["targets"][0];
    assert_eq!(target["outcome"], "stale");
    // The file says what the document asks for, and of what is there, what the plan would change.
    let managed = target["managed"].as_array().unwrap();
    let of = |subject: &str| managed.iter().find(|one| one["subject"] == subject).unwrap();
    let image = of("services.db.image");
    assert_eq!((&image["found"], &image["in_sync"]), (&json!("postgres:12-alpine"), &json!(false)));
    assert_eq!(of("pgaudit.log")["declared"], json!(["read", "write", "ddl"]));
    assert_eq!(of("kasm")["in_sync"], Value::Null);
}

#[test]
fn commands_without_targets_have_the_envelope_too() {
    let sandbox = Sandbox::new(PROGRAM);
    let tree = "--deployment examples/existing/opt/kasm/current";
    for (arguments, code) in [
        ("explain", 0),
        ("explain KDB402", 0),
        ("explain pgaudit.log", 0),
        ("explain work_mem", 0),
        ("explain nothing_of_the_kind", 64),
        ("schema", 0),
        ("schema plan", 0),
        (&format!("import {tree} -o -"), 0),
        (&format!("import {tree} -o new.yaml"), 0),
        (&format!("import {tree} -o new.yaml"), 1),
        ("import --deployment nothing", 1),
        (&format!("audit {tree}"), 0),
        (&format!("audit {tree} --count hour"), 0),
        (&format!("audit {tree} --summary"), 0),
        ("audit nothing.log", 1),
        ("audit nothing.log --summary", 1),
        (&format!("history {tree}"), 0),
        (&format!("recover {tree}"), 0),
        ("show nothing.json", 1),
        ("apply nothing.json", 1),
    ] {
        sandbox.run(&format!("{arguments} --format json")).expect(code);
    }
}

#[test]
fn several_documents_and_targets_are_distinguished() {
    let sandbox = Sandbox::new(PROGRAM);
    let document = sandbox.document("new");
    fs::write(&document, fs::read_to_string(&document).unwrap() + "  - name: gone\n    installer: nothing\n")
        .unwrap();
    fs::write(sandbox.root().join("bad.yaml"), "schema: kasm-db/v1\nimge: x\n").unwrap();
    let all = "-f nothing.yaml -f examples/new/kasm-db.yaml -f bad.yaml";
    for command in ["plan", "status", "verify"] {
        let run = sandbox.run(&format!("{command} {all} --format json")).expect(1);
        let value: Value = serde_json::from_slice(&run.bytes).unwrap();
        let rows = value["targets"].as_array().unwrap().iter();
        let rows: Vec<_> =
            rows.map(|row| json!([row["document"], row["name"], row["errors"][0]["outcome"]])).collect();
        assert_eq!(
            json!(rows),
            json!([
                ["nothing.yaml", null, "failed"],
                ["examples/new/kasm-db.yaml", "release", null],
                ["examples/new/kasm-db.yaml", "gone", "failed"],
                ["bad.yaml", null, null]
            ]),
            "{command}"
        );
        assert_eq!(value["totals"]["targets"], 4);
        let documents: Vec<_> =
            value["documents"].as_array().unwrap().iter().map(|row| &row["outcome"]).collect();
        assert_eq!(json!(documents), json!(["failed", "done", "invalid"]));
    }
    // What is wrong with a target and what holds for all of them are two errors.
    let run = sandbox.run("apply --yes --keep-going -f examples/new/kasm-db.yaml --format json").expect(10);
    let value: Value = serde_json::from_slice(&run.bytes).unwrap();
    let errors = value["errors"].as_array().unwrap().iter();
    let errors: Vec<_> = errors.map(|one| json!([one["target"], one["outcome"], one["state"]])).collect();
    assert_eq!(
        json!(errors),
        json!([["gone", "failed", "nothing_changed"], [null, "partly_applied", "partly_applied"]])
    );
    // Nothing is written if one of them is not valid, and every target says so.
    let run = sandbox.run("apply --yes -f examples/new/kasm-db.yaml -f bad.yaml --format json").expect(3);
    let value: Value = serde_json::from_slice(&run.bytes).unwrap();
    let ends: Vec<_> = value["targets"].as_array().unwrap().iter().map(|row| &row["end"]).collect();
    assert_eq!(json!(ends), json!(["not_started", "not_started", null]));
}

#[test]
fn a_run_that_breaks_writes_its_envelope() {
    let sandbox = Sandbox::new(PROGRAM);
    for arguments in ["plan", "apply --yes", "validate", "audit --summary", "import -o -"] {
        let mut command = sandbox.command(PROGRAM);
        command.args(DOCUMENT.split(' ')).args(arguments.split(' ')).args(["--format", "json"]);
        let run = sandbox.finish(command.env("KASM_DB_TEST_PANIC", "broken")).expect(1);
        let value: Value = serde_json::from_slice(&run.bytes).unwrap();
        assert!(value["errors"][0]["message"].as_str().unwrap().contains("this is a bug"), "{value:#}");
    }
}

#[test]
fn a_run_that_a_signal_ends_between_targets_says_so_in_their_list() {
    let sandbox = Sandbox::new(PROGRAM);
    // The first target is looked at at once, and Docker keeps the second one waiting.
    let docker = sandbox.root().join("docker");
    fs::write(&docker, "#!/bin/sh\nexec sleep 60\n").unwrap();
    mode(&docker, 0o755);
    let document = sandbox.document("new");
    let more = "  - name: running\n    deployment: ../existing/opt/kasm/current\n";
    fs::write(&document, fs::read_to_string(&document).unwrap() + more).unwrap();
    let mut command = sandbox.command(PROGRAM);
    command.args(["verify", "-f", "examples/new/kasm-db.yaml", "--format", "json"]);
    let path = format!("{}:{}", sandbox.root().display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    while !text.contains("\"release\"") {
        assert!(std::io::BufRead::read_line(&mut out, &mut text).unwrap() > 0, "{text}");
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    std::io::Read::read_to_string(&mut out, &mut text).unwrap();
    testing::envelope::check(text.as_bytes(), child.wait().unwrap().code());
    let value: Value = serde_json::from_str(&text).unwrap();
    let rows = value["targets"].as_array().unwrap().iter();
    let rows: Vec<_> = rows.map(|row| json!([row["name"], row["outcome"]])).collect();
    assert_eq!(json!(rows), json!([["release", "done"], [null, "interrupted"]]));
}

#[test]
fn a_run_that_a_signal_ends_writes_its_envelope() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.edit(&sandbox.document("existing"), "[read, write, ddl]", "[read, write, ddl, ddl]");
    let held = File::open(sandbox.target("existing")).unwrap();
    held.lock().unwrap();
    let mut command = sandbox.command(PROGRAM);
    command.args(DOCUMENT.split(' ')).args(["apply", "--yes", "--lock-timeout", "60", "--format", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It warns of the document before it waits.
    let mut told = [0];
    std::io::Read::read_exact(child.stderr.as_mut().unwrap(), &mut told).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    testing::envelope::check(&output.stdout, output.status.code());
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&value["outcome"], &value["exit_code"]), (&json!("interrupted"), &json!(130)));
    assert_eq!(value["targets"][0]["outcome"], "interrupted");
}
