//! Audit entries for people: a table, counts with bars, a summary.

use std::fmt::Write as _;

use auditlog::{AuditEntry, AuditType};
use ops::audit::{CountBy, Counts, Tally, View};

use crate::output::emitter::Entries;
use crate::output::stream::Stream;
use crate::output::{count, escape, escape_bytes, style};

/// The widths of the columns before the last one; what is longer is not cut, but pushes the rest.
const WIDTHS: [usize; 6] = [27, 20, 7, 8, 16, 28];

const TITLES: [&str; 6] = ["TIME", "USER@DATABASE", "TYPE", "CLASS", "COMMAND", "OBJECT"];

/// A bar of this many characters stands for the largest count.
const BAR: usize = 40;

/// A table of entries.
pub(super) struct Table;

impl Entries for Table {
    fn begin(&self, stream: &mut Stream) {
        stream.text(&titles());
    }

    fn entry(&self, _: &str, entry: &AuditEntry<'_>, stream: &mut Stream) {
        let row = row(entry, stream.width);
        stream.text(&row);
    }
}

/// Renders what entries come to.
pub(super) fn tally(tally: &Tally, files: usize, view: View, width: Option<usize>) -> String {
    match view {
        View::Entries => String::new(),
        View::Count(by) => counts(&tally.counts, by == CountBy::Hour, width),
        View::Summary => summary(tally, files, width),
    }
}

/// Renders the titles of the table.
fn titles() -> String {
    let bold = style::BOLD;
    let mut line = String::new();
    for (title, width) in TITLES.iter().zip(WIDTHS) {
        let _ = write!(line, "{title:width$} ");
    }
    format!("{bold}{line}STATEMENT{bold:#}\n")
}

/// Renders an entry as one line, cut to the terminal where there is one.
///
/// Every run of white space is one blank; `--format json` has the statement as it is.
fn row(entry: &AuditEntry<'_>, width: Option<usize>) -> String {
    // Nobody is not the same as somebody who is not known.
    let none = if entry.is_uncertain() { "?" } else { "-" };
    let text = |part: Option<auditlog::Text<'_>>| part.map_or(none.into(), |part| name_of(&part.bytes()));
    let fields = entry.fields();
    let or_dash = |text: &[u8]| if text.is_empty() { "-".to_string() } else { line_of(text) };
    let columns = [
        entry.time_text().map_or(none.into(), |text| line_of(&text)),
        format!("{}@{}", text(entry.user()), text(entry.database())),
        match entry.kind() {
            AuditType::Session => "SESSION".into(),
            AuditType::Object => "OBJECT".into(),
        },
        line_of(entry.class()),
        or_dash(&fields.command()),
        match &*fields.object_name() {
            [] => "-".into(),
            name => name_of(name),
        },
    ];
    let mut line = String::new();
    for (column, width) in columns.iter().zip(WIDTHS) {
        let _ = write!(line, "{column:width$} ");
    }
    line.push_str(&line_of(&fields.statement()));
    if let Some(parameter) = fields.parameter().filter(|text| !text.starts_with(b"<")) {
        let _ = write!(line, " [{}]", line_of(&parameter));
    }
    if let Some(rows) = fields.rows() {
        let _ = write!(line, " ({})", count(rows, "row", "rows"));
    }
    if entry.is_cut() {
        line.push_str(" (cut)");
    }
    if entry.is_uncertain() {
        line.push_str(" (uncertain)");
    }
    if let Some(width) = width
        && line.chars().count() > width
    {
        line = line.chars().take(width.saturating_sub(1)).collect();
        line.push('…');
    }
    line.push('\n');
    line
}

/// Writes a name on one line. No two names look the same.
fn name_of(bytes: &[u8]) -> String {
    escape(&escape_bytes(bytes)).replace('\t', "\\u{9}")
}

/// Writes bytes of a log on one line.
fn line_of(bytes: &[u8]) -> String {
    let text = escape_bytes(bytes);
    if text.contains(char::is_whitespace) {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    } else {
        text
    }
}

/// Renders counts, with bars where there is a terminal.
fn counts(counts: &Counts, by_name: bool, width: Option<usize>) -> String {
    let mut rows: Vec<(String, u64)> = counts
        .sorted(by_name)
        .into_iter()
        .map(|(key, count)| (if key.is_empty() { "-".into() } else { name_of(key) }, count))
        .collect();
    if counts.other > 0 {
        rows.push(("(others, of more names than are kept)".into(), counts.other));
    }
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let digits = most.to_string().len();
    let names = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(60);
    let bar = width.map_or(0, |width| width.saturating_sub(names + digits + 4).min(BAR));
    let mut out = String::new();
    for (name, count) in rows {
        let _ = write!(out, "{name:names$}  {count:digits$}");
        if bar > 0 {
            let color = style::HUNK;
            // Something that is there is never shown as nothing.
            let length =
                usize::try_from(count.saturating_mul(bar as u64).div_ceil(most.max(1))).unwrap_or(bar);
            let _ = write!(out, "  {color}{}{color:#}", "█".repeat(length));
        }
        out.push('\n');
    }
    out
}

/// Renders what there is in a few lines.
fn summary(tally: &Tally, files: usize, width: Option<usize>) -> String {
    let mut out = String::new();
    let files = count(files, "file", "files");
    let _ = writeln!(out, "entries     {} in {files}", tally.entries);
    if tally.wanted != tally.entries {
        let _ = writeln!(out, "wanted      {}", tally.wanted);
    }
    let _ = writeln!(out, "not read    {}", tally.faults);
    let _ = writeln!(out, "cut         {}", tally.cut);
    if tally.uncertain > 0 {
        let _ = writeln!(out, "uncertain   {}", tally.uncertain);
    }
    if let Some([(_, first), (_, last)]) = &tally.span {
        let _ = writeln!(out, "first       {}", escape(first));
        let _ = writeln!(out, "last        {}", escape(last));
    }
    if tally.wanted > 0 {
        out.push('\n');
        out.push_str(&counts(&tally.counts, false, width));
    }
    out
}
