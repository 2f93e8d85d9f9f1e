//! A line for each target, the worst first, and one that counts them: for the log of a pipeline.

use std::collections::HashMap;

use ops::apply::End;
use ops::{Document, Error, Event, Outcome, TargetName};
use render::{Needs, Plan};

use super::emitter::{Emitter, Format, PlanHead, PlanRow, SavedRow};
use super::report::Report;
use super::sink::Sink;
use super::{count, escape};

/// The format.
pub(crate) const FORMAT: Format = Format {
    name: "summary",
    reports: &[Report::Plan, Report::Show, Report::Apply],
    new: |_, sink, _| Box::new(Summary::new(sink)),
    entries: None,
    is_public: true,
};

/// Beyond so many targets, those without changes are only counted.
const ALL: usize = 50;

/// Gathers a line of each target; they are written at the end of the run, also if it fails.
struct Summary {
    sink: Sink,
    /// Whether the run is about several documents.
    several: bool,
    rows: Vec<Row>,
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

impl Summary {
    fn new(sink: Sink) -> Self {
        let current = (String::new(), String::new());
        Self { sink, several: false, rows: Vec::new(), current, planned: HashMap::new() }
    }

    fn add(&mut self, rank: Rank, document: Option<&str>, target: Option<&str>, result: &str) {
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

    fn text(&mut self) -> String {
        // Rows of the same rank stay in the order of the documents.
        self.rows.sort_by_key(|row| row.rank);
        let hides = self.rows.len() > ALL;
        let shown: Vec<_> = self.rows.iter().filter(|row| !hides || row.rank != Rank::Same).collect();
        let width = shown.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let mut out: String =
            shown.iter().map(|row| format!("{:width$}  {}\n", row.name, row.result)).collect();
        let of = |rank: Rank| self.rows.iter().filter(|row| row.rank == rank).count();
        let counts = Rank::ALL.iter().map(|rank| (of(*rank), rank.words())).filter(|(number, _)| *number > 0);
        let counts: Vec<_> = counts.map(|(number, words)| format!("{number} {words}")).collect();
        let counts = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
        out.push_str(&format!("{}{counts}\n", count(self.rows.len(), "target", "targets")));
        out
    }
}

impl Emitter for Summary {
    fn is_for_programs(&self) -> bool {
        // It shows no plan that somebody could agree to.
        true
    }

    fn begin_plans(&mut self, head: &PlanHead<'_>) -> Result<(), Error> {
        self.several = head.documents.len() > 1;
        Ok(())
    }

    fn read(&mut self, document: &Document) -> Result<(), Error> {
        if document.desired().is_none() {
            self.add(Rank::Failed, Some(&document.name), None, "the document is not valid");
        }
        Ok(())
    }

    fn plan(&mut self, row: &PlanRow<'_>) -> Result<(), Error> {
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
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>, _: &live::Scrubber) -> Result<(), Error> {
        match event {
            Event::Target(Some(name)) => self.current = (name.document.clone(), name.target.clone()),
            Event::Planned { plan, .. } => {
                self.planned.insert(self.current.clone(), planned(plan, plan.files.len()));
            }
            Event::Ended { target, end, outcome } => self.ended(target, *end, *outcome),
            _ => {}
        }
        Ok(())
    }

    fn error(&mut self, error: &Error) -> Result<(), Error> {
        for error in std::iter::once(error).chain(&error.others) {
            let line = error.message.lines().next().unwrap_or_default();
            self.add(Rank::Failed, error.document.as_deref(), error.target.as_deref(), line);
        }
        Ok(())
    }

    fn end(&mut self, _: Outcome) -> Result<(), Error> {
        let text = self.text();
        self.sink.text(&text)?;
        self.sink.complete();
        self.sink.end()
    }

    fn break_off(&mut self, error: &Error) -> Result<(), Error> {
        self.error(error)?;
        self.end(error.kind)
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
