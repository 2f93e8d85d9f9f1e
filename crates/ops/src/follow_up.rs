//! What follows the files of a plan, as far as the document and the plan tell it: nobody is asked.

pub mod record;
pub(crate) mod runner;

use std::time::Duration;

use model::DesiredState;
use model::document::{Connect, Policy, Verify};
use render::{Needs, Plan, TargetKind};

use crate::selection::Selection;

/// A step behind the files; each is written down before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The deployment is stopped.
    Stop,
    /// It is started.
    Start,
    /// The server must answer.
    Healthy,
    /// In place of stopping and starting: the server reads its files again.
    Reload,
    /// The extension is created.
    Extension,
}

const STEPS: &[(Step, &str)] = &[
    (Step::Stop, "stop"),
    (Step::Start, "start"),
    (Step::Healthy, "healthy"),
    (Step::Reload, "reload"),
    (Step::Extension, "extension"),
];

impl Step {
    /// Returns the next one; none where all is done.
    pub fn next(self) -> Option<Self> {
        match self {
            Self::Stop => Some(Self::Start),
            Self::Start => Some(Self::Healthy),
            Self::Healthy | Self::Reload => Some(Self::Extension),
            Self::Extension => None,
        }
    }

    /// Returns whether the database is not up again before this step is done.
    pub(crate) fn comes_up(self) -> bool {
        matches!(self, Self::Stop | Self::Start | Self::Healthy)
    }

    /// Returns the step of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        STEPS.iter().find(|(_, known)| *known == name).map(|(step, _)| *step)
    }

    /// Returns its name.
    pub fn name(self) -> &'static str {
        STEPS.iter().find(|(step, _)| *step == self).map_or("", |(_, name)| name)
    }
}

/// What is done after the files are written, from a step on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowUp {
    /// The step that is next.
    pub step: Step,
    /// The command that stops the deployment; a path that is not absolute starts at the target's folder.
    pub stop: Vec<String>,
    /// The command that starts it.
    pub start: Vec<String>,
    /// How long the command that stops it may take.
    pub stop_timeout: Duration,
    /// How long the database may take to come up.
    pub timeout: Duration,
    /// How the server is reached.
    pub connect: Connect,
    /// In which container.
    pub container: String,
    /// As which user.
    pub user: String,
    /// In which database.
    pub database: String,
    /// The databases that get the extension.
    pub extension_databases: Vec<String>,
}

/// Returns whether a run on a target does more than write files.
pub(crate) fn is_followed(desired: &DesiredState, kind: &TargetKind, selection: &Selection) -> bool {
    desired.restart().policy == Policy::IfNeeded
        && *kind != TargetKind::Installer
        // Nothing runs in a copy of a host's files.
        && selection.root.is_none()
}

/// Returns what a run does after the files of a plan; `None` if that is nothing, or for a person to do.
pub(crate) fn planned_follow_up(
    desired: &DesiredState,
    plan: &Plan,
    selection: &Selection,
) -> Option<FollowUp> {
    let kind = &plan.target.kind;
    let is_followed = is_followed(desired, kind, selection) && !plan.is_blocked();
    if is_followed { FollowUp::of(desired, kind, plan.needs()) } else { None }
}

/// Returns the first step after files with these needs, if an earlier run left this to be done.
pub(crate) fn first_step(needs: Needs, left: Option<Step>) -> Option<Step> {
    match (needs, left) {
        // Whoever was to stop or to start it still has to.
        (_, Some(Step::Stop | Step::Start | Step::Healthy)) | (Needs::Restart | Needs::Recreate, _) => {
            Some(Step::Stop)
        }
        (Needs::Reload, _) => Some(Step::Reload),
        (Needs::Nothing, left) => left,
    }
}

impl FollowUp {
    /// The statement that creates the extension.
    pub const EXTENSION: &'static str = CREATE_EXTENSION;

    /// Returns what follows a plan with these needs; `None` if that is nothing, or for a person to do.
    pub fn of(desired: &DesiredState, kind: &TargetKind, needs: Needs) -> Option<Self> {
        let is_wanted = desired.restart().policy == Policy::IfNeeded && *kind != TargetKind::Installer;
        let first = first_step(needs, None)?;
        is_wanted.then(|| Self::from(first, desired, kind))
    }

    /// Returns what is done from a step on.
    pub(crate) fn from(step: Step, desired: &DesiredState, kind: &TargetKind) -> Self {
        let (restart, verify) = (desired.restart(), desired.verify());
        let command = |named: &Option<Vec<String>>, own: &str| match (named, kind) {
            (Some(argv), _) => argv.clone(),
            (None, TargetKind::Deployment) => vec![own.to_string()],
            (None, _) => Vec::new(),
        };
        Self {
            step,
            stop: command(&restart.stop, "bin/stop"),
            start: command(&restart.start, "bin/start"),
            stop_timeout: restart.stop_timeout(),
            timeout: restart.timeout(),
            connect: verify.connect,
            container: verify.container().to_string(),
            user: verify.user().to_string(),
            database: verify.database().to_string(),
            extension_databases: desired.extension_databases().to_vec(),
        }
    }

    /// Returns the steps in their order.
    pub fn steps(&self) -> impl Iterator<Item = Step> + use<> {
        std::iter::successors(Some(self.step), |step| step.next())
    }

    /// Returns the way to the server.
    pub(crate) fn verify(&self) -> Verify {
        Verify {
            connect: self.connect,
            container: Some(self.container.clone()),
            user: Some(self.user.clone()),
            database: Some(self.database.clone()),
        }
    }

    /// Returns the statements that the steps run.
    pub fn sql(&self) -> Vec<&'static str> {
        let extension = (!self.extension_databases.is_empty()).then_some(CREATE_EXTENSION);
        let of = |step: Step| match step {
            Step::Reload => Some(RELOAD),
            Step::Extension => extension,
            Step::Stop | Step::Start | Step::Healthy => None,
        };
        self.steps().filter_map(of).collect()
    }
}

/// Lets the server read its configuration files again.
pub(crate) const RELOAD: &str = "SELECT pg_catalog.pg_reload_conf()";

/// Creates the extension in a schema that only a superuser can drop. The owner of a database says what its `search_path` is,
/// and drops an extension with the schema that it is in; with PostgreSQL 15 and later, `public` is the owner's, too. An
/// extension that is there stays where it is.
pub(crate) const CREATE_EXTENSION: &str = "CREATE EXTENSION IF NOT EXISTS pgaudit SCHEMA pg_catalog";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_leads_to_the_end() {
        for (step, _) in STEPS {
            let mut step = Some(*step);
            for _ in 0..STEPS.len() {
                step = step.and_then(Step::next);
            }
            assert_eq!(step, None);
        }
    }
}
