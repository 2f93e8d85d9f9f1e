//! A line on standard error that shows how far a run over many targets is, for whoever waits at a terminal.
//!
//! Only a terminal gets it, and only if results do not go there as well: they show how far the run is, and the line would be
//! between them.

use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use ops::apply::End;
use ops::{Event, Outcome};

const TEMPLATE: &str = "{pos}/{len} targets, {rate}, {msg}, {eta} left";

/// The line. Whoever writes to standard error takes it away first.
#[derive(Default)]
pub(crate) struct Bar(Mutex<Line>);

#[derive(Default)]
struct Line {
    is_wanted: bool,
    /// How many targets there are.
    targets: usize,
    failed: usize,
    shown: Option<ProgressBar>,
}

impl Bar {
    /// Decides whether this run shows the line.
    pub(super) fn want(&self, is_wanted: bool) {
        self.line().is_wanted = is_wanted;
    }

    /// Shows the line for so many targets, if it is wanted and they are several.
    pub(crate) fn begin(&self, targets: usize) {
        let mut line = self.line();
        line.targets = targets;
        line.begin();
    }

    /// Shows that one more target is done.
    pub(crate) fn step(&self, has_failed: bool) {
        self.line().step(has_failed);
    }

    /// Takes the line away for good.
    pub(crate) fn end(&self) {
        // A run that broke while the line was drawn must still come to its end.
        if let Ok(mut line) = self.0.try_lock() {
            line.end();
        }
    }

    /// Follows an apply: the first pass over all targets, and then the second one.
    pub(super) fn event(&self, event: &Event<'_>) {
        match event {
            Event::Targets(targets) => self.begin(targets.len()),
            Event::Looked { has_failed } => self.step(*has_failed),
            // Between the passes somebody may be asked.
            Event::Target(None) => self.end(),
            Event::Target(Some(_)) => self.line().begin(),
            Event::Ended { end, outcome, .. } => {
                let has_failed = matches!(end, End::Failed | End::Refused);
                self.step(has_failed || !matches!(outcome, Outcome::Done | Outcome::Unfinished));
            }
            _ => {}
        }
    }

    /// Takes the line away while something is written to standard error.
    pub(super) fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        // Another thread may write, perhaps to a terminal that takes nothing: it must not keep this one from saying why it ends.
        let line = self.0.try_lock().ok();
        match line.as_ref().and_then(|line| line.shown.as_ref()) {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Shows the line, unless it is shown already or not wanted.
    fn begin(&mut self) {
        if !self.is_wanted || self.targets < 2 || self.shown.is_some() {
            return;
        }
        let Ok(style) = ProgressStyle::with_template(TEMPLATE) else { return };
        let rate = |state: &ProgressState, out: &mut dyn Write| {
            let _ = write!(out, "{:.0} a second", state.per_sec());
        };
        let length = u64::try_from(self.targets).ok();
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
        bar.set_style(style.with_key("rate", rate));
        self.failed = 0;
        bar.set_message("0 failed");
        bar.tick();
        self.shown = Some(bar);
    }

    fn step(&mut self, has_failed: bool) {
        let Some(bar) = &self.shown else { return };
        if has_failed {
            self.failed += 1;
            bar.set_message(format!("{} failed", self.failed));
        }
        bar.inc(1);
    }

    fn end(&mut self) {
        if let Some(bar) = self.shown.take() {
            bar.finish_and_clear();
        }
    }
}
