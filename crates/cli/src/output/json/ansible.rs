//! The reply of the Ansible module: one object, written at the end of the run whatever its outcome.

mod difference;
mod gathered;
mod reply;
mod story;

use live::{Remedy, Scrubber};
use model::document::Policy;
use ops::verify::Verified;
use ops::{Document, Error, Event, Outcome, TargetName};

use self::difference::difference;
use self::gathered::Gathered;
pub(super) use self::reply::Reply;
use self::story::story;
use super::problem::Problem;
use super::words::Needs;
use super::{apply, plan, verify};
use crate::output::emitter::{Asked, Emitter, Format, PlanRow, State};
use crate::output::report::Report;
use crate::output::sink::Sink;
use crate::output::{Detail, is_repeated};

/// The format. It is that of a command and not one to choose.
pub(crate) const FORMAT: Format = Format {
    name: "ansible",
    reports: &[Report::Apply],
    new: |_, sink, detail| Box::new(Module::new(sink, detail)),
    entries: None,
    is_public: true,
};

/// Writes the reply once the run has ended.
struct Module {
    sink: Option<Sink>,
    detail: Detail,
    /// The targets that are applied to and have not ended.
    rows: apply::Rows,
    gathered: Gathered,
}

impl Module {
    fn new(sink: Sink, detail: Detail) -> Self {
        Self { sink: Some(sink), detail, rows: apply::Rows::default(), gathered: Gathered::default() }
    }

    /// Accepts the plan of a target.
    fn planned(&mut self, row: &PlanRow<'_>) {
        let gathered = &mut self.gathered;
        if gathered.asked.diff {
            let files = row.plan.files.iter();
            gathered.differences.extend(files.map(|file| difference(row.folder, file)));
        }
        let mut row = plan::row(row, self.detail);
        row.own_problems();
        gathered.plans.push(row);
    }

    /// Writes the reply, once.
    fn reply(&mut self, outcome: Outcome) -> Result<(), Error> {
        let Some(mut sink) = self.sink.take() else { return Ok(()) };
        let of_all = self.rows.take_of_all();
        let mut gathered = std::mem::take(&mut self.gathered);
        gathered.problems.extend(of_all.errors.into_iter().chain(of_all.warnings));
        let (asked, state, scrubber) = (gathered.asked, gathered.state(), gathered.scrubber.clone());
        let mut reply = Reply::of(gathered, outcome);
        reply.msg = story(&reply, asked, state);
        sink.bytes(reply.json(&scrubber).as_bytes())?;
        sink.complete();
        sink.end()
    }
}

impl Emitter for Module {
    fn is_for_programs(&self) -> bool {
        true
    }

    fn asked(&mut self, asked: Asked) {
        self.gathered.asked = asked;
    }

    fn read(&mut self, document: &Document) -> Result<(), Error> {
        let shows_repeated = self.gathered.asked.state == State::Planned;
        let all = document.reading.diagnostics.iter().filter(|one| shows_repeated || !is_repeated(one));
        self.gathered.problems.extend(all.map(|one| Problem::of_document(one, &document.name)));
        self.gathered.restarts |=
            document.desired().is_some_and(|desired| desired.restart().policy == Policy::IfNeeded);
        Ok(())
    }

    fn plan(&mut self, row: &PlanRow<'_>) -> Result<(), Error> {
        row.interrupted.iter().for_each(|error| self.gathered.failed(error));
        self.planned(row);
        Ok(())
    }

    fn verified(&mut self, name: &TargetName, verified: &Verified) -> Result<(), Error> {
        self.gathered.scrubber.learn_from(&verified.scrubber);
        let needs = verified.checks().iter().map(|check| match check.remedy() {
            Some(Remedy::Restart) => Needs::Restart,
            Some(Remedy::Reload) => Needs::Reload,
            Some(Remedy::Extension | Remedy::Hand) | None => Needs::Nothing,
        });
        self.gathered.server_needs = needs.chain(self.gathered.server_needs).max();
        self.gathered.verified.push(verify::row(name, verified));
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>, scrubber: &Scrubber) -> Result<(), Error> {
        self.gathered.scrubber.learn_from(scrubber);
        match event {
            Event::Targets(targets) => targets.iter().for_each(|target| {
                self.rows.place(target);
            }),
            Event::Target(target) => self.rows.target(*target),
            Event::Ended { target, end, outcome } => {
                let mut row = self.rows.ended(target, *end, *outcome);
                row.own_problems();
                self.gathered.applied.push(row);
                return Ok(());
            }
            Event::Failed(error) => self.gathered.failed(error),
            Event::Planned { plan, folder, follow_up, .. } => {
                let document = self.rows.row().document.clone().unwrap_or_default();
                self.planned(&PlanRow {
                    document: &document,
                    several: false,
                    plan,
                    ignored: &[],
                    newly_ignored: &[],
                    folder,
                    follow_up: *follow_up,
                    managed: None,
                    images: &[],
                    saved_files: None,
                    interrupted: None,
                    saved: None,
                });
            }
            Event::Left(_) | Event::Unfinished(_) => self.gathered.is_left = true,
            _ => {}
        }
        apply::event(self.rows.row(), event, self.detail, scrubber);
        Ok(())
    }

    fn error(&mut self, error: &Error) -> Result<(), Error> {
        self.gathered.failed(error);
        self.gathered.problems.extend(Problem::all_of(error));
        Ok(())
    }

    fn warning(&mut self, message: &str, help: Option<&str>) {
        self.gathered.problems.push(Problem::warning(message, help));
    }

    fn end(&mut self, outcome: Outcome) -> Result<(), Error> {
        self.reply(outcome)
    }

    fn break_off(&mut self, error: &Error) -> Result<(), Error> {
        self.gathered.failed(error);
        let rows = self.rows.broken_off(error.kind, Problem::all_of(error));
        self.gathered.applied.extend(rows);
        self.reply(error.kind)
    }
}
