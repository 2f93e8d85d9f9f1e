//! Interrupted runs, and the words for them.

use std::time::Duration;

use commit::{Generation, Lock, Outcome, Root};

use crate::args::Global;
use crate::exit::{Exit, Failure, state};
use crate::interrupt;
use crate::output::escape;
use crate::output::human::count;

/// Takes the lock on a root.
pub(crate) fn lock<'a>(root: &'a Root, global: &Global) -> Result<Lock<'a>, Failure> {
    root.lock(Duration::from_secs(global.lock_timeout)).map_err(|error| {
        let exit = if matches!(error, commit::Error::Locked { .. }) { Exit::Locked } else { Exit::Error };
        with_help(Failure::new(exit, error.to_string()), &error)
    })
}

/// Recovers where an earlier run was interrupted, and says what that did; `None` if there was nothing.
pub(crate) fn recover(lock: &Lock<'_>, root: &Root) -> Result<Option<String>, Failure> {
    let writing = interrupt::writing();
    let recovered = lock.recover();
    let applied = matches!(&recovered, Ok(recovery) if matches!(recovery.outcome, Outcome::Finished(_)));
    let interrupted = writing.end(applied);
    let recovery = recovered.map_err(|error| pending(&error))?;
    interrupted?;
    let below = escape(&root.path().display().to_string());
    let what = |generation: &Generation| escape(&generation.what);
    let mut text = match &recovery.outcome {
        Outcome::Nothing => return Ok(None),
        Outcome::Finished(generation) => {
            let files = count(generation.files.len(), "file has its", "files have their");
            format!(
                "Recovered: an interrupted {} was finished, and {files} new content below {below}.\n",
                what(generation)
            )
        }
        Outcome::Undone(generation) => {
            let files = count(generation.files.len(), "file is", "files are");
            format!(
                "Recovered: an interrupted {} was taken back, and {files} as before below {below}.\n",
                what(generation)
            )
        }
    };
    for leftover in &recovery.leftovers {
        text.push_str(&format!("warning: not all is clean: {}\n", escape(&leftover.to_string())));
    }
    Ok(Some(text))
}

/// Says that an interrupted run is there, for commands that write nothing; `None` if there is none.
pub(crate) fn interrupted(root: &Root) -> Option<Failure> {
    match root.interrupted() {
        Ok(None) => None,
        Ok(Some(generation)) => {
            let what = if generation.what.is_empty() { "run" } else { &generation.what };
            let message = format!("{}: an interrupted {what} is here", root.path().display());
            Some(
                Failure::new(Exit::RecoveryPending, message)
                    .help("run `kasm-db recover`; `apply` and `rollback` do it by themselves")
                    .state(state::RECOVERY_PENDING),
            )
        }
        Err(error) => Some(pending(&error)),
    }
}

/// Turns a recovery that failed into the error of a run.
fn pending(error: &commit::Error) -> Failure {
    use commit::{Error, Operation};
    // What says that nobody may look says nothing of an interrupted run.
    let is_closed = matches!(error, Error::InsecureState { .. })
        || matches!(error, Error::Io { operation: Operation::OpenDirectory, .. });
    let failure = with_help(Failure::new(Exit::RecoveryPending, error.to_string()), error);
    if is_closed {
        return Failure { exit: Exit::Error, ..failure };
    }
    failure.state(state::RECOVERY_PENDING)
}

/// Says why nothing was done.
pub(crate) fn refused(error: &commit::Error) -> Failure {
    with_help(Failure::new(Exit::Error, error.to_string()), error)
}

/// Adds the help of an error of the commit.
pub(crate) fn with_help(failure: Failure, error: &commit::Error) -> Failure {
    match error {
        commit::Error::Interrupted { .. } => failure.help("run `kasm-db recover`"),
        commit::Error::NoGeneration { .. } => failure.help("`kasm-db history` lists them"),
        _ => match error.help() {
            Some(help) => failure.help(help),
            None => failure,
        },
    }
}
