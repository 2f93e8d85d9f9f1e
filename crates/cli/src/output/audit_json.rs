//! Audit entries for programs.

use std::borrow::Cow;

use auditlog::{Entry, Kind};
use serde::Serialize;

use super::escape_json;
use crate::args::CountBy;
use crate::audit::Tally;

/// Additions raise the second number, anything else the first.
const VERSION: &str = "1.0";

/// One line for each entry. Bytes that are no UTF-8 are `\u{fffd}`.
#[derive(Serialize)]
struct Line<'a> {
    format: &'static str,
    format_version: &'static str,
    time: Option<String>,
    user: Option<String>,
    database: Option<String>,
    host: Option<String>,
    port: Option<String>,
    pid: Option<String>,
    session: Option<String>,
    application: Option<String>,
    r#type: &'static str,
    statement_id: u64,
    substatement_id: u64,
    class: Cow<'a, str>,
    command: Cow<'a, str>,
    object_type: Option<Cow<'a, str>>,
    object_name: Option<Cow<'a, str>>,
    statement: Cow<'a, str>,
    parameter: Option<Cow<'a, str>>,
    rows: Option<u64>,
    cut: bool,
    file: &'a str,
    line: u64,
}

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    format_version: &'static str,
    files: usize,
    entries: u64,
    wanted: u64,
    faults: u64,
    cut: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<&'a str>,
    by: &'static str,
    counts: Vec<Row<'a>>,
    other: u64,
}

#[derive(Serialize)]
struct Row<'a> {
    key: Cow<'a, str>,
    count: u64,
}

/// Writes an entry as one line.
pub(crate) fn line(entry: &Entry<'_>, file: &str) -> String {
    let fields = entry.fields();
    let (command, object_type, object_name) = (fields.command(), fields.object_type(), fields.object_name());
    let (statement, parameter) = (fields.statement(), fields.parameter());
    let text = |part: Option<auditlog::Text<'_>>| {
        part.map(|part| String::from_utf8_lossy(&part.bytes()).into_owned())
    };
    print(&Line {
        format: "kasm-db/audit-entry",
        format_version: VERSION,
        time: text(entry.time()),
        user: text(entry.user()),
        database: text(entry.database()),
        host: text(entry.host()),
        port: text(entry.port()),
        pid: text(entry.pid()),
        session: text(entry.session()),
        application: text(entry.application()),
        r#type: match entry.kind() {
            Kind::Session => "SESSION",
            Kind::Object => "OBJECT",
        },
        statement_id: entry.statement_id(),
        substatement_id: entry.substatement_id(),
        class: String::from_utf8_lossy(entry.class()),
        command: String::from_utf8_lossy(&command),
        object_type: some(&object_type),
        object_name: some(&object_name),
        statement: String::from_utf8_lossy(&statement),
        parameter: parameter.as_deref().map(String::from_utf8_lossy),
        rows: fields.rows(),
        cut: entry.is_cut(),
        file,
        line: entry.line(),
    })
}

/// Writes counts; a summary counts by class and has the times of the first and the last entry.
pub(crate) fn report(tally: &Tally, files: usize, by: Option<CountBy>) -> String {
    let by_name = by == Some(CountBy::Hour);
    print(&Report {
        format: if by.is_some() { "kasm-db/audit-count" } else { "kasm-db/audit-summary" },
        format_version: VERSION,
        files,
        entries: tally.entries,
        wanted: tally.wanted,
        faults: tally.faults,
        cut: tally.cut,
        first: tally.span.as_ref().map(|[first, _]| first.1.as_str()),
        last: tally.span.as_ref().map(|[_, last]| last.1.as_str()),
        by: match by {
            None | Some(CountBy::Class) => "class",
            Some(CountBy::Hour) => "hour",
            Some(CountBy::User) => "user",
            Some(CountBy::Object) => "object",
            Some(CountBy::Command) => "command",
            Some(CountBy::Database) => "database",
        },
        counts: tally
            .counts
            .sorted(by_name)
            .into_iter()
            .map(|(key, count)| Row { key: String::from_utf8_lossy(key), count })
            .collect(),
        other: tally.counts.other,
    })
}

fn some(bytes: &[u8]) -> Option<Cow<'_, str>> {
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes))
}

fn print(value: &impl Serialize) -> String {
    escape_json(serde_json::to_string(value).unwrap_or_default() + "\n")
}
