//! A case of the table, read and written.

use std::fmt::Write as _;

/// A mistake, and what is said about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Case {
    /// The mistake, in words.
    pub(super) title: String,
    /// Files that are written first: path and content.
    pub(super) files: Vec<(String, String)>,
    /// Commands of a shell; the last one makes the mistake.
    pub(super) commands: Vec<String>,
    /// The exit code of the last command.
    pub(super) code: i32,
    /// Texts that must be in what is said.
    pub(super) says: Vec<String>,
    /// What was said when somebody looked at it last.
    pub(super) said: String,
}

/// Reads the cases of a file.
pub(super) fn read(text: &str) -> Vec<Case> {
    let cases = text.strip_prefix("@@ ").expect("a case starts with `@@ `").split("\n@@ ");
    cases.map(one).collect()
}

fn one(text: &str) -> Case {
    let mut lines = text.lines();
    let mut case = Case { title: lines.next().unwrap_or_default().to_string(), ..Case::default() };
    let mut is_file = false;
    for line in lines.by_ref() {
        if let Some(path) = line.strip_prefix("--- ") {
            case.files.push((path.to_string(), String::new()));
            is_file = true;
        } else if let Some(command) = line.strip_prefix("$ ") {
            case.commands.push(command.to_string());
            is_file = false;
        } else if is_file {
            writeln!(case.files.last_mut().unwrap().1, "{line}").unwrap();
        } else {
            let code = line.strip_prefix("exit ").and_then(|code| code.parse().ok());
            case.code = code.unwrap_or_else(|| panic!("{}: {line:?} is not an exit code", case.title));
            break;
        }
    }
    for line in lines {
        match line.strip_prefix("says ").filter(|_| case.said.is_empty()) {
            Some(text) => case.says.push(text.to_string()),
            None => writeln!(case.said, "{line}").unwrap(),
        }
    }
    // An empty line separates cases.
    let end = case.said.trim_end_matches('\n').len();
    case.said.truncate(end);
    if !case.said.is_empty() {
        case.said.push('\n');
    }
    case
}

/// Writes the cases of a file.
pub(super) fn written(cases: &[Case]) -> String {
    let mut text = String::new();
    for (index, case) in cases.iter().enumerate() {
        let line = if index == 0 { "" } else { "\n" };
        writeln!(text, "{line}@@ {}", case.title).unwrap();
        for (path, content) in &case.files {
            write!(text, "--- {path}\n{content}").unwrap();
        }
        case.commands.iter().for_each(|command| writeln!(text, "$ {command}").unwrap());
        writeln!(text, "exit {}", case.code).unwrap();
        case.says.iter().for_each(|says| writeln!(text, "says {says}").unwrap());
        text.push_str(&case.said);
    }
    text
}
