//! What every operation needs besides its target.

use live::{Environment, Scrubber};

use crate::error::Error;
use crate::observer::{Event, Observer, Question, Silent};
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::selection::Selection;

/// What an operation on a target needs besides the target: the choices of the run, the environment, who listens, and
/// how far the run has come.
pub struct Context<'a> {
    /// The choices of the run.
    pub selection: &'a Selection,
    /// The environment that children get parts of, and libpq's variables.
    pub environment: Environment,
    /// How far the run has come.
    pub progress: Progress,
    /// Why the run is made.
    pub(crate) message: Option<String>,
    observer: &'a (dyn Observer + Sync),
    scrubber: Scrubber,
}

impl<'a> Context<'a> {
    /// Starts a run.
    pub fn new(
        selection: &'a Selection,
        environment: Environment,
        progress: Progress,
        observer: &'a (dyn Observer + Sync),
    ) -> Self {
        Self { selection, environment, progress, message: None, observer, scrubber: Scrubber::default() }
    }

    /// Records why the run is made; the history shows it.
    #[must_use]
    pub fn because(mut self, message: Option<String>) -> Self {
        self.message = message;
        self
    }

    /// Starts a run that asks nobody and tells nobody anything but its result. Children get no environment.
    pub fn silent(selection: &'a Selection) -> Self {
        Self::new(selection, Environment::default(), Progress::default(), &Silent)
    }

    /// Returns the same with the choices of a saved plan.
    pub(crate) fn with<'b>(&'b self, selection: &'b Selection) -> Context<'b> {
        let message = self.message.clone();
        let same = Context::new(selection, self.environment.clone(), self.progress.clone(), self.observer);
        Context { message, ..same }
    }

    /// Returns what knows the secrets of the targets so far: a child or a server of one may repeat those of another. It
    /// learns those of a target before a child or a server is asked that could repeat them.
    pub fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }

    pub(crate) fn tell(&self, event: Event<'_>) -> Result<(), Error> {
        self.observer.event(event, &self.scrubber)
    }

    /// Reports the error of a target, and returns how the run ends with it.
    pub(crate) fn failed(&self, error: &Error) -> Outcome {
        let error = error.clone().scrubbed(&self.scrubber);
        // There is nowhere left to say that this cannot be said.
        let _ = self.tell(Event::Failed(&error));
        error.kind
    }

    pub(crate) fn confirm(&self, question: Question) -> Result<bool, Error> {
        self.observer.confirm(question)
    }
}
