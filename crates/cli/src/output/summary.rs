//! A line for each target, the worst first, and one that counts them: for the log of a pipeline.

use ops::{Document, Error, Event, Outcome};

use super::emitter::{Emitter, Format, PlanHead, PlanRow};
use super::outcomes::Outcomes;
use super::report::Report;
use super::sink::Sink;

/// The format.
pub(crate) const FORMAT: Format = Format {
    name: "summary",
    reports: &[Report::Plan, Report::Show, Report::Apply],
    new: |_, sink, _| Box::new(Summary { sink, outcomes: Outcomes::default() }),
    entries: None,
    is_public: true,
};

/// Gathers a line of each target; they are written at the end of the run, also if it fails.
struct Summary {
    sink: Sink,
    outcomes: Outcomes,
}

impl Emitter for Summary {
    fn is_for_programs(&self) -> bool {
        // It shows no plan that somebody could agree to.
        true
    }

    fn begin_plans(&mut self, head: &PlanHead<'_>) -> Result<(), Error> {
        self.outcomes.begin_plans(head);
        Ok(())
    }

    fn read(&mut self, document: &Document) -> Result<(), Error> {
        self.outcomes.read(document);
        Ok(())
    }

    fn plan(&mut self, row: &PlanRow<'_>) -> Result<(), Error> {
        self.outcomes.plan(row);
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>, _: &live::Scrubber) -> Result<(), Error> {
        self.outcomes.event(event);
        Ok(())
    }

    fn error(&mut self, error: &Error) -> Result<(), Error> {
        self.outcomes.error(error);
        Ok(())
    }

    fn end(&mut self, _: Outcome) -> Result<(), Error> {
        let text = self.outcomes.text("");
        self.sink.text(&text)?;
        self.sink.complete();
        self.sink.end()
    }

    fn break_off(&mut self, error: &Error) -> Result<(), Error> {
        self.error(error)?;
        self.end(error.kind)
    }
}
