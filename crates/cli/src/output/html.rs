//! A page that shows a run to people who have a browser and nothing else: one file, without scripts and without anything that is
//! fetched.

mod diff;
mod finding;
mod kept;
mod page;
mod plan;
mod server;
mod text;

use maud::{Markup, html};
use ops::status::Status;
use ops::verify::Verified;
use ops::{Document, Error, Outcome, TargetName};

use self::finding::{error_item, findings};
use self::kept::{Entry, Kept, Rank};
use self::page::Page;
use self::text::{badge, shown, words};
use super::Detail;
use super::emitter::{Emitter, Format, PlanHead, PlanRow};
use super::report::Report;
use super::sink::Sink;
use crate::output::count;

/// The format.
pub(crate) const FORMAT: Format = Format {
    name: "html",
    reports: &[Report::Validate, Report::Plan, Report::Show, Report::Status, Report::Verify],
    new: |report, sink, detail| Box::new(Html::new(report, sink, detail)),
    entries: None,
    is_public: true,
};

/// The errors of a run that are listed.
const ERRORS: usize = 100;

/// Gathers what a run says; the page is written at its end, also if it fails.
struct Html {
    sink: Sink,
    detail: Detail,
    report: Report,
    /// Documents, if they are what the run is about, or else targets.
    kept: Kept,
    /// What is wrong with documents or worth knowing, if the run is about targets.
    documents: Kept,
    errors: Vec<Markup>,
    more_errors: usize,
    notes: Vec<Markup>,
    /// The lines that a saved plan is stale by.
    stale: Vec<String>,
}

impl Html {
    /// Starts a result.
    fn new(report: Report, sink: Sink, detail: Detail) -> Self {
        let (kept, documents) = (Kept::default(), Kept::default());
        let (errors, notes, stale) = (Vec::new(), Vec::new(), Vec::new());
        Self { sink, detail, report, kept, documents, errors, more_errors: 0, notes, stale }
    }

    /// Writes the page, piece by piece.
    fn write(&mut self, outcome: Outcome) -> Result<(), Error> {
        let title = format!("kasm-db {}", self.report.command());
        let invalid = self.documents.of(Rank::Bad);
        let mut verdict = self.verdict(outcome);
        if invalid > 0 {
            let targets = if self.kept.is_empty() { String::new() } else { format!(". {verdict}") };
            verdict = format!("{} invalid{targets}", count(invalid, "document is", "documents are"));
        }
        let tiles = self.kept.tiles(self.names(), self.more_errors + self.errors.len());
        let page = Page { title: &title, verdict: &verdict, rank: self.rank(outcome), tiles };
        let (before, after) = page.around();
        self.sink.bytes(before.as_bytes())?;
        self.piece(&self.problems())?;
        if invalid > 0 {
            self.of_documents()?;
        }
        if !self.kept.is_empty() {
            let heading = if self.report == Report::Validate { "Documents" } else { "Targets" };
            let (columns, command) = (self.columns(), self.report.command());
            let table = self.kept.table(heading, columns, command);
            self.piece(&table)?;
            for section in self.kept.sections(heading, command) {
                self.sink.bytes(section.0.as_bytes())?;
            }
        }
        self.of_documents()?;
        if !self.notes.is_empty() {
            self.piece(
                &html! { section { h2 { "Notes" } ul { @for note in &self.notes { li { (note) } } } } },
            )?;
        }
        self.sink.bytes(after.as_bytes())
    }

    /// Writes a piece.
    fn piece(&mut self, piece: &Markup) -> Result<(), Error> {
        self.sink.bytes(piece.0.as_bytes())
    }

    /// Writes what was found in documents, once.
    fn of_documents(&mut self) -> Result<(), Error> {
        for section in self.documents.sections("Findings", self.report.command()) {
            self.sink.bytes(section.0.as_bytes())?;
        }
        Ok(())
    }

    /// Returns the errors of the run.
    fn problems(&self) -> Markup {
        if self.errors.is_empty() && self.stale.is_empty() {
            return Markup::default();
        }
        html! {
            section {
                h2 { "Errors" }
                ul.problems {
                    @for line in &self.stale { li { (badge("stale", "bad")) " " (words(line)) } }
                    @for error in &self.errors { li { (error) } }
                }
                @if self.more_errors > 0 { p { "and " (self.more_errors) " more" } }
            }
        }
    }

