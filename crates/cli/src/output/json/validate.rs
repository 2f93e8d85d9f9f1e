//! What is wrong with documents.

use model::Reading;
use schemars::JsonSchema;
use serde::Serialize;

use super::plan::IgnoredRow;
use super::problem::{About, Problem};
use super::target::Sum;
use super::words::Outcome;
use crate::output::findings::by_name;

/// A document that was checked.
#[derive(Serialize, JsonSchema)]
pub(super) struct Row {
    /// Its name; null if the run failed before it got to any document.
    document: Option<String>,
    valid: bool,
    /// Whether it is valid, invalid, or could not be read at all.
    outcome: Outcome,
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    /// Warnings that are silenced.
    ignored: Vec<IgnoredRow>,
}

/// What all documents come to.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub(super) struct Totals {
    documents: usize,
    valid: usize,
    invalid: usize,
    /// Documents that could not be read at all.
    unread: usize,
    /// Documents that are there for others to extend, and were not checked by themselves.
    pub(super) parents: usize,
    errors: usize,
    warnings: usize,
}

/// Returns what was found in a document.
pub(super) fn row(document: &str, reading: &Reading) -> Row {
    let of = |diagnostic| Problem::of_document(diagnostic, document);
    let (errors, warnings): (Vec<_>, Vec<_>) =
        reading.diagnostics.iter().map(of).partition(Problem::is_error);
    let valid = errors.is_empty();
    let outcome = if valid { Outcome::Done } else { Outcome::Invalid };
    let ignored = IgnoredRow::of(by_name(&reading.ignored));
    Row { document: Some(document.to_string()), valid, outcome, errors, warnings, ignored }
}

/// Returns a document that could not be read at all.
pub(super) fn failed(about: About<'_>, outcome: Outcome, errors: Vec<Problem>) -> Row {
    let (document, _) = about.names();
    Row { document, valid: false, outcome, errors, warnings: Vec::new(), ignored: Vec::new() }
}

impl Sum for Totals {
    type Row = Row;

    fn add(&mut self, row: &Row) {
        self.documents += 1;
        match row.outcome {
            Outcome::Done => self.valid += 1,
            Outcome::Invalid => self.invalid += 1,
            _ => self.unread += 1,
        }
        self.errors += row.errors.len();
        self.warnings += row.warnings.len();
    }
}
