//! What every message must be like.

use super::case::Case;
use super::shell::Said;
use crate::words;

/// What libraries say of an error, and we do not.
const OF_LIBRARIES: &[&str] = &[
    "while parsing",
    "did not find",
    "indicator",
    "simple key",
    "digit found in string",
    "os error",
    "ParseIntError",
    "expected value at line",
    "EOF",
    "in this context",
    "unwrap",
    "Err(",
];

/// The words that a next step begins with.
const STEPS: &[&str] = &[
    "add", "append", "apply", "ask", "change", "check", "close", "compare", "copy", "correct", "create",
    "declare", "dump", "extend", "fix", "free", "give", "indent", "install", "let", "list", "mount", "move",
    "name", "pass", "plan", "put", "remove", "rename", "render", "replace", "restore", "run", "save",
    "separate", "set", "split", "start", "unset", "upgrade", "use", "wait", "write",
];

/// Lists what is wrong with a message.
pub(super) fn faults(case: &Case, said: &Said) -> Vec<String> {
    let text = &said.text;
    let mut faults = Vec::new();
    if said.code != Some(case.code) {
        faults.push(format!("exit code {:?}, not {}, with\n{text}", said.code, case.code));
    }
    let missing = case.says.iter().filter(|says| !text.contains(*says));
    faults.extend(missing.map(|says| format!("does not say {says:?}")));
    if case.says.is_empty() {
        faults.push("no place is expected: add a line `says `".into());
    }
    let helps: Vec<&str> = text.lines().filter_map(help).collect();
    if helps.is_empty() {
        faults.push(format!("no next step in\n{text}"));
    }
    let is_step = |help: &&str| STEPS.contains(&help.split(' ').next().unwrap_or_default());
    faults.extend(
        helps.iter().filter(|help| !is_step(help)).map(|help| format!("{help:?} is not an imperative")),
    );
    let words = OF_LIBRARIES.iter().filter(|words| text.contains(**words));
    faults.extend(words.map(|words| format!("{words:?} are words of a library, in\n{text}")));
    faults.extend(words::never_right(text).into_iter().map(|phrase| format!("`{phrase}` in\n{text}")));
    // What cannot have changed anything does not say so.
    let command = case.commands.last().map_or("", String::as_str);
    let writes = ["apply", "rollback", "recover"].iter().any(|name| command.contains(name));
    if text.contains("= state: ") && (case.code == 64 || !writes) {
        faults.push(format!("a state, though nothing could change, in\n{text}"));
    }
    faults
}

/// Returns the next step that a line holds.
fn help(line: &str) -> Option<&str> {
    // A warning that every run repeats is one line.
    if line.starts_with("warning[") {
        return line.split_once("; ").map(|(_, help)| help);
    }
    let line = line.trim_start_matches([' ', '|']);
    ["= help: ", "help: ", "fix: "].iter().find_map(|start| line.strip_prefix(start))
}
