//! Build contexts, and the images that are built of them.

use ops::Outcome as Ended;
use schemars::JsonSchema;
use serde::Serialize;

use super::problem::{About, Problem};
use super::target::Sum;
use super::words::{How, Outcome};
use crate::output::emitter::BuildRow;

/// A document, and the folder with its build context.
#[derive(Serialize, JsonSchema)]
pub(super) struct Row {
    document: Option<String>,
    outcome: Outcome,
    /// The image; null if the document names none.
    image: Option<String>,
    /// The declared base; null if it did not come to that.
    base: Option<String>,
    /// The base that the Dockerfile in the folder named, if it was not the declared one.
    base_in_folder: Option<String>,
    /// The folder; null if it did not come to that.
    folder: Option<String>,
    /// How many files the folder is to have.
    files: usize,
    /// How many files were written; null if the folder was only compared.
    written: Option<usize>,
    /// How many files were removed; null if the folder was only compared.
    removed: Option<usize>,
    /// The program that built the image; null if it was not built.
    builder: Option<&'static str>,
    /// How the folder differed from what it should be.
    differences: Vec<Difference>,
    errors: Vec<Problem>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ContextDifference")]
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
pub(super) fn row(row: &BuildRow<'_>) -> Row {
    let is_left = row.brought.is_none() && !row.differences.is_empty();
    let outcome = if is_left { Ended::Differences } else { Ended::Done };
    let difference =
        |one: &ops::review::Difference| Difference { path: one.path.clone(), how: one.how.into() };
    Row {
        document: Some(row.document.to_string()),
        outcome: outcome.into(),
        image: row.image.map(String::from),
        base: Some(row.base.to_string()),
        base_in_folder: row.other_base.map(String::from),
        folder: Some(row.folder.to_string()),
        files: row.files,
        written: row.brought.map(|(written, _)| written),
        removed: row.brought.map(|(_, removed)| removed),
        builder: row.builder,
        differences: row.differences.iter().map(difference).collect(),
        errors: Vec::new(),
    }
}

/// Returns a document of which no context was made.
pub(super) fn failed(about: About<'_>, outcome: Outcome, errors: Vec<Problem>) -> Row {
    let (document, _) = about.names();
    Row {
        document,
        outcome,
        image: None,
        base: None,
        base_in_folder: None,
        folder: None,
        files: 0,
        written: None,
        removed: None,
        builder: None,
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
