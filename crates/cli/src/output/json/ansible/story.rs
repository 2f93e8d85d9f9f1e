//! What happened, in a few lines: Ansible shows nothing else of a task that failed.

use ops::FilesState;

use super::reply::{Needs, Reply, for_a_task};
use crate::exit::sentence;
use crate::output::emitter::{Asked, State};
use crate::output::json::problem::Problem;
use crate::output::json::words::Step;
use crate::output::{count, escape_message};

/// So many errors are told.
const MOST: usize = 20;

/// Returns the story of a run.
pub(super) fn story(reply: &Reply, asked: Asked, state: FilesState) -> String {
    if reply.failed { failure(reply, asked, state) } else { success(reply, asked) }
}

fn failure(reply: &Reply, asked: Asked, state: FilesState) -> String {
    let failed_checks = reply.verify.iter().flat_map(|row| row.own.failures());
    let all: Vec<_> = Problem::lines(&reply.errors).into_iter().chain(failed_checks).collect();
    let mut lines: Vec<_> = all.iter().take(MOST).map(|line| escape_message(&for_a_task(line))).collect();
    if all.len() > MOST {
        lines.push(format!("and {}", count(all.len() - MOST, "more error", "more errors")));
    }
    if asked.state == State::Present {
        let is_written = reply.apply.iter().any(|row| !row.own.written.is_empty());
        let state = match state {
            // The checks of the server have failed, which is not an error of a step.
            FilesState::NothingChanged if is_written && reply.pending.is_none() => Some(FilesState::AllDone),
            FilesState::NothingChanged if is_written => Some(FilesState::NotFollowed),
            FilesState::NothingChanged if reply.changed => None,
            state => Some(state),
        };
        lines.extend(state.map(|state| sentence(state).to_string()));
    }
    lines.join("\n")
}

fn success(reply: &Reply, asked: Asked) -> String {
    if asked.state == State::Verified {
        let (passed, skipped) = reply.verify.iter().fold((0, 0), |(passed, skipped), row| {
            let counts = row.own.counts();
            (passed + counts.0, skipped + counts.1)
        });
        let skips = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
        return format!("{} passed{skips}", count(passed, "check", "checks"));
    }
    let is_written = asked.state == State::Present && !asked.check;
    let files: usize = match is_written {
        true => reply.apply.iter().map(|row| row.own.written.len()).sum(),
        false => reply.plan.iter().map(|row| row.own.count_files()).sum(),
    };
    let files = match (files, is_written) {
        (0, _) => "the files are as the document says".to_string(),
        (files, true) => format!("{} written", count(files, "file", "files")),
        (files, false) => format!("{} would be written", count(files, "file", "files")),
    };
    let needs = match (reply.pending, reply.needs) {
        (Some(step), _) => format!("; pending: {}", word(step)),
        (None, Needs::None | Needs::Unknown) => String::new(),
        (None, Needs::Reload) => "; the database must reload its configuration".to_string(),
        (None, Needs::Restart) => "; the database must be restarted".to_string(),
        (None, Needs::Recreate) => "; the database must be stopped and started".to_string(),
    };
    files + &needs
}

fn word(step: Step) -> &'static str {
    match step {
        Step::Stop => "a restart",
        Step::Start => "the start of the database",
        Step::Healthy => "the database must come up",
        Step::Reload => "a reload",
        Step::Extension => "the extension",
    }
}
