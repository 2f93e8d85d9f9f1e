//! What was applied to targets. Digests stay out: that of a short file with a password in it lets who has it
//! try passwords.

use commit::{Generation, Replaced};
use ops::history::History;
use ops::{Outcome, TargetDir};
use schemars::JsonSchema;
use serde::Serialize;

use super::problem::Problem;
use super::target::{Row, Sum};
use crate::output::time::time;

/// What was applied to a target.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Part {
    /// The oldest first.
    generations: Vec<GenerationRow>,
}

#[derive(Serialize, JsonSchema)]
struct GenerationRow {
    generation: u64,
    /// When it was made, as RFC 3339 has it.
    time: String,
    /// The program and its version.
    tool: String,
    what: String,
    files: Vec<FileRow>,
}

#[derive(Serialize, JsonSchema)]
struct FileRow {
    path: String,
    in_place: bool,
}

/// What all targets come to.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub(super) struct Totals {
    targets: usize,
    failed: usize,
    generations: usize,
}

/// Returns what was applied to a target.
pub(super) fn row(dir: &TargetDir, history: &History) -> Row<Part> {
    let outcome = history.interrupted.as_ref().map_or(Outcome::Done, |error| error.kind);
    Row {
        folder: Some(history.folder.clone()),
        outcome: Some(outcome.into()),
        own: Part { generations: history.generations.iter().map(generation).collect() },
        errors: history.interrupted.as_ref().map(Problem::all_of).unwrap_or_default(),
        ..Row::of(dir)
    }
}

fn generation(generation: &Generation) -> GenerationRow {
    let file = |file: &Replaced| FileRow { path: file.path.display().to_string(), in_place: file.in_place };
    GenerationRow {
        generation: generation.number,
        time: time(generation.time),
        tool: generation.tool.clone(),
        what: generation.what.clone(),
        files: generation.files.iter().map(file).collect(),
    }
}

impl Sum for Totals {
    type Row = Row<Part>;

    fn add(&mut self, row: &Row<Part>) {
        self.targets += 1;
        self.failed += usize::from(!row.errors.is_empty());
        self.generations += row.own.generations.len();
    }
}
