//! A row of a list of targets.

use live::Scrubber;
use ops::{TargetDir, TargetName};
use schemars::JsonSchema;
use serde::Serialize;

use super::problem::{About, Problem};
use super::words::{Outcome, TargetKind};
use super::writer::pretty;

/// A target. One that failed is in the list as any other, with its errors.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Row<T> {
    /// The document that it is of; null without one.
    pub(super) document: Option<String>,
    /// Its name; null if the targets of the document are not known, as it cannot be read or is not valid.
    pub(super) name: Option<String>,
    pub(super) kind: Option<TargetKind>,
    /// Where its folder is, with all links followed; null if that is not known.
    pub(super) folder: Option<String>,
    /// How it ended by itself; null if the run did not get to it.
    pub(super) outcome: Option<Outcome>,
    #[serde(flatten)]
    pub(super) own: T,
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

/// What all rows of a list come to.
pub(super) trait Sum {
    /// A row of the list.
    type Row;

    /// Counts a row.
    fn add(&mut self, row: &Self::Row);
}

impl<T> Row<T> {
    /// Adds problems to the errors or the warnings.
    pub(super) fn add(&mut self, problems: impl IntoIterator<Item = Problem>) {
        for problem in problems {
            if problem.is_error() { self.errors.push(problem) } else { self.warnings.push(problem) }
        }
    }

    /// Returns whether a problem is one of its.
    pub(super) fn has(&self, problem: &Problem) -> bool {
        self.errors.contains(problem) || self.warnings.contains(problem)
    }

    /// Says of its problems that they are about it.
    pub(super) fn own_problems(&mut self) {
        let about = About { document: self.document.as_deref(), target: self.name.as_deref() };
        self.errors.iter_mut().chain(&mut self.warnings).for_each(|problem| problem.is_about(about));
    }
}

impl<T: Default> Row<T> {
    /// Starts the row of a target by its name.
    pub(super) fn named(name: &TargetName) -> Self {
        let TargetName { document, target, kind, .. } = name;
        let (document, name) = (Some(document.clone()), Some(target.clone()));
        Self { document, name, kind: Some(kind.into()), ..Self::default() }
    }

    /// Starts the row of a target, which may be of no document.
    pub(super) fn of(dir: &TargetDir) -> Self {
        let TargetDir { document, target, .. } = dir;
        let (name, kind) = (Some(target.name.clone()), Some((&target.kind).into()));
        Self { document: document.clone(), name, kind, ..Self::default() }
    }

    /// Returns the row of what failed before anything else could be said of it.
    pub(super) fn failed(about: About<'_>, outcome: Outcome, errors: Vec<Problem>) -> Self {
        let (document, name) = about.names();
        Self { document, name, outcome: Some(outcome), errors, ..Self::default() }
    }
}

impl<T: Serialize> Row<T> {
    /// Writes it without the secrets that are known of the target.
    pub(super) fn json(&self, scrubber: &Scrubber) -> String {
        scrubber.known(&pretty(self))
    }
}
