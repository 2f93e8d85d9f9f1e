//! `kasm-db recover`

use ops::recover::{Recovered, Work, recover};
use ops::{Context, Error, Outcome, Selection};

use super::Setting;
use crate::args::Recover;
use crate::output::{escape, progress};

/// Ends what an interrupted run has begun, for every target: all of its files new, or all as they were, and what
/// was to follow them.
pub(crate) fn run(args: &Recover, setting: &Setting) -> Result<Outcome, Error> {
    let selection = Selection { no_pull: args.no_pull, ..setting.selection() };
    let observer = setting.observer();
    let context = Context::new(&selection, setting.environment.clone(), setting.progress.clone(), &observer);
    setting.only_targets(&selection, &mut |target| match recover(target, &context) {
        Ok(recovered) => {
            let scrubber = context.scrubber();
            setting.say(&scrubber.known(&text(&recovered)))?;
            setting.results.each(|emitter| emitter.recovered(target, &recovered, scrubber))?;
            Ok(Outcome::Done)
        }
        Err(error) => {
            let kind = error.kind;
            setting.target_error(target, error);
            Ok(kind)
        }
    })
}

fn text(recovered: &Recovered) -> String {
    let root = recovered.root.display().to_string();
    match &recovered.what {
        Work::Nothing => format!("Nothing to recover below {}.\n", escape(&root)),
        Work::Files(recovery) => progress::recovered(&root, recovery),
        Work::Followed(step) => format!(
            "Recovered: an apply below {} went on at its step `{}`, and is done. `kasm-db verify` looks at it.\n",
            escape(&root),
            step.name()
        ),
    }
}
