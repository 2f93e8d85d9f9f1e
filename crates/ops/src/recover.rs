//! Recovering: ending what an interrupted run began, and what was to follow it.

use std::path::PathBuf;

use commit::Recovery;

use crate::context::Context;
use crate::error::Error;
use crate::follow_up::Step;
use crate::follow_up::record::{check_origin, pending};
use crate::follow_up::runner::Runner;
use crate::observer::Event;
use crate::opened::Rooted;
use crate::recovery::end_interrupted;
use crate::target_dir::TargetDir;

/// What a recovery did below a folder.
#[derive(Debug)]
pub struct Recovered {
    /// The target's folder.
    pub root: PathBuf,
    /// What it did.
    pub what: Work,
}

/// What a recovery did.
#[derive(Debug)]
pub enum Work {
    /// There was nothing to recover.
    Nothing,
    /// The files of an interrupted run are all new, or all as they were.
    Files(Box<Recovery>),
    /// What follows an apply went on at this step, and is done.
    Followed(Step),
}

/// Ends what an interrupted run began: all of its files new, or all as they were, and what was to follow them. It needs
/// no document.
///
/// # Errors
/// Another run holds the lock; some files can be made neither; or what follows failed.
pub fn recover(dir: &TargetDir, context: &Context<'_>) -> Result<Recovered, Error> {
    let rooted = Rooted::open(dir, context.selection)?;
    let locked = rooted.lock(context.selection.lock_timeout)?;
    let recovery = end_interrupted(&locked.lock, &context.progress)?;
    let root = rooted.root.path().to_path_buf();
    let Some(record) = pending(&rooted.root)? else {
        let what = recovery.map_or(Work::Nothing, |recovery| Work::Files(Box::new(recovery)));
        return Ok(Recovered { root, what });
    };
    if let Some(recovery) = recovery {
        context.tell(Event::Recovered(&root, &recovery))?;
    }
    check_origin(&rooted.root, &record, dir.digest.as_deref())?;
    let step = record.follow_up.step;
    rooted.read().learn_secrets(&context.environment, context.scrubber());
    // The document may say more than the record: it is not asked here.
    let followed = Runner { locked: &locked, context, is_resumed: true }.run(record);
    followed.map_err(|error| error.scrubbed(context.scrubber()))?;
    Ok(Recovered { root, what: Work::Followed(step) })
}
