//! Explanations for people, from the tables that diagnostics and the schema are made from.

use std::fmt::Write as _;

use model::Code;
use model::explain::{Field, SettingHelp, Subject, fields, since};
use model::postgres::Needs;

use crate::output::style;

/// Lines are no longer than this.
const WIDTH: usize = 100;

/// Explains everything that a text may mean.
pub(crate) fn all(subjects: &[Subject]) -> String {
    let one = |subject: &Subject| match subject {
        Subject::Code(of) => code(*of),
        Subject::Field(of) => field(of),
        Subject::Setting(of) => setting(of),
    };
    subjects.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// Explains a code: what it means, why, what to do, and an example.
fn code(code: Code) -> String {
    let (bold, dim) = (style::BOLD, style::DIM);
    let mut out = format!("{bold}{} {}{bold:#}\n{}\n\n", code.id(), code.name(), code.title());
    paragraph(&mut out, "Why: ", code.why());
    paragraph(&mut out, "What to do: ", code.mend());
    if let Some(risk) = code.risk() {
        let text = format!("`--allow {}` continues anyway: {risk}.", code.name());
        paragraph(&mut out, "Override: ", &text);
    }
    out.push_str("Example:\n\n");
    for line in code.example().lines() {
        let _ = writeln!(out, "    {dim}{line}{dim:#}");
    }
    out
}

/// Explains a field of the document.
fn field(field: &Field) -> String {
    let bold = style::BOLD;
    let required = if field.required { ", required" } else { "" };
    let mut out = format!("{bold}{}{bold:#} ({}{required})\n", field.path, field.takes);
    for part in field.description.split("\n\n") {
        paragraph(&mut out, "", part);
    }
    if let Some(row) = field.pgaudit {
        let default = if row.default.is_empty() { "empty" } else { row.default };
        let text = format!("`{}`, in {}. The server's own default: {default}.", row.name, since(row));
        paragraph(&mut out, "Stands for: ", &text);
    }
    if let Some(default) = &field.default {
        paragraph(&mut out, "Default: ", default);
    }
    if !field.values.is_empty() {
        paragraph(&mut out, "One of: ", &field.values.join(", "));
    }
    if let Some(form) = &field.form {
        paragraph(&mut out, "Write: ", form);
    }
    let key = field.path.rsplit('.').next().unwrap_or_default();
    for example in &field.examples {
        paragraph(&mut out, "Example: ", &format!("{key}: {example}"));
    }
    if !field.keys.is_empty() {
        out.push_str("Fields:\n");
        rows(&mut out, fields().iter().filter(|inner| field.keys.contains(&inner.path)));
    }
    if field.path == "settings" {
        paragraph(&mut out, "", "`kasm-db explain settings.NAME` tells what a setting of PostgreSQL takes.");
    }
    out
}

/// Explains a setting of PostgreSQL.
fn setting(help: &SettingHelp) -> String {
    let bold = style::BOLD;
    let what = match help.field {
        Some(field) => format!("A setting of PostgreSQL itself. The document says it with `{field}`."),
        None => "A setting of PostgreSQL itself.".into(),
    };
    let place = if help.field.is_some() { "" } else { "settings." };
    let mut out = format!("{bold}{place}{}{bold:#}\n{what}\n\n", help.name);
    for (first, last, takes, needs) in &help.rows {
        let needs = match needs {
            Needs::Impossible => "can not be set in a file",
            Needs::Restart => "a change needs a restart",
            Needs::Reload => "a change needs a reload",
        };
        let majors = if first == last { first.to_string() } else { format!("{first} to {last}") };
        paragraph(&mut out, &format!("PostgreSQL {majors}: "), &format!("{takes}; {needs}."));
    }
    if let Some(gone) = help.gone {
        let text = format!("the server does not start with it. {}", gone.advice);
        paragraph(&mut out, &format!("PostgreSQL {} and later: ", gone.since), &text);
    }
    out
}

/// Lists every code and every field.
pub(crate) fn list() -> String {
    let bold = style::BOLD;
    let mut out = format!("{bold}Codes{bold:#}\n");
    let width = Code::ALL.iter().map(|code| code.name().len()).max().unwrap_or(0);
    for code in Code::ALL {
        let _ = writeln!(out, "  {}  {:width$}  {}", code.id(), code.name(), code.title());
    }
    let _ = writeln!(out, "\n{bold}Fields of the document{bold:#}");
    rows(&mut out, fields());
    out.push_str(
        "\n`kasm-db explain NAME` tells more: of a code, a field or its last key, and a setting of PostgreSQL or pgaudit.\n",
    );
    out
}

fn rows<'a>(out: &mut String, fields: impl IntoIterator<Item = &'a Field>) {
    let fields: Vec<_> = fields.into_iter().collect();
    let width = fields.iter().map(|field| field.path.len()).max().unwrap_or(0);
    for field in fields {
        let first = field.description.split("\n\n").next().unwrap_or_default();
        let _ = writeln!(out, "  {:width$}  {first}", field.path);
    }
}

/// Writes a paragraph in lines of a width that reads well; its name stands in front of the first.
fn paragraph(out: &mut String, name: &str, text: &str) {
    let mut line = name.trim_end().to_string();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}\n");
}
