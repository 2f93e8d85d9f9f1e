//! What was written, and what followed.

use std::collections::{BTreeMap, HashMap};

use commit::{Outcome as Ended, Recovery, Report};
use live::Scrubber;
use model::Diagnostic;
use ops::follow_up::Step as FollowUpStep;
use ops::{Event, TargetName};
use render::Plan;
use schemars::JsonSchema;
use serde::Serialize;

use super::follows::Follows;
use super::plan::{self, ChangeRow, ChangeTotals, FileRow};
use super::problem::Problem;
use super::target::{Row, Sum};
use super::verify::{CheckRow, check};
use super::words::{End, Needs, Outcome, Step};
use crate::output::Detail;
use crate::output::newer::newer_tree;
use crate::output::progress::takes_effect;

/// What came of applying to a target.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Part {
    /// How it ended; null if the targets of the document are not known.
    pub(super) end: Option<End>,
    /// What the whole plan takes to have an effect.
    needs: Needs,
    changes: Vec<ChangeRow>,
    files: Vec<FileRow>,
    /// What this run does after the files are written; null if that is nothing, or for a person to do.
    follows: Option<Follows>,
    /// The files that have new content, also because an interrupted run was finished.
    pub(super) written: Vec<String>,
    /// The number under which `history` lists it.
    pub(super) generation: Option<u64>,
    pub(super) recovered: Option<Recovered>,
    #[serde(flatten)]
    pub(super) follow_up: FollowUp,
    /// What the running server does.
    pub(super) checks: Vec<CheckRow>,
}

impl Part {
    /// Returns whether anything was changed.
    pub(super) fn has_changed(&self) -> bool {
        !self.written.is_empty() || self.recovered.is_some() || !self.follow_up.followed.is_empty()
    }
}

/// Returns what the database of a target still needs, or would after a dry run.
pub(super) fn still_needs(row: &Row<Part>) -> Needs {
    let own = &row.own;
    let is_followed = row.outcome == Some(Outcome::Done) && own.follows.is_some();
    let of_files = match own.end {
        Some(End::Nothing) => Needs::Nothing,
        Some(End::Applied) if is_followed => Needs::Nothing,
        _ => own.needs,
    };
    let of_pending = match own.follow_up.pending {
        Some(Step::Stop | Step::Start | Step::Healthy) => Needs::Restart,
        Some(Step::Reload) => Needs::Reload,
        Some(Step::Extension) | None => Needs::Nothing,
    };
    // What is not known stays so.
    if of_files == Needs::Unknown && of_pending == Needs::Nothing {
        of_files
    } else {
        of_files.max(of_pending)
    }
}

/// What became of an interrupted run.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Recovered {
    /// All of its files are new.
    Finished,
    /// All of its files are as they were.
    Undone,
}

/// Something that was done after the files were written; what failed is not in the list.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Followed {
    Stop,
    Start,
    /// The database answered.
    Healthy,
    Reload,
    /// The extension is in every database that the document names.
    Extension,
    /// The old files came back, as the database did not come up on the new ones.
    PutBack,
}

impl From<FollowUpStep> for Followed {
    fn from(step: FollowUpStep) -> Self {
        match step {
            FollowUpStep::Stop => Self::Stop,
            FollowUpStep::Start => Self::Start,
            FollowUpStep::Healthy => Self::Healthy,
            FollowUpStep::Reload => Self::Reload,
            FollowUpStep::Extension => Self::Extension,
        }
    }
}

/// What follows the files of a target, as far as it is known.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct FollowUp {
    /// What was done after the files were written, in this order.
    followed: Vec<Followed>,
    /// The step that comes next, if one is left to a later run or to a person.
    pub(super) pending: Option<Step>,
}

impl FollowUp {
    /// Accepts what an event says of it.
    pub(super) fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Next(step) => self.pending = step.map(Into::into),
            Event::Left(step) | Event::Lags(step) | Event::Resumed(step) | Event::Unfinished(step) => {
                self.pending = Some((*step).into());
            }
            Event::Followed(step) => self.followed.push((*step).into()),
            Event::PutBack => self.followed.push(Followed::PutBack),
            _ => {}
        }
    }
}

