//! The part of each command in its envelope, as far as it is not written.

use live::Scrubber;
use serde::Serialize;
use serde_json::Value;

use super::problem::{About, Problem};
use super::target::{Row, Sum};
use super::words::Outcome;
use super::writer::pretty;
use super::{
    apply, build, entries, explain, history, import, inspect, plan, recover, render, resolve, rollback,
    schema, show, status, upgrade, validate, verify,
};
use crate::output::report::Report;

/// What a command says besides the envelope, as far as it is not written.
pub(super) enum Part {
    Plan(plan::Totals),
    Show(show::Part, plan::Totals),
    Validate(validate::Totals),
    /// The targets that are applied to; each is in the list once it ended.
    Apply(Box<apply::Rows>, apply::Totals),
    /// The same, and no list: each event has a line.
    Events(Box<apply::Rows>, apply::Totals),
    Status(status::Totals),
    Verify(verify::Totals),
    History(history::Totals),
    Rollback(Row<rollback::Part>, rollback::Totals),
    Recover(recover::Totals),
    Import(import::Part),
    Render(render::Totals),
    Build(build::Totals),
    Entries(entries::Totals),
    Count(entries::Counted, entries::Totals),
    Summary(entries::Span, entries::Totals),
    Explain(explain::Part),
    Resolve(resolve::Part),
    Inspect(inspect::Part),
    UpgradePlan(upgrade::Totals),
    Schema(schema::Part),
}

/// The list of a command, whose rows are written as the run proceeds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Targets,
    Documents,
    Counts,
}

impl List {
    /// Returns the list of a report; some have none.
    pub(super) fn of(report: Report) -> Option<Self> {
        match report {
            Report::Plan
            | Report::Show
            | Report::Apply
            | Report::Status
            | Report::Verify
            | Report::History
            | Report::Rollback
            | Report::Recover
            | Report::UpgradePlan => Some(Self::Targets),
            Report::Validate | Report::Render | Report::Build => Some(Self::Documents),
            Report::AuditCount | Report::AuditSummary => Some(Self::Counts),
            Report::Import
            | Report::ApplyEvents
            | Report::AuditEntries
            | Report::Explain
            | Report::Resolve
            | Report::Inspect
            | Report::Schema => None,
        }
    }

    /// Returns its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Targets => "targets",
            Self::Documents => "documents",
            Self::Counts => "counts",
        }
    }
}

impl Part {
    /// Starts the part of a command.
    pub(super) fn new(report: Report) -> Self {
        match report {
            Report::Plan => Self::Plan(plan::Totals::default()),
            Report::Show => Self::Show(show::Part::default(), plan::Totals::default()),
            Report::Validate => Self::Validate(validate::Totals::default()),
            Report::Apply => Self::Apply(Box::default(), apply::Totals::default()),
            Report::ApplyEvents => Self::Events(Box::default(), apply::Totals::default()),
            Report::Status => Self::Status(status::Totals::default()),
            Report::Verify => Self::Verify(verify::Totals::default()),
            Report::History => Self::History(history::Totals::default()),
            Report::Rollback => Self::Rollback(Row::default(), rollback::Totals::default()),
            Report::Recover => Self::Recover(recover::Totals::default()),
            Report::Import => Self::Import(import::Part::default()),
            Report::Render => Self::Render(render::Totals::default()),
            Report::Build => Self::Build(build::Totals::default()),
            Report::AuditEntries => Self::Entries(entries::Totals::default()),
            Report::AuditCount => Self::Count(entries::Counted::default(), entries::Totals::default()),
            Report::AuditSummary => Self::Summary(entries::Span::default(), entries::Totals::default()),
            Report::Explain => Self::Explain(explain::Part::default()),
            Report::Resolve => Self::Resolve(resolve::Part::default()),
            Report::Inspect => Self::Inspect(inspect::Part::default()),
            Report::UpgradePlan => Self::UpgradePlan(upgrade::Totals::default()),
            Report::Schema => Self::Schema(schema::Part::default()),
        }
    }

    /// Returns the members beside the list.
    pub(super) fn beside(&self) -> Value {
        match self {
            Self::Show(part, _) => json(part),
            Self::Import(part) => json(part),
            Self::Explain(part) => json(part),
            Self::Count(counted, _) => json(counted),
            Self::Summary(span, _) => json(span),
            Self::Resolve(part) => json(part),
            Self::Inspect(part) => json(part),
            Self::Schema(part) => json(part),
            _ => Value::Null,
        }
    }

    /// Returns what the rows, or the members beside them, come to.
    pub(super) fn totals(&self) -> Value {
        match self {
            Self::Plan(totals) | Self::Show(_, totals) => json(totals),
            Self::Validate(totals) => json(totals),
            Self::Apply(_, totals) | Self::Events(_, totals) => json(totals),
            Self::Status(totals) => json(totals),
            Self::Verify(totals) => json(totals),
            Self::History(totals) => json(totals),
            Self::Rollback(_, totals) => json(totals),
            Self::Recover(totals) => json(totals),
            Self::Render(totals) => json(totals),
            Self::Build(totals) => json(totals),
            Self::Entries(totals) | Self::Count(_, totals) | Self::Summary(_, totals) => json(totals),
            Self::Import(part) => json(&part.totals()),
            Self::Explain(part) => json(&part.totals()),
            Self::Resolve(_) => json(&resolve::Totals::default()),
            Self::Inspect(part) => json(&part.totals()),
            Self::UpgradePlan(totals) => json(totals),
            Self::Schema(_) => json(&schema::Totals::default()),
        }
    }

    /// Builds the row of what failed before anything else could be said of it, and counts it: a target, all targets of a
    /// document, a document, or everything. `None` if the command has no such rows.
    pub(super) fn failed(
        &mut self,
        about: About<'_>,
        outcome: Outcome,
        errors: Vec<Problem>,
    ) -> Option<String> {
        match self {
            Self::Plan(totals) | Self::Show(_, totals) => target(totals, about, outcome, errors),
            Self::Apply(_, totals) => target(totals, about, outcome, errors),
            Self::Status(totals) => target(totals, about, outcome, errors),
            Self::Verify(totals) => target(totals, about, outcome, errors),
            Self::History(totals) => target(totals, about, outcome, errors),
            Self::UpgradePlan(totals) => target(totals, about, outcome, errors),
            Self::Recover(totals) => target(totals, about, outcome, errors),
            Self::Validate(totals) => counted(totals, &validate::failed(about, outcome, errors)),
            Self::Render(totals) => counted(totals, &render::failed(about, outcome, errors)),
            Self::Build(totals) => counted(totals, &build::failed(about, outcome, errors)),
            // The row of a rollback is there already.
            Self::Rollback(..)
            | Self::Events(..)
            | Self::Import(_)
            | Self::Entries(_)
            | Self::Count(..)
            | Self::Summary(..)
            | Self::Explain(_)
            | Self::Resolve(_)
            | Self::Inspect(_)
            | Self::Schema(_) => None,
        }
    }
}

fn target<T: Default + Serialize, S: Sum<Row = Row<T>>>(
    totals: &mut S,
    about: About<'_>,
    outcome: Outcome,
    errors: Vec<Problem>,
) -> Option<String> {
    let row = Row::failed(about, outcome, errors);
    totals.add(&row);
    Some(row.json(&Scrubber::default()))
}

fn counted<R: Serialize>(totals: &mut impl Sum<Row = R>, row: &R) -> Option<String> {
    totals.add(row);
    Some(pretty(row))
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
