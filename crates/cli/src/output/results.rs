//! Several results of one run, each in its format and to its place.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ops::{Error, Outcome};

use super::emitter::Emitter;

/// How long whoever writes a result may take to come to the end of a piece.
const PATIENCE: Duration = Duration::from_secs(1);

/// The results of a run. Clones share them: one belongs to the run, one to whoever ends it from outside.
#[derive(Clone)]
pub(crate) struct Results {
    all: Arc<Mutex<Vec<Box<dyn Emitter + Send>>>>,
    /// The order in which they are ended.
    ended: Arc<[usize]>,
    are_for_programs: bool,
}

impl Results {
    /// Accepts the emitters of a run, and tells of each whether it writes a file.
    pub(crate) fn new(all: Vec<(Box<dyn Emitter + Send>, bool)>) -> Self {
        let (all, are_files): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        // What is on standard output tells of a file that cannot be written.
        let mut ended: Vec<_> = (0..all.len()).collect();
        ended.sort_by_key(|index| !are_files[*index]);
        let are_for_programs = all.iter().any(|emitter| emitter.is_for_programs());
        Self { all: Arc::new(Mutex::new(all)), ended: ended.into(), are_for_programs }
    }

    /// Returns whether a program reads them.
    pub(crate) fn are_for_programs(&self) -> bool {
        self.are_for_programs
    }

    /// Passes something to each of them.
    pub(crate) fn each(
        &self,
        mut tell: impl FnMut(&mut dyn Emitter) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter_mut().try_for_each(|emitter| tell(emitter.as_mut()))
    }

    /// Accepts an error that does not end the run, or that ends it.
    pub(crate) fn error(&self, error: &Error) {
        // What cannot be written here cannot be written later either, and is an error then.
        let _ = self.each(|emitter| emitter.error(error));
    }

    /// Accepts what somebody should know.
    pub(crate) fn warning(&self, message: &str, help: Option<&str>) {
        let _ = self.each(|emitter| {
            emitter.warning(message, help);
            Ok(())
        });
    }

    /// Ends all of them. One that cannot be written changes how the run ends; `tell` gets its error and returns it with
    /// what holds for the files, and those that are ended after it get it, too. Returns how the run ends.
    pub(crate) fn end(&self, mut outcome: Outcome, tell: impl Fn(Error) -> Error) -> Outcome {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, index) in self.ended.iter().enumerate() {
            if let Err(error) = all[*index].end(outcome) {
                let error = tell(error);
                outcome = outcome.worse(error.kind);
                // What cannot be written here cannot be written at its end either, and is an error then.
                self.ended[at + 1..].iter().for_each(|later| drop(all[*later].error(&error)));
            }
        }
        outcome
    }

    /// Ends the results of a run that ends here and now, if whoever writes them gets to the end of a piece in time. Nobody
    /// writes them afterwards.
    pub(crate) fn break_off(&self, error: &Error) {
        let begun = Instant::now();
        let mut all = loop {
            match self.all.try_lock() {
                Ok(all) => break all,
                // This thread may be the one that writes, if it broke there.
                Err(_) if begun.elapsed() > PATIENCE => return,
                Err(_) => std::thread::sleep(PATIENCE / 100),
            }
        };
        all.iter_mut().for_each(|emitter| drop(emitter.break_off(error)));
        // The process ends; until then whoever wants to write waits.
        std::mem::forget(all);
    }
}
