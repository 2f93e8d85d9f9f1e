//! Results for programs: structs of their own, with a version of their own.
//!
//! Every command and every outcome has one envelope. What streams comes first, so that memory does not grow with the
//! number of targets; errors, warnings, totals and the exit code follow it.

pub(crate) mod ansible;
mod apply;
mod build;
mod entries;
mod envelope;
mod events;
mod explain;
mod follows;
mod history;
mod import;
mod inspect;
pub(crate) mod lines;
mod part;
mod plan;
mod problem;
mod recover;
mod render;
mod resolve;
mod rollback;
mod schema;
pub(crate) mod schemas;
mod show;
mod status;
mod target;
mod upgrade;
mod validate;
mod value;
mod verify;
mod version;
mod words;
mod writer;

use live::Scrubber;
use model::Diagnostic;
use model::explain::Subject as Explained;
use ops::audit::{CountBy, Tally, View};
use ops::history::History;
use ops::inspect::Inspected;
use ops::recover::Recovered;
use ops::status::Status;
use ops::upgrade::UpgradePath;
use ops::verify::Verified;
use ops::{Document, Error, Event, Outcome, TargetDir, TargetName};

use self::envelope::Envelope;
use self::part::Part;
use self::problem::{About, Problem};
use self::target::{Row, Sum as _};
use self::writer::pretty;
use super::emitter::{BuildRow, Emitter, Format, ImportRow, PlanHead, PlanRow, RenderRow};
use super::report::Report;

/// The format.
pub(crate) const FORMAT: Format = Format {
    name: "json",
    reports: Report::ALL,
    new: |report, sink, detail| Box::new(Envelope::new(report, sink, detail)),
    entries: Some(&entries::Lines),
    is_public: false,
};

impl Emitter for Envelope {
    fn is_for_programs(&self) -> bool {
        true
    }

    fn begin_plans(&mut self, head: &PlanHead<'_>) -> Result<(), Error> {
        let Part::Show(part, _) = &mut self.part else { return Ok(()) };
        part.stale = head.stale.map(<[String]>::to_vec);
        let outcome = head.unknown.map_or(Outcome::Done, |error| error.kind);
        head.documents.iter().for_each(|document| self.keep_document(document, outcome));
        Ok(())
    }

    fn read(&mut self, document: &Document) -> Result<(), Error> {
        let found = document.reading.diagnostics.iter();
        let problems: Vec<_> = found.map(|one| Problem::of_document(one, &document.name)).collect();
        if document.desired().is_some() {
            self.keep(&problems, &Scrubber::default());
            self.keep_document(&document.name, Outcome::Done);
            return Ok(());
        }
        if let Part::Rollback(row, _) = &mut self.part {
            row.document = Some(document.name.clone());
            row.add(problems);
            self.keep_document(&document.name, Outcome::Invalid);
            return Ok(());
        }
        self.keep(&problems, &Scrubber::default());
        let errors = problems.into_iter().filter(Problem::is_error).collect();
        let about = About { document: Some(&document.name), target: None };
        self.write_failed(about, Outcome::Invalid, errors);
        Ok(())
    }

    fn plan(&mut self, row: &PlanRow<'_>) -> Result<(), Error> {
        let mut target = plan::row(row, self.detail);
        row.saved.iter().for_each(|standing| show::judge(&mut target, standing));
        let row = target;
        match &mut self.part {
            Part::Plan(totals) => totals.add(&row),
            Part::Show(_, totals) => totals.add(&row),
            _ => return Ok(()),
        }
        self.write_target(row, &Scrubber::default());
        Ok(())
    }

    fn checked(&mut self, document: &Document) -> Result<(), Error> {
        let row = validate::row(&document.name, &document.reading);
        let Part::Validate(totals) = &mut self.part else { return Ok(()) };
        totals.add(&row);
        self.keep(row.errors.iter().chain(&row.warnings), &Scrubber::default());
        self.write_row(&pretty(&row));
        Ok(())
    }

    fn parent(&mut self) {
        if let Part::Validate(totals) = &mut self.part {
            totals.parents += 1;
        }
    }

    fn status(&mut self, name: &TargetName, status: &Status) -> Result<(), Error> {
        let row = status::row(name, status);
        let Part::Status(totals) = &mut self.part else { return Ok(()) };
        totals.add(&row);
        self.write_target(row, &status.scrubber);
        Ok(())
    }

    fn verified(&mut self, name: &TargetName, verified: &Verified) -> Result<(), Error> {
        let row = verify::row(name, verified);
        let Part::Verify(totals) = &mut self.part else { return Ok(()) };
        totals.add(&row);
        self.write_target(row, &verified.scrubber);
        Ok(())
    }

    fn history(&mut self, dir: &TargetDir, history: &History) -> Result<(), Error> {
        let row = history::row(dir, history);
        let Part::History(totals) = &mut self.part else { return Ok(()) };
        totals.add(&row);
        self.write_target(row, &Scrubber::default());
        Ok(())
    }

    fn target(&mut self, dir: &TargetDir) {
        if let Part::Rollback(row, _) = &mut self.part {
            *row = Row::of(dir);
        }
    }

    fn event(&mut self, event: &Event<'_>, scrubber: &Scrubber) -> Result<(), Error> {
        match &mut self.part {
            Part::Rollback(row, _) => rollback::event(row, event, self.detail, scrubber),
            Part::Apply(rows, totals) => match event {
                Event::Targets(targets) => targets.iter().for_each(|target| {
                    rows.place(target);
                }),
                Event::Target(target) => rows.target(*target),
                Event::Ended { target, end, outcome } => {
                    let row = rows.ended(target, *end, *outcome);
                    totals.add(&row);
                    self.write_target(row, scrubber);
                }
                _ => apply::event(rows.row(), event, self.detail, scrubber),
            },
            _ => {}
        }
        Ok(())
    }

