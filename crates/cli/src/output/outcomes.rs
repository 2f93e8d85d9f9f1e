//! How targets end, the worst first: for people below the results, and as a result of its own.

use std::collections::HashMap;

use ops::apply::End;
use ops::{Document, Error, Event, Outcome, TargetName};
use render::{Needs, Plan};

use super::emitter::{PlanHead, PlanRow, SavedRow};
use super::{count, escape};

/// Beyond so many targets, those without changes are only counted.
const ALL: usize = 50;

/// A line for each target of a run.
#[derive(Default)]
pub(super) struct Outcomes {
    /// Whether the run is about several documents.
    several: bool,
    rows: Vec<Row>,
    /// How many targets there are of each rank.
    counts: [usize; Rank::ALL.len()],
    /// The target that is spoken of: its document and its name.
    current: (String, String),
    /// What an apply has planned of targets that have not ended.
    planned: HashMap<(String, String), String>,
}

struct Row {
    rank: Rank,
    name: String,
    result: String,
}

/// What becomes of a target; the worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Failed,
    Blocked,
    Stale,
    Unfinished,
    NotStarted,
    NotApplied,
    Applied,
    Changes,
    Same,
}

impl Rank {
    const ALL: [Self; 9] = [
        Self::Failed,
        Self::Blocked,
        Self::Stale,
        Self::Unfinished,
        Self::NotStarted,
        Self::NotApplied,
        Self::Applied,
        Self::Changes,
        Self::Same,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::Stale => "stale",
            Self::Unfinished => "with a pending step",
            Self::NotStarted => "not started",
            Self::NotApplied => "not applied",
            Self::Applied => "applied",
            Self::Changes => "would change",
            Self::Same => "without changes",
        }
    }
}

impl Outcomes {
    /// Learns of which documents the plans are.
    pub(super) fn begin_plans(&mut self, head: &PlanHead<'_>) {
        self.several = head.documents.len() > 1;
    }

    /// Adds a document that was read, if it is not valid.
    pub(super) fn read(&mut self, document: &Document) {
        if document.desired().is_none() {
            self.add(Rank::Failed, Some(&document.name), None, "the document is not valid");
        }
    }

    /// Adds a plan.
    pub(super) fn plan(&mut self, row: &PlanRow<'_>) {
        let text = planned(row.plan, row.files());
        let (rank, result) = match &row.saved {
            Some(SavedRow::Stale(_)) => (Rank::Stale, format!("stale: {text}")),
            Some(SavedRow::Applied) => (Rank::Same, "already applied".to_string()),
            _ if row.interrupted.is_some() => (Rank::Failed, format!("recovery pending: {text}")),
            _ if row.plan.is_blocked() => (Rank::Blocked, format!("blocked: {text}")),
            _ if row.plan.changes.is_empty() => (Rank::Same, "no changes".to_string()),
            _ => (Rank::Changes, text),
        };
        self.add(rank, Some(row.document), Some(&row.plan.target.name), &result);
    }

    /// Accepts an event of an apply.
    pub(super) fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Target(Some(name)) => self.current = (name.document.clone(), name.target.clone()),
            Event::Planned { plan, .. } => {
                self.planned.insert(self.current.clone(), planned(plan, plan.files.len()));
            }
            Event::Ended { target, end, outcome } => self.ended(target, *end, *outcome),
            _ => {}
        }
    }

    /// Adds an error, and those beside it.
    pub(super) fn error(&mut self, error: &Error) {
        for error in std::iter::once(error).chain(&error.others) {
            let line = error.message.lines().next().unwrap_or_default();
            self.add(Rank::Failed, error.document.as_deref(), error.target.as_deref(), line);
        }
    }

    /// Returns whether there are several lines.
    pub(super) fn are_several(&self) -> bool {
        self.number() > 1
    }

    /// Returns the lines, each behind an indent, and one that counts them.
    pub(super) fn text(&mut self, indent: &str) -> String {
        // Rows of the same rank stay in the order of the documents.
        self.rows.sort_by_key(|row| row.rank);
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let line = |row: &Row| format!("{indent}{:width$}  {}\n", row.name, row.result);
        let mut out: String = self.rows.iter().map(line).collect();
        let counts = Rank::ALL.iter().zip(self.counts).filter(|(_, number)| *number > 0);
        let counts: Vec<_> = counts.map(|(rank, number)| format!("{number} {}", rank.words())).collect();
        let counts = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
        out.push_str(&format!("{}{counts}\n", count(self.number(), "target", "targets")));
        out
    }

    fn number(&self) -> usize {
        self.counts.iter().sum()
    }

    fn add(&mut self, rank: Rank, document: Option<&str>, target: Option<&str>, result: &str) {
        self.counts[rank as usize] += 1;
        if self.number() > ALL {
            // Here, so that memory does not grow with what is only counted.
            if self.number() == ALL + 1 {
                self.rows.retain(|row| row.rank != Rank::Same);
            }
            if rank == Rank::Same {
                return;
            }
        }
        let name = match (document, target) {
            (Some(document), Some(target)) if self.several => format!("{document}: {target}"),
            (_, Some(target)) => target.to_string(),
            (Some(document), None) => document.to_string(),
            (None, None) => "run".to_string(),
        };
        self.rows.push(Row { rank, name: escape(&name), result: escape(result) });
    }

    fn ended(&mut self, name: &TargetName, end: End, outcome: Outcome) {
        let planned = self.planned.remove(&(name.document.clone(), name.target.clone()));
        let planned = planned.map_or(String::new(), |planned| format!(": {planned}"));
        self.several |= name.several;
        let (rank, result) = match end {
            End::Applied if outcome == Outcome::Unfinished => {
                (Rank::Unfinished, format!("applied, and a step is pending{planned}"))
            }
            End::Applied if outcome == Outcome::Done => (Rank::Applied, format!("applied{planned}")),
            End::Applied => (Rank::Failed, format!("applied, and then it failed{planned}")),
            End::Nothing if outcome == Outcome::Done => (Rank::Same, "no changes".to_string()),
            End::Nothing => (Rank::Unfinished, "no changes, and a step is pending".to_string()),
            End::Planned => (Rank::NotApplied, format!("not applied, as this is a dry run{planned}")),
            End::Declined => (Rank::NotApplied, end.words().to_string()),
            End::Refused => (Rank::Blocked, format!("blocked{planned}")),
            End::Failed => (Rank::Failed, end.words().to_string()),
            End::NotStarted => (Rank::NotStarted, end.words().to_string()),
        };
        self.add(rank, Some(&name.document), Some(&name.target), &result);
    }
}

/// Returns what a plan comes to.
fn planned(plan: &Plan, files: usize) -> String {
    let blockers: Vec<_> = plan.blockers().map(|finding| finding.code.name()).collect();
    let changes = count(plan.changes.len(), "change", "changes");
    let needs = match plan.needs() {
        Needs::Nothing => "",
        Needs::Reload => ", needs a reload",
        Needs::Restart => ", needs a restart",
        Needs::Recreate => ", needs a new container",
    };
    match plan.is_blocked() {
        true => blockers.join(", "),
        false => format!("{changes} in {}{needs}", count(files, "file", "files")),
    }
}
