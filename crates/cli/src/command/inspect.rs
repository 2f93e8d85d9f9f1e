//! `kasm-db inspect`

use model::Image;
use ops::inspect::{Choice, inspect};
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
    let inspected = inspect(&args.subject, &choice, &setting.environment)?;
    setting.say(&text(&inspected, setting.terminal.width()))?;
    setting.results.each(|emitter| emitter.inspected(&inspected))?;
    Ok(Outcome::Done)
}
