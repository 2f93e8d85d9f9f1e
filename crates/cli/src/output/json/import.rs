//! A document that was made.

use schemars::JsonSchema;
use serde::Serialize;

use crate::output::emitter::ImportRow;

/// What came of an import.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Part {
    /// Whether the document was written to a file.
    written: bool,
    /// The file that it was written to.
    path: Option<String>,
    /// The document; null if none could be made.
    text: Option<String>,
    /// What the document has besides its target: keys, and names of settings.
    subjects: Vec<String>,
    left_out: Vec<LeftOut>,
}

/// Something that is there and stays out of the document.
#[derive(Serialize, JsonSchema)]
struct LeftOut {
    subject: String,
    why: String,
}

/// What the import comes to.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub(super) struct Totals {
    subjects: usize,
    left_out: usize,
}

/// Returns what came of an import.
pub(super) fn part(row: &ImportRow<'_>) -> Part {
    let left = row.adoption.left_out().iter();
    Part {
        written: row.path.is_some(),
        path: row.path.map(|path| path.display().to_string()),
        text: Some(row.text.to_string()),
        subjects: row.adoption.subjects().collect(),
        left_out: left.map(|left| LeftOut { subject: left.subject.clone(), why: left.why.clone() }).collect(),
    }
}

impl Part {
    /// Counts what it has.
    pub(super) fn totals(&self) -> Totals {
        Totals { subjects: self.subjects.len(), left_out: self.left_out.len() }
    }
}
