//! Results for people.

pub(crate) mod checks;
mod entries;
pub(crate) mod follow_up;
mod history;
pub(crate) mod plan;
pub(crate) mod status;

use model::Diagnostic;
use ops::audit::{Tally, View};
use ops::history::History;
use ops::status::Status;
use ops::upgrade::UpgradePath;
use ops::verify::Verified;
use ops::{Document, Error, Event, Named, Outcome, TargetDir, TargetName};

use super::emitter::{Emitter, Format, PlanHead, PlanRow};
use super::newer::newer_tree;
use super::outcomes::Outcomes;
use super::report::Report;
use super::sink::Sink;
use super::{Detail, count, escape};

/// The format.
pub(crate) const FORMAT: Format = Format {
    name: "human",
    reports: Report::ALL,
    new: |report, sink, detail| Box::new(Human::new(report, sink, detail)),
    entries: Some(&entries::Table),
    is_public: false,
};

/// What is printed on a terminal.
struct Human {
    sink: Sink,
    detail: Detail,
    /// Whether something was shown already.
    begun: bool,
    /// Whether the name of a document was shown last: its first target follows at once.
    named: bool,
    /// Whether the plans of several documents are shown, each under its name.
    several: bool,
    /// The lines of the targets: they have the width of the longest name.
    lines: Vec<status::Line>,
    totals: Totals,
    /// How the targets of a plan or an apply end.
    outcomes: Option<Outcomes>,
}

/// What all documents came to.
#[derive(Default)]
struct Totals {
    worst: Option<Outcome>,
    documents: usize,
    invalid: usize,
    /// Those that cannot be read at all.
    unread: usize,
    warnings: usize,
}

impl Human {
    fn new(report: Report, sink: Sink, detail: Detail) -> Self {
        let (lines, totals) = (Vec::new(), Totals::default());
        let has_outcomes = matches!(report, Report::Plan | Report::Show | Report::Apply);
        let outcomes = has_outcomes.then(Outcomes::default);
        Self { sink, detail, begun: false, named: false, several: false, lines, totals, outcomes }
    }

    /// Writes the text of a target, behind those before it.
    fn add(&mut self, text: &str) -> Result<(), Error> {
        let is_next = std::mem::replace(&mut self.begun, true);
        if is_next && !std::mem::replace(&mut self.named, false) {
            self.sink.text("\n")?;
        }
        self.sink.text(text)
    }
}

impl Emitter for Human {
    fn several(&mut self) {
        self.detail.several = true;
    }

    fn begin_plans(&mut self, head: &PlanHead<'_>) -> Result<(), Error> {
        self.several = head.documents.len() > 1;
        self.outcomes.iter_mut().for_each(|outcomes| outcomes.begin_plans(head));
        Ok(())
    }

    fn read(&mut self, document: &Document) -> Result<(), Error> {
        self.outcomes.iter_mut().for_each(|outcomes| outcomes.read(document));
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>, _: &live::Scrubber) -> Result<(), Error> {
        self.outcomes.iter_mut().for_each(|outcomes| outcomes.event(event));
        Ok(())
    }

    fn error(&mut self, error: &Error) -> Result<(), Error> {
        self.outcomes.iter_mut().for_each(|outcomes| outcomes.error(error));
        Ok(())
    }

    fn document(&mut self, name: &str) -> Result<(), Error> {
        if !self.several {
            return Ok(());
        }
        self.named = false;
        self.add(&format!("{}\n\n", escape(name)))?;
        self.named = true;
        Ok(())
    }

    fn plan(&mut self, row: &PlanRow<'_>) -> Result<(), Error> {
        self.outcomes.iter_mut().for_each(|outcomes| outcomes.plan(row));
        let mut text = plan::plan_of(row.plan, row.folder, row.files(), self.detail);
        if let Some(follow_up) = row.follow_up {
            text.push_str(&follow_up::text(follow_up, "the user who applies it"));
        }
        text.push_str(&super::inspect::looked(row.images));
        text.push_str(&plan::ignored(&row.ignored(), row.newly_ignored));
        self.add(&text)
    }

