//! Folders for review.

use ops::Outcome as Ended;
use ops::review::By;
use schemars::JsonSchema;
use serde::Serialize;

use super::problem::{About, Problem};
use super::target::Sum;
use super::words::{How, Outcome, RenderedBy};
use crate::output::emitter::RenderRow;

/// A document, and the folder that it was rendered into.
#[derive(Serialize, JsonSchema)]
pub(super) struct Row {
    document: Option<String>,
    pub(super) outcome: Outcome,
    /// The folder; null if it did not come to that.
    folder: Option<String>,
    /// How many files the folder is to have.
    files: usize,
    /// How many files were written; null if the folder was only compared.
    written: Option<usize>,
    /// How many files were removed; null if the folder was only compared.
    removed: Option<usize>,
    /// Which version rendered the folder; null if none did. What another one rendered is out of date, and is not compared.
    rendered_by: Option<RenderedBy>,
    /// How the folder differed from what it should be.
    differences: Vec<Difference>,
    errors: Vec<Problem>,
}

#[derive(Serialize, JsonSchema)]
struct Difference {
    /// The path below the folder.
    path: String,
    how: How,
}

/// What all documents come to.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub(super) struct Totals {
    documents: usize,
    failed: usize,
    files: usize,
    written: usize,
    removed: usize,
    differences: usize,
}

/// Returns a folder.
pub(super) fn row(row: &RenderRow<'_>) -> Row {
    let is_other = row.by.is_some_and(|by| by != By::This);
    let is_left = row.brought.is_none() && (is_other || !row.differences.is_empty());
    let outcome = if is_left { Ended::Differences } else { Ended::Done };
    let difference =
        |one: &ops::review::Difference| Difference { path: one.path.clone(), how: one.how.into() };
    Row {
        document: Some(row.document.to_string()),
        outcome: outcome.into(),
        folder: Some(row.folder.to_string()),
        files: row.files,
        written: row.brought.map(|(written, _)| written),
        removed: row.brought.map(|(_, removed)| removed),
        rendered_by: row.by.map(Into::into),
        differences: row.differences.iter().map(difference).collect(),
        errors: Vec::new(),
    }
}

/// Returns a document that was not rendered.
pub(super) fn failed(about: About<'_>, outcome: Outcome, errors: Vec<Problem>) -> Row {
    let (document, _) = about.names();
    Row {
        document,
        outcome,
        folder: None,
        files: 0,
        written: None,
        removed: None,
        rendered_by: None,
        differences: Vec::new(),
        errors,
    }
}

impl Sum for Totals {
    type Row = Row;

    fn add(&mut self, row: &Row) {
        self.documents += 1;
        self.failed += usize::from(row.folder.is_none());
        self.files += row.files;
        self.written += row.written.unwrap_or_default();
        self.removed += row.removed.unwrap_or_default();
        self.differences += row.differences.len();
    }
}
