//! Every document of `valid/` is valid, every one of `invalid/` is not, and what is said of each is kept in
//! `said/`.
//!
//! An invalid document is called after the only code that it triggers, with what is special about it behind
//! two dashes; `several--…` triggers more than one.

use std::collections::{BTreeMap, BTreeSet};

use model::settings::{MAJORS, PGAUDIT, PgauditKind};
use model::{Code, Severity};
use testing::{Sandbox, copy};

use crate::PROGRAM;
use crate::documents::{compare, folder};

/// Returns the names of the documents in a folder.
fn names(kind: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder().join(kind)).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs `validate` on every document of a folder; gives how it ended and all that it said, by name.
fn said(kind: &str) -> BTreeMap<String, (Option<i32>, String)> {
    let sandbox = Sandbox::new(PROGRAM);
    // Parents are beside the folder of the documents.
    std::fs::create_dir(sandbox.root().join(".git")).unwrap();
    for name in [kind, "parents"] {
        copy(&folder().join(name), &sandbox.root().join(name));
    }
    let run = |name: &String| {
        let run = sandbox.run(&format!("validate -f {kind}/{name}"));
        (name.clone(), (run.code, run.to_string()))
    };
    let names = names(kind);
    std::thread::scope(|scope| {
        let parts = names.chunks(names.len().div_ceil(4));
        let threads: Vec<_> =
            parts.map(|part| scope.spawn(|| part.iter().map(run).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

#[track_caller]
fn compare_all(kind: &str, code: i32) {
    let all = said(kind);
    let mut wrong = Vec::new();
    for (name, (ended, text)) in &all {
        if *ended != Some(code) {
            wrong.push(format!("{kind}/{name}: must end with {code}\n{text}"));
        }
        let stem = name.strip_suffix(".kasm-db.yaml").unwrap();
        wrong.extend(compare(&format!("said/{kind}/{stem}.txt"), text).err());
    }
    // What no document says any more would be read as if one did.
    let known: BTreeSet<_> = all.keys().map(|name| name.replace(".kasm-db.yaml", ".txt")).collect();
    let left = names(&format!("said/{kind}")).into_iter().filter(|name| !known.contains(name));
    wrong.extend(left.map(|name| format!("said/{kind}/{name} has no document")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_valid_document_is_valid_and_what_is_said_of_it_stays_the_same() {
    assert!(names("valid").len() >= 30);
    compare_all("valid", 0);
}

#[test]
fn every_invalid_document_is_refused_and_what_is_said_of_it_stays_the_same() {
    assert!(names("invalid").len() >= 90);
    compare_all("invalid", 3);
}

/// Reads a document of `invalid/` or `valid/`, and its parents.
fn codes(kind: &str, name: &str) -> BTreeSet<(Code, Severity)> {
    let path = |path: &str| folder().join(kind).join(path);
    let parents = |parent: &str| std::fs::read(path(parent)).map_err(|error| error.to_string());
    let reading = model::read_with(name, &std::fs::read(path(name)).unwrap(), &parents);
    reading.diagnostics.iter().map(|d| (d.code, d.severity)).collect()
}

#[test]
fn an_invalid_document_triggers_the_code_that_it_is_called_after_and_no_other() {
    for name in names("invalid") {
        let found = codes("invalid", &name);
        let (code, detail) = name.split_once("--").unwrap_or_else(|| panic!("{name} has no two dashes"));
        assert!(!detail.is_empty());
        if code == "several" {
            assert!(found.len() > 1, "{name}");
            continue;
        }
        let code = Code::find(code).unwrap_or_else(|| panic!("{name}: no such code"));
        assert_eq!(found, [(code, Severity::Error)].into(), "{name}");
    }
}

#[test]
fn every_code_of_the_document_has_a_document_that_triggers_it_and_only_it() {
    let invalid: BTreeSet<_> =
        names("invalid").iter().filter_map(|name| Code::find(name.split_once("--")?.0)).collect();
    let warned: BTreeSet<_> = names("valid")
        .iter()
        .filter_map(|name| match &codes("valid", name).into_iter().collect::<Vec<_>>()[..] {
            [(code, Severity::Warning)] => Some(*code),
            _ => None,
        })
        .collect();
    let without: Vec<_> = Code::ALL
        .iter()
        .filter(|code| code.is_of_document() && !invalid.contains(code) && !warned.contains(code))
        .collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn every_field_stands_in_a_valid_document() {
    let texts: Vec<_> = names("valid")
        .iter()
        .map(|name| std::fs::read(folder().join("valid").join(name)).unwrap())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect();
    for field in model::explain::fields() {
        let key = field.path.rsplit('.').next().unwrap();
        assert!(texts.iter().any(|text| text.contains(&format!("{key}:"))), "{}", field.path);
    }
}

/// What each major's pgaudit makes of each of its settings.
#[test]
fn every_setting_of_pgaudit_meets_every_major() {
    let mut table = format!("{:24}", "PostgreSQL");
    MAJORS.for_each(|major| table.push_str(&format!("{major:>8}")));
    table.push('\n');
    for row in PGAUDIT {
        let values: &[&str] = match row.kind {
            PgauditKind::Classes => &["[read, -ddl, all]"],
            PgauditKind::Bool => &["true", "false"],
            PgauditKind::Level => &["debug5", "debug", "log"],
            PgauditKind::Bytes(..) => &["0", "1", "1073741823"],
            PgauditKind::Role => &["auditor", "\"\""],
        };
        let refused: &[&str] = match row.kind {
            PgauditKind::Classes => &["[raed]", "read", "[]", "[read, 1]"],
            PgauditKind::Bool => &["yes", "1", "\"on\""],
            PgauditKind::Level => &["error", "fatal", "LOG", "1"],
            PgauditKind::Bytes(..) => &["-1", "1073741824", "8kB", "1.5"],
            PgauditKind::Role => &["1", "[a]"],
        };
        let read = |major: u16, value: &str| {
            let text =
                format!("schema: kasm-db/v1\npostgres_major: {major}\naudit: {{{}: {value}}}\n", row.key);
            let reading = model::read("kasm-db.yaml", text.as_bytes());
            reading.diagnostics.iter().filter(|d| d.is_error()).map(|d| d.code.id()).collect::<Vec<_>>()
        };
        table.push_str(&format!("{:24}", row.key));
        for major in MAJORS {
            let mut ended: BTreeSet<_> = values.iter().map(|value| read(major, value)).collect();
            let ended = ended.pop_first().filter(|_| ended.is_empty()).expect("all good values end alike");
            assert_eq!(ended.is_empty(), major >= row.since, "{} on {major}", row.key);
            table.push_str(&format!("{:>8}", ended.first().map_or("yes", |code| code)));
            for value in refused {
                let ended = read(major, value);
                assert!(
                    ended.iter().any(|code| ["KDB103", "KDB104"].contains(code)),
                    "{}: {value} on {major}: {ended:?}",
                    row.key
                );
            }
        }
        table.push('\n');
    }
    compare("said/pgaudit-by-major.txt", &table).unwrap();
}
