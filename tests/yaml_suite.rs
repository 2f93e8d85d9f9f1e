//! The cases of the YAML test suite as compose files: read or refused, and nothing but the image moves.
//!
//! `scripts/get-yaml-suite` brings them. Each is taken as it is, behind and before a database service, and as
//! a value of one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]
#![allow(clippy::disallowed_methods, reason = "the crate reads no files, its tests do")]

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use model::DesiredState;
use model::yaml::Tree;
use testing::laws::laws;
use testing::{Memory, desired, files_target};

const OLD: &str = "postgres:12-alpine";
const NEW: &str = "kasmweb/postgres:1.11.0";

static DESIRED: LazyLock<DesiredState> =
    LazyLock::new(|| desired(&format!("schema: kasm-db/v1\nimage: {NEW}\n")));

/// Where the cases are; none where they cannot be had, which CI does not take for an answer.
fn folder() -> Option<PathBuf> {
    let script = testing::repository().join("scripts/get-yaml-suite");
    let output = Command::new(script).output().unwrap();
    if output.status.success() {
        return Some(String::from_utf8(output.stdout).unwrap().trim().into());
    }
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(std::env::var_os("CI").is_none(), "{why}");
    println!("the cases of the YAML test suite are left out: {why}");
    None
}

/// Returns the cases with their names. Each file is JSON behind a word of JavaScript.
fn cases(folder: PathBuf) -> Vec<(String, String)> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    // Not the types, which go by the name `.d.ts`, nor the index.
    files.retain(|path| path.extension().is_some_and(|end| end == "js") && !path.ends_with("index.js"));
    files.sort();
    let mut cases = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let at = text.find("export default ").unwrap();
        let json = text[at + "export default ".len()..].trim_end().trim_end_matches(';');
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        for (index, case) in json["cases"].as_array().unwrap().iter().enumerate() {
            let name = format!("{}/{index}", json["id"].as_str().unwrap());
            if let Some(yaml) = case["yaml"].as_str() {
                cases.push((name, yaml.to_string()));
            }
        }
    }
    cases
}

/// Returns a case with a database service, in every way in which it may stand beside one.
fn with_database(case: &str) -> [String; 6] {
    let database =
        |image: &str| format!("services:\n  db:\n    image: {image} # keep\n    restart: always\n");
    let plain = database(OLD);
    let indented = |by: usize| {
        let blanks = " ".repeat(by);
        case.split_inclusive('\n').map(|line| format!("{blanks}{line}")).collect::<String>()
    };
    let ended = if case.ends_with('\n') { "" } else { "\n" };
    [
        format!("{case}{ended}{plain}"),
        format!("{plain}{case}"),
        format!("{case}{ended}---\n{plain}"),
        format!("x-case:\n{}{ended}{plain}", indented(2)),
        format!("{plain}    x-case:\n{}", indented(6)),
        format!("services:\n  db:\n    x-case:\n{}{ended}    image: '{OLD}'\n", indented(6)),
    ]
}

/// Plans a text as a compose file; tells whether its image was changed.
fn changes(name: &str, text: &str) -> bool {
    let files = Memory::new([("compose.yaml", text.as_bytes())]);
    let (plan, after) = laws(&DESIRED, &files_target(&files), &files);
    let Some(file) = plan.files.first().filter(|_| !plan.is_blocked()) else { return false };
    assert_eq!(plan.files.len(), 1, "{name}");
    // Nothing else has moved: put back, the image is all that there was.
    let after = String::from_utf8(after.get(&file.path).to_vec()).unwrap();
    assert!(!text.contains(NEW) && after.matches(NEW).count() == 1, "{name}: {after}");
    assert_eq!(after.replace(NEW, OLD), text, "{name}");
    true
}

#[test]
fn every_case_is_read_or_refused_and_nothing_but_the_image_moves() {
    let Some(folder) = folder() else { return };
    let cases = cases(folder);
    let (mut edited, mut refused, mut panics) = (0, 0, Vec::new());
    for (name, case) in &cases {
        let texts = with_database(case);
        for (way, text) in std::iter::once(case).chain(&texts).enumerate() {
            match std::panic::catch_unwind(|| changes(name, text)) {
                Ok(true) => edited += 1,
                Ok(false) => refused += 1,
                Err(_) => panics.push(format!("{name}, way {way}")),
            }
        }
    }
    println!(
        "{} cases, {} texts: {edited} edited, {refused} refused or without a database",
        cases.len(),
        edited + refused
    );
    assert!(panics.is_empty(), "{panics:#?}");
    assert!(cases.len() >= 380, "{} cases", cases.len());
    // Both happen: a reader that refused everything would pass all of the above.
    assert!(edited >= 600 && refused >= 600, "{edited} edited, {refused} refused");
}

#[test]
fn each_case_that_is_read_fast_is_read_as_the_whole_parser_reads_it() {
    let Some(folder) = folder() else { return };
    for (name, text) in cases(folder) {
        for text in std::iter::once(text.clone()).chain(with_database(&text)) {
            let bytes = text.as_bytes();
            match (Tree::parse(bytes), Tree::parse_whole(bytes)) {
                (Ok(one), Ok(other)) => assert_eq!(one, other, "{name}: {text:?}"),
                (one, other) => assert_eq!(one.is_ok(), other.is_ok(), "{name}: {text:?}"),
            }
        }
    }
}
