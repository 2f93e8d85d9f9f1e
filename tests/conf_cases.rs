//! Small postgresql.conf cases, each with what a real server made of it.
//!
//! `KASM_DB_CASES` names a folder of cases: `NNN-name/{postgresql.conf,…,expect.json}`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]
#![allow(clippy::disallowed_methods, reason = "the crate reads no files, its tests do")]

use std::fmt::Write as _;
use std::path::Path;

use kasm_db_render::{Plan, observe_with, reconcile};
use model::Code;
use serde_json::Value;
use testing::{ConfFiles, Memory, desired, files, folder_from};

const DOCUMENT: &str = "
schema: kasm-db/v1
postgres_major: 15
preload:
  libraries: [pgaudit]
audit:
  classes: [read, write, ddl]
";

fn plan(memory: &Memory, arguments: &[String]) -> Plan {
    let target = files(&[], Some("postgresql.conf"), None);
    reconcile(&desired(DOCUMENT), &observe_with(&target, arguments, memory))
}

/// Returns what sets a value over the file's, as the cases name it: to a wrong value or the right one.
fn overrides(plan: &Plan) -> Vec<(String, String)> {
    let mut found: Vec<_> = plan
        .findings
        .iter()
        .filter_map(|finding| {
            let by = match finding.code {
                Code::OverriddenByAutoConf => "postgresql.auto.conf",
                Code::OverriddenByCommand => "command line",
                _ => return None,
            };
            Some((finding.message.split('`').nth(1)?.to_string(), by.to_string()))
        })
        .collect();
    found.sort();
    found
}

/// Returns whether a blocker names a library with a comma or a blank in its name.
fn is_name_of_no_library(message: &str) -> bool {
    let name = message
        .split_once("has the library `")
        .and_then(|(_, rest)| rest.split_once("`: PostgreSQL would not start"));
    name.is_some_and(|(name, _)| name.contains([',', ' ']))
}

fn check(folder: &Path) -> Result<(), String> {
    let expect: Value = serde_json::from_slice(&std::fs::read(folder.join("expect.json")).unwrap()).unwrap();
    let expect = &expect["pg15"]["edit"];
    let mut memory = Memory::load(folder);
    let arguments: Vec<String> =
        memory.0.get("cmdline.json").map(|bytes| serde_json::from_slice(bytes).unwrap()).unwrap_or_default();
    memory.0.retain(|name, _| !name.ends_with(".json"));
    let plan = plan(&memory, &arguments);
    let overridden = overrides(&plan);
    let is_override = |code| matches!(code, Code::OverriddenByAutoConf | Code::OverriddenByCommand);
    let action = if plan.blockers().any(|finding| !is_override(finding.code)) {
        "refuse"
    } else if plan.files.is_empty() && !plan.is_blocked() {
        "noop"
    } else {
        // Something must change, even where it is not the file.
        "edit"
    };
    let why: Vec<_> = plan.blockers().map(|finding| finding.message.clone()).collect();
    // A list that the server reads, with a name that no library has: it does not start with it, whatever is added.
    if action == "refuse" && plan.blockers().all(|finding| is_name_of_no_library(&finding.message)) {
        return Ok(());
    }
    if expect["action"] != action {
        return Err(format!("expected {}, got {action} {why:?}", expect["action"]));
    }
    if action == "refuse" {
        return Ok(());
    }
    let mut blocked: Vec<(String, String)> = expect["blocked"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|b| (b["setting"].as_str().unwrap().to_string(), b["by"].as_str().unwrap().to_string()))
        .collect();
    blocked.sort();
    if blocked != overridden {
        return Err(format!("expected to be blocked by {blocked:?}, got {overridden:?}"));
    }
    let after = memory.apply(&plan);
    let set =
        pgconf::ConfSet::read("postgresql.conf", after.0["postgresql.conf"].clone(), &ConfFiles(&after));
    let value = |name: &str| set.effective(name).map(|now| now.value()).unwrap_or_default();
    let lossy = |item: Vec<u8>| String::from_utf8_lossy(&item).into_owned();
    let blocks = |name: &str| overridden.iter().any(|(setting, _)| setting == name);
    if !blocks("shared_preload_libraries") {
        let libraries: Vec<_> = pgconf::split_libraries(&value("shared_preload_libraries"))
            .unwrap()
            .into_iter()
            .map(lossy)
            .map(|library| library.replace("//", "/"))
            .collect();
        let wanted: Vec<_> =
            expect["preload_after"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
        if libraries != wanted {
            return Err(format!("expected to preload {wanted:?}, got {libraries:?}"));
        }
    }
    if blocks("pgaudit.log") {
        return Ok(());
    }
    let classes = model::audit::ClassSet::parse(&value("pgaudit.log"));
    if classes != model::audit::ClassSet::parse(expect["pgaudit_log_after"].as_str().unwrap().as_bytes()) {
        return Err(format!("pgaudit.log is {}", lossy(value("pgaudit.log"))));
    }
    if !self::plan(&after, &arguments).files.is_empty() {
        return Err("a second plan is not empty".into());
    }
    Ok(())
}

#[test]
fn every_case_is_edited_or_refused_as_a_real_server_would_have_it() {
    let Some(cases) = folder_from("KASM_DB_CASES") else {
        eprintln!("KASM_DB_CASES is not set: the cases of real servers are not run");
        return;
    };
    let mut folders: Vec<_> = std::fs::read_dir(&cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|folder| folder.join("expect.json").is_file());
    folders.sort();
    assert!(folders.len() >= 100, "only {} cases in {}", folders.len(), cases.display());
    let mut failures = String::new();
    for folder in &folders {
        if let Err(why) = check(folder) {
            let _ = writeln!(failures, "{}: {why}", folder.file_name().unwrap().display());
        }
    }
    println!("{} of {} cases", folders.len() - failures.lines().count(), folders.len());
    assert!(failures.is_empty(), "\n{failures}");
}
