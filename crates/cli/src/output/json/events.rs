//! One line of JSON for each event of an apply.

use std::time::Duration;

use ops::{Event, TargetName};
use schemars::JsonSchema;
use serde::Serialize;

use super::apply::{leftovers, recovered};
use super::plan::{self, ChangeTotals};
use super::problem::Problem;
use super::version::FORMAT_VERSION;
use super::words::{End, Needs, Outcome, Step};

/// Something that happened. Every member is in every line; those that have nothing to do with the event are null or empty.
#[derive(Serialize, JsonSchema)]
pub(super) struct Line {
    format: &'static str,
    format_version: &'static str,
    event: Name,
    /// The document of the target; null if it is about the whole run.
    document: Option<String>,
    target: Option<String>,
    /// The step that comes next, was done, or is left.
    step: Option<Step>,
    /// A command, a line that a command printed, an image, or why the database is not up.
    text: Option<String>,
    /// Of `planned`: how many values change.
    changes: Option<ChangeTotals>,
    /// Of `planned`: what the changes take to have an effect.
    needs: Option<Needs>,
    /// Of `planned`: the files that change; of `written`: those that have new content.
    files: Vec<String>,
    /// Of `written`: the number under which `history` lists it.
    generation: Option<u64>,
    /// Of `waiting`: the time limit, or how long it has been; of `answers`: how long it took.
    seconds: Option<f64>,
    /// Of `finding` and `failed`: what is wrong.
    problem: Option<Problem>,
    /// Of `ended`: how the target ended.
    end: Option<End>,
    outcome: Option<Outcome>,
}

/// What happened.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Name {
    /// An interrupted run was finished or taken back, before anything else.
    Recovered,
    /// The saved plan was applied already.
    AlreadyApplied,
    /// The target was planned and checked; nothing is written yet.
    Planned,
    /// A warning or a blocker.
    Finding,
    /// The target failed; others may follow.
    Failed,
    /// The target failed before anything was written, and the run continues without it.
    LeftOut,
    /// More targets failed than `--max-failures` allows: nothing is written, or nothing more.
    TooManyFailed,
    /// Everything was done but the writing.
    DryRun,
    /// The files of the target are written.
    Written,
    /// This step comes next: a run that is interrupted now resumes here.
    NextStep,
    /// The step was done.
    StepDone,
    /// The step is left to a later run.
    StepLeft,
    /// An earlier apply continues at this step.
    StepResumed,
    /// An image is pulled.
    Pull,
    /// A command starts.
    Command,
    /// A command printed a line.
    Output,
    /// The database is not up yet.
    Waiting,
    /// The database answers.
    Answers,
    /// The running server was compared with the document.
    Checked,
    /// The database does not come up: the old files come back.
    PuttingBack,
    /// The old files are back.
    PutBack,
    /// The target is done, or the run did not get to it.
    Ended,
}

/// The target that a line is about.
#[derive(Clone, Default)]
pub(super) struct About {
    document: Option<String>,
    target: Option<String>,
}

impl About {
    /// Names a target.
    pub(super) fn of(target: Option<&TargetName>) -> Self {
        let (document, target) = target.map(|name| (name.document.clone(), name.target.clone())).unzip();
        Self { document, target }
    }

    fn line(&self, event: Name) -> Line {
        let Self { document, target } = self.clone();
        Line {
            format: "kasm-db/apply-event",
            format_version: FORMAT_VERSION,
            event,
            document,
            target,
            step: None,
            text: None,
            changes: None,
            needs: None,
            files: Vec::new(),
            generation: None,
            seconds: None,
            problem: None,
            end: None,
            outcome: None,
        }
    }

    fn finding(&self, mut problem: Problem) -> Line {
        problem.is_about(super::problem::About {
            document: self.document.as_deref(),
            target: self.target.as_deref(),
        });
        Line { problem: Some(problem), ..self.line(Name::Finding) }
    }

    fn step(&self, event: Name, step: ops::follow_up::Step) -> Line {
        Line { step: Some(step.into()), ..self.line(event) }
    }

    fn text(&self, event: Name, text: &str) -> Line {
        Line { text: Some(text.to_string()), ..self.line(event) }
    }
}

/// Hands out the lines of an event; some events have none, as what they say is in others.
pub(super) fn each(about: &About, event: &Event<'_>, mut take: impl FnMut(Line)) {
    let seconds = |time: &Duration| Some((time.as_secs_f64() * 10.0).round() / 10.0);
    match event {
        Event::Failed(error) => Problem::all_of(error).into_iter().for_each(|problem| {
            take(Line { outcome: problem.outcome(), problem: Some(problem), ..about.line(Name::Failed) });
        }),
        Event::Recovered(_, recovery) if recovered(recovery).is_some() => take(about.line(Name::Recovered)),
        Event::AlreadyApplied(_) => take(about.line(Name::AlreadyApplied)),
        Event::Planned { plan, .. } => {
            let mut changes = ChangeTotals::default();
            changes.add(&plan.changes.iter().map(|one| plan::change(one, false)).collect::<Vec<_>>());
            take(Line {
                changes: Some(changes),
                needs: Some(plan.needs().into()),
                files: plan.files.iter().map(|file| file.path.clone()).collect(),
                ..about.line(Name::Planned)
            });
            plan.findings.iter().for_each(|one| take(about.finding(Problem::of_target(one))));
        }
        Event::Seen { findings, .. } => {
            findings.iter().for_each(|one| take(about.finding(Problem::of_target(one))));
        }
        Event::LeftOut(names) => names.iter().for_each(|name| {
            take(Line { target: Some((*name).to_string()), ..about.line(Name::LeftOut) });
        }),
        Event::TooManyFailed { .. } => take(about.line(Name::TooManyFailed)),
        Event::DryRun => take(about.line(Name::DryRun)),
        Event::Applied { report, .. } => {
            take(Line {
                files: report.written.iter().map(|path| path.display().to_string()).collect(),
                generation: report.generation,
                ..about.line(Name::Written)
            });
            leftovers(report).into_iter().for_each(|problem| take(about.finding(problem)));
        }
        Event::Next(Some(step)) => take(about.step(Name::NextStep, *step)),
        Event::Followed(step) => take(about.step(Name::StepDone, *step)),
        Event::Left(step) | Event::Unfinished(step) => take(about.step(Name::StepLeft, *step)),
        Event::Resumed(step) => take(about.step(Name::StepResumed, *step)),
        Event::Down(step, why) => {
            take(Line { step: Some((*step).into()), ..about.text(Name::StepResumed, why) });
        }
        Event::Pull(image) => take(about.text(Name::Pull, image)),
        Event::Command(_, command) => take(about.text(Name::Command, command)),
        Event::Said(line) => take(about.text(Name::Output, line)),
        Event::Waiting(limit) => take(Line { seconds: seconds(limit), ..about.line(Name::Waiting) }),
        Event::StillWaiting(time, why) => {
            take(Line { seconds: seconds(time), ..about.text(Name::Waiting, why) });
        }
        Event::Answers(time) => take(Line { seconds: seconds(time), ..about.line(Name::Answers) }),
        Event::Checked(_) => take(about.line(Name::Checked)),
        Event::PuttingBack => take(about.line(Name::PuttingBack)),
        Event::PutBack => take(about.line(Name::PutBack)),
        Event::Ended { end, outcome, .. } => take(Line {
            end: Some((*end).into()),
            outcome: (*end != ops::apply::End::NotStarted).then(|| (*outcome).into()),
            ..about.line(Name::Ended)
        }),
        _ => {}
    }
}
