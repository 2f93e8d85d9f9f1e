//! Random `.env` files: what they set is what `docker compose config --environment` says.

use std::fmt::Write as _;

use testing::Random;
use testing::compose::Compose;

use crate::{agree, each, seeds};

/// How many files there are without `KASM_DB_ENV_FILES`.
const FILES: u64 = 150;

const NAMES: &[&str] = &["A", "B", "C_1", "D", "E"];

/// Pieces of values.
const PIECES: &[&str] = &[
    "a",
    "b1",
    "16.4",
    "postgres:",
    " ",
    "  ",
    "#",
    " #",
    "\\",
    "\\\\",
    "\\n",
    "\\t",
    "\\$",
    "$$",
    "$A",
    "${B}",
    "${A:-x}",
    "${NONE-y}",
    "${B:+z}",
    "\\q",
    "\\\"",
    "\\'",
    "'",
    "\"",
    "=",
    ":",
    "é",
    "\\0101",
    "\\01",
    "\\a",
    "\\v",
    "-",
    "_",
    ".",
    "$",
    "$(",
    "{",
    "}",
];

fn value(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..random.below(6) {
        let piece: &&str = random.pick(PIECES);
        text.push_str(piece);
    }
    text
}

/// Writes a file of a few lines.
fn file(random: &mut Random) -> String {
    let mut text = String::new();
    if random.chance(5) {
        text.push('\u{feff}');
    }
    for _ in 0..=random.below(6) {
        let name = random.pick(NAMES);
        let export = *random.pick(&["", "", "", "export ", "export\t", "export  "]);
        let sign = *random.pick(&["=", "=", "=", "=", " = ", ": ", ":", "= "]);
        let value = value(random);
        match random.below(10) {
            0 => text.push_str("# a comment\n"),
            1 => text.push('\n'),
            2..=4 => {
                let _ = writeln!(text, "{export}{name}{sign}{value}");
            }
            5..=6 => {
                let after = random.pick(&["", " # c", "# c", " ", "x"]);
                let _ = writeln!(text, "{export}{name}{sign}\"{value}\"{after}");
            }
            7 => {
                let _ = writeln!(text, "{export}{name}{sign}'{value}'");
            }
            8 => {
                let _ = writeln!(text, "{export}{name}{sign}\"{value}\n{value}\"");
            }
            _ => {
                let _ = writeln!(text, "{name}");
            }
        }
    }
    if random.chance(10) { text.replace('\n', "\r\n") } else { text }
}

fn judge(compose: &Compose, text: &str) -> Result<(), String> {
    // What Compose refuses runs nothing.
    let Ok(theirs) = compose.environment(text) else { return Ok(()) };
    let ours = kasm_db_render::read_env(text.as_bytes());
    for name in NAMES {
        match (ours.get(*name), theirs.get(*name)) {
            (Some(Some(ours)), Some(theirs)) if ours == theirs => {}
            // What follows a line end may look like another variable.
            (Some(Some(ours)), Some(theirs)) if ours.contains('\n') && ours.starts_with(theirs.as_str()) => {}
            // A variable of the shell may be in it, which is empty here.
            (Some(None), Some(_)) if text.contains('$') => {}
            (None, None) => {}
            (None, Some(_)) if ours.values().flatten().any(|value| value.contains('\n')) => {}
            (ours, theirs) => return Err(format!("{name}: {ours:?}, and Compose says {theirs:?}\n{text}")),
        }
    }
    Ok(())
}

#[test]
fn an_env_file_sets_what_compose_says() {
    let compose = Compose::find().unwrap();
    agree(&each(seeds("KASM_DB_ENV_FILES", FILES), |seed| judge(&compose, &file(&mut Random(seed)))));
}
