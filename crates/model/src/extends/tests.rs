use serde_json::json;

use super::*;
use crate::{Reading, read_with};

/// Reads the first of these documents, which may extend the others.
fn read(texts: &[(&str, &str)]) -> Reading {
    let parents = |path: &str| {
        let found = texts.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| "no such file".to_string())
    };
    read_with(texts[0].0, texts[0].1.as_bytes(), &parents)
}

/// Returns what is said, as `path:line:column id message`.
fn said(reading: &Reading) -> Vec<String> {
    let line = |d: &crate::Diagnostic| {
        let location = d.location.as_ref().unwrap();
        format!("{}:{}:{} {} {}", location.path, location.line, location.column, d.code, d.message)
    };
    reading.diagnostics.iter().map(line).collect()
}

#[test]
fn mappings_merge_and_everything_else_is_replaced() {
    let parent = json!({ "a": { "x": 1, "y": [1, 2] }, "b": [1], "c": 1 });
    let child = json!({ "a": { "y": [3], "z": 4 }, "b": [], "d": 2 });
    let both = json!({ "a": { "x": 1, "y": [3], "z": 4 }, "b": [], "c": 1, "d": 2 });
    assert_eq!(merged(parent, child), both);
}

#[test]
fn a_path_starts_at_the_folder_of_the_document_that_names_it() {
    for (child, extends, path) in [
        ("kasm-db.yaml", "base.kasm-db.yaml", "base.kasm-db.yaml"),
        ("kasm-db.yaml", "../base.kasm-db.yaml", "../base.kasm-db.yaml"),
        ("a/b/kasm-db.yaml", "../base.kasm-db.yaml", "a/base.kasm-db.yaml"),
        ("a/kasm-db.yaml", "./../../kasm-db.yaml", "../kasm-db.yaml"),
        ("/a/kasm-db.yaml", "../../../x/kasm-db.yaml", "/x/kasm-db.yaml"),
        ("<stdin>", "base/kasm-db.yaml", "base/kasm-db.yaml"),
    ] {
        assert_eq!(joined(child, extends), path, "{child} {extends}");
    }
}

#[test]
fn a_parent_may_lack_what_the_child_brings() {
    let reading = read(&[
        (
            "site/kasm-db.yaml",
            "schema: kasm-db/v1\nextends: ../base.kasm-db.yaml\npreload: {libraries: [pgaudit]}\n",
        ),
        ("base.kasm-db.yaml", "preload: {mode: exact}\naudit: {classes: [read]}\n"),
    ]);
    assert_eq!(said(&reading), [""; 0]);
    let desired = reading.desired.unwrap();
    assert_eq!(desired.preload().unwrap().libraries, ["pgaudit"]);
    assert_eq!(desired.settings().len(), 1);
    assert_eq!(reading.parents.len(), 1);
}

#[test]
fn what_nobody_brings_is_missing_where_the_mapping_starts() {
    let reading = read(&[
        ("kasm-db.yaml", "schema: kasm-db/v1\nextends: base.kasm-db.yaml\n"),
        ("base.kasm-db.yaml", "preload: {mode: exact}\n"),
    ]);
    assert_eq!(said(&reading), ["base.kasm-db.yaml:1:1 KDB102 the key `preload.libraries` is missing"]);
}

#[test]
fn what_is_wrong_in_any_text_is_said_in_one_run_even_where_another_covers_it_up() {
    let reading = read(&[
        (
            "kasm-db.yaml",
            "schema: kasm-db/v1\nextends: base.kasm-db.yaml\naudit: {clases: [read], log_level: log}\n",
        ),
        (
            "base.kasm-db.yaml",
            "schema: kasm-db/v1\nextends: a/kasm-db.yaml\naudit: {log_level: loud}\nimage:\n",
        ),
        ("a/kasm-db.yaml", "schema: kasm-db/v1\nimage: x@y:z\nimage: a:b\n"),
    ]);
    assert_eq!(
        said(&reading),
        [
            "kasm-db.yaml:3:9 KDB101 unknown key `audit.clases`; did you mean `audit.classes`?",
            "base.kasm-db.yaml:3:20 KDB104 invalid value `loud` for `audit.log_level`",
            "base.kasm-db.yaml:4:1 KDB103 `image` has no value",
            "a/kasm-db.yaml:3:1 KDB005 duplicate key `image` (first on line 2)",
        ]
    );
}

