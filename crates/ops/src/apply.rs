//! Applying, in two passes: the first checks every target and writes nothing, and the second writes each target, all files of
//! it or none, and does what follows them.

mod end;
mod follow_up;
mod inputs;
mod options;
mod run;
mod second_pass;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

pub use self::end::End;
pub use self::options::Options;
use self::run::{Checked, Run};
use self::second_pass::Item;
use crate::context::Context;
use crate::documents::{Declared, Documents, TargetName};
use crate::each::each;
use crate::error::{Error, FilesState};
use crate::observer::{Event, Question};
use crate::open_files;
use crate::opened::{Locked, Rooted};
use crate::outcome::Outcome;
use crate::overlap::{self, Overlaps};
use crate::saved::format::PlanFile;
use crate::saved::{Reread, Standing, of_target, refuse, stale};
use crate::trust::check_choice;

/// What came of an apply.
#[derive(Debug)]
pub struct Applied {
    /// How the run ended.
    pub outcome: Outcome,
    /// How each target ended, in the order of the documents.
    pub targets: Vec<(TargetName, End)>,
}

/// Applies documents. If a target fails in the first pass, nothing is written, unless it is to be left out. If one fails
/// in the second, nothing is written to those after it, unless so many may fail.
///
/// # Errors
/// A document cannot be read or is not valid, or none names a target: then nothing was written. Errors of a target are
/// events, and in what is returned.
pub fn apply(documents: &Documents, options: &Options, context: &Context<'_>) -> Result<Applied, Error> {
    let targets = documents.every_target()?;
    require_open_files(&targets)?;
    Ok(all(targets, None, options, context))
}

/// Applies a saved plan, or nothing if it is not what its document and files lead to now.
///
/// Everything that a plan file says is derived again, except which documents it is of. So that whoever writes a plan file
/// can name no document of their own, those must be ones which nobody but root and the caller could have written, unless
/// the selection names them.
///
/// # Errors
/// The plan is stale, or its document cannot be read, or is somebody else's.
pub fn apply_saved(
    saved: &PlanFile,
    reread: Reread,
    options: &Options,
    context: &Context<'_>,
    see: impl FnOnce(&Documents),
) -> Result<Applied, Error> {
    if reread.is_plans_choice {
        reread.documents.iter().try_for_each(check_choice)?;
    }
    // One target that is not as it was refuses the plan before anything is written to another.
    let (mut changed, mut targets) = (Vec::new(), saved.targets());
    let compare = |standing, _| {
        match (standing, targets.next()) {
            (Standing::Stale(files), Some((plan, target))) => {
                changed.extend(of_target(&files, plan, target, saved));
            }
            (other, _) => drop(refuse(other)?),
        }
        Ok(())
    };
    reread.plan(saved, compare)?.map_err(|changed| stale(&changed))?;
    if !changed.is_empty() {
        return Err(stale(&changed));
    }
    let Reread { documents, selection, .. } = reread;
    let documents = Documents::of(documents, &selection)?;
    see(&documents);
    let targets = documents.every_target()?;
    require_open_files(&targets)?;
    Ok(all(targets, Some(saved), options, &context.with(&selection)))
}

fn require_open_files(targets: &[Declared<'_>]) -> Result<(), Error> {
    open_files::require(targets.iter().map(|target| target.dir.folder.as_path()))
}

fn all(
    targets: Vec<Declared<'_>>,
    saved: Option<&PlanFile>,
    options: &Options,
    context: &Context<'_>,
) -> Applied {
    let several = targets.len() > 1;
    let saved: Vec<_> = saved
        .into_iter()
        .flat_map(|file| file.targets().map(move |(_, target)| (target, &file.selection)))
        .collect();
    let runs: Vec<_> = targets
        .iter()
        .enumerate()
        .map(|(index, Declared { name, document, desired, dir })| {
            let saved = saved.get(index).copied();
            Run { name, document, desired, dir, several, saved, options, context }
        })
        .collect();
    let names: Vec<_> = runs.iter().map(|run| run.name).collect();
    let _ = context.tell(Event::Targets(&names));
    // From here to the end nobody else applies to any of them: what is read now is what the plans are made from.
    let rooted: Vec<_> = runs.iter().map(Run::open).collect();
    let locked = lock(&runs, &rooted);
    let checked = check(&runs, &locked, context);
    // From here on it is about all of them, until a target begins again.
    let decided = context.tell(Event::Target(None)).and_then(|()| decide(&runs, &checked, options, context));
    let each = runs.iter().zip(checked).zip(&locked);
    let mut broken = Outcome::Done;
    let ends: Vec<_> = match decided {
        Ok(None) => {
            let item = |((run, checked), locked)| Item { run, checked, locked };
            second_pass::write(each.map(item).collect(), options, context)
        }
        Ok(Some(end)) => each.map(|((run, checked), _)| run.end(checked.ended(end))).collect(),
        Err(error) => {
            broken = context.failed(&error);
            each.map(|((run, checked), _)| run.end(checked.ended(End::NotStarted))).collect()
        }
    };
    // There is nowhere left to say that this cannot be said.
    let _ = context.tell(Event::Target(None));
    let outcome = ends.iter().fold(broken, |worst, (_, outcome)| worst.worse(*outcome));
    let names = targets.into_iter().map(|declared| declared.name);
    let targets: Vec<_> = names.zip(ends.into_iter().map(|(end, _)| end)).collect();
    let Some(error) = partly_applied(&targets) else { return Applied { outcome, targets } };
    let worst = outcome.worse(error.kind);
    // What is worse has been said already, with what to do about it.
    let outcome = if worst == error.kind { context.failed(&error) } else { worst };
    Applied { outcome, targets }
}

/// Locks each folder once, whatever the number of its targets; in the order of the folders, so that two runs over the same
/// ones, in whatever order, never wait for each other.
fn lock<'a>(runs: &[Run<'_>], rooted: &'a [Result<Rooted, Error>]) -> Vec<Result<Locked<'a>, Error>> {
    let mut folders: BTreeMap<String, (&Run<'_>, &'a Rooted)> = BTreeMap::new();
    for (run, rooted) in runs.iter().zip(rooted) {
        if let Ok(rooted) = rooted {
            folders.entry(rooted.folder()).or_insert((run, rooted));
        }
    }
    let mut timeout = None;
    let lock = |(folder, (run, rooted)): (String, (&Run<'_>, &'a Rooted))| {
        let locked = run.lock(rooted, timeout.unwrap_or(run.context.selection.lock_timeout));
        // Whoever holds one may hold all of them: to wait for each would take as many times as long.
        if locked.as_ref().is_err_and(|error| error.kind == Outcome::Locked) {
            timeout = Some(Duration::ZERO);
        }
        (folder, locked)
    };
    let held: BTreeMap<_, _> = folders.into_iter().map(lock).collect();
    let each = rooted.iter().map(|rooted| {
        let rooted = rooted.as_ref().map_err(Error::clone)?;
        held[&rooted.folder()].as_ref().map(|locked| locked.with(rooted)).map_err(Error::clone)
    });
    each.collect()
}

