//! Whether files and server are as the document says.

use std::path::{Path, PathBuf};

use commit::{Digest, Writer};
use live::{Caller, Check, Environment, Scrubber, Subject};
use model::{DesiredState, Diagnostic};
use render::{Plan, ValueChange};

use crate::audit::LogFiles;
use crate::error::Error;
use crate::follow_up::Step;
use crate::follow_up::record::pending;
use crate::opened::{Opened, Rooted};
use crate::outcome::Outcome;
use crate::permissions::Purpose;
use crate::planned::{judged, outcome_of};
use crate::selection::Selection;
use crate::target_dir::TargetDir;
use crate::verify::{Looked, Options};

/// How a target stands.
#[derive(Debug)]
pub struct Status {
    /// Where the target's folder leads to, with all links followed.
    pub folder: String,
    /// Its files.
    pub files: FilesStatus,
    /// The run that writes to the target at this moment: everything else may be another at the next one.
    pub running: Option<Writer>,
    /// The step of an apply that is not finished; of one that runs, it is the one that it is at.
    pub pending: Option<Step>,
    /// Its server.
    pub server: ServerStatus,
    /// What of its server could not be checked.
    pub not_checked: Vec<Subject>,
    /// A newer tree beside the deployment, which an upgrade of Kasm has installed.
    pub newer: Option<PathBuf>,
    /// The files of its server's log, if they are on this host.
    pub log: Option<LogFiles>,
    /// Knows the secrets of the target, which the texts of a server may hold.
    pub scrubber: Scrubber,
}

/// How the files of a target stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilesStatus {
    /// As the document says.
    InSync,
    /// Some values differ from the document.
    Differ {
        /// Which values: what a plan would change.
        changes: Vec<ValueChange>,
        /// In how many files.
        files: usize,
        /// What the difference comes from.
        since: Since,
    },
    /// They cannot be compared, or a blocker stands in the way.
    Blocked {
        /// The first blocker.
        why: String,
        /// All of them.
        blockers: Vec<Diagnostic>,
        /// Whether a file cannot be read.
        unreadable: bool,
    },
}

/// What a difference of the files comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Nothing was applied to these files yet.
    NeverApplied,
    /// They are as the last apply left them.
    DocumentAhead,
    /// Somebody changed them since.
    ChangedOutside,
}

/// How the running server of a target stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerStatus {
    /// As the document says.
    InSync,
    /// Nobody was asked; why.
    NotAsked(&'static str),
    /// It does not answer; why.
    Unreachable(String),
    /// Everything that fails waits for a restart.
    RestartPending(Vec<Subject>),
    /// These checks fail.
    Differs(Vec<Subject>),
    /// Nothing is known to be otherwise, and these checks could not be made.
    NotChecked(Vec<Subject>),
}

/// Looks how a target stands; its files are read once.
///
/// # Errors
/// Its folder cannot be opened, an interrupted run is there, or its history cannot be read.
pub fn status(
    desired: &DesiredState,
    dir: &TargetDir,
    options: Options,
    environment: &Environment,
    selection: &Selection,
) -> Result<Status, Error> {
    let rooted = Rooted::open(dir, selection)?;
    if let Some(error) = rooted.interrupted() {
        return Err(error);
    }
    let before = rooted.root.writer();
    let opened = rooted.read();
    let files = files(desired, &opened, selection)?;
    let pending = pending(&rooted.root)?.map(|record| record.follow_up.step);
    let running = before.or_else(|| rooted.root.writer());
    let scrubber = Scrubber::default();
    opened.learn_secrets(environment, &scrubber);
    let caller = Caller { environment, scrubber: &scrubber };
    let (looked, facts) = opened.look_at(desired, options, &caller);
    let log = LogFiles::find(&opened, facts.as_ref());
    let not_checked = looked.checks().iter().filter(|check| check.is_unknown());
    let not_checked = not_checked.map(|check| check.subject.clone()).collect();
    let server = server_status(looked);
    // It may have begun while the server was asked.
    let running = running.or_else(|| rooted.root.writer());
    let newer = rooted.newer_tree();
    Ok(Status { folder: rooted.folder(), files, newer, running, pending, server, not_checked, log, scrubber })
}

