//! `kasm-db status`

use commit::Root;
use model::DesiredState;

use crate::args::{Global, ReportFormat, Status};
use crate::command::verify::{Looked, look};
use crate::exit::{Exit, Failure};
use crate::live::check::Check;
use crate::live::gather::Options;
use crate::output::{Terminal, report};
use crate::permissions;
use crate::target::Place;

/// Tells for each target whether files and server are as the document says.
pub(crate) fn run(args: &Status, global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    let options = Options { sslmode: args.sslmode, probe: false };
    let mut standings = Vec::new();
    let exit = super::each_place(global, terminal, &mut |desired, place| {
        let root = place.open()?;
        let standing = Standing {
            files: files(desired, place, &root, global),
            server: server(look(desired, place, &root, options, global)),
        };
        let exit = standing.exit();
        standings.push((place.target.name.clone(), standing));
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
    pub(crate) server: Server,
}

/// How its files stand.
pub(crate) enum Files {
    InSync,
    /// So many values in so many files are other than the document says.
    Differ {
        changes: usize,
        files: usize,
    },
    /// They can not be compared, or a blocker stands in the way; the first one.
    Blocked {
        why: String,
        unreadable: bool,
    },
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
        files.worse(match &self.server {
            Server::InSync | Server::NotAsked(_) => Exit::Done,
            Server::Unreachable(_) => Exit::Unfinished,
            Server::RestartPending(_) | Server::Differs(_) => Exit::Differences,
        })
    }
}

fn files(desired: &DesiredState, place: &Place, root: &Root, global: &Global) -> Files {
    let planned = super::make_plan(desired, &place.target, root, global);
    let plan = super::judged(&planned, root, permissions::For::Looking, global);
    if let Some(blocker) = plan.blockers().next() {
        let unreadable = super::exit_of(&plan, false) == Exit::Error;
        return Files::Blocked { why: blocker.message.clone(), unreadable };
    }
    match plan.is_empty() {
        true => Files::InSync,
        false => Files::Differ { changes: plan.changes.len(), files: plan.files.len() },
    }
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
