//! The second pass: targets whose files are all there is to do are written side by side, and any other by itself, in the order
//! of the documents.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::end::End;
use super::options::Options;
use super::run::{Checked, Run, Wrote};
use crate::context::Context;
use crate::each::each;
use crate::error::Error;
use crate::observer::Event;
use crate::open_files::room_for_writers;
use crate::opened::Locked;
use crate::outcome::Outcome;

/// A target with what the first pass came to.
pub(super) struct Item<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) checked: Checked<'a>,
    pub(super) locked: &'a Result<Locked<'a>, Error>,
}

/// Writes the targets: none is begun once one has failed, unless so many may fail. Those that were begun by then are ended.
pub(super) fn write(items: Vec<Item<'_>>, options: &Options, context: &Context<'_>) -> Vec<(End, Outcome)> {
    let failed = items.iter().filter(|item| item.checked.has_failed()).count();
    let pass = Pass {
        options,
        context,
        failed: AtomicUsize::new(failed),
        stopped: AtomicBool::new(false),
        is_told: AtomicBool::new(false),
        is_interrupted: AtomicBool::new(false),
    };
    let mut ends = Vec::with_capacity(items.len());
    let mut items = items.into_iter().peekable();
    while let Some(item) = items.next() {
        if !item.is_files_alone() {
            ends.push(pass.by_itself(item));
            continue;
        }
        let mut folders: HashSet<_> = item.folder().into_iter().collect();
        let mut side_by_side = vec![item];
        // Two targets of one folder have one history, and the order of its generations is that of the targets.
        let fits = |item: &Item<'_>| {
            item.is_files_alone() && item.folder().is_none_or(|folder| folders.insert(folder))
        };
        side_by_side.extend(std::iter::from_fn({
            let (mut fits, items) = (fits, &mut items);
            move || items.next_if(|item| fits(item))
        }));
        ends.extend(pass.side_by_side(side_by_side));
    }
    ends
}

/// What all threads of the pass know.
struct Pass<'a> {
    options: &'a Options,
    context: &'a Context<'a>,
    /// How many targets failed so far, in both passes.
    failed: AtomicUsize,
    /// Whether nothing more is begun.
    stopped: AtomicBool,
    /// Whether it was said that too many failed.
    is_told: AtomicBool,
    /// Whether it was said that a signal ends the run.
    is_interrupted: AtomicBool,
}

impl Item<'_> {
    /// Returns whether nothing but files is to be written, or nothing at all.
    fn is_files_alone(&self) -> bool {
        self.checked.has_ended() || self.checked.is_ready() && self.run.ends_with_files(&self.checked)
    }

    /// Returns the folder that is to be written to.
    fn folder(&self) -> Option<String> {
        let locked = self.locked.as_ref().ok().filter(|_| !self.checked.has_ended());
        locked.map(|locked| locked.rooted.folder())
    }
}

impl Pass<'_> {
    /// How many targets may fail.
    fn allowed(&self) -> Option<usize> {
        self.options.max_failures.filter(|_| self.options.keep_going)
    }

    /// Learns how a target ended; `is_over` tells that no other one may follow, however many may fail.
    fn ended(&self, outcome: Outcome, is_over: bool) {
        // What is left by choice is not a failure.
        let is_left = self.options.no_restart && outcome == Outcome::Unfinished;
        let has_failed = outcome != Outcome::Done && !is_left;
        let failed =
            self.failed.fetch_add(usize::from(has_failed), Ordering::SeqCst) + usize::from(has_failed);
        let is_too_much = has_failed && self.allowed().is_none_or(|allowed| failed > allowed);
        if is_over || is_too_much {
            self.stopped.store(true, Ordering::SeqCst);
        }
    }

    /// Returns the error of a signal, once: it names the files of all who wrote when it came.
    fn interruption(&self) -> Option<Error> {
        let error = self.context.progress.interrupted().err()?;
        let is_said = self.is_interrupted.swap(true, Ordering::SeqCst);
        (!is_said).then(|| self.context.progress.all_written().err().unwrap_or(error))
    }

    fn has_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Reports a target that ended in the first pass, or is not begun.
    fn not_begun(&self, run: &Run<'_>, checked: Checked<'_>) -> (End, Outcome) {
        let failed = self.failed.load(Ordering::SeqCst);
        let too_many = self.allowed().filter(|allowed| failed > *allowed && !checked.has_ended());
        if let Some(allowed) = too_many.filter(|_| !self.is_told.swap(true, Ordering::SeqCst)) {
            // There is nowhere left to say that this cannot be said.
            let _ = self.context.tell(Event::Target(None));
            let _ = self.context.tell(Event::TooManyFailed { failed, allowed, is_second_pass: true });
        }
        run.end(checked.ended(End::NotStarted))
    }

    /// Writes a target that something may follow.
    fn by_itself(&self, item: Item<'_>) -> (End, Outcome) {
        let Item { run, checked, locked } = item;
        let Some(locked) = locked.as_ref().ok().filter(|_| !self.has_stopped()) else {
            return self.not_begun(run, checked);
        };
        let ((end, outcome), is_over) = run.finish(locked, checked);
        if outcome == Outcome::Interrupted {
            self.is_interrupted.store(true, Ordering::SeqCst);
        }
        self.ended(outcome, is_over);
        run.end((end, outcome))
    }

    /// Writes targets that nothing follows; each is reported when those before it are.
    fn side_by_side<'i>(&self, items: Vec<Item<'i>>) -> Vec<(End, Outcome)> {
        let mut ends = Vec::with_capacity(items.len());
        // What follows the files of a target before them says nothing of these.
        self.context.progress.another();
        let written = items.iter().filter(|item| !item.checked.has_ended()).count();
        let changed = items.iter().map(|item| item.checked.inputs.changed()).max().unwrap_or(0);
        let writers = self.context.selection.writers_for(written);
        let writers = if writers > 1 { writers.min(room_for_writers(written, changed)) } else { writers };
        let work = |item: Item<'i>| {
            let Item { run, checked, locked } = item;
            let locked = locked.as_ref().ok().filter(|_| !self.has_stopped() && !checked.has_ended());
            let wrote = locked.and_then(|locked| run.write_files(locked, &checked));
            if let Some(Err(error)) = &wrote {
                self.ended(error.kind, error.kind == Outcome::Interrupted);
            }
            (run, checked, wrote)
        };
        let report = |(run, checked, wrote): (&Run<'i>, Checked<'i>, Option<Result<Wrote, Error>>)| {
            ends.push(match wrote {
                None if checked.has_ended() => self.not_begun(run, checked),
                None => match self.interruption() {
                    Some(error) => {
                        let ended = run.interrupted(error);
                        self.ended(ended.1, true);
                        run.end(ended)
                    }
                    None => self.not_begun(run, checked),
                },
                Some(wrote) => {
                    let is_counted = wrote.is_err();
                    let interrupted = if is_counted { None } else { self.interruption() };
                    let ((end, outcome), is_over) = run.report(wrote, interrupted);
                    self.ended(if is_counted { Outcome::Done } else { outcome }, is_over);
                    run.end((end, outcome))
                }
            });
            Ok::<(), std::convert::Infallible>(())
        };
        let _reporting = self.context.progress.reporting();
        let Ok(()) = each(writers, items.into_iter(), work, report);
        ends
    }
}

#[cfg(test)]
mod tests;
