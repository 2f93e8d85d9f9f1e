//! Interrupted runs: found by those that look, ended by those that write.

use commit::{Lock, Outcome as Ended, Recovery, Root};

use crate::error::{Error, FilesState};
use crate::outcome::Outcome;
use crate::progress::Progress;

/// Recovers if an earlier run was interrupted: all of its files become new, or are as they were. `None` if there was none.
///
/// # Errors
/// Some files can be made neither; or a signal came meanwhile.
pub(crate) fn end_interrupted(lock: &Lock<'_>, progress: &Progress) -> Result<Option<Recovery>, Error> {
    let writing = progress.writing();
    let recovered = lock.recover();
    let applied = matches!(&recovered, Ok(recovery) if matches!(recovery.outcome, Ended::Finished(_)));
    let interrupted = writing.end(applied);
    if matches!(&recovered, Ok(recovery) if matches!(recovery.outcome, Ended::Undone(_))) {
        progress.written();
    }
    let recovery = recovered.map_err(|error| pending(&error))?;
    interrupted?;
    Ok(Some(recovery).filter(|recovery| !matches!(recovery.outcome, Ended::Nothing)))
}

/// Returns the error that says that an interrupted run is here, for operations that write nothing; `None` if there is
/// none.
pub(crate) fn interrupted(root: &Root) -> Option<Error> {
    match root.interrupted() {
        Ok(None) => None,
        Ok(Some(found)) => {
            let what = if found.what.is_empty() { "run" } else { &found.what };
            let message = format!("{}: an interrupted {what} is here", root.path().display());
            Some(
                Error::new(Outcome::RecoveryPending, message)
                    .help("run `kasm-db recover`; `apply` and `rollback` do it by themselves")
                    .state(FilesState::RecoveryPending),
            )
        }
        Err(error) => Some(pending(&error)),
    }
}

/// Turns a recovery that failed into the error of a run.
fn pending(error: &commit::Error) -> Error {
    use commit::{Damage, Error as Failed, Operation};
    // A state folder that cannot be looked into says nothing of an interrupted run, and `recover` would not help.
    let is_closed = match error {
        Failed::InsecureState { .. } | Failed::NewerLayout { .. } => true,
        Failed::Damaged { damage, .. } => *damage == Damage::Layout,
        Failed::Symlink { path } => path.ends_with(".kasm-db") || path.ends_with(".kasm-db/private"),
        Failed::Io { operation, .. } => *operation == Operation::OpenDirectory,
        _ => false,
    };
    if is_closed {
        return Error::from(error);
    }
    Error { kind: Outcome::RecoveryPending, ..Error::from(error) }.state(FilesState::RecoveryPending)
}
