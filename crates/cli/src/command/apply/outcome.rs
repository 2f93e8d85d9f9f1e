//! How an apply ended, in words.

use commit::{CommitError, Report, Root, State};
use render::{Needs, Plan};

use crate::exit::{Exit, Failure, state};
use crate::output::human::count;
use crate::output::{Terminal, escape};
use crate::recovery;

/// How one of several targets ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Applied,
    Nothing,
    Planned,
    Refused,
    Declined,
    Failed,
    NotStarted,
}

/// Says of every target how it ended.
pub(super) fn report(targets: impl Iterator<Item = (String, Standing)>) -> String {
    let mut out = String::from("\nTargets:\n");
    for (name, standing) in targets {
        let how = match standing {
            Standing::Applied => "applied",
            Standing::Nothing => "nothing to do",
            Standing::Planned => "not applied, as this is a dry run",
            Standing::Refused => "refused",
            Standing::Declined => "not applied, as nobody said yes",
            Standing::Failed => "failed",
            Standing::NotStarted => "not started",
        };
        out.push_str(&format!("  {}: {how}\n", escape(&name)));
    }
    out
}

/// Says what was written, and, where that is all that is done, what is still needed.
pub(super) fn written(
    plan: &Plan,
    is_all: bool,
    root: &Root,
    report: &Report,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let files = count(plan.files.len(), "file", "files");
    let mut text = format!("Applied: {files} below {} written.", escape(&root.path().display().to_string()));
    let still = match plan.needs() {
        _ if !is_all => "",
        Needs::Nothing => "",
        Needs::Reload => " Still needed: reload the server's configuration.",
        Needs::Restart => " Still needed: restart the database.",
        Needs::Recreate => {
            " Still needed: stop and start the deployment, so that the container is made anew."
        }
    };
    text.push_str(still);
    text.push('\n');
    terminal
        .result(&text)
        .map_err(|failure| Failure { exit: Exit::Unfinished, ..failure.state(state::APPLIED) })?;
    Ok(leftovers(report, terminal))
}

/// Says what of a commit is not as it should be, though the files are.
pub(in crate::command) fn leftovers(report: &Report, terminal: &Terminal) -> Exit {
    for leftover in &report.leftovers {
        terminal.note(&format!(
            "warning: the files are written, but not all is clean: {}\n",
            escape(&leftover.to_string())
        ));
    }
    for lost in &report.lost_xattrs {
        let path = lost.path.display().to_string();
        terminal.note(&format!("warning: {} lost its attribute {}\n", escape(&path), escape(&lost.name)));
    }
    if report.leftovers.is_empty() { Exit::Done } else { Exit::Unfinished }
}

/// Says what holds now for the files; `interrupted` is the error of a signal that came meanwhile.
pub(in crate::command) fn failed(error: &CommitError, interrupted: Option<&Failure>) -> Failure {
    let (exit, state) = match &error.state {
        State::NothingChanged => (Exit::Error, state::NOTHING_CHANGED),
        State::RolledBack => (Exit::RolledBack, state::ROLLED_BACK),
        State::RecoveryPending(_) => (Exit::RecoveryPending, state::RECOVERY_PENDING),
    };
    let mut message = error.cause.to_string();
    if let State::RecoveryPending(pending) = &error.state {
        for file in pending {
            message.push_str(&format!("\n  {}: {}", file.path.display(), file.why));
            if let Some(kept) = &file.kept {
                message.push_str(&format!("\n    its other content is kept in {}", kept.path.display()));
            }
        }
    }
    let exit = match interrupted {
        // Files that could not be put back matter more than what else happened.
        Some(signal) if exit != Exit::RecoveryPending => {
            message = format!("{message}; {}", signal.message);
            signal.exit
        }
        _ => exit,
    };
    let help = match &error.state {
        State::RecoveryPending(_) => error.help().map(String::from),
        _ => recovery::with_help(Failure::new(exit, ""), &error.cause).help,
    };
    let others = error.others.iter().map(recovery::refused).collect();
    Failure { exit, message, help, others, state }
}
