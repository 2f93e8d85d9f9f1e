//! Plans as a comment on a merge request.
//!
//! The first line is a mark that no reader sees, by which a pipeline finds its comment and updates it. What needs a look comes
//! first, details are folded, and the whole fits into what GitHub and GitLab take.

use std::fmt::Write as _;

use model::{Diagnostic, Severity};
use ops::{Document, Error, Outcome};
use render::diff::{hunks, redacted_hunks, unified};
use render::{Action, FileChange, Needs, Plan};

use super::Detail;
use super::emitter::{Emitter, Format, PlanHead, PlanRow};
use super::report::Report;
use super::sink::Sink;
use super::{inspect, upgrade};
use crate::output::{count, escape, escape_bytes};

/// The format.
pub(crate) const FORMAT: Format = Format {
    name: "markdown",
    reports: &[Report::Plan, Report::Show, Report::UpgradePlan],
    new: |report, sink, detail| match report {
        Report::UpgradePlan => Box::new(upgrade::Markdown::new(sink)),
        _ => Box::new(Markdown::new(report, sink, detail)),
    },
    entries: None,
    is_public: true,
};

/// The characters of a comment: GitHub takes 65,536, and a pipeline may add a few of its own.
const LIMIT: usize = 60_000;

/// The rows of the table; more targets are counted.
const ROWS: usize = 100;

/// The problems that are listed of a target, and of the run.
const PROBLEMS: usize = 20;

/// Gathers the plans of a run; they are written at its end, also if it fails.
struct Markdown {
    sink: Sink,
    detail: Detail,
    command: &'static str,
    rows: Vec<Row>,
    /// How long the folded parts of the targets of each rank are at least.
    least: [usize; 3],
    /// What is wrong with documents, or with the run.
    problems: Vec<String>,
    /// What should be known of documents.
    warnings: Vec<String>,
    /// The lines that a saved plan is stale by.
    stale: Vec<String>,
}

/// A target.
struct Row {
    name: String,
    rank: Rank,
    summary: String,
    database: &'static str,
    /// Whether it has a folded part.
    is_shown: bool,
    /// How long that is without the diff, roughly.
    fixed: usize,
    /// The findings and changes.
    details: String,
    diff: String,
}

/// What becomes of a target; the worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Blocked,
    Changes,
    Same,
}

impl Markdown {
    fn new(report: Report, sink: Sink, detail: Detail) -> Self {
        let (rows, problems, warnings, stale) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { sink, detail, command: report.command(), rows, least: [0; 3], problems, warnings, stale }
    }

    /// Keeps a target, without its folded part if there is no room for that.
    fn keep(&mut self, mut row: Row) {
        if row.is_shown {
            let rank = row.rank as usize;
            let before: usize = self.least[..=rank].iter().sum();
            self.least[rank] += row.block(0).chars().count();
            // The worst are written first, and there is no room for it behind them.
            if before > LIMIT {
                (row.details, row.diff) = Default::default();
            }
        }
        self.rows.push(row);
    }

    fn text(&mut self, outcome: Outcome) -> String {
        self.rows.sort_by_key(|row| row.rank);
        let of = |rank| self.rows.iter().filter(|row| row.rank == rank).count();
        let (blocked, changes) = (of(Rank::Blocked), of(Rank::Changes));
        let mut out = format!("<!-- kasm-db {} -->\n### kasm-db {}: ", self.command, self.command);
        let targets = count(self.rows.len(), "target", "targets");
        out.push_str(&match (blocked, changes) {
            _ if !self.stale.is_empty() => "the plan is stale".into(),
            _ if !self.problems.is_empty() && self.rows.is_empty() => "failed".into(),
            (0, 0) if outcome == Outcome::Done => format!("no changes in {targets}"),
            (0, 0) => format!("{targets}, and an error"),
            (0, changes) => format!("{changes} of {targets} would change"),
            (blocked, _) => format!("{blocked} of {targets} blocked"),
        });
        out.push_str("\n\n");
        list(&mut out, &self.problems);
        list(&mut out, &self.warnings);
        for line in &self.stale {
            let _ = writeln!(out, "- {}", plain(line));
        }
        self.table(&mut out);
        let shown: Vec<_> = self.rows.iter().filter(|row| row.is_shown).collect();
        let fixed: usize = shown.iter().map(|row| row.fixed).sum();
        let left = LIMIT.saturating_sub(out.chars().count() + fixed + 200);
        let each = left / shown.len().max(1);
        let mut length = out.chars().count();
        for (index, row) in shown.iter().enumerate() {
            let block = row.block(each);
            let size = block.chars().count();
            if length + size > LIMIT - 200 {
                let left_out = count(shown.len() - index, "target is", "targets are");
                let _ =
                    writeln!(out, "\n{left_out} left out here: run `kasm-db {}` for the rest.", self.command);
                break;
            }
            length += size;
            out.push_str(&block);
        }
        out
    }

