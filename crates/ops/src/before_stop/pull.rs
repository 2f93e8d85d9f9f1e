//! Pulling the images that a start needs, before anything is stopped.

use live::{Docker, Watch as _};
use model::{Code, Diagnostic};
use render::{ObservedState, VariableNames};

use super::seen::{Seen, ToPull};
use super::stopping::BeforeStop;
use crate::error::Error;
use crate::observer::Event;

impl BeforeStop<'_> {
    /// Pulls what is to be pulled, and looks again: what is in an image is seen only then.
    ///
    /// # Errors
    /// A signal came meanwhile, or nobody can be told.
    pub(crate) fn pull(&self, seen: Seen, after: &ObservedState) -> Result<Seen, Error> {
        if seen.pulls.is_empty() || seen.is_blocked() {
            return Ok(seen);
        }
        let Ok(docker) = Docker::find(&self.context.caller()) else { return Ok(seen) };
        let names = VariableNames::of(after.snapshot());
        let mut failed = Vec::new();
        for one in &seen.pulls {
            self.context.tell(Event::Pull(&one.shown))?;
            let commanding = self.context.progress.commanding(&format!("docker pull {}", one.shown));
            let pulled = docker.pull(&one.image.reference, one.image.platform.as_deref(), &*commanding);
            drop(commanding);
            self.context.progress.interrupted()?;
            failed.extend(pulled.err().map(|why| not_pulled(one, &names.named(&why))));
        }
        if !failed.is_empty() {
            // Whoever allowed a start without it allowed this, too.
            self.allow(&mut failed);
            return Ok(Seen { findings: [seen.findings, failed].concat(), ..seen });
        }
        Ok(Seen { pulls: Vec::new(), ..self.look(after) })
    }
}

fn not_pulled(one: &ToPull, why: &str) -> Diagnostic {
    let image = &one.image;
    let and = match one.is_missing {
        true => "the engine does not have it",
        false => "Compose would pull it at the start (`pull_policy`)",
    };
    let message = format!(
        "the image {} of the service `{}` cannot be pulled, and {and}: {why}",
        one.shown, image.service
    );
    let help = "check its name, the registry and `docker login`, or load it with `docker load`; the database was not stopped";
    Diagnostic::error(Code::WouldNotStart, message).at(image.place.clone()).help(help)
}
