//! Audit entries for programs.

use std::borrow::Cow;

use auditlog::AuditEntry;
use auditlog::time::Timestamp;
use ops::audit::{CountBy, Counts, Tally};
use schemars::JsonSchema;
use serde::Serialize;

use super::version::FORMAT_VERSION;
use super::words::{By, EntryType};
use super::writer::compact;
use crate::output::emitter::Entries;
use crate::output::stream::Stream;
use crate::output::time::time_with_milliseconds;

/// One line for each entry. Bytes that are not UTF-8 are `\u{fffd}`.
#[derive(Serialize, JsonSchema)]
pub(super) struct Line<'a> {
    format: &'static str,
    format_version: &'static str,
    /// When it was logged, as RFC 3339 has it, in UTC; null if the time or its zone cannot be read.
    time: Option<String>,
    /// The time as the server wrote it.
    time_text: Option<String>,
    /// Null if there is none, or the log leaves open where it ends; so are the others.
    user: Option<String>,
    database: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    pid: Option<u32>,
    session: Option<String>,
    application: Option<String>,
    r#type: EntryType,
    statement_id: u64,
    substatement_id: u64,
    /// The class, in lower case: read, write, function, role, ddl, misc.
    class: String,
    command: Cow<'a, str>,
    object_type: Option<Cow<'a, str>>,
    object_name: Option<Cow<'a, str>>,
    /// The statement; null if the server was told not to log it.
    statement: Option<Cow<'a, str>>,
    /// The parameters; null if there are none, or the server was told not to log them.
    parameter: Option<Cow<'a, str>>,
    rows: Option<u64>,
    /// Whether the entry was longer than is read: its end is missing.
    cut: bool,
    /// Whether the log leaves open who did it, or whether pgaudit wrote it; what is not known for sure is null.
    uncertain: bool,
    /// Who it most likely was, if the log leaves open where a name ends: roles and databases may have spaces and other signs in
    /// their names. It is for finding entries, and proves nothing.
    likely: Option<Likely>,
    file: &'a str,
    line: u64,
}

/// The names that are usual.
#[derive(Serialize, JsonSchema)]
pub(super) struct Likely {
    user: Option<String>,
    database: Option<String>,
    application: Option<String>,
}

/// What entries are counted by.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Counted {
    /// The field; null if it did not come to that.
    by: Option<By>,
}

/// From when to when entries are, as RFC 3339 has it; null if there are none, or the zone is not known.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Span {
    first: Option<String>,
    last: Option<String>,
}

/// How often something came.
#[derive(Serialize, JsonSchema)]
pub(super) struct Count {
    /// The class in lower case, the hour as RFC 3339 has it, or the name; empty where the log has none.
    key: String,
    count: u64,
    /// Whether the key is only the most likely name, as the log leaves open where it ends.
    likely: bool,
}

/// What all logs come to.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub(super) struct Totals {
    files: usize,
    /// All entries that were read.
    entries: u64,
    /// Those that were asked for.
    wanted: u64,
    /// What could not be read.
    faults: u64,
    /// Entries longer than are read.
    cut: u64,
    /// Entries that the log may attribute to another one than whoever made them.
    uncertain: u64,
    /// Entries of more names than are counted one by one.
    other: u64,
    /// Entries without a time that could be read, where one is asked for.
    undated: u64,
    /// Entries with a time zone that is not known, where a moment is asked for.
    unzoned: u64,
    /// Entries of a log that does not have the names by which they are filtered.
    unnamed: u64,
    /// Entries that `--not-app` hid, and nothing else would have; a warning names their users.
    hidden: u64,
}

/// A line of JSON for each entry.
pub(super) struct Lines;

impl Entries for Lines {
    fn entry(&self, name: &str, entry: &AuditEntry<'_>, stream: &mut Stream) {
        stream.bytes(line(entry, name).as_bytes());
    }
}

