//! `kasm-db schema`

use ops::{Error, Outcome};

use super::Setting;
use crate::args::Schema;
use crate::output::json::schemas::{DOCUMENT, schema, text};

/// Prints a JSON Schema that this program was built with: that of the document, or of what a command writes.
pub(crate) fn run(args: &Schema, setting: &Setting) -> Result<Outcome, Error> {
    let name = args.name.as_deref().unwrap_or(DOCUMENT);
    // The command line takes no other name.
    let Some(schema) = schema(name) else { return Err(Error::usage(format!("there is no schema `{name}`"))) };
    setting.say(&text(&schema))?;
    setting.results.each(|emitter| emitter.schema(name, &schema))?;
    Ok(Outcome::Done)
}
