//! What follows the files: whether the database is stopped and started, reloads, or is left alone.

use live::{Check, Remedy};
use render::{Needs, ObservedState, Plan, observe};

use super::end::End;
use super::run::{Next, Pending, Run};
use crate::before_stop::{BeforeStop, Seen, ToPull};
use crate::error::Error;
use crate::follow_up::record::{Record, last, pending};
use crate::follow_up::runner::Runner;
use crate::follow_up::{Step, first_step, is_followed};
use crate::observer::Event;
use crate::opened::{Locked, Opened, Rooted};
use crate::outcome::Outcome;
use crate::overlaid::Overlaid;
use crate::verify::{Looked, Options, Proof, settled};

impl Run<'_> {
    /// Returns whether this run does more than write files.
    pub(super) fn goes_on(&self) -> bool {
        !self.options.files_only && is_followed(self.desired, &self.dir.target.kind, self.context.selection)
    }

    /// Returns what is to follow the files of a plan; checked before anything is written. `restarts` tells that a reload does
    /// not reach the server.
    ///
    /// # Errors
    /// There is no command to stop or start with, or what an earlier run left cannot be read.
    pub(super) fn follow_up(
        &self,
        plan: &Plan,
        rooted: &Rooted,
        restarts: bool,
    ) -> Result<Option<Record>, Error> {
        if !self.goes_on() {
            return Ok(None);
        }
        let needs = if restarts { plan.needs().max(Needs::Restart) } else { plan.needs() };
        let left = pending(&rooted.root)?;
        match first_step(needs, left.as_ref().map(|left| left.follow_up.step)) {
            Some(step) if needs != Needs::Nothing || step == Step::Stop => {
                let record = self.record(step, rooted)?;
                // The database did not come up yet on the files of an apply that is not finished: those before it are the
                // ones to go back to.
                let left = left.filter(|left| left.follow_up.step.comes_up());
                Ok(Some(left.map_or(record.clone(), |left| self.keep_way_back(&left, record))))
            }
            // What the record says may be of another document.
            _ => left.map(|left| self.resumed(&left, left.generation, rooted)).transpose(),
        }
    }

    /// Keeps the way back of an apply that is continued, or gives it the one that is asked for now.
    fn keep_way_back(&self, left: &Record, record: Record) -> Record {
        let back_to = left.back_to.or(left.before.filter(|_| self.options.rollback_on_failure));
        Record { back_to, before: left.before, ..record }
    }

    /// Writes down what is to be done from a step on.
    fn record(&self, step: Step, rooted: &Rooted) -> Result<Record, Error> {
        let record = Record::new(step, (self.document, self.desired), rooted, self.context)?;
        let before = record.generation;
        let back_to = before.filter(|_| self.options.rollback_on_failure);
        Ok(Record { sslmode: self.options.sslmode, back_to, before, ..record })
    }

    /// Does what follows, and looks at what came of it. `opened` is what is there now.
    pub(super) fn go_on(
        &self,
        locked: &Locked<'_>,
        opened: &Opened<'_>,
        record: Record,
        is_resumed: bool,
    ) -> Result<Outcome, Error> {
        if self.options.no_restart {
            self.context.tell(Event::Left(record.follow_up.step))?;
            return Ok(Outcome::Unfinished);
        }
        opened.learn_secrets(&self.context.environment, self.context.scrubber());
        let sslmode = record.sslmode;
        Runner { locked, context: self.context, is_resumed }.run(record)?;
        let options = Options { sslmode, proof: Proof::Statements };
        settled(self.context, || opened.look(self.desired, options, &self.context.caller()))
    }

    /// Looks, as the files are as they should be, for what an earlier run left, and for what the server itself needs to do
    /// as they say; or else returns how the target ends.
    /// `opened` is what was read, if that is to be looked at.
    pub(super) fn settle(
        &self,
        locked: &Locked<'_>,
        opened: Option<&Opened<'_>>,
    ) -> Result<Next<'static>, Error> {
        let ended = |outcome| Ok(Next::Nothing(End::Nothing, outcome));
        let left = pending(&locked.rooted.root)?;
        let Some(opened) = opened.filter(|_| !self.options.dry_run) else {
            let Some(record) = left else { return ended(Outcome::Done) };
            self.context.tell(Event::Unfinished(record.follow_up.step))?;
            return ended(Outcome::Unfinished);
        };
        if let Some(record) = left {
            return Ok(Next::Follow(Pending::Begun(Box::new(record))));
        }
        opened.learn_secrets(&self.context.environment, self.context.scrubber());
        let options = Options { sslmode: self.options.sslmode, proof: Proof::None };
        let checks = match opened.look(self.desired, options, &self.context.caller()) {
            Looked::Not(_) => return ended(Outcome::Done),
            Looked::Checked(checks) => checks,
        };
        self.context.tell(Event::Checked(&checks))?;
        let step = match checks.iter().filter_map(Check::remedy).max() {
            Some(Remedy::Restart) => Step::Stop,
            Some(Remedy::Reload) => Step::Reload,
            Some(Remedy::Extension) => Step::Extension,
            Some(Remedy::Hand) => return ended(Outcome::Unfinished),
            None => return ended(Outcome::Done),
        };
        self.context.tell(Event::Lags(step))?;
        let record = self.record(step, locked.rooted)?;
        if step == Step::Stop {
            let seen = BeforeStop::of(&record, locked.rooted, self.context).look_for(step, &opened.observed);
            self.context.tell(Event::Seen { findings: &seen.findings, also: &seen.also })?;
            if seen.is_blocked() {
                return Ok(Next::Nothing(End::Refused, Outcome::Refused));
            }
            self.say_what_to_pull(&seen.pulls)?;
        }
        Ok(Next::Follow(Pending::Needed(Box::new(record))))
    }

    /// Looks, before anything is written, whether the server would do as the files will say: nothing is seen if this run
    /// neither stops it nor lets it reload.
    pub(super) fn look_ahead(&self, plan: &Plan, opened: &Opened<'_>) -> Result<Seen, Error> {
        if !self.goes_on() || self.options.no_restart || plan.is_blocked() || plan.is_empty() {
            return Ok(Seen::default());
        }
        let seen =
            self.with_files_of(plan, opened, false, |before, step, after| Ok(before.look_for(step, after)))?;
        Ok(seen.unwrap_or_default())
    }

    /// Pulls the images that the database is to be started from; nothing is written yet.
    pub(super) fn pull(&self, plan: &Plan, opened: &Opened<'_>, restarts: bool) -> Result<Seen, Error> {
        let pulled = self.with_files_of(plan, opened, restarts, |before, step, after| {
            before.pull(before.look_for(step, after), after)
        })?;
        Ok(pulled.unwrap_or_default())
    }

    /// Runs `look` on the database before the first step after the files of a plan, with these files; returns nothing if no step follows.
    fn with_files_of<T>(
        &self,
        plan: &Plan,
        opened: &Opened<'_>,
        restarts: bool,
        look: impl FnOnce(&BeforeStop<'_>, Step, &ObservedState) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let Some(record) = self.follow_up(plan, opened.rooted, restarts)? else { return Ok(None) };
        opened.learn_secrets(&self.context.environment, self.context.scrubber());
        let files = plan.files.iter().map(|file| (file.path.as_str(), file.after.clone())).collect();
        let after = observe(&opened.rooted.target, &Overlaid { files, others: &opened.source() });
        let before = BeforeStop::of(&record, opened.rooted, self.context);
        look(&before, record.follow_up.step, &after).map(Some)
    }

    /// Reports which images are to be pulled.
    pub(super) fn say_what_to_pull(&self, seen: &[ToPull]) -> Result<(), Error> {
        let images: Vec<_> = seen.iter().map(|pull| pull.shown.as_str()).collect();
        if images.is_empty() { Ok(()) } else { self.context.tell(Event::ToPull(&images)) }
    }

    /// Returns what an earlier run left, as the document says it now: what kept it from its end may have been fixed there.
    fn resumed(&self, left: &Record, generation: Option<u64>, rooted: &Rooted) -> Result<Record, Error> {
        let now = self.record(left.follow_up.step, rooted)?;
        let now = self.keep_way_back(left, now);
        Ok(Record { generation, sslmode: now.sslmode.or(left.sslmode), ..now })
    }

    /// Does what is still to be done though no file was to be written.
    pub(super) fn catch_up(&self, locked: &Locked<'_>, pending: Pending) -> Result<Outcome, Error> {
        // Another target of this folder may have been written since.
        let generation = Some(last(&locked.rooted.root)?);
        let (record, is_resumed) = match pending {
            Pending::Begun(left) => {
                self.context.tell(Event::Resumed(left.follow_up.step))?;
                (self.resumed(&left, generation, locked.rooted).map_err(Error::not_done)?, true)
            }
            Pending::Needed(record) => (Record { generation, ..*record }, false),
        };
        if !self.options.no_restart {
            locked.lock.set_follow_up(&record.encode()).map_err(|error| Error::from(&error))?;
        }
        self.go_on(locked, &locked.rooted.read(), record, is_resumed)
    }
}