/// Writes an entry as one line.
fn line(entry: &AuditEntry<'_>, file: &str) -> String {
    let fields = entry.fields();
    let (command, object_type, object_name) = (fields.command(), fields.object_type(), fields.object_name());
    let (statement, parameter) = (fields.statement(), fields.parameter());
    let text = |part: Option<auditlog::Text<'_>>| {
        part.map(|part| String::from_utf8_lossy(&part.bytes()).into_owned())
    };
    let time_text = text(entry.time());
    let mut line = compact(&Line {
        format: "kasm-db/audit-entry",
        format_version: FORMAT_VERSION,
        time: entry.timestamp().and_then(in_utc),
        time_text,
        user: text(entry.user()),
        database: text(entry.database()),
        host: text(entry.host()),
        port: text(entry.port()).and_then(|port| port.parse().ok()),
        pid: text(entry.pid()).and_then(|pid| pid.parse().ok()),
        session: text(entry.session()),
        application: text(entry.application()),
        r#type: entry.kind().into(),
        statement_id: entry.statement_id(),
        substatement_id: entry.substatement_id(),
        class: String::from_utf8_lossy(entry.class()).to_ascii_lowercase(),
        command: String::from_utf8_lossy(&command),
        object_type: some(&object_type),
        object_name: some(&object_name),
        statement: logged(&statement),
        parameter: parameter.as_deref().and_then(logged),
        rows: fields.rows(),
        cut: entry.is_cut(),
        uncertain: entry.is_uncertain(),
        likely: entry.is_name_open().then(|| entry.likely()).flatten().map(|likely| Likely {
            user: text(likely.user()),
            database: text(likely.database()),
            application: text(likely.application()),
        }),
        file,
        line: entry.line(),
    });
    line.push('\n');
    line
}

/// Returns what entries are counted by.
pub(super) fn counted(by: CountBy) -> Counted {
    Counted { by: Some(by.into()) }
}

/// Returns from when to when entries are.
pub(super) fn span(tally: &Tally) -> Span {
    let time = |index: usize| tally.span.as_ref().and_then(|span| rfc_3339(&span[index].1));
    Span { first: time(0), last: time(1) }
}

/// Hands out the counts as JSON, one after the other: there may be hundreds of thousands.
pub(super) fn each_count(tally: &Tally, by: CountBy, mut take: impl FnMut(String)) {
    for (key, count) in tally.counts.sorted(by == CountBy::Hour) {
        let (key, likely) = Counts::name(key);
        let text = String::from_utf8_lossy(key).into_owned();
        let key = match by {
            CountBy::Class => text.to_ascii_lowercase(),
            CountBy::Hour => rfc_3339(&text).unwrap_or(text),
            _ => text,
        };
        take(compact(&Count { key, count, likely }));
    }
}

/// Returns what all logs come to.
pub(super) fn totals(tally: &Tally, files: usize) -> Totals {
    Totals {
        files,
        entries: tally.entries,
        wanted: tally.wanted,
        faults: tally.faults,
        cut: tally.cut,
        uncertain: tally.uncertain,
        other: tally.counts.other,
        undated: tally.undated,
        unzoned: tally.unzoned,
        unnamed: tally.unnamed,
        hidden: tally.hidden,
    }
}

/// Writes a time of a log in UTC; none if its zone is not known.
fn rfc_3339(text: &str) -> Option<String> {
    in_utc(Timestamp::parse(text.as_bytes())?)
}

fn in_utc(time: Timestamp) -> Option<String> {
    time.offset?;
    time_with_milliseconds(time.moment())
}

fn some(bytes: &[u8]) -> Option<Cow<'_, str>> {
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes))
}

/// Returns a text, if it is not what pgaudit writes in place of one.
fn logged(bytes: &[u8]) -> Option<Cow<'_, str>> {
    (!matches!(bytes, b"<not logged>" | b"<none>")).then(|| String::from_utf8_lossy(bytes))
}