    fn table(&self, out: &mut String) {
        if self.rows.is_empty() {
            return;
        }
        out.push_str("| target | result | database |\n|---|---|---|\n");
        for row in self.rows.iter().take(ROWS) {
            let _ = writeln!(out, "| {} | {} | {} |", cell(&row.name), row.summary, row.database);
        }
        if self.rows.len() > ROWS {
            let _ = writeln!(out, "\nand {} more targets", self.rows.len() - ROWS);
        }
    }
}

impl Emitter for Markdown {
    fn begin_plans(&mut self, head: &PlanHead<'_>) -> Result<(), Error> {
        self.stale = head.stale.unwrap_or_default().to_vec();
        Ok(())
    }

    fn read(&mut self, document: &Document) -> Result<(), Error> {
        for finding in &document.reading.diagnostics {
            let list = if finding.is_error() { &mut self.problems } else { &mut self.warnings };
            list.push(problem(finding));
        }
        Ok(())
    }

    fn plan(&mut self, row: &PlanRow<'_>) -> Result<(), Error> {
        self.keep(Row::of(row, self.detail));
        Ok(())
    }

    fn error(&mut self, error: &Error) -> Result<(), Error> {
        let help = error.help.as_ref().map_or(String::new(), |help| format!("<br>{}", plain(help)));
        self.problems.push(format!("**error**: {}{help}", plain(&error.message)));
        Ok(())
    }

    fn end(&mut self, outcome: Outcome) -> Result<(), Error> {
        let text = self.text(outcome);
        self.sink.text(&text)?;
        self.sink.complete();
        self.sink.end()
    }
}

impl Row {
    fn of(row: &PlanRow<'_>, detail: Detail) -> Self {
        let plan = row.plan;
        let rank = match (plan.is_blocked(), plan.is_empty()) {
            (true, _) => Rank::Blocked,
            (false, false) => Rank::Changes,
            (false, true) => Rank::Same,
        };
        let mut details = String::new();
        list(&mut details, &plan.findings.iter().map(problem).collect::<Vec<_>>());
        changes(&mut details, plan);
        for image in row.images {
            let _ = writeln!(details, "- {}", plain(&inspect::line(image)));
        }
        for (name, number) in row.ignored() {
            let _ = writeln!(details, "- ignored: {} ({number})", code(name));
        }
        if !row.newly_ignored.is_empty() {
            let names: Vec<_> = row.newly_ignored.iter().map(|one| code(one.name())).collect();
            let _ = writeln!(details, "- **new in `ignore:` since the last apply**: {}", names.join(", "));
        }
        let mut diff = String::new();
        for file in &plan.files {
            // A longer one is cut anyway.
            if diff.len() <= 4 * LIMIT {
                diff.push_str(&file_diff(file, detail));
            }
        }
        Self {
            name: row.name(),
            rank,
            summary: summary(plan, row.files()),
            database: match plan.needs() {
                _ if rank != Rank::Changes => "stays as it is",
                Needs::Nothing => "is not affected",
                Needs::Reload => "reload",
                Needs::Restart => "**restart**",
                Needs::Recreate => "**new container**",
            },
            is_shown: rank != Rank::Same || !details.is_empty(),
            fixed: details.chars().count() + 200,
            details,
            diff,
        }
    }

