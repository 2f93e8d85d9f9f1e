//! README, `--help` and the manual pages have the exit codes of the program's one table.
//!
//! `KASM_DB_BLESS=1 cargo test -p kasm-db --test program exit_codes` writes them into README.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use kasm_db::parts::{exit_codes, exit_meanings};
use testing::{Sandbox, repository};

use crate::PROGRAM;

const HEADING: &str = "## Exit codes\n\n";

#[test]
fn readme_has_the_exit_codes_of_the_program() {
    let path = repository().join("README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let start = text.find(HEADING).expect("README has no exit codes") + HEADING.len();
    let end = text[start..].find("\n## ").expect("the exit codes are not the last section") + start;
    let wanted = exit_codes();
    if std::env::var_os("KASM_DB_BLESS").is_some() {
        let blessed = format!("{}{wanted}{}", &text[..start], &text[end..]);
        std::fs::write(&path, blessed).unwrap();
    } else {
        assert_eq!(text[start..end], wanted);
    }
}

#[test]
fn help_and_every_manual_page_have_each_exit_code() {
    let sandbox = Sandbox::new(PROGRAM);
    let help = sandbox.run("--help").expect(0).stdout;
    sandbox.run("man .").expect(0);
    let pages = std::fs::read_dir(sandbox.root()).unwrap().map(|entry| entry.unwrap().path());
    let pages: Vec<_> = pages.filter(|path| path.extension().is_some_and(|end| end == "1")).collect();
    assert!(pages.len() > 10, "{pages:?}");
    for (code, meaning) in exit_meanings() {
        assert!(help.contains(&format!("  {code:>3}  {meaning}\n")), "{code} in\n{help}");
        for page in &pages {
            let text = std::fs::read_to_string(page).unwrap().replace("\\-", "-");
            assert!(text.contains(&format!("\\fB{code}\\fR\n{meaning}\n")), "{code} in {}", page.display());
        }
    }
}
