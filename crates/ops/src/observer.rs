//! What an operation says while it runs. It is data: who listens words it.

use std::path::Path;
use std::time::Duration;

use commit::{Back, Recovery, Report};
use live::{Check, Scrubber};
use model::Diagnostic;
use render::{Needs, Plan, Target};

use crate::apply::End;
use crate::documents::TargetName;
use crate::error::Error;
use crate::follow_up::FollowUp;
use crate::follow_up::Step;
use crate::outcome::Outcome;

/// Listens to an operation, and answers its questions.
pub trait Observer {
    /// Accepts an event. What others said in it (a child, a server) may hold secrets; `scrubber` knows those of the target.
    ///
    /// # Errors
    /// It cannot be told to whoever it is for, and the run must end.
    fn event(&self, event: Event<'_>, scrubber: &Scrubber) -> Result<(), Error>;

    /// Asks for confirmation.
    ///
    /// # Errors
    /// There is nobody to ask.
    fn confirm(&self, question: Question) -> Result<bool, Error>;
}

/// Listens to nothing, and says yes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Event<'_>, _: &Scrubber) -> Result<(), Error> {
        Ok(())
    }

    fn confirm(&self, _: Question) -> Result<bool, Error> {
        Ok(true)
    }
}

/// What an operation asks before it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether to apply the plans.
    Apply {
        /// How many targets they are for.
        targets: usize,
    },
    /// Whether to roll back.
    RollBack,
    /// Whether to delete what is kept of targets.
    Forget {
        /// How many targets they are.
        targets: usize,
    },
}

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A target failed; others may follow.
    Failed(&'a Error),
    /// An apply begins with these targets.
    Targets(&'a [&'a TargetName]),
    /// What follows is about this target of an apply; `None` if it is about all of them.
    Target(Option<&'a TargetName>),
    /// The first pass of an apply is done with a target.
    Looked {
        /// Whether it keeps the others from being written.
        has_failed: bool,
    },
    /// An apply is done with a target, or did not get to it.
    Ended {
        /// The target.
        target: &'a TargetName,
        /// How it ended.
        end: End,
        /// How the run ends because of it.
        outcome: Outcome,
    },
    /// An interrupted run was finished or taken back.
    Recovered(&'a Path, &'a Recovery),
    /// A saved plan was applied already.
    AlreadyApplied(&'a str),
    /// The plan of a target, in its folder.
    Planned {
        /// The plan, with what is allowed.
        plan: &'a Plan,
        /// Where the target's folder is.
        folder: &'a str,
        /// The name of the target, if the run has others.
        heading: Option<&'a str>,
        /// What this run does after the files.
        follow_up: Option<&'a FollowUp>,
    },
    /// The plan was made with these blockers allowed, and they must be allowed again.
    AllowAgain(&'a [&'static str]),
    /// A rollback to what a generation left.
    Back {
        /// The target.
        target: &'a Target,
        /// Where its folder is.
        folder: &'a str,
        /// The generation.
        to: u64,
        /// Each file, as it is and as it was.
        files: &'a [Back],
        /// What the database needs then.
        needs: Needs,
        /// Whether the document, if there is one, declares what comes back.
        is_declared: bool,
        /// What stands in the way, and what to know.
        findings: &'a [Diagnostic],
    },
    /// A newer tree is beside the deployment: an upgrade of Kasm has installed it.
    NewerTree(&'a Path),
    /// The files are as this generation left them.
    NothingToRollBack(&'a str, u64),
    /// What is kept of a target below this folder is deleted; whether there was something.
    Forgotten(&'a str, bool),
    /// These targets failed before anything was written, and the run continues without them.
    LeftOut(&'a [&'a str]),
    /// More targets failed than may fail.
    TooManyFailed {
        /// How many failed so far.
        failed: usize,
        /// How many may fail.
        allowed: usize,
        /// Whether targets may have been written before: then the run stops here, and otherwise nothing is written at all.
        is_second_pass: bool,
    },
    /// Everything was done but the writing.
    DryRun,
    /// Whoever was asked did not say yes; nothing was written.
    Declined,
    /// Whoever was asked did not say yes to what follows files that are as they should be.
    NotFollowed,
    /// Files of an apply are written.
    Applied {
        /// What was applied.
        plan: &'a Plan,
        /// The folder.
        root: &'a Path,
        /// Whether nothing of this run follows.
        is_all: bool,
        /// What the commit did.
        report: &'a Report,
    },
    /// Files of a rollback are written.
    RolledBack {
        /// The folder.
        root: &'a Path,
        /// What the database needs now.
        needs: Needs,
        /// Whether this is left to a later run.
        is_left: bool,
        /// Whether this run does it.
        is_followed: bool,
        /// What the commit did.
        report: &'a Report,
    },
    /// A step that follows the files is written down as the next one, so that a later run resumes there; `None` if
    /// nothing is left to do.
    Next(Option<Step>),
    /// A step that follows the files was done.
    Followed(Step),
    /// What follows is left to a later run, at this step.
    Left(Step),
    /// An earlier apply is not finished: this is its next step, and this run leaves it.
    Unfinished(Step),
    /// An earlier apply continues at this step.
    Resumed(Step),
    /// What an earlier run had started is down, and nothing starts it; why. This run does it again from this step on.
    Down(Step, &'a str),
    /// What the running server does, after an apply or because nothing was to be written.
    Checked(&'a [Check]),
    /// The running server lags behind its files: this step comes first.
    Lags(Step),
    /// What was seen before the database is stopped.
    Seen {
        /// What keeps it from being stopped, and what to know.
        findings: &'a [Diagnostic],
        /// Settings that nobody declared and that get another value with the restart, each with its place.
        also: &'a [String],
    },
    /// The engine does not have these images, or Compose would pull them again: they are pulled before anything is written or
    /// stopped.
    ToPull(&'a [&'a str]),
    /// An image is pulled.
    Pull(&'a str),
    /// This file was replaced since the container was started, which keeps the old one: the database is stopped and started,
    /// though a reload would be enough.
    Stale(&'a str),
    /// A command starts.
    Command(&'static str, &'a str),
    /// A line that a command said.
    Said(&'a str),
    /// A command said more than is shown.
    SaidMore,
    /// Nobody looks whether the database came up.
    NotWaiting,
    /// The database has so long to come up.
    Waiting(Duration),
    /// The database did not come up yet, after so long; why.
    StillWaiting(Duration, &'a str),
    /// The database answers, after so long.
    Answers(Duration),
    /// The server is told to read its files again.
    Reload,
    /// The database does not come up: the old files come back.
    PuttingBack,
    /// The old files are back.
    PutBack,
}
