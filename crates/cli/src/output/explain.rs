//! Explanations for people, from the tables that diagnostics and the schema are made from.

use std::fmt::Write as _;

use model::Code;
use model::audit::Class;
use model::explain::{Field, SettingHelp, Subject, fields, since};
use model::postgres::Needs;

use crate::output::style;

/// Lines are no longer than this, also on a wider terminal.
const WIDTH: usize = 100;

/// Explains everything that a text may mean, in lines that fit the terminal if there is one.
pub(crate) fn all(subjects: &[Subject], terminal: Option<usize>) -> String {
    let width = terminal.map_or(WIDTH, |width| width.min(WIDTH));
    let one = |subject: &Subject| match subject {
        Subject::Code(of) => code(*of, width),
        Subject::Field(of) => field(of, width),
        Subject::Setting(of) => setting(of, width),
    };
    subjects.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// Explains a code: what it means, why, what to do, and an example.
fn code(code: Code, width: usize) -> String {
    let (bold, dim) = (style::BOLD, style::DIM);
    let mut out = format!("{bold}{} {}{bold:#}\n", code.id(), code.name());
    paragraph(&mut out, width, "", code.title());
    paragraph(&mut out, width, "Why: ", code.why());
    paragraph(&mut out, width, "What to do: ", code.fix());
    if let Some(risk) = code.risk() {
        let text = format!("`--allow {}` proceeds anyway. Risk: {risk}.", code.name());
        paragraph(&mut out, width, "Override: ", &text);
    }
    out.push_str("Example:\n\n");
    for line in code.example().lines() {
        let _ = writeln!(out, "    {dim}{line}{dim:#}");
    }
    out
}

/// Explains a field of the document.
fn field(field: &Field, width: usize) -> String {
    let bold = style::BOLD;
    let required = if field.required { ", required" } else { "" };
    let mut out = format!("{bold}{}{bold:#} ({}{required})\n", field.path, field.takes);
    for part in field.description.split("\n\n") {
        paragraph(&mut out, width, "", part);
    }
    if let Some(row) = field.pgaudit {
        let default = if row.default.is_empty() { "empty" } else { row.default };
        let text = format!("`{}`, in {}. The server's default: {default}.", row.name, since(row));
        paragraph(&mut out, width, "Sets: ", &text);
    }
    if let Some(default) = &field.default {
        paragraph(&mut out, width, "Default: ", default);
    }
    if !field.values.is_empty() {
        paragraph(&mut out, width, "One of: ", &field.values.join(", "));
    }
    if field.path == "audit.classes" {
        out.push_str("Classes:\n");
        for class in Class::all() {
            let _ = writeln!(out, "  {:10}{}", class.name(), class.statements());
        }
        out.push('\n');
    }
    if let Some(form) = &field.form {
        paragraph(&mut out, width, "Write: ", form);
    }
    let key = field.path.rsplit('.').next().unwrap_or_default();
    for example in &field.examples {
        paragraph(&mut out, width, "Example: ", &format!("{key}: {example}"));
    }
    if !field.keys.is_empty() {
        out.push_str("Fields:\n");
        rows(&mut out, fields().iter().filter(|inner| field.keys.contains(&inner.path)));
    }
    if field.path == "settings" {
        paragraph(
            &mut out,
            width,
            "",
            "`kasm-db explain settings.NAME` shows which values a setting of PostgreSQL accepts.",
        );
    }
    out
}

/// Explains a setting of PostgreSQL.
fn setting(help: &SettingHelp, width: usize) -> String {
    let bold = style::BOLD;
    let what = match help.field {
        Some(field) => format!("A setting of PostgreSQL. The document sets it with `{field}`."),
        None => "A setting of PostgreSQL.".into(),
    };
    let place = if help.field.is_some() { "" } else { "settings." };
    let mut out = format!("{bold}{place}{}{bold:#}\n{what}\n\n", help.name);
    for (first, last, takes, needs) in &help.rows {
        let needs = match needs {
            Needs::Impossible => "cannot be set in a file",
            Needs::Restart => "a change needs a restart",
            Needs::Reload => "a change needs a reload",
        };
        let majors = if first == last { first.to_string() } else { format!("{first} to {last}") };
        paragraph(&mut out, width, &format!("PostgreSQL {majors}: "), &format!("{takes}; {needs}."));
    }
    if let Some(gone) = help.gone {
        let text = format!("the server does not start with it. {}", gone.advice);
        paragraph(&mut out, width, &format!("PostgreSQL {} and later: ", gone.since), &text);
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
    let _ = writeln!(out, "\n{bold}Keys of the document{bold:#}");
    rows(&mut out, fields());
    out.push_str(
        "\n`kasm-db explain NAME` explains a code, a key (its last part is enough), or a setting of PostgreSQL or pgaudit.\n",
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
fn paragraph(out: &mut String, width: usize, name: &str, text: &str) {
    let mut line = name.trim_end().to_string();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
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
