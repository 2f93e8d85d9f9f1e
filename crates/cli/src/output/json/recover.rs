//! What was recovered.

use commit::{Generation, Outcome as Ended};
use ops::recover::{Recovered, Work};
use ops::{Outcome, TargetDir};
use schemars::JsonSchema;
use serde::Serialize;

use super::apply::left_over;
use super::target::{Row, Sum};
use super::words::Step;

/// What was recovered of a target.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Part {
    /// What was done; null if it failed.
    work: Option<WorkDone>,
    /// What was interrupted, such as `apply`.
    what: Option<String>,
    /// The files of the interrupted run.
    files: Vec<String>,
    /// The step at which what follows an apply went on.
    step: Option<Step>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum WorkDone {
    /// There was nothing to recover.
    Nothing,
    /// All files of the interrupted run are new.
    Finished,
    /// All files of the interrupted run are as they were.
    Undone,
    /// What follows an apply went on, and is done.
    Followed,
}

/// What all targets come to.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub(super) struct Totals {
    targets: usize,
    recovered: usize,
    nothing: usize,
    failed: usize,
}

/// Returns what was recovered of a target.
pub(super) fn row(dir: &TargetDir, recovered: &Recovered) -> Row<Part> {
    let mut row = Row {
        folder: Some(recovered.root.display().to_string()),
        outcome: Some(Outcome::Done.into()),
        ..Row::<Part>::of(dir)
    };
    let mut files = |work: WorkDone, generation: &Generation| {
        row.own.work = Some(work);
        row.own.what = Some(generation.what.clone());
        row.own.files = generation.files.iter().map(|file| file.path.display().to_string()).collect();
    };
    match &recovered.what {
        Work::Nothing => row.own.work = Some(WorkDone::Nothing),
        Work::Followed(step) => {
            row.own.work = Some(WorkDone::Followed);
            row.own.step = Some((*step).into());
        }
        Work::Files(recovery) => {
            match &recovery.outcome {
                Ended::Nothing => row.own.work = Some(WorkDone::Nothing),
                Ended::Finished(generation) => files(WorkDone::Finished, generation),
                Ended::Undone(generation) => files(WorkDone::Undone, generation),
            }
            row.warnings.extend(left_over(&recovery.leftovers));
        }
    }
    row
}

impl Sum for Totals {
    type Row = Row<Part>;

    fn add(&mut self, row: &Row<Part>) {
        self.targets += 1;
        *match row.own.work {
            None => &mut self.failed,
            Some(WorkDone::Nothing) => &mut self.nothing,
            Some(_) => &mut self.recovered,
        } += 1;
    }
}