/// Performs the first pass: targets are examined side by side, and each is reported when those before it are.
fn check<'a>(
    runs: &'a [Run<'a>],
    locked: &'a [Result<Locked<'a>, Error>],
    context: &Context<'_>,
) -> Vec<Checked<'a>> {
    let mut checked = Vec::with_capacity(runs.len());
    let examine =
        |(run, locked): (&'a Run<'a>, &'a Result<Locked<'a>, Error>)| (run, locked, run.examine(locked));
    let report = |(run, locked, examined): (&'a Run<'a>, &'a Result<Locked<'a>, Error>, _)| {
        checked.push(run.check(locked, examined));
        Ok::<(), Infallible>(())
    };
    let Ok(()) = each(context.selection.jobs_for(runs.len()), runs.iter().zip(locked), examine, report);
    checked
}

/// Returns the error of two targets of which one changes a file that the plan of the other one was made from.
fn collision(runs: &[Run<'_>], checked: &[Checked<'_>]) -> Option<Error> {
    let mut overlaps = Overlaps::default();
    let message = runs
        .iter()
        .zip(checked)
        .find_map(|(run, checked)| overlaps.add(run.name.label(), &checked.inputs.touched()))?;
    Some(Error::new(Outcome::Refused, message).help(overlap::HELP))
}

/// Decides between the passes: `None` lets the second one begin, and otherwise this is how the targets end that could be
/// written.
fn decide(
    runs: &[Run<'_>],
    checked: &[Checked<'_>],
    options: &Options,
    context: &Context<'_>,
) -> Result<Option<End>, Error> {
    let failed: Vec<_> = runs.iter().zip(checked).filter(|(_, checked)| checked.has_failed()).collect();
    let is_any_ready = checked.iter().any(Checked::is_ready);
    if !failed.is_empty() {
        if !options.keep_going {
            return Ok(Some(End::NotStarted));
        }
        if let Some(allowed) = options.max_failures.filter(|allowed| failed.len() > *allowed) {
            let failed = failed.len();
            context.tell(Event::TooManyFailed { failed, allowed, is_second_pass: false })?;
            return Ok(Some(End::NotStarted));
        }
        let names: Vec<_> = failed.iter().map(|(run, _)| run.dir.target.name.as_str()).collect();
        context.tell(Event::LeftOut(&names))?;
    }
    if let Some(error) = collision(runs, checked) {
        return Err(error);
    }
    let ready = || runs.iter().zip(checked).filter(|(_, checked)| checked.is_ready());
    if let Some(most) = ready().map(|(_, checked)| checked.inputs.changed()).max() {
        let folders = ready().map(|(run, _)| run.dir.folder.as_path());
        open_files::require_to_write(folders, most)?;
    }
    if options.dry_run {
        if is_any_ready {
            context.tell(Event::DryRun)?;
        }
        return Ok(Some(End::Planned));
    }
    let asking = runs.iter().zip(checked).filter(|(run, checked)| run.asks_before(checked)).count();
    if asking == 0 || context.confirm(Question::Apply { targets: asking })? {
        return Ok(None);
    }
    context.tell(if is_any_ready { Event::Declined } else { Event::NotFollowed })?;
    Ok(Some(End::Declined))
}

/// Returns the error of a run that stopped when some of its targets were written.
fn partly_applied(targets: &[(TargetName, End)]) -> Option<Error> {
    let written = targets.iter().filter(|(_, end)| *end == End::Applied).count();
    let is_over = |end| matches!(end, End::Applied | End::Nothing | End::Planned);
    if written == 0 || targets.iter().all(|(_, end)| is_over(*end)) {
        return None;
    }
    let list: String =
        targets.iter().map(|(name, end)| format!("\n  {}: {}", name.label(), end.words())).collect();
    let message = format!("partly applied: {written} of {} targets written{list}", targets.len());
    let help = "fix the error above, then run the same command again: it continues with the other targets";
    Some(Error::new(Outcome::PartlyApplied, message).help(help).state(FilesState::PartlyApplied))
}
