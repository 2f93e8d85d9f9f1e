//! Problems as SARIF: the schema of the standard and Microsoft's own tool judge them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a test says what it looked at")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testing::{Sandbox, repository};

use crate::PROGRAM;
use crate::formats::situations::SITUATIONS;

const COMMANDS: [&str; 3] = ["validate", "plan", "verify"];

/// Returns the folder of the tool, or says why it cannot be had. With `CI=true` that is a failure.
fn multitool() -> Option<PathBuf> {
    let script = Command::new(repository().join("scripts/get-sarif-multitool")).output().unwrap();
    let folder = PathBuf::from(String::from_utf8(script.stdout).unwrap().trim_end());
    if script.status.success() {
        return Some(folder);
    }
    let why = String::from_utf8_lossy(&script.stderr);
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{why}");
    eprintln!("{why}; nobody else looks at SARIF");
    None
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Returns what every situation comes to, by the names of its files.
fn logs() -> Vec<(String, String, Option<i32>)> {
    let mut logs = Vec::new();
    for situation in SITUATIONS {
        let sandbox = situation.sandbox();
        for command in COMMANDS {
            let run = sandbox.run(&format!("{command} --format sarif"));
            logs.push((format!("{}-{command}.sarif", situation.name), run.stdout, run.code));
        }
    }
    let sandbox = Sandbox::new(PROGRAM);
    let odd = "schema: kasm-db/v1\n\"a<&>\\u0001'\\u202e\": 1\n";
    fs::create_dir(sandbox.root().join("a b")).unwrap();
    fs::write(sandbox.root().join("a b/c:d%.kasm-db.yaml"), odd).unwrap();
    let run = sandbox.run("validate -f . -R --format sarif");
    logs.push(("odd.sarif".into(), run.stdout, run.code));
    logs
}

#[test]
fn every_log_is_as_the_standard_says() {
    let Some(folder) = multitool() else { return };
    let schema = jsonschema::validator_for(&read(&folder.join("sarif-2.1.0.json"))).unwrap();
    let files = tempfile::tempdir().unwrap();
    let (mut rules, mut results) = (0, 0);
    for (name, text, code) in logs() {
        let log: Value = serde_json::from_str(&text).unwrap();
        let errors: Vec<_> = schema.iter_errors(&log).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}\n{text}");
        let run = &log["runs"][0];
        assert_eq!(run["invocations"][0]["exitCode"].as_i64(), code.map(i64::from), "{name}");
        rules += run["tool"]["driver"]["rules"].as_array().unwrap().len();
        for result in run["results"].as_array().unwrap() {
            results += 1;
            let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
            assert_eq!(rule["id"], result["ruleId"], "{name}");
            let place = &result["locations"][0]["physicalLocation"];
            assert!(!place["artifactLocation"]["uri"].as_str().unwrap().starts_with('/'), "{name}");
        }
        fs::write(files.path().join(name), text).unwrap();
    }
    assert!(rules >= 10 && results >= 12, "{rules} rules, {results} results");
    // It is built for one kind of machine.
    if cfg!(target_arch = "x86_64") {
        let paths = fs::read_dir(files.path()).unwrap().map(|entry| entry.unwrap().path());
        let said = Command::new(folder.join("Sarif.Multitool"))
            .args(["validate", "--rule-kind", "Sarif;Ghas"])
            .args(paths)
            .output()
            .unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        assert!(said.contains("Analysis completed successfully."), "{said}");
        // The project has no address yet that `informationUri` could name.
        let is_known = |line: &&str| line.contains("SARIF2005") && model::schema::ADDRESS.is_empty();
        let is_finding =
            |line: &&str| [": error ", ": warning ", ": note "].iter().any(|level| line.contains(level));
        let findings: Vec<_> = said.lines().filter(is_finding).filter(|line| !is_known(line)).collect();
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    }
}

#[test]
fn a_result_is_known_again_when_lines_are_added_above_it() {
    let duplicates = SITUATIONS.iter().find(|situation| situation.name == "warnings").unwrap().sandbox();
    let fingerprints = || -> Vec<_> {
        let run = duplicates.run("plan --format sarif").expect(0);
        let log: Value = serde_json::from_slice(&run.bytes).unwrap();
        let results = log["runs"][0]["results"].as_array().unwrap().clone();
        let place = |one: &Value| one["locations"][0]["physicalLocation"]["region"]["startLine"].clone();
        results.iter().map(|one| (one["partialFingerprints"].to_string(), place(one))).collect()
    };
    let before = fingerprints();
    assert_eq!(before.len(), 2, "{before:?}");
    for path in ["kasm-db.yaml", "one/docker/docker-compose.yaml"] {
        let path = duplicates.root().join(path);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("# a line more\n{text}")).unwrap();
    }
    for (before, after) in before.iter().zip(fingerprints()) {
        assert_eq!(before.0, after.0);
        assert_ne!(before.1, after.1);
    }
}

#[test]
fn an_error_of_the_run_is_no_result() {
    let sandbox = Sandbox::new(PROGRAM);
    let run = sandbox.run("plan -f nowhere/kasm-db.yaml --format sarif").expect(1);
    let log: Value = serde_json::from_slice(&run.bytes).unwrap();
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let message = invocation["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap();
    assert!(message.starts_with("nowhere/kasm-db.yaml: cannot open the document: "), "{message}");
    assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), 0);
}

#[test]
fn a_run_that_breaks_off_is_said_to_have_failed() {
    let sandbox = Sandbox::new(PROGRAM);
    let mut command = sandbox.command(PROGRAM);
    command.args(["plan", "-f", "examples/existing/kasm-db.yaml", "--format", "sarif"]);
    let run = sandbox.finish(command.env("KASM_DB_TEST_PANIC", "x")).expect(1);
    let log: Value = serde_json::from_slice(&run.bytes).unwrap();
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!((&invocation["executionSuccessful"], &invocation["exitCode"]), (&false.into(), &1.into()));
    let message = invocation["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap();
    assert!(message.starts_with("kasm-db broke: this is a bug in it"), "{message}");
}
