//! One target of a run: its checks in the first pass, its files and what follows them in the second.

use std::time::Duration;

use commit::Change;
use model::DesiredState;
use model::document::OnRemoval;
use render::{ChangeKind, FileChange, FileKind, Needs, Plan};

use super::end::End;
use super::inputs::Inputs;
use super::options::Options;
use crate::before_stop::Seen;
use crate::context::Context;
use crate::document::Document;
use crate::documents::TargetName;
use crate::error::{Error, FilesState};
use crate::follow_up::record::Record;
use crate::follow_up::{FollowUp, Step, planned_follow_up};
use crate::note::Note;
use crate::observer::Event;
use crate::opened::{Locked, Opened, Rooted};
use crate::outcome::Outcome;
use crate::permissions::Purpose;
use crate::planned::{Planned, judged, outcome_of};
use crate::ready::{Ready, Written, in_place};
use crate::saved::format::{SavedSelection, SavedTarget};
use crate::saved::{Standing, refuse, standing};
use crate::target_dir::TargetDir;
use crate::written_record::Sets;

/// One target of a run.
pub(super) struct Run<'a> {
    pub(super) name: &'a TargetName,
    pub(super) document: &'a Document,
    pub(super) desired: &'a DesiredState,
    pub(super) dir: &'a TargetDir,
    pub(super) several: bool,
    pub(super) saved: Option<(&'a SavedTarget, &'a SavedSelection)>,
    pub(super) options: &'a Options,
    pub(super) context: &'a Context<'a>,
}

/// What the first pass came to.
pub(super) struct Checked<'a> {
    /// What the target's plan was made from; nothing if there is none.
    pub(super) inputs: Inputs,
    /// What is to be done in the second pass.
    next: Next<'a>,
}

/// What is to be done in the second pass.
pub(super) enum Next<'a> {
    /// Its files are to be written. This is the plan of the only target; those of several are made again, so that memory
    /// does not grow with their number.
    Write {
        /// The plan.
        prepared: Option<Box<Prepared<'a>>>,
        /// Whether the database is stopped and started, as a reload does not reach it.
        restarts: bool,
        /// Whether images are pulled before.
        pulls: bool,
    },
    /// Its files are as they should be, and this is still to be done.
    Follow(Pending),
    /// Nothing: it has ended.
    Nothing(End, Outcome),
}

/// What is still to be done though no file changes.
pub(super) enum Pending {
    /// An earlier run began it.
    Begun(Box<Record>),
    /// The running server needs it.
    Needed(Box<Record>),
}

/// What was found of a target, before anything was said of it.
pub(super) enum Examined<'a> {
    /// Its saved plan was applied already; its folder.
    Applied(String),
    /// Its plan.
    Planned {
        /// As it holds for the run.
        plan: Box<Plan>,
        /// Where the target's folder is.
        folder: String,
        /// What the plan was made from.
        inputs: Inputs,
        /// The files as they were read, if what follows them is to be looked at.
        opened: Option<Box<Opened<'a>>>,
        /// What came of the checks before the first write, if they were made.
        checks: Option<Result<(), Error>>,
    },
}

/// The files of a target that were written, with the plan.
pub(super) struct Wrote {
    plan: Plan,
    written: Written,
}

/// A plan that was checked.
pub(super) struct Prepared<'a> {
    ready: Ready<'a>,
    plan: Plan,
}

impl Checked<'_> {
    /// Returns whether its files can be written.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.next, Next::Write { .. })
    }

    /// Returns whether nothing is to be done in the second pass.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.next, Next::Nothing(..))
    }

    /// Returns whether it keeps the others from being written.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.next, Next::Nothing(_, outcome) if outcome != Outcome::Done)
    }

    /// Returns how the target ends if there is no second pass: `end` is for one that was to be written.
    pub(super) fn ended(self, end: End) -> (End, Outcome) {
        let outcome = if end == End::Declined { Outcome::Failed } else { Outcome::Done };
        match self.next {
            Next::Nothing(end, outcome) => (end, outcome),
            Next::Follow(Pending::Begun(_)) => (End::NotStarted, Outcome::Done),
            Next::Write { .. } | Next::Follow(Pending::Needed(_)) => (end, outcome),
        }
    }
}

