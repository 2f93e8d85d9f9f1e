//! Single parts of the program, for the tests that look at one of them. Nothing else may use them.

use ops::saved::format;

use crate::{args, exit, output};

/// The largest plan file that is read.
pub const MAX_BYTES: u64 = format::MAX_BYTES;

/// A plan file that was read.
#[derive(Debug, PartialEq)]
pub struct PlanFile(format::PlanFile);

/// Returns the definition of the whole command line.
#[must_use]
pub fn command_line() -> clap::Command {
    let mut whole = args::definition();
    whole.build();
    whole
}

/// Returns the exit codes as README has them.
#[must_use]
pub fn exit_codes() -> String {
    exit::markdown()
}

/// Returns each exit code with its meaning.
#[must_use]
pub fn exit_meanings() -> Vec<(u8, &'static str)> {
    exit::TABLE.iter().map(|row| (row.code, row.meaning)).collect()
}

/// Reads a plan file; the error is what the program says of it.
///
/// # Errors
/// If it is not a plan file, or not one that this version writes.
pub fn decode(bytes: &[u8]) -> Result<PlanFile, String> {
    format::decode(bytes).map(PlanFile).map_err(|invalid| invalid.to_string())
}

/// Writes a plan file.
#[must_use]
pub fn encode(plan: &PlanFile) -> Vec<u8> {
    format::encode(plan.0.clone())
}

/// Writes what a terminal would obey as `\u{…}`.
#[must_use]
pub fn escape(text: &str) -> String {
    output::escape(text)
}

/// Writes bytes as text, with what a terminal would obey as `\u{…}`.
#[must_use]
pub fn escape_bytes(bytes: &[u8]) -> String {
    output::escape_bytes(bytes)
}

/// Returns whether a terminal would obey a character, or a reader would not see it.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    output::is_unsafe(c)
}

/// Lists the names of the schemas, that of the document first.
pub fn schemas() -> impl Iterator<Item = &'static str> {
    output::json::schemas::names()
}

/// Returns a schema as it is committed.
#[must_use]
pub fn schema(name: &str) -> String {
    output::json::schemas::schema(name)
        .map_or_else(String::new, |schema| output::json::schemas::text(&schema))
}
