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

/// How many of the columns are on the first line of an entry on a narrow terminal, which has two.
const FIRST: usize = 4;

/// A terminal of fewer columns has no space for a statement behind the others.
const NARROW: usize = 144;

/// A bar of this many characters stands for the largest count.
const BAR: usize = 40;

/// A table of entries.
pub(super) struct Table;

impl Entries for Table {
    fn begin(&self, stream: &mut Stream) {
        let titles = titles(stream.width);
        stream.text(&titles);
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
fn titles(width: Option<usize>) -> String {
    let bold = style::BOLD;
    let titles = TITLES.map(String::from);
    lines(&titles, "STATEMENT", width).iter().map(|line| format!("{bold}{line}{bold:#}\n")).collect()
}

/// Lays columns out on one line, or on a narrow terminal on two, and cuts each line to the terminal.
fn lines(columns: &[String; 6], statement: &str, width: Option<usize>) -> Vec<String> {
    let padded = |range: std::ops::Range<usize>| {
        let mut line = String::new();
        for (column, width) in columns[range.clone()].iter().zip(&WIDTHS[range]) {
            let _ = write!(line, "{column:width$} ");
        }
        line
    };
    let Some(width) = width else { return vec![padded(0..6) + statement] };
    let all = if width < NARROW {
        let first = padded(0..FIRST).trim_end().to_string();
        vec![first, format!("  {} {}: {statement}", columns[FIRST], columns[FIRST + 1])]
    } else {
        vec![padded(0..6) + statement]
    };
    let cut = |line: String| {
        if line.chars().count() <= width {
            return line;
        }
        line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
    };
    all.into_iter().map(cut).collect()
}

/// Renders an entry as one line, or on a narrow terminal as two.
///
/// Every run of white space is one space; `--format json` has the statement as it is.
fn row(entry: &AuditEntry<'_>, width: Option<usize>) -> String {
    // Nobody is not the same as somebody who is not known.
    let none = if entry.is_uncertain() { "?" } else { "-" };
    let text = |part: Option<auditlog::Text<'_>>| part.map_or(none.into(), |part| name_of(&part.bytes()));
    let likely = entry.is_name_open().then(|| entry.likely()).flatten();
    let name = |part: Option<auditlog::Text<'_>>, likely: Option<auditlog::Text<'_>>| match (part, likely) {
        (None, Some(likely)) => likely_name(&likely.bytes()),
        (part, _) => text(part),
    };
    let (user, database) =
        (likely.as_ref().and_then(AuditEntry::user), likely.as_ref().and_then(AuditEntry::database));
    let fields = entry.fields();
    let or_dash = |text: &[u8]| if text.is_empty() { "-".to_string() } else { line_of(text) };
    let columns = [
        entry.time_text().map_or(none.into(), |text| line_of(&text)),
        format!("{}@{}", name(entry.user(), user), name(entry.database(), database)),
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
    let mut line = line_of(&fields.statement());
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
    lines(&columns, &line, width).into_iter().map(|line| line + "\n").collect()
}

/// Writes a name on one line. No two names look the same, nor one as that of which the log leaves open where it ends.
fn name_of(bytes: &[u8]) -> String {
    escape(&escape_bytes(bytes)).replace('\t', "\\u{9}").replace('?', "\\u{3f}")
}

/// Writes a name that is only the most likely one.
fn likely_name(bytes: &[u8]) -> String {
    name_of(bytes) + "?"
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
        .map(|(key, count)| match Counts::name(key) {
            (b"", _) => ("-".into(), count),
            (name, true) => (likely_name(name), count),
            (name, false) => (name_of(name), count),
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_shows_the_statement_on_a_second_line() {
        let columns =
            ["2026-11-22 08:16:40.870 UTC", "kasmapp@kasm", "SESSION", "READ", "SELECT", "public.users"];
        let columns = columns.map(String::from);
        let statement = "SELECT * FROM users WHERE name = 'somebody with a long name'";
        assert_eq!(
            lines(&columns, statement, Some(80)),
            [
                "2026-11-22 08:16:40.870 UTC kasmapp@kasm         SESSION READ",
                "  SELECT public.users: SELECT * FROM users WHERE name = 'somebody with a long n…",
            ]
        );
        for width in [None, Some(200)] {
            let wide = lines(&columns, statement, width);
            assert!(wide.len() == 1 && wide[0].ends_with(statement), "{wide:?}");
        }
    }
}
