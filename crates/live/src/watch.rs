//! Signals, as far as this library has to do with them: whoever uses it knows whether one came.

use std::time::Instant;

/// The error of a run that a signal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("interrupted by {signal}")]
pub struct Interrupted {
    /// Its name: `SIGTERM`.
    pub signal: &'static str,
}

/// Watches for signals during a run.
pub trait Watch {
    /// Checks whether a signal came while it had to wait.
    ///
    /// # Errors
    /// One came: the run ends here.
    fn check(&self) -> Result<(), Interrupted>;

    /// Begins to run a command that a signal does not end at once; messages show it as `shown`. Until the value is
    /// dropped, a signal waits.
    fn commanding<'a>(&'a self, shown: &str) -> Box<dyn Commanding + 'a>;
}

/// The time in which a command runs: a signal waits for its end, but not for ever.
pub trait Commanding {
    /// Accepts the process group that a second signal ends.
    fn started(&self, group: u32);

    /// Records that the group is gone: its number may be another's from now on.
    fn ended(&self);

    /// Returns the time at which the command must have ended, if a signal came.
    fn until(&self) -> Option<Instant>;
}

/// Watches for nothing; for callers that leave signals to the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn check(&self) -> Result<(), Interrupted> {
        Ok(())
    }

    fn commanding<'a>(&'a self, _: &str) -> Box<dyn Commanding + 'a> {
        Box::new(Self)
    }
}

impl Commanding for Unwatched {
    fn started(&self, _: u32) {}

    fn ended(&self) {}

    fn until(&self) -> Option<Instant> {
        None
    }
}
