//! What an apply does, while it does it: a line of JSON for each event, and a last one with what it comes to.

use live::Scrubber;
use ops::follow_up::Step;
use ops::{Document, Error, Event, Outcome};

use super::envelope::Envelope;
use super::events::{About, each};
use super::part::Part;
use super::problem::Problem;
use super::target::Sum as _;
use crate::output::emitter::{Emitter, Format};
use crate::output::report::Report;

/// The format.
pub(crate) const FORMAT: Format = Format {
    name: "json-lines",
    reports: &[Report::Apply],
    new: |_, sink, detail| {
        let end = Envelope::new(Report::ApplyEvents, sink, detail);
        Box::new(Lines { end, about: About::default(), next: None })
    },
    entries: None,
    is_public: false,
};

/// Writes events, and keeps for the last line what is known only then.
struct Lines {
    end: Envelope,
    /// The target that is spoken of.
    about: About,
    /// The step that comes next, as it was said last: it is recorded more often than it changes.
    next: Option<Step>,
}

impl Emitter for Lines {
    fn is_for_programs(&self) -> bool {
        true
    }

    fn read(&mut self, document: &Document) -> Result<(), Error> {
        let found = document.reading.diagnostics.iter();
        let problems: Vec<_> = found.map(|one| Problem::of_document(one, &document.name)).collect();
        self.end.keep(&problems, &Scrubber::default());
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>, scrubber: &Scrubber) -> Result<(), Error> {
        let Part::Events(rows, totals) = &mut self.end.part else { return Ok(()) };
        match event {
            Event::Targets(targets) => targets.iter().for_each(|target| {
                rows.place(target);
            }),
            Event::Target(target) => {
                rows.target(*target);
                self.about = About::of(*target);
            }
            Event::Ended { target, end, outcome } => {
                let mut row = rows.ended(target, *end, *outcome);
                row.own_problems();
                totals.add(&row);
                self.end.keep(row.errors.iter().chain(&row.warnings), scrubber);
                self.about = About::of(Some(target));
            }
            _ => super::apply::event(rows.row(), event, self.end.detail, scrubber),
        }
        match event {
            Event::Next(next) if std::mem::replace(&mut self.next, *next) == *next => return Ok(()),
            Event::Target(_) => self.next = None,
            _ => {}
        }
        let about = self.about.clone();
        each(&about, event, |line| self.end.write_line(&line, scrubber));
        Ok(())
    }

    fn error(&mut self, error: &Error) -> Result<(), Error> {
        self.end.keep(&Problem::all_of(error), &Scrubber::default());
        Ok(())
    }

    fn warning(&mut self, message: &str, help: Option<&str>) {
        self.end.keep(&[Problem::warning(message, help)], &Scrubber::default());
    }

    fn end(&mut self, outcome: Outcome) -> Result<(), Error> {
        self.end.close(outcome)
    }

    fn break_off(&mut self, error: &Error) -> Result<(), Error> {
        if let Part::Events(rows, totals) = &mut self.end.part {
            let rows = rows.broken_off(error.kind, Problem::all_of(error));
            rows.iter().for_each(|row| totals.add(row));
            for mut row in rows {
                row.own_problems();
                self.end.keep(row.errors.iter().chain(&row.warnings), &Scrubber::default());
            }
        }
        self.end.close(error.kind)
    }
}