/// What all targets come to.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub(super) struct Totals {
    /// Lines of the list; one without a name stands for all targets of a document.
    targets: usize,
    applied: usize,
    nothing: usize,
    planned: usize,
    refused: usize,
    declined: usize,
    failed: usize,
    not_started: usize,
    changes: ChangeTotals,
    /// Files that have new content.
    written: usize,
}

/// Returns what became of an interrupted run.
pub(super) fn recovered(recovery: &Recovery) -> Option<Recovered> {
    match recovery.outcome {
        Ended::Nothing => None,
        Ended::Finished(_) => Some(Recovered::Finished),
        Ended::Undone(_) => Some(Recovered::Undone),
    }
}

/// Returns the files that have new content because an interrupted run was finished.
pub(super) fn finished(recovery: &Recovery) -> Vec<String> {
    match &recovery.outcome {
        Ended::Finished(generation) => {
            generation.files.iter().map(|file| file.path.display().to_string()).collect()
        }
        _ => Vec::new(),
    }
}

/// Adds the files that a commit wrote to those that have new content already.
pub(super) fn add_written(written: &mut Vec<String>, report: &Report) {
    let paths = report.written.iter().map(|path| path.display().to_string());
    let new: Vec<_> = paths.filter(|path| !written.contains(path)).collect();
    written.extend(new);
}

/// Returns the warnings of a commit.
pub(super) fn leftovers(report: &Report) -> Vec<Problem> {
    let leftover = |left: &commit::Error| format!("the files are written, but not all is clean: {left}");
    let lost = |lost: &commit::LostXattr| format!("{} lost its attribute {}", lost.path.display(), lost.name);
    let all = report.leftovers.iter().map(leftover).chain(report.lost_xattrs.iter().map(lost));
    all.map(|message| Problem::warning(&message, None)).collect()
}

/// Returns the warnings of a recovery.
pub(super) fn left_over(leftovers: &[commit::Error]) -> impl Iterator<Item = Problem> {
    leftovers.iter().map(|left| Problem::warning(&format!("not all is clean: {left}"), None))
}

/// Adds what happened to the row of its target.
pub(super) fn event(row: &mut Row<Part>, event: &Event<'_>, detail: Detail, scrubber: &Scrubber) {
    let own = &mut row.own;
    match event {
        Event::Failed(error) => row.add(Problem::all_of(error)),
        Event::Recovered(_, recovery) => {
            own.recovered = recovered(recovery);
            own.written = finished(recovery);
            row.warnings.extend(left_over(&recovery.leftovers));
        }
        Event::NewerTree(newer) => {
            let (message, help) = newer_tree(&newer.display().to_string());
            row.warnings.push(Problem::warning(&message, Some(&help)));
        }
        Event::AlreadyApplied(folder) => row.folder = Some((*folder).to_string()),
        Event::Planned { plan, folder, follow_up, .. } => {
            planned(row, plan, folder, detail);
            row.own.follows = follow_up.map(Follows::from);
        }
        Event::Applied { report, .. } => {
            add_written(&mut own.written, report);
            own.generation = report.generation;
            row.warnings.extend(leftovers(report));
        }
        Event::Seen { findings, also } => seen(row, findings, also),
        Event::Checked(checks) => own.checks = checks.iter().map(|one| check(one, scrubber)).collect(),
        Event::PutBack => {
            own.written.clear();
            own.follow_up.event(event);
        }
        event => own.follow_up.event(event),
    }
}

/// Adds what was seen before the database is stopped.
pub(super) fn seen<T>(row: &mut Row<T>, findings: &[Diagnostic], also: &[String]) {
    row.add(findings.iter().map(Problem::of_target));
    let takes_effect = (!also.is_empty()).then(|| Problem::warning(&takes_effect(also), None));
    row.warnings.extend(takes_effect);
}

