//! A Code Quality report of GitLab.

use std::collections::HashMap;

use commit::Digest;
use model::Severity;
use serde::Serialize;

use super::annotations::{Annotated, Annotation, REPORTS};
use super::emitter::Format;
use crate::output::escape_json;

/// The format.
pub(crate) const FORMAT: Format = Format {
    name: "gitlab",
    reports: REPORTS,
    new: |_, sink, _| Box::new(Annotated::for_programs(sink, report)),
    entries: None,
    is_public: true,
};

/// A finding, with the five members that GitLab reads.
#[derive(Serialize)]
struct Finding {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
}

/// Writes the report.
fn report(all: &[Annotation]) -> String {
    let mut seen = HashMap::new();
    let all: Vec<_> = all.iter().map(|one| finding(one, &mut seen)).collect();
    let text = serde_json::to_string_pretty(&all).unwrap_or_else(|_| "[]".into());
    format!("{}\n", escape_json(text))
}

/// Builds a finding. Its fingerprint says what it is about and not on which line, so that GitLab knows it again when lines are
/// added above; equal ones are counted.
fn finding(one: &Annotation, seen: &mut HashMap<String, usize>) -> Finding {
    let (path, line) =
        one.place.as_ref().map_or(("kasm-db.yaml", 1), |(path, line, _)| (path.as_str(), *line));
    let about = format!("{path}\0{}\0{}\0{}", one.code, one.about, one.message);
    let number = seen.entry(about.clone()).or_insert(0);
    *number += 1;
    Finding {
        description: one.message.replace('\n', ": "),
        check_name: if one.name.is_empty() { "error".into() } else { one.name.into() },
        fingerprint: Digest::of(format!("{about}\0{number}").as_bytes()).to_string(),
        severity: match one.severity {
            Severity::Error => "critical",
            Severity::Warning => "minor",
        },
        location: Location { path: path.to_owned(), lines: Lines { begin: line } },
    }
}
