//! What must hold of everything that is written for programs: the envelope, its schema, the exit code.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::{Arc, Mutex};

use jsonschema::Validator;
use serde_json::Value;

use crate::repository;

/// Returns whether a command with these arguments writes JSON to its standard output, and nothing else.
pub fn is_json<'a>(arguments: impl IntoIterator<Item = &'a OsStr>) -> bool {
    let mut formats = Vec::new();
    let arguments: Vec<_> = arguments.into_iter().collect();
    if let ["ansible", file] = arguments.iter().filter_map(|text| text.to_str()).collect::<Vec<_>>()[..] {
        return !file.starts_with('-');
    }
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--format") => formats.extend(arguments.next().and_then(OsStr::to_str)),
            Some("--") => break,
            Some(other) => formats.extend(other.strip_prefix("--format=")),
            None => {}
        }
    }
    formats == ["json"] || formats == ["json-lines"]
}

/// Fails if what a command wrote is not an envelope of its schema with the exit code of the process. One that ended
/// before it knew the format writes nothing.
#[track_caller]
pub fn check(stdout: &[u8], code: Option<i32>) {
    if stdout.is_empty() {
        assert_eq!(code, Some(64), "nothing was written");
        return;
    }
    let text = std::str::from_utf8(stdout).unwrap();
    let end = match text.starts_with("{\n") {
        true => {
            let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            holds(&value);
            value
        }
        false => {
            let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            lines.iter().for_each(holds);
            let (end, entries) = lines.split_last().unwrap();
            let of = match end["format"] == "kasm-db/apply-end" {
                true => "kasm-db/apply-event",
                false => "kasm-db/audit-entry",
            };
            assert!(entries.iter().all(|line| line["format"] == of), "{text}");
            end.clone()
        }
    };
    assert_eq!(end["exit_code"].as_i64(), code.map(i64::from), "{end:#}");
    let errors = end["errors"].as_array().unwrap();
    assert!(!is_failure(&end) || !errors.is_empty(), "a failure without an error: {end:#}");
    for row in ["targets", "documents"].iter().flat_map(|list| end[*list].as_array().into_iter().flatten()) {
        let Some(own) = row["errors"].as_array() else { continue };
        for error in own {
            assert!(errors.contains(error), "{error:#} is not among the errors");
        }
        assert!(!is_failure(row) || !own.is_empty(), "a row of a failure without an error: {end:#}");
    }
}

/// Returns whether something ended in a way that has an error. What is unfinished is told by its checks and its pending step.
fn is_failure(value: &Value) -> bool {
    let outcome = value["outcome"].as_str().unwrap_or_default();
    !["", "done", "differences", "unfinished"].contains(&outcome)
}

/// Fails if a value is not as the schema of its format says.
#[track_caller]
pub fn holds(value: &Value) {
    let name = value["format"].as_str().and_then(|format| format.strip_prefix("kasm-db/"));
    let name = name.unwrap_or_else(|| panic!("no format: {value:#}"));
    let errors: Vec<_> = validator(name)
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}\n{value:#}");
}

fn validator(name: &str) -> Arc<Validator> {
    static KNOWN: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let read = || {
        let path = repository().join(format!("schemas/{name}.v2.schema.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        Arc::new(jsonschema::draft202012::new(&serde_json::from_str(&text).unwrap()).unwrap())
    };
    Arc::clone(known.entry(name.to_string()).or_insert_with(read))
}