    /// Returns the columns of the table.
    fn columns(&self) -> &'static [&'static str] {
        match self.report {
            Report::Validate => &["document", "result", "errors", "warnings"],
            Report::Status => &["target", "files", "server", "notes"],
            Report::Verify => &["target", "result", "ok", "failed", "skipped"],
            _ => plan::COLUMNS,
        }
    }

    /// Returns what the numbers are called.
    fn names(&self) -> [&'static str; 6] {
        match self.report {
            Report::Validate => {
                ["document", "documents", "invalid", "different", "with warnings only", "without a finding"]
            }
            Report::Status | Report::Verify => {
                ["target", "targets", "with errors", "different", "with warnings only", "in order"]
            }
            Report::Show => [
                "target",
                "targets",
                "blocked or stale",
                "with changes",
                "with warnings only",
                "without changes",
            ],
            _ => ["target", "targets", "blocked", "with changes", "with warnings only", "without changes"],
        }
    }

    /// Says in one sentence what the run came to.
    fn verdict(&self, outcome: Outcome) -> String {
        let all = self.kept.len();
        let of = |rank| self.kept.of(rank);
        let targets = count(all, "target", "targets");
        match self.report {
            _ if !self.stale.is_empty() => "The plan is stale".into(),
            Report::Validate => match of(Rank::Bad) {
                0 if self.errors.is_empty() => format!("{} valid", count(all, "document", "documents")),
                0 => "Failed".into(),
                bad => format!("{bad} of {} with errors", count(all, "document", "documents")),
            },
            _ if all == 0 => "Nothing was planned or checked".into(),
            Report::Status | Report::Verify => match of(Rank::Bad) + of(Rank::Changes) {
                0 if outcome == Outcome::Done => format!("{targets} in order"),
                0 => format!("{targets} in order, and an error"),
                number if self.report == Report::Verify => format!("{number} of {targets} failed"),
                number => format!("{number} of {targets} differ or could not be checked"),
            },
            _ => match (of(Rank::Bad), of(Rank::Changes)) {
                (0, 0) if self.errors.is_empty() => format!("No changes in {targets}"),
                (0, 0) => format!("No changes in {targets}, and an error"),
                (0, changes) => format!("{changes} of {targets} would change"),
                (blocked, _) => format!("{blocked} of {targets} blocked"),
            },
        }
    }

    /// Returns what the whole run came to.
    fn rank(&self, outcome: Outcome) -> Rank {
        let is_bad = !self.errors.is_empty() || !self.stale.is_empty() || self.documents.of(Rank::Bad) > 0;
        match self.kept.worst() {
            _ if is_bad => Rank::Bad,
            None if outcome != Outcome::Done => Rank::Bad,
            worst => worst.unwrap_or(Rank::Same),
        }
    }

    /// Adds an error of the run.
    fn push_error(&mut self, error: Markup) {
        if self.errors.len() < ERRORS {
            self.errors.push(error);
        } else {
            self.more_errors += 1;
        }
    }
}

impl Emitter for Html {
    fn begin_plans(&mut self, head: &PlanHead<'_>) -> Result<(), Error> {
        self.stale = head.stale.unwrap_or_default().to_vec();
        Ok(())
    }

    fn read(&mut self, document: &Document) -> Result<(), Error> {
        if !document.reading.diagnostics.is_empty() {
            self.documents.push(of_document(document));
        }
        Ok(())
    }

    fn checked(&mut self, document: &Document) -> Result<(), Error> {
        self.kept.push(of_document(document));
        Ok(())
    }

    fn plan(&mut self, row: &PlanRow<'_>) -> Result<(), Error> {
        self.kept.push(plan::entry(row, self.detail));
        Ok(())
    }

    fn status(&mut self, name: &TargetName, status: &Status) -> Result<(), Error> {
        self.kept.push(server::status(name, status));
        Ok(())
    }

    fn verified(&mut self, name: &TargetName, verified: &Verified) -> Result<(), Error> {
        self.kept.push(server::verified(name, verified));
        Ok(())
    }

    fn error(&mut self, error: &Error) -> Result<(), Error> {
        for error in std::iter::once(error).chain(&error.others) {
            self.push_error(error_item(error));
        }
        Ok(())
    }

    fn warning(&mut self, message: &str, help: Option<&str>) {
        if self.notes.len() < ERRORS {
            self.notes.push(html! { (words(message)) @if let Some(help) = help { br; (words(help)) } });
        }
    }

    fn end(&mut self, outcome: Outcome) -> Result<(), Error> {
        self.write(outcome)?;
        self.sink.complete();
        self.sink.end()
    }

    fn break_off(&mut self, error: &Error) -> Result<(), Error> {
        self.error(error)?;
        self.end(error.kind)
    }
}

/// Returns a document with what was found in it.
fn of_document(document: &Document) -> Entry {
    let found = &document.reading.diagnostics;
    let errors = found.iter().filter(|finding| finding.is_error()).count();
    let warnings = found.len() - errors;
    let (rank, result) = match (errors, warnings) {
        (0, 0) => (Rank::Same, badge("valid", "good")),
        (0, _) => (Rank::Warned, badge("valid", "good")),
        _ => (Rank::Bad, badge("invalid", "bad")),
    };
    let ignored = document.reading.ignored.len();
    let cells = vec![
        result,
        shown(&errors.to_string()),
        html! { (warnings) @if ignored > 0 { ", " (ignored) " ignored" } },
    ];
    let section = (!found.is_empty()).then(|| findings(found));
    Entry { name: document.name.clone(), rank, cells, section }
}