#[test]
fn a_second_place_may_stand_in_another_text() {
    let reading = read(&[
        ("kasm-db.yaml", "schema: kasm-db/v1\nextends: base.kasm-db.yaml\naudit: {log_rows: true}\n"),
        ("base.kasm-db.yaml", "postgres_major: 12\n"),
    ]);
    assert_eq!(said(&reading), ["kasm-db.yaml:3:9 KDB204 `audit.log_rows` needs PostgreSQL 14 or later"]);
    let (location, why) = reading.diagnostics[0].related.as_ref().unwrap();
    assert_eq!(
        (location.path.as_str(), location.line, why.as_str()),
        ("base.kasm-db.yaml", 1, "PostgreSQL 12, declared here")
    );
}

#[test]
fn circles_and_long_chains_are_errors_where_they_close() {
    let circle = read(&[
        ("./a/kasm-db.yaml", "schema: kasm-db/v1\nextends: ../b/kasm-db.yaml\n"),
        ("b/kasm-db.yaml", "schema: kasm-db/v1\nextends: ../a/kasm-db.yaml\n"),
        ("a/kasm-db.yaml", "schema: kasm-db/v1\n"),
    ]);
    let message = "circular `extends`: a/kasm-db.yaml extends b/kasm-db.yaml, which extends a/kasm-db.yaml";
    assert_eq!(said(&circle), [format!("b/kasm-db.yaml:2:10 KDB007 {message}")]);

    let names: Vec<String> = (0..7).map(|n| format!("{n}.kasm-db.yaml")).collect();
    let next: Vec<String> =
        (1..7).map(|n| format!("schema: kasm-db/v1\nextends: {n}.kasm-db.yaml\n")).collect();
    let chain = |length: usize| {
        let last = (names[length].as_str(), "schema: kasm-db/v1\npostgres_major: 14\n");
        let texts =
            names.iter().map(String::as_str).zip(next.iter().map(String::as_str)).take(length).chain([last]);
        read(&texts.collect::<Vec<_>>())
    };
    assert_eq!(chain(MAX_PARENTS).desired.unwrap().postgres_major(), Some(14));
    assert_eq!(
        said(&chain(MAX_PARENTS + 1)),
        ["4.kasm-db.yaml:2:10 KDB007 `extends` leads to more than 4 documents, one after the other"]
    );
}

#[test]
fn a_parent_that_cannot_be_read_is_an_error_where_it_is_named() {
    let reading = read(&[("kasm-db.yaml", "schema: kasm-db/v1\nextends: no/kasm-db.yaml\nimge: a:b\n")]);
    assert_eq!(
        said(&reading),
        [
            "kasm-db.yaml:2:10 KDB006 `extends` names a document that cannot be read: no/kasm-db.yaml: no such file",
            "kasm-db.yaml:3:1 KDB101 unknown key `imge`; did you mean `image`?",
        ]
    );
}

#[test]
fn only_documents_are_extended() {
    for path in [
        "/etc/kasm-db.yaml",
        "~/kasm-db.yaml",
        "../docker-compose.yaml",
        "/etc/shadow",
        "kasm-db.yaml/",
        "''",
    ] {
        let text = format!("schema: kasm-db/v1\nextends: {path}\n");
        let reading = read_with("d", text.as_bytes(), &|path| panic!("{path} is read"));
        assert_eq!(said(&reading).len(), 1, "{path}");
        assert_eq!(reading.diagnostics[0].code, Code::WrongValue, "{path}");
    }
}

#[test]
fn a_document_for_a_later_version_says_so_and_nothing_else() {
    let later = "schema: kasm-db/v1\nmin_version: 99.0.0\nnew_key: 1\nimage:\n";
    let only = |reading: &Reading| matches!(&reading.diagnostics[..], [d] if d.code == Code::VersionTooOld);
    assert!(only(&read(&[("kasm-db.yaml", later)])));
    let child = "schema: kasm-db/v1\nextends: base.kasm-db.yaml\n";
    let reading = read(&[("kasm-db.yaml", child), ("base.kasm-db.yaml", later)]);
    assert!(only(&reading) && reading.diagnostics[0].location.as_ref().unwrap().path == "base.kasm-db.yaml");
    let own = format!("schema: kasm-db/v1\nmin_version: {}\n", env!("CARGO_PKG_VERSION"));
    assert!(read(&[("kasm-db.yaml", &own)]).desired.is_some());
    assert_eq!(read(&[("d", "schema: kasm-db/v1\nmin_version: 1.4\n")]).diagnostics[0].code, Code::WrongType);
}

#[test]
fn what_stands_under_a_free_key_is_nobodys_business() {
    let text = "schema: kasm-db/v1\nx-notes: {ticket: , list: [~], deep: {x-y: 1}}\n";
    assert!(read(&[("d", text)]).desired.is_some());
    let inner = read(&[("d", "schema: kasm-db/v1\naudit: {x-notes: 1}\n")]);
    assert_eq!(said(&inner), ["d:2:9 KDB101 unknown key `audit.x-notes`"]);
}
