//! `kasm-db history`

use ops::history::history;
use ops::{Error, Outcome};

use super::Setting;

/// Lists what was applied to each target; writes nothing.
pub(crate) fn run(setting: &Setting) -> Result<Outcome, Error> {
    let selection = setting.selection();
    let results = &setting.results;
    let outcome = setting.only_targets(&selection, &mut |dir| match history(dir, &selection) {
        Ok(history) => {
            if let Some(error) = &history.interrupted {
                setting.terminal.error(error);
            }
            results.each(|emitter| emitter.history(dir, &history))?;
            Ok(history.interrupted.map_or(Outcome::Done, |error| error.kind))
        }
        Err(error) => {
            let kind = error.kind;
            setting.target_error(dir, error);
            Ok(kind)
        }
    })?;
    results.each(|emitter| emitter.finish())?;
    Ok(outcome)
}
