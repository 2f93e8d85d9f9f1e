//! A saved plan.

use ops::Outcome;
use schemars::JsonSchema;
use serde::Serialize;

use super::plan;
use super::problem::Problem;
use super::target::Row;
use crate::output::emitter::SavedRow;

/// What there is to say of a saved plan beside its targets.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Part {
    /// What is not as the plan saw it: empty if the plan still holds, null if that is not known.
    pub(super) stale: Option<Vec<String>>,
}

/// Reports for a target how its saved plan stands, if it is not what an apply would do, or that is not known.
pub(super) fn judge(row: &mut Row<plan::Part>, standing: &SavedRow) {
    match standing {
        SavedRow::Fresh => {}
        SavedRow::Applied => row.outcome = Some(Outcome::Done.into()),
        SavedRow::Stale(error) => {
            row.outcome = Some(Outcome::Stale.into());
            row.add(Problem::all_of(error));
        }
        SavedRow::OtherStale | SavedRow::Unknown => row.outcome = None,
    }
}
