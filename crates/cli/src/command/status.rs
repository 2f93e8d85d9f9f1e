//! `kasm-db status`

use std::path::Path;

use commit::{Digest, Root};
use model::DesiredState;
use render::Plan;

use crate::args::{Global, ReportFormat, Status};
use crate::command::verify::{Looked, look};
use crate::exit::{Exit, Failure};
use crate::live::check::Check;
use crate::live::gather::Options;
use crate::live::restart::pending;
use crate::output::{Terminal, report};
use crate::permissions;
use crate::recovery;
use crate::target::Place;

/// Tells for each target whether files and server are as the document says.
pub(crate) fn run(args: &Status, global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    let options = Options { sslmode: args.sslmode, probe: false };
    let mut standings = Vec::new();
    let exit = super::each_place(global, terminal, &mut |desired, place, whose| {
        let root = place.open()?;
        let standing = Standing {
            files: files(desired, place, &root, global)?,
            pending: pending(&root)?.map(|record| record.step.name()),
            server: server(look(desired, place, &root, options, global)),
        };
        let mut exit = standing.exit();
        if let Some(failure) = recovery::interrupted(&root) {
            terminal.failure(&failure);
            exit = exit.worse(failure.exit);
        }
        standings.push((whose.clone(), standing));
        Ok(exit)
    })?;
    let text = match args.format {
        ReportFormat::Human => report::standings(&standings, global),
        ReportFormat::Json => report::standings_json(&standings),
    };
    terminal.result(&text)?;
    Ok(exit)
}

/// How a target stands.
pub(crate) struct Standing {
    pub(crate) files: Files,
    /// The step of an apply that is not finished.
    pub(crate) pending: Option<&'static str>,
    pub(crate) server: Server,
}

/// How its files stand.
pub(crate) enum Files {
    InSync,
    /// So many values in so many files are other than the document says.
    Differ {
        changes: usize,
        files: usize,
        since: Since,
    },
    /// They can not be compared, or a blocker stands in the way; the first one.
    Blocked {
        why: String,
        unreadable: bool,
    },
}

/// What the difference of the files comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// Nothing was applied to these files yet.
    NeverApplied,
    /// They are as the last apply left them.
    DocumentAhead,
    /// Somebody changed them since.
    ChangedOutside,
}

/// How the running server stands.
pub(crate) enum Server {
    InSync,
    /// Nobody was asked; why.
    NotAsked(&'static str),
    Unreachable(String),
    /// Everything that fails waits for a restart.
    RestartPending(Vec<String>),
    Differs(Vec<String>),
}

impl Standing {
    fn exit(&self) -> Exit {
        let files = match &self.files {
            Files::InSync => Exit::Done,
            Files::Blocked { unreadable: true, .. } => Exit::Error,
            Files::Differ { .. } | Files::Blocked { .. } => Exit::Differences,
        };
        let files = if self.pending.is_some() { files.worse(Exit::Differences) } else { files };
        files.worse(match &self.server {
            Server::InSync | Server::NotAsked(_) => Exit::Done,
            Server::Unreachable(_) => Exit::Unfinished,
            Server::RestartPending(_) | Server::Differs(_) => Exit::Differences,
        })
    }
}

fn files(desired: &DesiredState, place: &Place, root: &Root, global: &Global) -> Result<Files, Failure> {
    if let Some(failure) = recovery::interrupted(root) {
        return Err(failure);
    }
    let planned = super::make_plan(desired, &place.target, root, global);
    let plan = super::judged(&planned, root, permissions::For::Looking, global);
    if let Some(blocker) = plan.blockers().next() {
        let unreadable = super::exit_of(&plan, false) == Exit::Error;
        return Ok(Files::Blocked { why: blocker.message.clone(), unreadable });
    }
    Ok(match plan.is_empty() {
        true => Files::InSync,
        false => {
            Files::Differ { changes: plan.changes.len(), files: plan.files.len(), since: since(&plan, root)? }
        }
    })
}

/// Compares the files of a plan with what the last apply made of them.
fn since(plan: &Plan, root: &Root) -> Result<Since, Failure> {
    let history = root.history().map_err(|error| recovery::refused(&error))?;
    let mut since = Since::NeverApplied;
    for file in &plan.files {
        let mut all = history.iter().rev().flat_map(|generation| &generation.files);
        match all.find(|replaced| replaced.path == Path::new(&file.path)) {
            Some(replaced) if replaced.after != Digest::of(&file.before) => return Ok(Since::ChangedOutside),
            Some(_) => since = Since::DocumentAhead,
            None => {}
        }
    }
    Ok(since)
}

fn server(looked: Looked) -> Server {
    let checks = match looked {
        Looked::Not(why) => return Server::NotAsked(why),
        Looked::Checked(checks) => checks,
    };
    if let Some(unreachable) = checks.iter().find(|check| check.name == "connect" && check.is_failure()) {
        return Server::Unreachable(unreachable.says.clone());
    }
    let failed: Vec<&Check> = checks.iter().filter(|check| check.is_failure()).collect();
    let names = failed.iter().map(|check| check.name.clone()).collect();
    if failed.is_empty() {
        Server::InSync
    } else if failed.iter().all(|check| check.waits_for_restart()) {
        Server::RestartPending(names)
    } else {
        Server::Differs(names)
    }
}