/// Works on a target, and closes the folder that was read from last: of many targets each would hold one open.
fn closing_last<T>(locked: &Locked<'_>, work: impl FnOnce() -> T) -> T {
    let result = work();
    locked.rooted.root.close_last();
    result
}

impl Run<'_> {
    /// Opens the folder.
    pub(super) fn open(&self) -> Result<Rooted, Error> {
        Rooted::open(self.dir, self.context.selection)
    }

    /// Acquires the lock, and recovers what an earlier run left.
    pub(super) fn lock<'l>(&self, rooted: &'l Rooted, timeout: Duration) -> Result<Locked<'l>, Error> {
        self.begin()?;
        rooted.lock_to_write(timeout, self.options.dry_run, self.context)
    }

    /// Reads and plans; says nothing, so that several targets can be examined side by side.
    ///
    /// # Errors
    /// The lock is not held, or the saved plan is stale.
    pub(super) fn examine<'l>(&self, locked: &'l Result<Locked<'l>, Error>) -> Result<Examined<'l>, Error> {
        let locked = locked.as_ref().map_err(Error::clone)?;
        closing_last(locked, || self.examine_locked(locked))
    }

    fn examine_locked<'l>(&self, locked: &'l Locked<'l>) -> Result<Examined<'l>, Error> {
        let opened = locked.rooted.read();
        let planned = Planned::new(opened.plan(self.desired), self.desired, &opened);
        if self.standing(&planned)? == Standing::Applied {
            return Ok(Examined::Applied(planned.folder));
        }
        let Planned { plan, snapshot, folder, .. } = planned;
        let selection = self.context.selection;
        let plan = judged(plan, self.desired, &opened, Purpose::Applying, self.goes_on(), selection);
        let inputs = Inputs::of(&snapshot, &plan, locked.rooted);
        let is_to_check = self.several && !self.goes_on() && !plan.is_blocked() && !plan.is_empty();
        let checks = is_to_check.then(|| self.ready(locked, &plan, false)?.check());
        let opened = self.goes_on().then(|| Box::new(opened));
        Ok(Examined::Planned { plan: Box::new(plan), folder, inputs, opened, checks })
    }

    /// Reports what was found, and checks the rest; writes nothing.
    pub(super) fn check<'l>(
        &self,
        locked: &'l Result<Locked<'l>, Error>,
        examined: Result<Examined<'l>, Error>,
    ) -> Checked<'l> {
        let mut inputs = Inputs::default();
        let begun = self.begin().and_then(|()| Ok((locked.as_ref().map_err(Error::clone)?, examined?)));
        let next = begun
            .and_then(|(locked, examined)| closing_last(locked, || self.next(locked, examined, &mut inputs)));
        let next = next.unwrap_or_else(|error| Next::Nothing(End::Failed, self.failed(error)));
        let checked = Checked { inputs, next };
        // There is nowhere left to say that this cannot be said.
        let _ = self.context.tell(Event::Looked { has_failed: checked.has_failed() });
        checked
    }

    fn next<'l>(
        &self,
        locked: &'l Locked<'l>,
        examined: Examined<'l>,
        inputs: &mut Inputs,
    ) -> Result<Next<'l>, Error> {
        let (mut plan, folder, found, opened, checks) = match examined {
            Examined::Planned { plan, folder, inputs, opened, checks } => {
                (*plan, folder, inputs, opened, checks)
            }
            Examined::Applied(folder) => {
                self.context.tell(Event::AlreadyApplied(&folder))?;
                return Ok(Next::Nothing(End::Nothing, Outcome::Done));
            }
        };
        let seen =
            opened.as_deref().map_or_else(|| Ok(Seen::default()), |opened| self.look_ahead(&plan, opened));
        let Seen { findings, also, stale, pulls, .. } = seen?;
        plan.findings.extend(findings);
        let restarts = stale.is_some() && plan.needs() == Needs::Reload;
        let follow_up = planned_follow_up(self.desired, &plan, self.context.selection);
        let follow_up = follow_up.map(|follow_up| match restarts {
            true => FollowUp::from(Step::Stop, self.desired, &plan.target.kind),
            false => follow_up,
        });
        let follow_up = follow_up.as_ref().filter(|_| !self.options.files_only && !self.options.no_restart);
        let label = self.name.label();
        let heading = self.several.then_some(label.as_str());
        self.context.tell(Event::Planned { plan: &plan, folder: &folder, heading, follow_up })?;
        if let Some(stale) = stale.filter(|_| restarts) {
            self.context.tell(Event::Stale(&stale))?;
        }
        self.context.tell(Event::Seen { findings: &[], also: &also })?;
        if let Some(newer) = locked.rooted.newer_tree() {
            self.context.tell(Event::NewerTree(&newer))?;
        }
        if plan.is_blocked() {
            self.say_what_to_allow(&plan)?;
            let outcome = outcome_of(&plan);
            let end = if outcome == Outcome::Refused { End::Refused } else { End::Failed };
            return Ok(Next::Nothing(end, outcome));
        }
        self.say_what_to_pull(&pulls)?;
        *inputs = found;
        if plan.is_empty() {
            return self.settle(locked, opened.as_deref());
        }
        let pulls = !pulls.is_empty();
        if let Some(checks) = checks {
            return checks.map(|()| Next::Write { prepared: None, restarts, pulls });
        }
        let ready = self.ready(locked, &plan, restarts)?;
        // The commit makes the same checks; here they come before a question, and before another target is written.
        if self.several || self.options.dry_run || self.may_ask() {
            ready.check()?;
        }
        let prepared = (!self.several).then(|| Box::new(Prepared { ready, plan }));
        Ok(Next::Write { prepared, restarts, pulls })
    }

    fn ready<'l>(&self, locked: &'l Locked<'l>, plan: &Plan, restarts: bool) -> Result<Ready<'l>, Error> {
        Ok(Ready {
            locked,
            what: "apply".into(),
            changes: plan.files.iter().map(change).collect(),
            in_place: self.options.in_place
                || !restarts && in_place(plan.needs(), plan.files.iter().map(|file| file.kind)),
            record: self.follow_up(plan, locked.rooted, restarts)?,
            note: Note::of(self.context).document(self.document).changes(&plan.changes),
            sets: sets(self.desired, plan),
        })
    }

    /// Returns whether somebody is asked before the second pass.
    pub(super) fn asks_before(&self, checked: &Checked<'_>) -> bool {
        let is_question = match checked.next {
            Next::Write { .. } => true,
            Next::Follow(Pending::Needed(_)) => !self.options.no_restart,
            Next::Follow(Pending::Begun(_)) | Next::Nothing(..) => false,
        };
        is_question && self.may_ask()
    }

    /// Returns whether somebody is asked if something is to be done.
    fn may_ask(&self) -> bool {
        self.saved.is_none() && !self.options.yes
    }

    /// Does what the first pass found to do. Returns how the target ended, and whether no other one may follow: a signal ends
    /// the run, and so does a result that cannot be written.
    pub(super) fn finish(&self, locked: &Locked<'_>, checked: Checked<'_>) -> ((End, Outcome), bool) {
        self.context.progress.another();
        let begun = self.begin().map_err(|error| (End::Failed, error));
        let do_next = || match checked.next {
            Next::Write { prepared, restarts, pulls } => {
                self.write(locked, &checked.inputs, prepared, restarts, pulls)
            }
            Next::Follow(pending) => {
                let followed = self.catch_up(locked, pending);
                followed.map(|outcome| (End::Nothing, outcome)).map_err(|error| (End::Failed, error))
            }
            Next::Nothing(end, outcome) => Ok((end, outcome)),
        };
        let finished = begun.and_then(|()| closing_last(locked, do_next));
        self.finished(finished)
    }

    /// Reports the error of a target that did not end well. Returns how the target ended, and whether no other one may follow.
    fn finished(&self, finished: Result<(End, Outcome), (End, Error)>) -> ((End, Outcome), bool) {
        match finished {
            Ok((end, outcome)) => ((end, outcome), outcome == Outcome::Interrupted),
            Err((end, error)) => {
                let is_over = error.kind == Outcome::Interrupted || error.is_of_result;
                ((end, self.failed(error)), is_over)
            }
        }
    }

    /// Returns whether nothing of this run comes before or after the files.
    pub(super) fn ends_with_files(&self, checked: &Checked<'_>) -> bool {
        !self.goes_on()
            && matches!(checked.next, Next::Write { prepared: None, restarts: false, pulls: false })
    }

    /// Writes the files of a target that ends with them; says nothing, so that several can be written side by side. `None` if
    /// a signal has ended the run before.
    pub(super) fn write_files(
        &self,
        locked: &Locked<'_>,
        checked: &Checked<'_>,
    ) -> Option<Result<Wrote, Error>> {
        if self.context.progress.interrupted().is_err() {
            return None;
        }
        closing_last(locked, || {
            let Prepared { ready, plan } = match self.planned_again(locked, &checked.inputs, false) {
                Ok(prepared) => prepared,
                Err(error) => return Some(Err(error)),
            };
            // The signal is said with whatever is reported next.
            let writing = self.context.progress.writing_target().ok()?;
            Some(ready.write(writing, self.context).map(|written| Wrote { plan, written }))
        })
    }

    /// Reports what was written, and the signal that ends the run. Returns as [`Run::finish`] does.
    pub(super) fn report(
        &self,
        wrote: Result<Wrote, Error>,
        interrupted: Option<Error>,
    ) -> ((End, Outcome), bool) {
        self.context.progress.another();
        let begun = self.begin().map_err(|error| (End::Failed, error));
        let told = begun.and_then(|()| {
            let Wrote { plan, written } = wrote.map_err(|error| (End::Failed, error))?;
            self.tell_of(&plan, &written)?;
            // One target says it for all who wrote; the others have all that was to be done.
            interrupted
                .map_or_else(|| Ok((End::Applied, written.outcome())), |error| Err((End::Applied, error)))
        });
        self.finished(told)
    }

    /// Reports the signal that ends the run before the target is begun.
    pub(super) fn interrupted(&self, error: Error) -> (End, Outcome) {
        let error = self.begin().err().unwrap_or(error);
        self.finished(Err((End::NotStarted, error))).0
    }

    /// Reports how the target ended, and returns it.
    pub(super) fn end(&self, (end, outcome): (End, Outcome)) -> (End, Outcome) {
        // There is nowhere left to say that this cannot be said.
        let _ = self.context.tell(Event::Ended { target: self.name, end, outcome });
        (end, outcome)
    }

    /// Reports that what follows is about this target.
    fn begin(&self) -> Result<(), Error> {
        self.context.tell(Event::Target(Some(self.name)))
    }

    fn failed(&self, error: Error) -> Outcome {
        self.context.failed(&error.of(&self.name.document, Some(&self.name.target)))
    }

    /// Writes the files, and does what follows.
    fn write(
        &self,
        locked: &Locked<'_>,
        inputs: &Inputs,
        prepared: Option<Box<Prepared<'_>>>,
        restarts: bool,
        pulls: bool,
    ) -> Result<(End, Outcome), (End, Error)> {
        let before = |error: Error| (End::Failed, error);
        // Somebody may have thought about the answer for an hour. The files that change are compared again where they are
        // exchanged.
        let prepared = match prepared {
            Some(prepared) => {
                inputs.check(&locked.rooted.disk()).map_err(before)?;
                *prepared
            }
            None => self.planned_again(locked, inputs, restarts).map_err(before)?,
        };
        let Prepared { ready, plan } = prepared;
        if pulls {
            let seen = self.pull(&plan, &locked.rooted.read(), restarts).map_err(before)?;
            if seen.is_blocked() {
                let seen = Event::Seen { findings: &seen.findings, also: &[] };
                self.context.tell(seen).map_err(before)?;
                return Ok((End::Refused, Outcome::Refused));
            }
        }
        let written =
            self.context.progress.writing_target().and_then(|writing| ready.write(writing, self.context));
        let written = written.map_err(before)?;
        let after = |error: Error| (End::Applied, error);
        self.tell_of(&plan, &written)?;
        if let Some(record) = &written.record {
            self.context.tell(Event::Next(Some(record.follow_up.step))).map_err(after)?;
        }
        let mut outcome = written.outcome();
        written.interrupted.map_err(after)?;
        if let Some(record) = written.record {
            let opened = locked.rooted.read();
            let followed = self.go_on(locked, &opened, record, false).map_err(|error| match error.state {
                FilesState::RolledBack => before(error),
                _ => after(error),
            })?;
            outcome = outcome.worse(followed);
        }
        Ok((End::Applied, outcome))
    }

    /// Plans once more: the plans of several targets are not kept.
    ///
    /// # Errors
    /// Something that the plan was made from has changed since.
    fn planned_again<'l>(
        &self,
        locked: &'l Locked<'l>,
        inputs: &Inputs,
        restarts: bool,
    ) -> Result<Prepared<'l>, Error> {
        let opened = locked.rooted.read();
        inputs.check(opened.snapshot())?;
        let (plan, selection) = (opened.plan(self.desired), self.context.selection);
        let plan = judged(plan, self.desired, &opened, Purpose::Applying, self.goes_on(), selection);
        Ok(Prepared { ready: self.ready(locked, &plan, restarts)?, plan })
    }

    fn tell_of(&self, plan: &Plan, written: &Written) -> Result<(), (End, Error)> {
        let (is_all, report) = (written.record.is_none(), &written.report);
        let told = self.context.tell(Event::Applied { plan, root: &written.root, is_all, report });
        told.map_err(|error| (End::Applied, error.after_files()))
    }

    /// Returns how a saved plan stands; any other is fresh.
    fn standing(&self, planned: &Planned) -> Result<Standing, Error> {
        self.saved
            .map_or(Ok(Standing::Fresh), |(saved, selection)| refuse(standing(saved, planned, selection)))
    }

    /// To allow a blocker is a decision of whoever applies, and no file can make it for them.
    fn say_what_to_allow(&self, plan: &Plan) -> Result<(), Error> {
        let Some((_, selection)) = self.saved else { return Ok(()) };
        let mut names: Vec<_> = plan.blockers().map(|blocker| blocker.code.name()).collect();
        names.dedup();
        if names.iter().all(|name| selection.allow.iter().any(|allowed| allowed == name)) {
            self.context.tell(Event::AllowAgain(&names))?;
        }
        Ok(())
    }
}

/// Returns what the record of what is set is to know of a plan.
fn sets(desired: &DesiredState, plan: &Plan) -> Sets {
    let image = |path: &str| {
        let mut images = plan.changes.iter().filter(|change| change.kind() == ChangeKind::Image);
        let first = images.clone().next();
        images.find(|change| change.path == path).or(first).map(|change| change.subject.clone())
    };
    let file = |file: &FileChange| {
        let image = (file.kind == FileKind::Compose).then(|| image(&file.path)).flatten();
        (file.path.clone(), (file.kind, image))
    };
    Sets {
        keep: desired.on_removal().map(|on_removal| on_removal == OnRemoval::Keep),
        files: plan.files.iter().map(file).collect(),
        restored: plan.restored.clone(),
    }
}

fn change(file: &FileChange) -> Change {
    Change { path: file.path.clone().into(), before: file.before.to_vec(), after: file.after.to_vec() }
}