    fn recovered(
        &mut self,
        dir: &TargetDir,
        recovered: &Recovered,
        scrubber: &Scrubber,
    ) -> Result<(), Error> {
        let row = recover::row(dir, recovered);
        let Part::Recover(totals) = &mut self.part else { return Ok(()) };
        totals.add(&row);
        self.write_target(row, scrubber);
        Ok(())
    }

    fn imported(&mut self, row: &ImportRow<'_>) -> Result<(), Error> {
        if let Part::Import(part) = &mut self.part {
            *part = import::part(row);
        }
        Ok(())
    }

    fn findings(
        &mut self,
        document: Option<&str>,
        target: Option<&str>,
        findings: &[Diagnostic],
    ) -> Result<(), Error> {
        let mut problems: Vec<_> = findings.iter().map(Problem::of_target).collect();
        problems.iter_mut().for_each(|problem| problem.is_about(About { document, target }));
        self.keep(&problems, &Scrubber::default());
        Ok(())
    }

    fn rendered(&mut self, row: &RenderRow<'_>) -> Result<(), Error> {
        let row = render::row(row);
        let Part::Render(totals) = &mut self.part else { return Ok(()) };
        totals.add(&row);
        self.write_row(&pretty(&row));
        Ok(())
    }

    fn built(&mut self, row: &BuildRow<'_>) -> Result<(), Error> {
        let row = build::row(row);
        let Part::Build(totals) = &mut self.part else { return Ok(()) };
        totals.add(&row);
        self.write_row(&pretty(&row));
        Ok(())
    }

    fn explained(&mut self, subject: Option<&str>, found: &[Explained]) -> Result<(), Error> {
        if let Part::Explain(part) = &mut self.part {
            *part = explain::part(subject, found);
        }
        Ok(())
    }

    fn resolved(&mut self, document: &Document) -> Result<(), Error> {
        if let Part::Resolve(part) = &mut self.part {
            *part = resolve::Part {
                document: Some(document.name.clone()),
                extends: document.reading.parents.iter().map(|(path, _)| path.clone()).collect(),
                resolved: document.resolved_value(),
            };
        }
        Ok(())
    }

    fn upgrade(&mut self, name: &TargetName, path: &UpgradePath) -> Result<(), Error> {
        let row = upgrade::row(name, path);
        let Part::UpgradePlan(totals) = &mut self.part else { return Ok(()) };
        totals.add(&row);
        self.write_target(row, &Scrubber::default());
        Ok(())
    }

    fn inspected(&mut self, inspected: &Inspected) -> Result<(), Error> {
        if let Part::Inspect(part) = &mut self.part {
            *part = inspect::part(inspected);
        }
        Ok(())
    }

    fn schema(&mut self, name: &str, schema: &serde_json::Value) -> Result<(), Error> {
        if let Part::Schema(part) = &mut self.part {
            *part = schema::Part { name: Some(name.to_string()), schema: Some(schema.clone()) };
        }
        Ok(())
    }

    fn tally(&mut self, tally: &Tally, files: usize, view: View) -> Result<(), Error> {
        let totals = entries::totals(tally, files);
        match view {
            View::Entries => self.part = Part::Entries(totals),
            View::Count(by) => {
                self.part = Part::Count(entries::counted(by), totals);
                self.counts(tally, by);
            }
            View::Summary => {
                self.part = Part::Summary(entries::span(tally), totals);
                self.counts(tally, CountBy::Class);
            }
        }
        Ok(())
    }

    fn error(&mut self, error: &Error) -> Result<(), Error> {
        let problems = Problem::all_of(error);
        if let Part::Rollback(row, _) = &mut self.part {
            row.errors.extend(problems);
            if let Some(document) = error.document.as_deref() {
                row.document.get_or_insert_with(|| document.into());
                self.keep_document(document, error.kind);
            }
            return Ok(());
        }
        self.keep(&problems, &Scrubber::default());
        for (error, problem) in std::iter::once(error).chain(&error.others).zip(problems) {
            let about = About { document: error.document.as_deref(), target: error.target.as_deref() };
            if about.is_nothing() {
                self.keep_of_none(problem);
            } else {
                self.write_failed(about, error.kind, vec![problem]);
            }
        }
        Ok(())
    }

    fn warning(&mut self, message: &str, help: Option<&str>) {
        self.keep(&[Problem::warning(message, help)], &Scrubber::default());
    }

    fn end(&mut self, outcome: Outcome) -> Result<(), Error> {
        self.close(outcome)
    }

    fn break_off(&mut self, error: &Error) -> Result<(), Error> {
        let problems = Problem::all_of(error);
        match &mut self.part {
            // Whoever writes them may be in the middle of a line.
            Part::Entries(_) => return Ok(()),
            Part::Rollback(row, _) => row.add(problems),
            Part::Apply(rows, totals) => {
                let rows = rows.broken_off(error.kind, problems);
                rows.iter().for_each(|row| totals.add(row));
                rows.into_iter().for_each(|row| self.write_target(row, &Scrubber::default()));
            }
            _ => {
                self.keep(&problems, &Scrubber::default());
                self.write_failed(About::default(), error.kind, problems);
            }
        }
        self.close(error.kind)
    }
}