    /// Writes the folded part of a target, with a diff of at most so many characters.
    fn block(&self, most: usize) -> String {
        let mut out =
            format!("\n<details><summary>{}: {}</summary>\n\n", html(&self.name), html(&self.summary));
        out.push_str(&self.details);
        if !self.diff.is_empty() {
            let diff = cut(&self.diff, most);
            let fence = fence(&diff);
            let _ = write!(out, "\n{fence}diff\n{diff}{fence}\n");
        }
        out.push_str("\n</details>\n");
        out
    }
}

fn file_diff(file: &FileChange, detail: Detail) -> String {
    let hunks = match detail.show_secrets {
        true => hunks(file, detail.context),
        false => redacted_hunks(file, detail.context),
    };
    escape_bytes(&unified(&file.path, &hunks))
}

fn summary(plan: &Plan, files: usize) -> String {
    if plan.is_blocked() {
        let mut names: Vec<_> = plan.blockers().map(|blocker| blocker.code.name()).collect();
        names.sort_unstable();
        names.dedup();
        return format!("blocked: {}", names.join(", "));
    }
    if plan.is_empty() {
        return "no changes".into();
    }
    let of = |action| plan.changes.iter().filter(|change| change.action == action).count();
    let (added, changed, removed) = (of(Action::Add), of(Action::Change), of(Action::Remove));
    format!("{added} to add, {changed} to change, {removed} to remove in {}", count(files, "file", "files"))
}

fn changes(out: &mut String, plan: &Plan) {
    if plan.changes.is_empty() {
        return;
    }
    out.push_str("| value | before | after | file |\n|---|---|---|---|\n");
    for change in plan.changes.iter().take(ROWS) {
        let value = |value: &Option<String>| value.as_ref().map_or("not set".into(), |value| cell(value));
        let (before, after) = (value(&change.before), value(&change.after));
        let _ = writeln!(out, "| {} | {before} | {after} | {} |", cell(&change.subject), cell(&change.path));
    }
    if plan.changes.len() > ROWS {
        let _ = writeln!(out, "\nand {} more changes", plan.changes.len() - ROWS);
    }
}

fn problem(finding: &Diagnostic) -> String {
    let severity = match finding.severity {
        Severity::Error => "**error**",
        Severity::Warning => "warning",
    };
    let place = finding.location.as_ref().or(finding.related.as_ref().map(|(place, _)| place));
    let place = place.map_or(String::new(), |at| format!(" {}", code(&format!("{}:{}", at.path, at.line))));
    let help = finding.help.as_ref().map_or(String::new(), |help| format!("<br>{}", plain(help)));
    format!(
        "{severity} {} {}{place}: {}{help}",
        finding.code.id(),
        code(finding.code.name()),
        plain(&finding.message)
    )
}

fn list(out: &mut String, problems: &[String]) {
    for problem in problems.iter().take(PROBLEMS) {
        let _ = writeln!(out, "- {problem}");
    }
    if problems.len() > PROBLEMS {
        let _ = writeln!(out, "- and {} more", problems.len() - PROBLEMS);
    }
    if !problems.is_empty() {
        out.push('\n');
    }
}

/// Cuts a text in the middle, at line ends, to at most so many characters.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let room = most.saturating_sub(60) / 2;
    let fitting = |lines: &mut dyn Iterator<Item = &&str>| {
        let mut left = room;
        lines
            .take_while(|line| {
                let length = line.chars().count();
                let fits = length <= left;
                left = left.saturating_sub(length);
                fits
            })
            .count()
    };
    let head = fitting(&mut lines.iter());
    let tail = fitting(&mut lines[head..].iter().rev());
    let left_out = lines.len() - head - tail;
    let middle = format!("… {} left out …\n", count(left_out, "line", "lines"));
    [&lines[..head], &[middle.as_str()], &lines[lines.len() - tail..]].concat().concat()
}

/// Returns a fence that is longer than any in a text.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

