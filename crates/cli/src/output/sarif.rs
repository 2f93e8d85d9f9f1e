//! Problems as SARIF 2.1.0, which GitHub's code scanning and other services read.
//!
//! The structs are ours, and hold the dozen members that are written: the published crate of all of SARIF derives some hundred
//! types with builders, most of what a clean build would then compile for this program's output.

use std::fmt::Write as _;

use model::schema::ADDRESS;
use model::{Code, Severity};
use serde::Serialize;

use super::annotations::{Annotated, Annotation, Gathered, Place};
use super::emitter::Format;
use super::fingerprint::Fingerprints;
use super::report::Report;
use crate::exit::Exit;
use crate::output::{escape_json, escape_lines};

/// The format.
pub(crate) const FORMAT: Format = Format {
    name: "sarif",
    reports: &[Report::Validate, Report::Plan, Report::Show, Report::Verify],
    new: |report, sink, _| Box::new(Annotated::for_programs(report, sink, log)),
    entries: None,
    is_public: true,
};

/// The schema of the standard, which GitHub wants to be named.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// A file of SARIF.
#[derive(Serialize)]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

/// What one run of the program found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    /// Results of another command do not replace these.
    automation_details: AutomationDetails,
    /// Columns are counted in characters.
    column_kind: &'static str,
    invocations: [Invocation; 1],
    results: Vec<Finding>,
}

/// The program, and nothing that extends it.
#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

/// The program with its rules.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    information_uri: &'static str,
    rules: Vec<Rule>,
}

/// A code that a finding has.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    name: &'static str,
    short_description: Text,
    full_description: Text,
    help: Text,
    #[serde(skip_serializing_if = "str::is_empty")]
    help_uri: &'static str,
}

/// Which runs are of the same kind.
#[derive(Serialize)]
struct AutomationDetails {
    id: String,
}

/// How the run went.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    exit_code: u8,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_execution_notifications: Vec<Notification>,
}

/// An error of the run, or a note.
#[derive(Serialize)]
struct Notification {
    level: &'static str,
    message: Text,
}

/// A finding, which SARIF names a result.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Text,
    locations: [Location; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    partial_fingerprints: PartialFingerprints,
}

/// What a service knows a finding by.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartialFingerprints {
    /// The only one that GitHub reads; without it, GitHub makes one of the line's text.
    primary_location_line_hash: String,
}

/// A place, for people and for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<LogicalLocation>,
}

/// A place in a file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

/// A file, relative to the top of the repository.
#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

/// Where something begins; where it ends is not known.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
}

/// The document or target.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    fully_qualified_name: String,
}

/// A text without markup.
#[derive(Serialize)]
struct Text {
    text: String,
}

/// Writes the log.
fn log(gathered: &Gathered) -> String {
    let mut fingerprints = Fingerprints::default();
    let mut codes: Vec<_> = gathered.problems.iter().filter_map(|one| one.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let results = gathered.problems.iter().filter_map(|one| finding(one, &codes, &mut fingerprints));
    let results = results.collect();
    let run = Run {
        tool: Tool {
            driver: Driver {
                name: "kasm-db",
                semantic_version: env!("CARGO_PKG_VERSION"),
                information_uri: ADDRESS,
                rules: codes.iter().map(|code| rule(*code)).collect(),
            },
        },
        automation_details: AutomationDetails { id: format!("kasm-db/{}/", gathered.report.name()) },
        column_kind: "unicodeCodePoints",
        invocations: [invocation(gathered)],
        results,
    };
    let text = serde_json::to_string_pretty(&Log { schema: SCHEMA, version: "2.1.0", runs: [run] })
        .unwrap_or_default();
    format!("{}\n", escape_json(text))
}

/// Returns the rule of a code.
fn rule(code: Code) -> Rule {
    Rule {
        id: code.id(),
        name: code.name(),
        short_description: Text::of(code.title()),
        full_description: Text::of(code.why()),
        help: Text::of(&format!("{} Run `kasm-db explain {code}` for an example.", code.fix())),
        help_uri: ADDRESS,
    }
}

/// Returns how the run went. A document or a plan with errors is a result of it, and not a failure.
fn invocation(gathered: &Gathered) -> Invocation {
    let errors = gathered.problems.iter().filter(|one| one.code.is_none());
    let errors: Vec<_> = errors.map(|one| Notification::new("error", &one.message)).collect();
    let notes = gathered.notes.iter().map(|note| Notification::new("note", note));
    Invocation {
        execution_successful: errors.is_empty(),
        exit_code: Exit::from(gathered.outcome).code(),
        tool_execution_notifications: errors.into_iter().chain(notes).collect(),
    }
}

/// Returns a problem as a result; `None` for an error of the run.
fn finding(one: &Annotation, codes: &[Code], fingerprints: &mut Fingerprints) -> Option<Finding> {
    let code = one.code?;
    let about = LogicalLocation { fully_qualified_name: escape_lines(&one.about) };
    let related = one.related.as_ref();
    let related = related.map(|(place, why)| Location::new(place, Some(Text::of(why)), Vec::new()));
    Some(Finding {
        rule_id: code.id(),
        rule_index: codes.binary_search(&code).unwrap_or_default(),
        level: match one.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        message: Text::of(&one.message),
        locations: [Location::new(&one.place_or_document(), None, vec![about])],
        related_locations: related.into_iter().collect(),
        partial_fingerprints: PartialFingerprints { primary_location_line_hash: fingerprints.of(one) },
    })
}

impl Location {
    /// Builds a place.
    fn new(place: &Place, message: Option<Text>, logical_locations: Vec<LogicalLocation>) -> Self {
        let region = Region { start_line: place.line, start_column: place.column };
        let artifact_location = ArtifactLocation { uri: uri(&place.path) };
        let physical_location = PhysicalLocation { artifact_location, region };
        Self { physical_location, message, logical_locations }
    }
}

impl Notification {
    /// Builds a notification.
    fn new(level: &'static str, message: &str) -> Self {
        Self { level, message: Text::of(message) }
    }
}

impl Text {
    /// Builds a text, with what a reader would not see in plain sight.
    fn of(text: &str) -> Self {
        Self { text: escape_lines(text) }
    }
}

/// Returns a relative path as a URI: a colon in it would end a scheme.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_path_holds_is_part_of_no_scheme_and_no_query() {
        assert_eq!(uri("a b/c:d?e#f/ü.yaml"), "a%20b/c%3Ad%3Fe%23f/%C3%BC.yaml");
    }
}
