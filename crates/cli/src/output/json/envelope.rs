//! What every command says in the same form, whatever its outcome.

use std::collections::HashSet;

use live::Scrubber;
use ops::audit::{CountBy, Tally};
use ops::{Error, Outcome};
use schemars::JsonSchema;
use serde::Serialize;

use super::part::{List, Part};
use super::problem::{About, Problem};
use super::target::Row;
use super::version::FORMAT_VERSION;
use super::words::Outcome as OutcomeName;
use super::writer::{Later, Layout, Writer, compact};
use super::{entries, rollback};
use crate::exit::Exit;
use crate::output::Detail;
use crate::output::report::Report;
use crate::output::sink::Sink;

/// The envelope of a run, as far as it is written.
pub(super) struct Envelope {
    pub(super) detail: Detail,
    pub(super) part: Part,
    report: Report,
    writer: Writer,
    /// What follows the list; nothing once the envelope is written.
    lists: Option<Lists>,
    /// Documents that are in their list already.
    read: HashSet<String>,
    /// Documents whose failure is in the list of targets already.
    failed: HashSet<String>,
    /// Errors that are about no document and no target.
    of_none: Vec<Problem>,
}

/// The lists that follow the one whose rows are written as the run proceeds.
struct Lists {
    documents: Later,
    errors: Later,
    warnings: Later,
}

/// A document of a run.
#[derive(Serialize, JsonSchema)]
pub(super) struct DocumentRow {
    document: String,
    /// Whether it could be read, and is valid; its targets have outcomes of their own.
    outcome: OutcomeName,
}

impl Envelope {
    pub(super) fn new(report: Report, sink: Sink, detail: Detail) -> Self {
        // What follows audit entries or events is the last of their lines.
        let is_line = matches!(report, Report::AuditEntries | Report::ApplyEvents);
        let layout = if is_line { Layout::LINE } else { Layout::LINES };
        Self {
            detail,
            part: Part::new(report),
            report,
            writer: Writer::new(sink, layout),
            lists: Some(Lists {
                documents: Later::new(layout),
                errors: Later::new(layout),
                warnings: Later::new(layout),
            }),
            read: HashSet::new(),
            failed: HashSet::new(),
            of_none: Vec::new(),
        }
    }

    /// Keeps problems for the lists at the end.
    pub(super) fn keep<'a>(&mut self, problems: impl IntoIterator<Item = &'a Problem>, scrubber: &Scrubber) {
        let Some(lists) = &mut self.lists else { return };
        for problem in problems {
            let list = if problem.is_error() { &mut lists.errors } else { &mut lists.warnings };
            list.add(&scrubber.known(&compact(problem)));
        }
    }

    /// Keeps a document for the list at the end. One that is valid is in it as such, also if its targets cannot be told.
    pub(super) fn keep_document(&mut self, document: &str, outcome: Outcome) {
        let Some(lists) = &mut self.lists else { return };
        if self.read.insert(document.to_string()) {
            lists
                .documents
                .add(&compact(&DocumentRow { document: document.into(), outcome: outcome.into() }));
        }
    }

    /// Writes a target, and keeps what is wrong with it.
    pub(super) fn write_target<T: Serialize>(&mut self, mut row: Row<T>, scrubber: &Scrubber) {
        row.own_problems();
        self.keep(row.errors.iter().chain(&row.warnings), scrubber);
        self.write_row(&row.json(scrubber));
    }

    /// Writes the row of what failed before anything else could be said of it; what is wrong was kept.
    pub(super) fn write_failed(&mut self, about: About<'_>, outcome: Outcome, errors: Vec<Problem>) {
        if let (Some(document), None) = (about.document, about.target) {
            if !self.failed.insert(document.to_string()) {
                return;
            }
            self.keep_document(document, outcome);
        }
        if let Some(json) = self.part.failed(about, outcome.into(), errors) {
            self.write_row(&json);
        }
    }

    /// Keeps an error that is about no document and no target, for the row of a list that has no other.
    pub(super) fn keep_of_none(&mut self, problem: Problem) {
        if matches!(List::of(self.report), Some(List::Targets | List::Documents)) {
            self.of_none.push(problem);
        }
    }

    /// Writes what follows the list.
    pub(super) fn close(&mut self, outcome: Outcome) -> Result<(), Error> {
        if self.lists.is_none() {
            return Ok(());
        }
        match &mut self.part {
            Part::Rollback(row, totals) => {
                let row = rollback::ended(std::mem::take(row), totals, outcome);
                self.write_target(row, &Scrubber::default());
            }
            Part::Apply(rows, _) | Part::Events(rows, _) => {
                let row = rows.take_of_all();
                self.keep(row.errors.iter().chain(&row.warnings), &Scrubber::default());
                self.of_none.extend(row.errors);
            }
            _ => {}
        }
        if self.writer.rows() == 0 && outcome != Outcome::Done {
            // An empty list would say that all is well with everything in it.
            let errors = std::mem::take(&mut self.of_none);
            self.write_failed(About::default(), outcome, errors);
        }
        let Some(lists) = self.lists.take() else { return Ok(()) };
        self.head();
        self.writer.close_list();
        self.writer.members(&self.part.beside());
        if List::of(self.report) == Some(List::Targets) {
            self.writer.list("documents", lists.documents);
        }
        self.writer.member("totals", &self.part.totals());
        self.writer.list("errors", lists.errors);
        self.writer.list("warnings", lists.warnings);
        self.writer.member("outcome", &OutcomeName::from(outcome));
        self.writer.member("exit_code", &Exit::from(outcome).code());
        self.writer.end()
    }

    /// Writes counts, which may be many.
    pub(super) fn counts(&mut self, tally: &Tally, by: CountBy) {
        self.head();
        entries::each_count(tally, by, |json| self.writer.small_row(&json));
    }

    /// Writes a row of the list: JSON that is escaped already.
    pub(super) fn write_row(&mut self, json: &str) {
        if self.lists.is_some() {
            self.head();
            self.writer.row(json);
        }
    }

    /// Writes a line of its own before the envelope.
    pub(super) fn write_line(&mut self, line: &impl Serialize, scrubber: &Scrubber) {
        if self.lists.is_some() {
            self.writer.line(&scrubber.known(&compact(line)));
        }
    }

    /// Writes what comes before the list, and begins it.
    fn head(&mut self) {
        if !self.writer.is_empty() {
            return;
        }
        self.writer.member("format", &format!("kasm-db/{}", self.report.name()));
        self.writer.member("format_version", &FORMAT_VERSION);
        self.writer.member("kasm_db_version", &env!("CARGO_PKG_VERSION"));
        if let Some(list) = List::of(self.report) {
            self.writer.open_list(list.name());
        }
    }
}
