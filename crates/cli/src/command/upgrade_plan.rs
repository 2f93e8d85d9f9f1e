//! `kasm-db upgrade-plan`

use ops::upgrade::path;
use ops::{Documents, Error, Outcome};

use super::Setting;
use crate::args::UpgradePlan;

/// Prints the path of an upgrade for each target; writes nothing.
pub(crate) fn run(args: &UpgradePlan, setting: &Setting) -> Result<Outcome, Error> {
    let selection = setting.selection();
    let documents = Documents::load(&selection)?;
    let results = &setting.results;
    let outcome = documents.each_target(
        |_, desired, dir| path(desired, dir, args.to.as_deref(), &selection),
        |met| {
            let Some(target) = setting.show_met(met) else { return Ok(Outcome::Done) };
            results.each(|emitter| emitter.upgrade(&target.name, &target.result))?;
            Ok(Outcome::Done)
        },
    )?;
    results.each(|emitter| emitter.finish())?;
    Ok(outcome)
}
