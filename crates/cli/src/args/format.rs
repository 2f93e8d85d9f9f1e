//! Arguments that choose how a result is written.

use std::path::PathBuf;

use clap::builder::{PossibleValue, TypedValueParser};

use crate::output::emitter::Format;
use crate::output::formats::FORMATS;
use crate::output::human;
use crate::output::report::Report;

/// A format, and the file that gets the result instead of standard output.
#[derive(Clone, Debug)]
pub(crate) struct SinkChoice {
    pub(crate) format: &'static Format,
    pub(crate) file: Option<PathBuf>,
}

/// For people, unless something else is chosen.
impl Default for &'static Format {
    fn default() -> Self {
        &human::FORMAT
    }
}

/// Reads a format that can say a report. The formats are known to clap, so that help, completions and tests list them.
#[derive(Clone, Copy, Debug)]
pub(super) struct FormatParser(pub(super) Report);

impl FormatParser {
    fn formats(self) -> impl Iterator<Item = &'static Format> {
        FORMATS.iter().filter(move |format| format.says(self.0))
    }
}

impl TypedValueParser for FormatParser {
    type Value = &'static Format;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<&'static Format, clap::Error> {
        let names = clap::builder::PossibleValuesParser::new(self.formats().map(|format| format.name));
        let name = names.parse_ref(command, argument, value)?;
        // The parser lets no other name through.
        let found = self.formats().find(|format| format.name == name);
        found.ok_or_else(|| clap::Error::new(clap::error::ErrorKind::InvalidValue))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.formats().map(|format| PossibleValue::new(format.name))))
    }
}

/// Reads a [`SinkChoice`] for a report.
#[derive(Clone, Copy, Debug)]
pub(super) struct SinkParser(pub(super) Report);

impl TypedValueParser for SinkParser {
    type Value = SinkChoice;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<SinkChoice, clap::Error> {
        let text = has_file.parse_ref(command, argument, value)?;
        let (name, file) = text
            .split_once('=')
            .map_or((text.as_str(), None), |(name, file)| (name, Some(PathBuf::from(file))));
        let format = FormatParser(self.0).parse_ref(command, argument, name.as_ref())?;
        Ok(SinkChoice { format, file })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(FormatParser(self.0).formats().map(|format| PossibleValue::new(format.name))))
    }
}

/// Refuses a format with an empty name of a file.
fn has_file(text: &str) -> Result<String, &'static str> {
    match text.split_once('=') {
        Some((_, "")) => Err("add a file after `=`, or remove `=`"),
        _ => Ok(text.to_string()),
    }
}