fn planned(row: &mut Row<Part>, plan: &Plan, folder: &str, detail: Detail) {
    row.name = Some(plan.target.name.clone());
    row.kind = Some((&plan.target.kind).into());
    row.folder = Some(folder.to_string());
    row.own.needs = plan.needs().into();
    row.own.changes = plan.changes.iter().map(|one| plan::change(one, detail.show_secrets)).collect();
    row.own.files = plan::files(&plan.files, detail);
    row.add(plan.findings.iter().map(Problem::of_target));
}

/// The rows of the targets that have not ended, in the order of the targets: all of them are checked before the first one
/// is written.
#[derive(Default)]
pub(super) struct Rows {
    all: BTreeMap<usize, Row<Part>>,
    /// Which of them belongs to which target.
    places: HashMap<(String, String), usize>,
    /// The target that is spoken of.
    current: Option<usize>,
    /// What is said of all targets.
    of_all: Row<Part>,
}

impl Rows {
    /// Begins or continues the row of a target; without one, what follows is about all of them.
    pub(super) fn target(&mut self, target: Option<&TargetName>) {
        self.current = target.map(|target| self.place(target));
    }

    /// Returns the place of a target's row, which begins if there is none yet.
    pub(super) fn place(&mut self, target: &TargetName) -> usize {
        let next = self.places.len();
        *self.places.entry((target.document.clone(), target.target.clone())).or_insert_with(|| {
            self.all.insert(next, Row::named(target));
            next
        })
    }

    /// Returns the row of the target that is spoken of.
    pub(super) fn row(&mut self) -> &mut Row<Part> {
        let row = self.current.and_then(|place| self.all.get_mut(&place));
        row.unwrap_or(&mut self.of_all)
    }

    /// Ends the row of a target.
    pub(super) fn ended(
        &mut self,
        target: &TargetName,
        end: ops::apply::End,
        outcome: ops::Outcome,
    ) -> Row<Part> {
        let place = self.place(target);
        let mut row = self.all.remove(&place).unwrap_or_else(|| Row::named(target));
        // The run did not get to it.
        let is_open = end == ops::apply::End::NotStarted;
        row.outcome = (!is_open).then(|| outcome.into());
        row.own.end = Some(end.into());
        if outcome == ops::Outcome::Done {
            row.own.follow_up.pending = None;
        }
        row
    }

    /// Accepts what is said of all targets.
    pub(super) fn take_of_all(&mut self) -> Row<Part> {
        std::mem::take(&mut self.of_all)
    }

    /// Ends the rows of a run that is broken off: the target at which it was failed, unless its files are written, and it
    /// did not get to the others.
    pub(super) fn broken_off(&mut self, outcome: ops::Outcome, errors: Vec<Problem>) -> Vec<Row<Part>> {
        let current = self.current.take();
        let mut errors = Some(errors);
        let mut rows = Vec::new();
        for (place, mut row) in std::mem::take(&mut self.all) {
            if Some(place) == current {
                row.outcome = Some(outcome.into());
                let is_written = row.own.generation.is_some() && !row.own.written.is_empty();
                row.own.end = Some(if is_written { End::Applied } else { End::Failed });
                row.add(errors.take().unwrap_or_default());
            } else {
                row.own.end = Some(End::NotStarted);
            }
            rows.push(row);
        }
        self.of_all.add(errors.unwrap_or_default());
        rows
    }
}

impl Sum for Totals {
    type Row = Row<Part>;

    fn add(&mut self, row: &Row<Part>) {
        self.targets += 1;
        *match row.own.end {
            Some(End::Applied) => &mut self.applied,
            Some(End::Nothing) => &mut self.nothing,
            Some(End::Planned) => &mut self.planned,
            Some(End::Refused) => &mut self.refused,
            Some(End::Declined) => &mut self.declined,
            Some(End::NotStarted) => &mut self.not_started,
            Some(End::Failed) | None => &mut self.failed,
        } += 1;
        self.changes.add(&row.own.changes);
        self.written += row.own.written.len();
    }
}
