//! `kasm-db apply`

mod follow;
pub(crate) mod outcome;

use std::iter::repeat;

use commit::{Change, Root};
use render::{Plan, Snapshot, Source as _};

use self::outcome::{Standing as Done, failed, report, written};
use super::Whose;
use super::rollback::options;
use crate::args::{Apply, Global};
use crate::disk::Disk;
use crate::document::{Loaded, load_all};
use crate::exit::{Exit, Failure};
use crate::interrupt;
use crate::live::follow::FollowUp;
use crate::output::{Terminal, escape, human};
use crate::permissions;
use crate::recovery;
use crate::saved::again::{Again, again, look, refuse, stale};
use crate::saved::format::{PlanFile, SavedTarget, Selection};
use crate::saved::open::{For, open};
use crate::saved::{Planned, Standing, standing};
use crate::target::{Place, places};

/// Writes what the plan says: for each target all files or none.
pub(crate) fn run(args: &Apply, global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    super::check_allowed(global)?;
    match &args.plan {
        Some(path) => {
            let saved = open(path, For::Applying)?;
            let Again { loaded, global } = {
                let again = again(&saved, global)?;
                check_all(&saved, &again)?;
                again
            };
            all(args, Some(&saved), &[loaded], &global, terminal)
        }
        None => all(args, None, &valid(global, terminal)?, global, terminal),
    }
}

/// Reads all documents of a run, so that one with errors is known before anything is written.
fn valid(global: &Global, terminal: &Terminal) -> Result<Vec<Loaded>, Failure> {
    let mut all = Vec::new();
    let mut failures = Vec::new();
    for (named, loaded) in load_all(global)? {
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(failure) => {
                failures.push(failure);
                continue;
            }
        };
        let desired = loaded.reading.desired.as_ref();
        if !desired.is_some_and(|desired| super::is_for_others(&named, desired, global, terminal)) {
            all.push(loaded);
        }
    }
    if let Some(failure) = Failure::all(failures) {
        // What is wrong with the others is told with it.
        for loaded in &all {
            let _ = super::desired(loaded, terminal);
        }
        return Err(failure);
    }
    if all.is_empty() {
        return Err(super::no_targets());
    }
    Ok(all)
}

/// Refuses a saved plan of which one target is not as it was, before anything is written to another.
fn check_all(saved: &PlanFile, again: &Again) -> Result<(), Failure> {
    let places = again.places(saved)?.map_err(|changed| stale(&changed))?;
    let Some(desired) = &again.loaded.reading.desired else { return Ok(()) };
    let now = look(saved, &places, |place| {
        Ok(super::make_plan(desired, &place.target, &place.open()?, &again.global))
    })?;
    let mut changed = Vec::new();
    for (standing, _) in now {
        match standing {
            Standing::Stale(files) => changed.extend(files),
            other => refuse(other)?,
        }
    }
    if changed.is_empty() { Ok(()) } else { Err(stale(&changed)) }
}

fn all(
    args: &Apply,
    saved: Option<&PlanFile>,
    documents: &[Loaded],
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let desired: Vec<_> = documents.iter().map(|loaded| super::desired(loaded, terminal)).collect();
    if let Some(exit) = desired.iter().find_map(|desired| desired.as_ref().err()) {
        return Ok(*exit);
    }
    let mut places = Vec::new();
    for (loaded, desired) in documents.iter().zip(desired.into_iter().flatten()) {
        places.extend(
            self::places(desired, &loaded.folder, global)?.into_iter().map(|place| (loaded, desired, place)),
        );
    }
    let mut exit = Exit::Done;
    let mut ended = Vec::new();
    for (index, (_, desired, place)) in places.iter().enumerate() {
        let saved = saved.and_then(|saved| Some((saved.targets.get(index)?, &saved.selection)));
        let run = Run { desired, place, several: places.len() > 1, saved, args, global, terminal };
        let (standing, one) = match run.one() {
            Ok((standing, exit)) => (standing, exit),
            Err((standing, failure)) => {
                terminal.failure(&failure);
                (standing, failure.exit)
            }
        };
        ended.push(standing);
        exit = exit.worse(one);
        // The next target must not follow one that failed.
        if one != Exit::Done {
            break;
        }
    }
    if places.len() > 1 {
        let labels = places.iter().map(|(loaded, _, place)| {
            let (document, target) = (loaded.name.clone(), place.target.name.clone());
            Whose { document, target, several: documents.len() > 1 }.label()
        });
        terminal.result(&report(labels.zip(ended.into_iter().chain(repeat(Done::NotStarted)))))?;
    }
    Ok(exit)
}

/// One target of a run.
struct Run<'a> {
    desired: &'a model::DesiredState,
    place: &'a Place,
    several: bool,
    saved: Option<(&'a SavedTarget, &'a Selection)>,
    args: &'a Apply,
    global: &'a Global,
    terminal: &'a Terminal,
}

