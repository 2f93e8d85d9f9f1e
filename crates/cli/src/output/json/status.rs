//! How targets stand.

use std::path::PathBuf;

use ops::TargetName;
use ops::status::{FilesStatus, ServerStatus, Status};
use render::ValueChange;
use schemars::JsonSchema;
use serde::Serialize;

use super::problem::Problem;
use super::target::{Row, Sum};
use super::verify::{Subject, subject};
use super::words::{ChangeType, Since, Step};

/// How a target stands.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Part {
    files: FilesPart,
    /// The run that writes to the target at this moment.
    running: Option<Running>,
    /// The step of an apply that is not finished.
    pending: Option<Step>,
    server: ServerPart,
    /// A newer tree beside the deployment, which an upgrade of Kasm has installed; null if there is none.
    newer: Option<String>,
    /// The files of the server's log; null if they are not on this host.
    log: Option<LogPart>,
}

/// The files of a server's log.
#[derive(Default, Serialize, JsonSchema)]
struct LogPart {
    /// The file that the server writes to now; null if that is not known.
    now: Option<String>,
    /// How many there are by the settings of now.
    current: usize,
    /// Those by settings of before: another `log_filename`, or another `log_directory`.
    earlier: Vec<String>,
    /// Those that look like logs, by no setting that is known.
    other: Vec<String>,
    /// How many bytes all of them have.
    bytes: u64,
}

/// A run that writes to the target.
#[derive(Clone, Copy, Serialize, JsonSchema)]
struct Running {
    /// The number of its process; null if that is not known for sure.
    pid: Option<u32>,
}

/// How the files stand.
#[derive(Default, Serialize, JsonSchema)]
struct FilesPart {
    state: FilesStateName,
    /// How many values differ.
    changes: usize,
    /// In how many files.
    files: usize,
    /// Which values differ.
    differs: Vec<Different>,
    /// What the difference comes from.
    since: Option<Since>,
    /// Why they cannot be compared.
    why: Option<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum FilesStateName {
    #[default]
    Unknown,
    InSync,
    Differ,
    Blocked,
}

/// A value that differs.
#[derive(Serialize, JsonSchema)]
struct Different {
    r#type: ChangeType,
    subject: String,
    /// The file, relative to the folder of the target.
    path: String,
    line: usize,
}

/// How the running server stands.
#[derive(Default, Serialize, JsonSchema)]
struct ServerPart {
    state: ServerStateName,
    /// The checks that fail.
    failed: Vec<Subject>,
    /// The checks that could not be made.
    not_checked: Vec<Subject>,
    /// Why it was not asked, or does not answer.
    why: Option<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ServerStateName {
    #[default]
    Unknown,
    InSync,
    NotAsked,
    Unreachable,
    RestartPending,
    Differs,
    NotChecked,
}

/// What all targets come to.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub(super) struct Totals {
    /// Lines of the list; one without a name stands for all targets of a document.
    targets: usize,
    /// Targets by the state of their files.
    files: FilesTotals,
    /// Targets by the state of their server.
    server: ServerTotals,
    /// Targets with an apply that is running.
    running: usize,
    /// Targets with an apply that is not finished.
    pending: usize,
}

#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
struct FilesTotals {
    in_sync: usize,
    differ: usize,
    blocked: usize,
    unknown: usize,
}

#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
struct ServerTotals {
    in_sync: usize,
    not_asked: usize,
    unreachable: usize,
    restart_pending: usize,
    differs: usize,
    not_checked: usize,
    unknown: usize,
}

/// Returns how a target stands.
pub(super) fn row(name: &TargetName, status: &Status) -> Row<Part> {
    let hide = |text: &str| status.scrubber.hide(text);
    let mut row = Row {
        folder: Some(status.folder.clone()),
        outcome: Some(status.outcome().into()),
        ..Row::<Part>::named(name)
    };
    row.own.running = status.running.map(|writer| Running { pid: writer.pid });
    row.own.pending = status.pending.map(Step::from);
    let files = &mut row.own.files;
    match &status.files {
        FilesStatus::InSync => files.state = FilesStateName::InSync,
        FilesStatus::Differ { changes, files: count, since } => {
            *files = FilesPart {
                state: FilesStateName::Differ,
                changes: changes.len(),
                files: *count,
                differs: changes.iter().map(different).collect(),
                since: Some((*since).into()),
                why: None,
            };
        }
        FilesStatus::Blocked { why, blockers, .. } => {
            files.state = FilesStateName::Blocked;
            files.why = Some(hide(why));
            row.errors = blockers.iter().map(Problem::of_target).collect();
        }
    }
    row.errors.extend(status.locked().iter().flat_map(Problem::all_of));
    let server = &mut row.own.server;
    let names = |subjects: &[live::Subject]| subjects.iter().map(subject).collect();
    (server.state, server.failed, server.why) = match &status.server {
        ServerStatus::InSync => (ServerStateName::InSync, Vec::new(), None),
        ServerStatus::NotAsked(why) => (ServerStateName::NotAsked, Vec::new(), Some((*why).to_string())),
        ServerStatus::Unreachable(why) => (ServerStateName::Unreachable, Vec::new(), Some(hide(why))),
        ServerStatus::RestartPending(all) => (ServerStateName::RestartPending, names(all), None),
        ServerStatus::Differs(all) => (ServerStateName::Differs, names(all), None),
        ServerStatus::NotChecked(_) => (ServerStateName::NotChecked, Vec::new(), None),
    };
    server.not_checked = names(&status.not_checked);
    let path = |path: &PathBuf| path.display().to_string();
    row.own.newer = status.newer.as_ref().map(path);
    row.own.log = status.log.as_ref().map(|log| LogPart {
        now: log.now.as_ref().map(path),
        current: log.current.len(),
        earlier: log.earlier.iter().map(path).collect(),
        other: log.other.iter().map(path).collect(),
        bytes: log.bytes,
    });
    row
}

fn different(change: &ValueChange) -> Different {
    Different {
        r#type: change.kind().into(),
        subject: change.subject.clone(),
        path: change.path.clone(),
        line: change.line,
    }
}

impl Sum for Totals {
    type Row = Row<Part>;

    fn add(&mut self, row: &Row<Part>) {
        self.targets += 1;
        let Part { files, running, pending, server, .. } = &row.own;
        *match files.state {
            FilesStateName::Unknown => &mut self.files.unknown,
            FilesStateName::InSync => &mut self.files.in_sync,
            FilesStateName::Differ => &mut self.files.differ,
            FilesStateName::Blocked => &mut self.files.blocked,
        } += 1;
        *match server.state {
            ServerStateName::Unknown => &mut self.server.unknown,
            ServerStateName::InSync => &mut self.server.in_sync,
            ServerStateName::NotAsked => &mut self.server.not_asked,
            ServerStateName::Unreachable => &mut self.server.unreachable,
            ServerStateName::RestartPending => &mut self.server.restart_pending,
            ServerStateName::Differs => &mut self.server.differs,
            ServerStateName::NotChecked => &mut self.server.not_checked,
        } += 1;
        self.running += usize::from(running.is_some());
        self.pending += usize::from(pending.is_some() && running.is_none());
    }
}
