//! `kasm-db apply`

use std::io::BufRead;
use std::time::Duration;

use commit::{Change, Root, State};
use render::{Needs, Plan};

use crate::args::{Apply, Global};
use crate::document::load;
use crate::exit::{Exit, Failure};
use crate::output::human::{self, count};
use crate::output::{Terminal, escape};
use crate::target::{Place, places};

/// Writes what the plan says: for each target all files or none.
pub(crate) fn run(args: &Apply, global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    super::check_allowed(global)?;
    let loaded = load(global.file.as_deref())?;
    let desired = match super::desired(&loaded, terminal) {
        Ok(desired) => desired,
        Err(exit) => return Ok(exit),
    };
    let mut exit = Exit::Done;
    let places = places(desired, &loaded.folder, global)?;
    let several = places.len() > 1;
    for place in places {
        let outcome = one(desired, &place, several, args, global, terminal);
        match outcome {
            Ok(one) => exit = exit.worse(one),
            Err(failure) => {
                terminal.failure(&failure);
                exit = exit.worse(failure.exit);
            }
        }
        // The next target must not follow one that failed.
        if exit != Exit::Done {
            break;
        }
    }
    Ok(exit)
}

fn one(
    desired: &model::DesiredState,
    place: &Place,
    several: bool,
    args: &Apply,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let root = place.open()?;
    // From here on nobody else applies: what is read now is what the plan is made from.
    let lock = root.lock(Duration::from_secs(global.lock_timeout)).map_err(|error| locked(&error))?;
    let plan = super::make_plan(desired, &place.target, &root, global);
    super::findings(&plan, several, terminal);
    let folder = root.path().display().to_string();
    terminal.result(&human::plan(&plan, &folder, global))?;
    if plan.is_blocked() {
        return Ok(super::exit_of(&plan, false));
    }
    if plan.is_empty() {
        return Ok(Exit::Done);
    }
    if !args.yes && !confirmed(global, terminal)? {
        terminal.note("Nothing was written.\n");
        return Ok(Exit::Error);
    }
    let changes: Vec<Change> = plan
        .files
        .iter()
        .map(|file| Change {
            path: file.path.clone().into(),
            before: file.before.clone(),
            after: file.after.clone(),
        })
        .collect();
    let report = lock.commit(&changes).map_err(|error| failed(&error))?;
    written(&plan, &root, terminal)?;
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
    Ok(if report.leftovers.is_empty() { Exit::Done } else { Exit::Unfinished })
}

fn confirmed(global: &Global, terminal: &Terminal) -> Result<bool, Failure> {
    if global.no_input || !terminal.can_ask() {
        return Err(Failure::new(Exit::Usage, "there is nobody to ask whether to apply")
            .help("use `kasm-db apply --yes` where nobody can answer"));
    }
    terminal.note("\nApply this? Only `yes` goes on: ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(|error| {
        Failure::new(Exit::Error, format!("standard input: {}", crate::document::reason(&error)))
    })?;
    Ok(answer.trim() == "yes")
}

fn written(plan: &Plan, root: &Root, terminal: &Terminal) -> Result<(), Failure> {
    let files = count(plan.files.len(), "file", "files");
    let mut text = format!("Applied: {files} below {} written.", escape(&root.path().display().to_string()));
    let still = match plan.needs() {
        Needs::Nothing => "",
        Needs::Reload => " Still needed: reload the server's configuration.",
        Needs::Restart => " Still needed: restart the database.",
        Needs::Recreate => {
            " Still needed: stop and start the deployment, so that the container is made anew."
        }
    };
    text.push_str(still);
    text.push('\n');
    terminal.result(&text)
}

fn locked(error: &commit::Error) -> Failure {
    let exit = if matches!(error, commit::Error::Locked { .. }) { Exit::Locked } else { Exit::Error };
    let failure = Failure::new(exit, error.to_string());
    match error.help() {
        Some(help) => failure.help(help),
        None => failure,
    }
}

/// Says what holds now for the files.
fn failed(error: &commit::CommitError) -> Failure {
    let (exit, state) = match &error.state {
        State::NothingChanged => (Exit::Error, "nothing changed"),
        State::RolledBack => (Exit::RolledBack, "rolled back: the files are as before"),
        State::RecoveryPending(_) => {
            (Exit::RecoveryPending, "recovery pending: not every file could be put back")
        }
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
    Failure { exit, message, help: error.help().map(String::from), state }
}