    fn checked(&mut self, document: &Document) -> Result<(), Error> {
        let errors = self.totals.add(document);
        let name = escape(&document.name);
        let mut warnings = count(document.reading.diagnostics.len() - errors, "warning", "warnings");
        let ignored = document.reading.ignored.len();
        if ignored > 0 {
            warnings.push_str(&format!(", {ignored} ignored"));
        }
        // Beyond that many nothing more is said, and it would be wrong to call them all.
        let more = if errors >= model::MAX_DIAGNOSTICS { " or more" } else { "" };
        if errors > 0 {
            let errors = count(errors, "error", "errors");
            self.sink.text(&format!("{name}: {errors}{more}, {warnings}\n"))
        } else if self.detail.quiet && self.detail.several {
            Ok(())
        } else {
            self.sink.text(&format!("{name}: valid, {warnings}\n"))
        }
    }

    fn unread(&mut self, _: &Named, error: &Error) -> Result<(), Error> {
        let Totals { worst, documents, unread, .. } = &mut self.totals;
        *worst = Some(worst.map_or(error.kind, |worst| worst.worse(error.kind)));
        *documents += 1;
        *unread += 1;
        Ok(())
    }

    fn parent(&mut self) {
        self.totals.documents += 1;
    }

    fn totals(&mut self) -> Result<(), Error> {
        self.sink.text(&self.totals.line())
    }

    fn status(&mut self, name: &TargetName, status: &Status) -> Result<(), Error> {
        self.lines.push(status::Line::new(name, status));
        Ok(())
    }

    fn verified(&mut self, name: &TargetName, verified: &Verified) -> Result<(), Error> {
        self.add(&checks::looked(name, &verified.looked, self.detail, &verified.scrubber))
    }

    fn history(&mut self, dir: &TargetDir, history: &History) -> Result<(), Error> {
        self.add(&history::history(&dir.target, history, self.detail.verbose > 0))
    }

    fn upgrade(&mut self, name: &TargetName, path: &UpgradePath) -> Result<(), Error> {
        self.add(&super::upgrade::text(name, path))
    }

    fn tally(&mut self, tally: &Tally, files: usize, view: View) -> Result<(), Error> {
        let width = self.sink.width();
        self.sink.text(&entries::tally(tally, files, view, width))
    }

    fn finish(&mut self) -> Result<(), Error> {
        if let Some(outcomes) = self.outcomes.as_mut().filter(|outcomes| outcomes.are_several()) {
            self.sink.text(&format!("\nTargets:\n{}", outcomes.text("  ")))?;
        }
        self.sink.text(&status::lines(&self.lines))?;
        if !self.detail.quiet && self.lines.iter().any(|line| line.differs) {
            self.sink.text("\nRun `kasm-db verify` for the reason and a fix.\n")?;
        }
        if !self.detail.quiet
            && let Some(newer) = self.lines.iter().find_map(|line| line.newer.as_deref())
        {
            let (_, help) = newer_tree(newer);
            self.sink.text(&format!("\nA newer tree is an upgrade of Kasm: {help}.\n"))?;
        }
        self.sink.complete();
        Ok(())
    }

    fn end(&mut self, _: Outcome) -> Result<(), Error> {
        self.sink.end()
    }
}

impl Totals {
    /// Counts a document; returns the number of its errors.
    fn add(&mut self, document: &Document) -> usize {
        let errors = document.reading.diagnostics.iter().filter(|d| Diagnostic::is_error(d)).count();
        self.documents += 1;
        self.warnings += document.reading.diagnostics.len() - errors;
        self.invalid += usize::from(errors > 0);
        errors
    }

    fn line(&self) -> String {
        let documents = count(self.documents, "document", "documents");
        let warnings = count(self.warnings, "warning", "warnings");
        let unread = if self.unread > 0 { format!("{} not read, ", self.unread) } else { String::new() };
        match self.invalid {
            0 if self.worst.is_none() => format!("{documents}: all valid, {warnings}\n"),
            invalid => format!("{documents}: {unread}{invalid} with errors, {warnings}\n"),
        }
    }
}
