//! What an editor makes of the schema: the language server of VS Code's YAML extension completes and explains
//! every field, and marks the documents that a schema can see to be invalid.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]

mod server;

use model::explain::{Field, field, fields};
use testing::repository;

use server::Server;

#[test]
fn an_editor_completes_and_explains_every_field_and_marks_what_is_wrong() {
    let Some(mut server) = Server::start() else { return };
    let mut wrong = Vec::new();
    for field in fields() {
        wrong.extend(completion(&mut server, field).err());
        wrong.extend(hover(&mut server, field).err());
    }
    wrong.extend(items(&mut server));
    let marked = marks(&mut server, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    println!("{} fields completed and explained, {marked} invalid documents marked", fields().len());
}

/// Writes a document with everything around a field, and gives the place where its key stands or would.
fn around(path: &str, key: &str) -> (String, usize, usize) {
    // For an empty document the server has nothing but a snippet of its own.
    let mut text = if path == "schema" { "unset: []\n" } else { "schema: kasm-db/v1\n" }.to_string();
    let parts: Vec<&str> = path.split('.').collect();
    let mut indent = 0;
    for depth in 1..parts.len() {
        let parent = field(&parts[..depth].join(".")).unwrap();
        text.push_str(&format!("{:indent$}{}:\n", "", parts[depth - 1]));
        indent += 2;
        if parent.takes == "a list of mappings" {
            // Another key, so that the item is a mapping already.
            let other = if parts[depth] == "name" { "deployment: /x" } else { "name: a" };
            text.push_str(&format!("{:indent$}- {other}\n", ""));
            indent += 2;
        }
    }
    let line = text.lines().count();
    text.push_str(&format!("{:indent$}{key}", ""));
    (text, line, indent)
}

fn completion(server: &mut Server, field: &Field) -> Result<(), String> {
    let key = field.path.rsplit('.').next().unwrap();
    let (text, line, column) = around(&field.path, "");
    let labels = server.complete(&text, line, column);
    if !labels.contains(key) {
        return Err(format!("{}: not among {labels:?} in\n{text}", field.path));
    }
    // The items of a list stand in brackets.
    let is_list = field.takes.starts_with("a list");
    for value in field.values.iter().filter(|_| !is_list) {
        let (text, line, column) = around(&field.path, &format!("{key}: "));
        let values = server.complete(&text, line, column + key.len() + 2);
        if !values.contains(value) {
            return Err(format!("{}: {value} is not among {values:?} in\n{text}", field.path));
        }
    }
    Ok(())
}

/// Completes names of which a document has lists.
fn items(server: &mut Server) -> Vec<String> {
    let cases = [
        ("audit:\n  classes:\n    - ", 3, 6, &["read", "misc_set", "-ddl"][..]),
        ("preload:\n  libraries:\n    - ", 3, 6, &["pgaudit", "pg_stat_statements"]),
        ("ignore:\n  - ", 2, 4, &["no-digest", "conf-unseen"]),
        ("unset:\n  - ", 2, 4, &["work_mem", "log_min_messages"]),
        ("settings:\n  ", 2, 2, &["work_mem", "log_min_duration_statement"]),
    ];
    let mut wrong = Vec::new();
    for (text, line, column, expected) in cases {
        let labels = server.complete(&format!("schema: kasm-db/v1\n{text}"), line, column);
        let is_there = |name: &&&str| labels.iter().any(|label| label.trim_matches('"') == **name);
        let missing: Vec<_> = expected.iter().filter(|name| !is_there(name)).collect();
        if !missing.is_empty() {
            wrong.push(format!("{missing:?} are not among {labels:?} in\n{text}"));
        }
    }
    wrong
}

fn hover(server: &mut Server, field: &Field) -> Result<(), String> {
    let key = field.path.rsplit('.').next().unwrap();
    let value = field.examples.first().or(field.values.first()).or(field.default.as_ref());
    let value = value.map_or("true", |value| value);
    let (text, line, column) = around(&field.path, &format!("{key}: {value}\n"));
    let said = server.hover(&text, line, column + 1);
    // Markdown escapes some signs, and joins lines.
    let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let first = field.description.split("\n\n").next().unwrap();
    if plain(&said).contains(&plain(first)) {
        return Ok(());
    }
    Err(format!("{}: must say {first:?} and says {said:?} in\n{text}", field.path))
}

/// Opens every document of `tests/documents`; gives the number of those that were marked.
fn marks(server: &mut Server, wrong: &mut Vec<String>) -> usize {
    let (valid, texts) = documents("valid", |_| true);
    for (name, said) in valid.iter().zip(server.diagnose(&texts)) {
        if !said.is_empty() {
            wrong.push(format!("{name} is valid, and marked: {said:?}"));
        }
    }
    let (invalid, texts) = documents("invalid", |name| {
        let code = name.split_once("--").unwrap().0;
        // What another text has or lacks is none of an editor's business.
        let elsewhere = ["--in-the-parent.", "--nobody-brings-it."].iter().any(|part| name.contains(part));
        ["unknown-key", "missing-key", "wrong-type", "wrong-value"].contains(&code) && !elsewhere
    });
    for (name, said) in invalid.iter().zip(server.diagnose(&texts)) {
        if said.is_empty() {
            wrong.push(format!("{name} is invalid, and not marked"));
        }
    }
    assert!(invalid.len() > 60, "{}", invalid.len());
    invalid.len()
}

/// Returns names and texts of the documents in a folder.
fn documents(kind: &str, is_taken: impl Fn(&str) -> bool) -> (Vec<String>, Vec<String>) {
    let entries = std::fs::read_dir(repository().join("tests/documents").join(kind)).unwrap();
    let named = entries.map(|entry| entry.unwrap()).map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        (name, entry.path())
    });
    let taken = named.filter(|(name, _)| is_taken(name));
    taken.map(|(name, path)| (name, std::fs::read_to_string(path).unwrap())).unzip()
}
