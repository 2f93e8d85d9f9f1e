//! What people get wrong, and what they are told: the table in `tests/mistakes/`.
//!
//! A case starts with `@@`. It has files (`--- PATH`), which end at the next line that starts with `$ `; commands of a shell
//! (`$ `), of which the last one makes the mistake; the exit code; and texts that must be in what is said, such as the place
//! (`says `). What was said follows, and is compared. A case runs in a copy of `examples/existing`, which is `/site` here.
//!
//! `KASM_DB_BLESS=1 cargo test -p kasm-db --test program mistakes` writes what was said, and nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod case;
mod form;
mod shell;

use std::fmt::Write as _;
use std::path::PathBuf;

use testing::repository;

use self::case::Case;
use self::form::faults;
use self::shell::Said;

/// Returns the table, a file for each kind of mistake.
fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository().join("tests/mistakes")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_mistake_is_answered_with_what_where_and_what_to_do() {
    let is_blessing = std::env::var_os("KASM_DB_BLESS").is_some();
    let mut wrong = Vec::new();
    let mut count = 0;
    for file in files() {
        let kept = std::fs::read_to_string(&file).unwrap();
        let mut cases = case::read(&kept);
        count += cases.len();
        let said = shell::all(&cases);
        for (case, said) in cases.iter_mut().zip(said) {
            // Without root there is no other user, and without PostgreSQL no server.
            let Some(said) = said else { continue };
            wrong.extend(faults(case, &said).into_iter().map(|fault| format!("{}: {fault}", case.title)));
            if case.said != said.text && !is_blessing {
                wrong.push(format!("{}: it says\n{}\ninstead of\n{}", case.title, said.text, case.said));
            }
            case.said = said.text;
        }
        if is_blessing {
            std::fs::write(&file, case::written(&cases)).unwrap();
        } else if wrong.is_empty() {
            assert_eq!(case::written(&cases), kept, "{} is not as it is written", file.display());
        }
    }
    assert!(count >= 106, "{count} cases");
    assert!(wrong.is_empty(), "{}\n{} faults", wrong.join("\n\n"), wrong.len());
}

#[test]
fn a_message_without_place_next_step_or_plain_words_is_found() {
    let case = |code, says: &[&str]| Case {
        title: "t".into(),
        code,
        says: says.iter().map(|says| (*says).to_string()).collect(),
        ..Case::default()
    };
    let said = |code, text: &str| Said { code: Some(code), text: text.into() };
    let good = "error: a.yaml:1:2: bad\n  = help: write `b`\n";
    assert_eq!(faults(&case(3, &["a.yaml:1:2"]), &said(3, good)), Vec::<String>::new());
    for (case, said, fault) in [
        (case(3, &["a.yaml:1:2"]), said(4, good), "exit code"),
        (case(3, &["b.yaml"]), said(3, good), "does not say"),
        (case(3, &[]), said(3, good), "no place"),
        (case(3, &["bad"]), said(3, "error: bad\n"), "no next step"),
        (case(3, &["bad"]), said(3, "error: bad\n  = help: maybe b\n"), "not an imperative"),
        (case(3, &["bad"]), said(3, "error: bad digit found in string\n  = help: write b\n"), "of a library"),
        (case(3, &["bad"]), said(3, "error: bad, can not read\n  = help: write b\n"), "`can not`"),
        (
            case(64, &["bad"]),
            said(64, "error: bad\n  = help: write b\n  = state: nothing changed\n"),
            "state",
        ),
    ] {
        let faults = faults(&case, &said);
        let mut text = String::new();
        faults.iter().for_each(|fault| writeln!(text, "{fault}").unwrap());
        assert!(text.contains(fault), "{fault:?} is not in {text:?}");
    }
}
