//! What was put back.

use commit::Back;
use live::Scrubber;
use ops::Event;
use render::diff::{between, redacted_between, unified};
use schemars::JsonSchema;
use serde::Serialize;

use super::apply::{self, FollowUp, Recovered};
use super::plan::FileRow;
use super::problem::Problem;
use super::target::{Row, Sum};
use super::verify::{CheckRow, check};
use super::words::Needs;
use crate::output::{Detail, escape_bytes};

/// What came of rolling a target back.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Part {
    /// The generation whose files come back.
    generation: Option<u64>,
    /// What the files take to have an effect.
    needs: Needs,
    files: Vec<BackRow>,
    /// The files that have other content now: the old one, or because an interrupted run was finished.
    written: Vec<String>,
    recovered: Option<Recovered>,
    /// Whether the server is on these files; empty if nobody was asked.
    checks: Vec<CheckRow>,
    #[serde(flatten)]
    follow_up: FollowUp,
}

/// A file that goes back.
#[derive(Serialize, JsonSchema)]
struct BackRow {
    #[serde(flatten)]
    file: FileRow,
    /// Whether somebody changed the file since the last apply; that would be lost.
    edited: bool,
}

/// What the rollback comes to.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub(super) struct Totals {
    targets: usize,
    files: usize,
    written: usize,
}

/// Adds what happened to the row of the target.
pub(super) fn event(row: &mut Row<Part>, event: &Event<'_>, detail: Detail, scrubber: &Scrubber) {
    match event {
        Event::Failed(error) => row.add(Problem::all_of(error)),
        Event::Recovered(_, recovery) => {
            row.own.recovered = apply::recovered(recovery);
            row.own.written = apply::finished(recovery);
            row.warnings.extend(apply::left_over(&recovery.leftovers));
        }
        Event::Back { folder, to, files, needs, findings, .. } => {
            row.folder = Some((*folder).to_string());
            row.own.generation = Some(*to);
            row.own.files = files.iter().map(|one| file(one, detail)).collect();
            row.own.needs = (*needs).into();
            row.add(findings.iter().map(Problem::of_target));
        }
        Event::Seen { findings, also } => apply::seen(row, findings, also),
        Event::NothingToRollBack(folder, to) => {
            row.folder = Some((*folder).to_string());
            row.own.generation = Some(*to);
            row.own.needs = Needs::Nothing;
        }
        Event::RolledBack { report, .. } => {
            apply::add_written(&mut row.own.written, report);
            row.warnings.extend(apply::leftovers(report));
        }
        Event::Checked(checks) => {
            row.own.checks = checks.iter().map(|one| check(one, scrubber)).collect();
        }
        event => row.own.follow_up.event(event),
    }
}

/// Ends the row of the target, and counts it.
pub(super) fn ended(mut row: Row<Part>, totals: &mut Totals, outcome: ops::Outcome) -> Row<Part> {
    row.outcome = Some(outcome.into());
    totals.add(&row);
    row
}

fn file(back: &Back, detail: Detail) -> BackRow {
    let change = &back.change;
    let (path, kind) = (change.path.display().to_string(), render::FileKind::of(&change.path));
    let hunks = if detail.show_secrets {
        between(&change.before, &change.after, detail.context)
    } else {
        redacted_between(kind, &change.before, &change.after, detail.context)
    };
    let diff = escape_bytes(&unified(&path, &hunks));
    BackRow { file: FileRow { path, kind: kind.into(), diff: Some(diff) }, edited: back.edited }
}

impl Sum for Totals {
    type Row = Row<Part>;

    fn add(&mut self, row: &Row<Part>) {
        self.targets += 1;
        self.files += row.own.files.len();
        self.written += row.own.written.len();
    }
}
