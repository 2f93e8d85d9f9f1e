//! `kasm-db explain`

use model::explain::{find, nearest};
use ops::{Error, Outcome};

use super::Setting;
use crate::args::Explain;
use crate::output::explain;

/// Explains all that a name may mean, or lists what can be explained.
pub(crate) fn run(args: &Explain, setting: &Setting) -> Result<Outcome, Error> {
    let Some(subject) = args.subject.as_deref() else {
        setting.say(&explain::list())?;
        setting.results.each(|emitter| emitter.explained(None, &[]))?;
        return Ok(Outcome::Done);
    };
    let found = find(subject);
    if found.is_empty() {
        let message = format!("`{subject}` is not an error code, a key, or a setting");
        return Err(Error::usage(message).help(match nearest(subject) {
            Some(meant) => format!("run `kasm-db explain {meant}`, or `kasm-db explain` for the list"),
            None => "run `kasm-db explain` for the list of codes and keys".into(),
        }));
    }
    setting.say(&explain::all(&found, setting.terminal.width()))?;
    setting.results.each(|emitter| emitter.explained(Some(subject), &found))?;
    Ok(Outcome::Done)
}