impl Status {
    /// Returns the error that says that a run writes to the target at this moment; `None` if none does.
    pub fn locked(&self) -> Option<Error> {
        let writer = self.running?;
        let process = writer.pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
        let message = format!("{}: an apply is running{process}", self.folder);
        Some(Error::new(Outcome::Locked, message).help("ask again when it has ended"))
    }

    /// Returns how a run ends with it.
    pub fn outcome(&self) -> Outcome {
        let files = match &self.files {
            FilesStatus::InSync => Outcome::Done,
            FilesStatus::Blocked { unreadable: true, .. } => Outcome::Failed,
            FilesStatus::Blocked { .. } => Outcome::Refused,
            FilesStatus::Differ { .. } => Outcome::Differences,
        };
        // Whoever can read the folder can hold its lock: what is worse is not hidden by it.
        let files = match (self.running, self.pending) {
            (Some(_), _) => files.worse(Outcome::Locked),
            (None, Some(_)) => files.worse(Outcome::Unfinished),
            (None, None) => files,
        };
        let files = if self.not_checked.is_empty() { files } else { files.worse(Outcome::Unfinished) };
        files.worse(match &self.server {
            ServerStatus::InSync | ServerStatus::NotAsked(_) => Outcome::Done,
            ServerStatus::Unreachable(_) | ServerStatus::NotChecked(_) => Outcome::Unfinished,
            ServerStatus::RestartPending(_) | ServerStatus::Differs(_) => Outcome::Differences,
        })
    }
}

fn files(desired: &DesiredState, opened: &Opened<'_>, selection: &Selection) -> Result<FilesStatus, Error> {
    let plan = judged(opened.plan(desired), desired, opened, Purpose::Looking, true, selection);
    if let Some(blocker) = plan.blockers().next() {
        let unreadable = outcome_of(&plan) == Outcome::Failed;
        let (why, blockers) = (blocker.message.clone(), plan.blockers().cloned().collect());
        return Ok(FilesStatus::Blocked { why, blockers, unreadable });
    }
    if plan.is_empty() {
        return Ok(FilesStatus::InSync);
    }
    let since = since(&plan, opened)?;
    Ok(FilesStatus::Differ { files: plan.files.len(), changes: plan.changes, since })
}

/// Compares the files of a plan with what the last apply made of them.
fn since(plan: &Plan, opened: &Opened<'_>) -> Result<Since, Error> {
    let history = opened.rooted.root.history().map_err(|error| Error::from(&error))?;
    let mut since = Since::NeverApplied;
    for file in &plan.files {
        let mut all = history.iter().rev().flat_map(|generation| &generation.files);
        match all.find(|replaced| replaced.path == Path::new(&file.path)) {
            Some(replaced) if replaced.after.is_some_and(|after| after != Digest::of(&file.before)) => {
                return Ok(Since::ChangedOutside);
            }
            Some(_) => since = Since::DocumentAhead,
            None => {}
        }
    }
    Ok(since)
}

fn server_status(looked: Looked) -> ServerStatus {
    let checks = match looked {
        Looked::Not(why) => return ServerStatus::NotAsked(why),
        Looked::Checked(checks) => checks,
    };
    if let Some(check) = checks.iter().find(|check| check.subject == Subject::Connect && check.is_failure()) {
        return ServerStatus::Unreachable(check.says.clone());
    }
    let (unknown, failed): (Vec<&Check>, Vec<&Check>) =
        checks.iter().filter(|check| check.is_failure()).partition(|check| check.is_unknown());
    let subjects =
        |checks: &[&Check]| -> Vec<Subject> { checks.iter().map(|check| check.subject.clone()).collect() };
    let (unknown, subjects) = (subjects(&unknown), subjects(&failed));
    if failed.is_empty() {
        if unknown.is_empty() { ServerStatus::InSync } else { ServerStatus::NotChecked(unknown) }
    } else if failed.iter().all(|check| check.waits_for_restart()) {
        ServerStatus::RestartPending(subjects)
    } else {
        ServerStatus::Differs(subjects)
    }
}
