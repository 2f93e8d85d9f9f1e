//! `docs/libpq.md` has the variables of the program's one table.
//!
//! `KASM_DB_BLESS=1 cargo test -p kasm-db --test program libpq` writes them into the page.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use live::libpq::VARIABLES;
use testing::repository;

const HEADING: &str = "## Variables\n\n";

#[test]
fn the_page_has_every_variable_of_libpq() {
    let path = repository().join("docs/libpq.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let start = text.find(HEADING).expect("the page has no variables") + HEADING.len();
    let end = text[start..].find("\n## ").expect("the variables are not the last section") + start;
    let mut wanted = String::from("| variable | kasm-db | |\n|---|---|---|\n");
    for variable in VARIABLES {
        wanted += &format!("| `{}` | {} | {} |\n", variable.name, variable.rule.words(), variable.what);
    }
    if std::env::var_os("KASM_DB_BLESS").is_some() {
        std::fs::write(&path, format!("{}{wanted}{}", &text[..start], &text[end..])).unwrap();
    } else {
        assert_eq!(text[start..end], wanted);
    }
}
