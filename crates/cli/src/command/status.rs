//! `kasm-db status`

use live::Scrubber;
use ops::status::Status;
use ops::verify::{Options, Proof};
use ops::{Documents, Error, Outcome};

use super::Setting;
use crate::args;

/// Shows for each target whether files and server are as the document says.
pub(crate) fn run(args: &args::Status, setting: &Setting) -> Result<Outcome, Error> {
    let selection = setting.selection();
    let documents = Documents::load(&selection)?;
    let proof = if args.deep { Proof::Line } else { Proof::None };
    let options = Options { sslmode: args.sslmode, proof };
    let results = &setting.results;
    // A server of one target may repeat the secrets of another.
    let known = Scrubber::default();
    let outcome = documents.each_target(
        |_, desired, dir| ops::status(desired, dir, options, &setting.environment, &selection),
        |met| {
            let Some(target) = setting.show_met(met) else { return Ok(Outcome::Done) };
            known.learn_from(&target.result.scrubber);
            let status = Status { scrubber: known.clone(), ..target.result };
            results.each(|emitter| emitter.status(&target.name, &status))?;
            Ok(status.outcome())
        },
    )?;
    results.each(|emitter| emitter.finish())?;
    Ok(outcome)
}
