//! `kasm-db verify`

use live::Scrubber;
use ops::verify::{Options, Proof, Verified};
use ops::{Documents, Error, Outcome};

use super::Setting;
use crate::args::Verify;

/// Asks the running server whether it does what the document says.
pub(crate) fn run(args: &Verify, setting: &Setting) -> Result<Outcome, Error> {
    let selection = setting.selection();
    let documents = Documents::load(&selection)?;
    let proof = if args.no_probe { Proof::None } else { Proof::Statements };
    let options = Options { sslmode: args.sslmode, proof };
    let results = &setting.results;
    // A server of one target may repeat the secrets of another.
    let known = Scrubber::default();
    let outcome = documents.each_target(
        |_, desired, dir| ops::verify(desired, dir, options, &setting.environment, &selection),
        |met| {
            let Some(target) = setting.show_met(met) else { return Ok(Outcome::Done) };
            known.learn_from(&target.result.scrubber);
            let verified = Verified { scrubber: known.clone(), ..target.result };
            results.each(|emitter| emitter.verified(&target.name, &verified))?;
            Ok(verified.outcome())
        },
    )?;
    results.each(|emitter| emitter.finish())?;
    Ok(outcome)
}
