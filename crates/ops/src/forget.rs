//! Leaving a deployment: what kasm-db set is restored, and what it keeps is deleted.
//!
//! A document that declares nothing is applied, so that values, checks, restart and crash safety are those of any apply.

use crate::apply::{Applied, Options as ApplyOptions, apply};
use crate::context::Context;
use crate::documents::Documents;
use crate::error::Error;
use crate::follow_up::record::pending;
use crate::observer::{Event, Question};
use crate::opened::Rooted;
use crate::outcome::Outcome;

/// How to leave.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Whether values that kasm-db set stay.
    pub keep: bool,
    /// How the files are written, and what follows them.
    pub apply: ApplyOptions,
}

/// Restores what kasm-db set to the targets of documents, and deletes what it keeps beside them.
///
/// # Errors
/// As for [`apply`]; or what is kept cannot be deleted. Nothing is deleted unless all targets are as they should be.
pub fn forget(mut documents: Documents, options: &Options, context: &Context<'_>) -> Result<Applied, Error> {
    documents.release(options.keep);
    let applied = apply(&documents, &options.apply, context)?;
    if applied.outcome != Outcome::Done || options.apply.dry_run {
        return Ok(applied);
    }
    let targets = documents.every_target()?;
    if !options.apply.yes && !context.confirm(Question::Forget { targets: targets.len() })? {
        context.tell(Event::Declined)?;
        return Ok(Applied { outcome: Outcome::Failed, ..applied });
    }
    let mut outcome = applied.outcome;
    for declared in &targets {
        let rooted = Rooted::open(declared.dir, context.selection)?;
        let locked = rooted.lock_to_write(context.selection.lock_timeout, false, context)?;
        if let Some(left) = pending(&rooted.root)? {
            context.tell(Event::Left(left.follow_up.step))?;
            outcome = outcome.worse(Outcome::Unfinished);
            continue;
        }
        let had_some = locked.lock.forget().map_err(|error| Error::from(&error))?;
        context.tell(Event::Forgotten(&rooted.folder(), had_some))?;
    }
    Ok(Applied { outcome, ..applied })
}