impl Run<'_> {
    fn one(&self) -> Result<(Done, Exit), (Done, Failure)> {
        let before = |failure: Failure| (Done::Failed, failure);
        let Run { desired, place, args, global, terminal, .. } = *self;
        interrupt::another();
        let root = place.open().map_err(before)?;
        if args.writing.dry_run
            && let Some(failure) = recovery::interrupted(&root)
        {
            return Err(before(failure));
        }
        // From here on nobody else applies: what is read now is what the plan is made from.
        let lock = recovery::lock(&root, global).map_err(before)?;
        if !args.writing.dry_run
            && let Some(text) = recovery::recover(&lock, &root).map_err(before)?
        {
            terminal.note(&text);
        }
        let planned = super::make_plan(desired, &place.target, &root, global);
        if self.standing(&planned).map_err(before)? == Standing::Applied {
            let text = format!("{}: already applied, nothing to do.\n", escape(&planned.folder));
            terminal.result(&text).map_err(before)?;
            return Ok((Done::Nothing, Exit::Done));
        }
        let plan = super::judged(&planned, &root, permissions::For::Applying, global);
        let Planned { snapshot, folder, .. } = planned;
        super::findings(&plan, self.several, terminal);
        terminal.result(&human::plan(&plan, &folder, global)).map_err(before)?;
        if plan.is_blocked() {
            self.say_what_to_allow(&plan);
            return Ok((Done::Refused, super::exit_of(&plan, false)));
        }
        if plan.is_empty() {
            // What follows may be missing all the same; who fails there has not failed on the files.
            let exit = self.settle(&lock, &root).map_err(|failure| (Done::Failed, failure))?;
            return Ok((Done::Nothing, exit));
        }
        let follow_up = self.follow_up(&plan, &root).map_err(before)?;
        let changes = changes(&plan);
        let mut options = options("apply", &changes, self.in_place(&plan));
        if args.writing.dry_run {
            lock.check(&changes, &options).map_err(|error| before(failed(&error, None)))?;
            terminal.note("Dry run: nothing was written.\n");
            return Ok((Done::Planned, Exit::Done));
        }
        if self.saved.is_none() && !args.writing.yes && !self.confirmed().map_err(before)? {
            terminal.note("Nothing was written.\n");
            return Ok((Done::Declined, Exit::Error));
        }
        self.unchanged(&snapshot, &root).map_err(before)?;
        let writing = interrupt::writing();
        options.follow_up = follow_up.as_ref().map(FollowUp::encode);
        let outcome = lock.commit_with(&changes, &options);
        if outcome.is_ok() {
            interrupt::changed(
                changes.iter().map(|change| root.path().join(&change.path).display().to_string()),
            );
            if let Some(record) = &follow_up {
                interrupt::next(Some(record.step.name()));
            }
        }
        let interrupted = writing.end(outcome.is_ok());
        let report = outcome.map_err(|error| before(failed(&error, interrupted.as_ref().err())))?;
        let after = |failure: Failure| (Done::Applied, failure);
        let mut exit = written(&plan, follow_up.is_none(), &root, &report, terminal).map_err(after)?;
        interrupted.map_err(after)?;
        if let Some(record) = follow_up {
            let followed = self.go_on(&lock, &root, record).map_err(|failure| match failure.exit {
                Exit::RolledBack => (Done::Failed, failure),
                _ => after(failure),
            })?;
            exit = exit.worse(followed);
        }
        Ok((Done::Applied, exit))
    }

    /// Tells how a saved plan stands; any other is fresh.
    fn standing(&self, planned: &Planned) -> Result<Standing, Failure> {
        let Some((saved, selection)) = self.saved else { return Ok(Standing::Fresh) };
        match standing(saved, planned, selection) {
            standing @ (Standing::Fresh | Standing::Applied) => Ok(standing),
            other => refuse(other).map(|()| Standing::Fresh),
        }
    }

    /// Overruling is a decision of whoever applies, and no file can make it for them.
    fn say_what_to_allow(&self, plan: &Plan) {
        let Some((_, selection)) = self.saved else { return };
        let mut names: Vec<_> = plan.blockers().map(|blocker| blocker.code.name()).collect();
        names.dedup();
        if names.iter().all(|name| selection.allow.iter().any(|allowed| allowed == name)) {
            let flags: Vec<_> = names.iter().map(|name| format!("--allow {name}")).collect();
            let flags = flags.join(" ");
            self.terminal
                .note(&format!("  = help: the plan was made with `{flags}`; to apply it, say so again\n"));
        }
    }

    fn confirmed(&self) -> Result<bool, Failure> {
        super::confirmed("Apply this?", "kasm-db apply --yes", self.global, self.terminal)
    }

    /// Reads everything once more that the plan was made from: somebody may have thought about the answer for
    /// an hour. The files that change are compared again where they are exchanged.
    fn unchanged(&self, snapshot: &Snapshot, root: &Root) -> Result<(), Failure> {
        let disk = Disk::new(root, self.global.root.as_deref());
        for (path, found) in snapshot.files() {
            if disk.read(path) != *found {
                let path = if path.starts_with('/') { path.into() } else { root.path().join(path) };
                let message = format!("{}: changed since the plan was made", path.display());
                return Err(Failure::new(Exit::Error, message).help("run it again: it plans anew"));
            }
        }
        Ok(())
    }
}

fn changes(plan: &Plan) -> Vec<Change> {
    let change = |file: &render::FileChange| Change {
        path: file.path.clone().into(),
        before: file.before.clone(),
        after: file.after.clone(),
    };
    plan.files.iter().map(change).collect()
}
