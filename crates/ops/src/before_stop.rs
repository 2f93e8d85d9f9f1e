//! What is looked at before a database is stopped: whether it would come up again, and with the declared values.
//!
//! A plan asks nobody. Here the server and the engine are asked, once before anything is written and once before the stop.

mod access;
mod asked;
mod engine;
mod next_start;
mod programs;
mod pull;
mod readable;
mod seen;
mod space;
mod stopping;
mod unknown;

use live::Unreachable;
use model::document::Connect;
use model::{Code, Diagnostic};
use render::{ObservedState, VariableNames};

use self::asked::{Asked, NextImage};
pub(crate) use self::seen::{Seen, ToPull};
pub(crate) use self::stopping::BeforeStop;
use self::unknown::Unknown;
use crate::follow_up::Step;

impl BeforeStop<'_> {
    /// Looks at a server before a step, whose files are, or are about to be, `after`.
    pub(crate) fn look_for(&self, step: Step, after: &ObservedState) -> Seen {
        match step {
            Step::Stop => self.look(after),
            // What would keep it from starting does not matter as long as it runs.
            Step::Reload => {
                let mut seen = self.look_at(after, false);
                // What a reload does not reach takes a stop.
                if seen.stale.is_none() {
                    let keeps = [Code::NextStartDiffers, Code::DockerMissing];
                    seen.findings.retain(|finding| keeps.contains(&finding.code));
                    seen.also.clear();
                }
                seen
            }
            Step::Start | Step::Healthy | Step::Extension => Seen::default(),
        }
    }

    /// Looks at a server that is to be stopped, whose files are, or are about to be, `after`.
    pub(crate) fn look(&self, after: &ObservedState) -> Seen {
        self.look_at(after, true)
    }

    fn look_at(&self, after: &ObservedState, stops: bool) -> Seen {
        let mut seen = Seen::default();
        if self.verify.connect == Connect::None {
            if stops {
                self.programs(&mut seen);
            }
            return seen;
        }
        let asked = self.ask();
        if let Err(missing) = &asked.engine
            && self.verify.connect == Connect::Docker
        {
            seen.findings.push(without_docker(missing));
            return seen;
        }
        seen.is_up = asked.running.is_some();
        seen.stale = self.stale(&asked, after);
        let image = asked.next_image(after);
        let auto = self.auto_conf(&asked, after);
        match &auto {
            Ok(auto) => self.next_start(&asked, &image, after, auto.as_ref(), &mut seen),
            // What does not run cannot be made worse.
            Err(why) if asked.is_up() => seen.findings.push(next_start::unknown(why)),
            Err(_) => {}
        }
        if stops || seen.stale.is_some() {
            self.preconditions(&asked, &image, after, &mut seen);
        }
        self.allow(&mut seen.findings);
        seen
    }

    /// Looks for everything besides settings that a start needs.
    fn preconditions(&self, asked: &Asked, image: &NextImage, after: &ObservedState, all: &mut Seen) {
        let seen = &mut Seen::default();
        let mut unknown = Unknown::default();
        self.programs(seen);
        self.engine(asked, after, seen, &mut unknown);
        self.readable(asked, image, after, seen, &mut unknown);
        self.space(asked, after, seen, &mut unknown);
        seen.findings.extend(unknown.finding());
        // What a variable becomes is used, and not said.
        let names = VariableNames::of(after.snapshot());
        seen.findings.iter_mut().for_each(|finding| names.name_in(finding));
        for pull in &mut seen.pulls {
            pull.shown = names.named(&pull.image.reference).into_owned();
        }
        all.findings.append(&mut seen.findings);
        all.pulls.append(&mut seen.pulls);
    }
}

/// Returns the finding that the server cannot be reached at all, whatever it needs.
fn without_docker(missing: &Unreachable) -> Diagnostic {
    let message = format!("`restart: {{policy: if_needed}}` needs the docker command: {}", missing.why);
    let help = "use `--files-only` to write the files only, or run kasm-db on the host of the database";
    Diagnostic::error(Code::DockerMissing, message).help(help)
}
