//! The counts that GitLab shows for a plan of Terraform, beside a merge request.

use ops::{Document, Error, Outcome};
use render::Action;
use serde::Serialize;

use super::emitter::{Emitter, Format, PlanRow};
use super::report::Report;
use super::sink::Sink;

/// The format. GitLab reads it as an artifact of the type `terraform`.
pub(crate) const FORMAT: Format = Format {
    name: "gitlab-terraform",
    reports: &[Report::Plan, Report::Show],
    new: |_, sink, _| Box::new(Counted { sink, counts: Counts::default(), is_whole: true }),
    entries: None,
    is_public: true,
};

/// Counts the changes of all plans. Nothing is written if one of them is not known: GitLab would show too few.
struct Counted {
    sink: Sink,
    counts: Counts,
    is_whole: bool,
}

/// Values that are added, changed and removed, by the names of Terraform.
#[derive(Default, Serialize)]
struct Counts {
    create: usize,
    update: usize,
    delete: usize,
}

impl Emitter for Counted {
    fn is_for_programs(&self) -> bool {
        true
    }

    fn read(&mut self, document: &Document) -> Result<(), Error> {
        self.is_whole &= document.desired().is_some();
        Ok(())
    }

    fn plan(&mut self, row: &PlanRow<'_>) -> Result<(), Error> {
        for change in &row.plan.changes {
            *match change.action {
                Action::Add => &mut self.counts.create,
                Action::Change => &mut self.counts.update,
                Action::Remove => &mut self.counts.delete,
            } += 1;
        }
        Ok(())
    }

    fn error(&mut self, _: &Error) -> Result<(), Error> {
        self.is_whole = false;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        if self.is_whole {
            let counts = serde_json::to_string(&self.counts).unwrap_or_default();
            self.sink.text(&format!("{counts}\n"))?;
            self.sink.complete();
        }
        Ok(())
    }

    fn end(&mut self, _: Outcome) -> Result<(), Error> {
        self.sink.end()
    }
}
