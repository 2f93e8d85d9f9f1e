//! `kasm-db inspect`

use model::Image;
use ops::inspect::{Cache, Choice, inspect};
use ops::{Error, Outcome};

use super::Setting;
use crate::args::Inspect;
use crate::output::inspect::text;

/// Shows what is in an image.
pub(crate) fn run(args: &Inspect, setting: &Setting) -> Result<Outcome, Error> {
    let image = args.image.as_deref().map(|image| {
        Image::parse(image).map_err(|error| Error::usage(format!("`--image {image}`: {error}")))
    });
    let choice = Choice { image: image.transpose()?, platform: args.platform.clone() };
    let cache = Cache::of(&setting.environment);
    let cache = if args.no_cache { cache.renewed() } else { cache };
    let inspected = inspect(&args.subject, &choice, &setting.environment, &cache)?;
    setting.say(&text(&inspected, setting.terminal.width()))?;
    setting.results.each(|emitter| emitter.inspected(&inspected))?;
    Ok(Outcome::Done)
}
