//! Planning one target: what would change; nothing is written.

use commit::Root;
use model::{DesiredState, Ignorable};
use render::{Managed, Plan};

use crate::documents::Documents;
use crate::error::Error;
use crate::follow_up::{FollowUp, planned_follow_up};
use crate::inspect::Looked;
use crate::note::Note;
use crate::opened::Rooted;
use crate::overlap::Touched;
use crate::permissions::Purpose;
use crate::planned::{Planned, judged};
use crate::saved::format::SavedTarget;
use crate::saved::saved_target;
use crate::selection::Selection;
use crate::target_dir::TargetDir;

/// The plan of a target, to look at.
#[derive(Debug)]
pub struct TargetPlan {
    /// The plan, with what the permissions of the files say to it and without the blockers that are allowed.
    pub plan: Plan,
    /// Where the target's folder leads to, with all links followed.
    pub folder: String,
    /// What the document asks for, and what is there: also what does not change.
    pub managed: Vec<Managed>,
    /// What follows the files; `None` if that is nothing, or for a person to do.
    pub follow_up: Option<FollowUp>,
    /// What a plan file records of it, if the plan is to be saved.
    pub saved: Option<SavedTarget>,
    /// Warnings that the document silences and did not at the last apply.
    pub newly_ignored: Vec<Ignorable>,
    /// What came of looking into the images.
    pub images: Vec<Looked>,
    /// The error that says that an interrupted run is here: a plan of files that are half new is still worth a look, but
    /// is not what an apply would make.
    pub interrupted: Option<Error>,
    /// The files that it was made from.
    pub touched: Touched,
    /// The error that says that a result of the run would overwrite a file that the plan was made from.
    pub overwritten: Option<Error>,
}

/// Plans a target.
///
/// # Errors
/// Its folder cannot be opened.
pub fn plan(
    desired: &DesiredState,
    dir: &TargetDir,
    save: bool,
    selection: &Selection,
) -> Result<TargetPlan, Error> {
    let rooted = Rooted::open(dir, selection)?;
    let interrupted = rooted.interrupted();
    let opened = rooted.read();
    let overwritten = selection.outputs.check_target(rooted.root.path(), opened.snapshot()).err();
    let made = opened.plan(desired);
    let managed = opened.managed(desired);
    let images = opened.looked(desired);
    let saved = save.then(|| saved_target(&Planned::new(made.clone(), desired, &opened), &selection.allow));
    let plan = judged(made, desired, &opened, Purpose::Looking, true, selection);
    let follow_up = planned_follow_up(desired, &plan, selection);
    let newly_ignored = newly_ignored(desired, &rooted.root);
    let touched = Touched::of(&plan, opened.snapshot(), rooted.root.path(), desired);
    Ok(TargetPlan {
        plan,
        folder: rooted.folder(),
        managed,
        follow_up,
        saved,
        newly_ignored,
        images,
        interrupted,
        touched,
        overwritten,
    })
}

/// Refuses results in files that the run would have read, if it ended before it got to every target.
///
/// # Errors
/// There is such a result.
pub fn check_outputs(documents: &Documents, selection: &Selection) -> Result<(), Error> {
    if selection.outputs.is_empty() {
        return Ok(());
    }
    let mut dirs = documents.with_targets().flat_map(|(_, dirs)| dirs);
    dirs.try_for_each(|dir| match Rooted::open(dir, selection) {
        Ok(rooted) => selection.outputs.check_target(rooted.root.path(), rooted.read().snapshot()),
        // Nothing of it can be read.
        Err(_) => Ok(()),
    })
}

/// Returns the warnings that the document silences and did not at the last apply. If that cannot be seen, all are new.
fn newly_ignored(desired: &DesiredState, root: &Root) -> Vec<Ignorable> {
    let ignored = desired.ignored();
    if ignored.is_empty() {
        return Vec::new();
    }
    let known = match root.history() {
        Ok(generations) => {
            let mut notes = generations.iter().rev().filter_map(Note::decode);
            match notes.find(|note| !note.documents.is_empty()) {
                Some(last) => last.ignored,
                None if generations.is_empty() => return Vec::new(),
                None => Vec::new(),
            }
        }
        Err(_) => Vec::new(),
    };
    let is_new = |one: &&Ignorable| !known.iter().any(|name| name == one.name());
    ignored.iter().filter(is_new).copied().collect()
}