/// Writes a text as code in a cell of a table, which a bare `|` would end, even in code.
fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// Writes a text as code.
fn code(text: &str) -> String {
    let text = escape(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let mark = "`".repeat(longest + 1);
    // A reader removes one space from both ends, if there is one at each.
    let is_stripped = text.starts_with(' ') && text.ends_with(' ');
    let space = if longest > 0 || text.is_empty() || is_stripped { " " } else { "" };
    format!("{mark}{space}{text}{space}{mark}")
}

/// Writes a message: what stands between its backticks is code, and nothing in the rest is markup or a mention.
fn plain(text: &str) -> String {
    let text = escape(text);
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return html(&text);
    }
    let part = |(index, part): (usize, &&str)| match (index % 2 == 1, part.is_empty()) {
        (true, true) => html("``"),
        (true, false) => code(part),
        (false, _) => html(part),
    };
    parts.iter().enumerate().map(part).collect()
}

/// Escapes what HTML, Markdown and mentions are made of.
fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in escape(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '|' => out.push_str("&#124;"),
            '`' => out.push_str("&#96;"),
            '*' | '_' | '[' | ']' | '#' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Color, Terminal};

    #[test]
    fn what_is_not_kept_has_no_room() {
        let new = || {
            let terminal = Terminal::new(Color::Never, true, false);
            Markdown::new(Report::Plan, Sink::stream(terminal), Detail::default())
        };
        // Each number is that of another mixture of ranks and lengths.
        for mixture in 1..40_usize {
            let (mut all, mut kept) = (new(), new());
            for index in 0..300_usize {
                let chosen = (index * mixture * 7919 + index / 3) % 101;
                let details = "- é\n".repeat(if mixture % 3 == 0 { 400 } else { 20 } * chosen / 100);
                let diff = "+ ä\n".repeat(if mixture % 4 == 0 { 0 } else { 10 * chosen });
                let rank = [Rank::Blocked, Rank::Changes, Rank::Same][(chosen + index / 100) % 3];
                let row = || Row {
                    name: format!("t{index}"),
                    rank,
                    summary: "1 change".into(),
                    database: "reload",
                    is_shown: rank != Rank::Same || !details.is_empty(),
                    fixed: details.chars().count() + 200,
                    details: details.clone(),
                    diff: diff.clone(),
                };
                all.rows.push(row());
                kept.keep(row());
            }
            assert!(mixture % 3 != 0 || kept.rows.iter().any(|row| row.is_shown && row.diff.is_empty()));
            assert_eq!(kept.text(Outcome::Done), all.text(Outcome::Done), "{mixture}");
        }
    }

    #[test]
    fn a_text_is_cut_in_the_middle_at_line_ends_and_fits() {
        let text: String = (0..1000).map(|line| format!("line {line}\n")).collect();
        let cut = cut(&text, 500);
        assert!(cut.chars().count() <= 500, "{}", cut.len());
        assert!(cut.starts_with("line 0\n") && cut.ends_with("line 999\n"));
        let left_out: usize =
            cut.lines().find_map(|line| line.strip_prefix("… ")?.split(' ').next()?.parse().ok()).unwrap();
        assert_eq!(cut.lines().count() - 1 + left_out, 1000);
        assert_eq!(super::cut(&text, 100_000), text);
        assert!(super::cut(&"x".repeat(9_000), 100).chars().count() <= 100);
    }

    #[test]
    fn fences_and_marks_are_longer_than_any_in_the_text() {
        assert_eq!(fence("a\n"), "```");
        assert_eq!(fence("````\n"), "`````");
        assert_eq!(code("a`b``c"), "``` a`b``c ```");
        assert_eq!((code("a|b"), cell("a|b")), ("`a|b`".into(), "`a\\|b`".into()));
        assert_eq!(code(" a "), "`  a  `");
    }

    #[test]
    fn nothing_in_a_message_is_markup_or_a_mention() {
        assert_eq!(plain("use `a_b` <script> @anna [x](y)"), "use `a_b` &lt;script&gt; &#64;anna \\[x\\](y)");
        assert_eq!(plain("an odd ` mark"), "an odd &#96; mark");
        assert_eq!(plain("not `a|b` but ``"), "not `a|b` but &#96;&#96;");
    }
}
