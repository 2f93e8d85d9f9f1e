//! A Code Quality report of GitLab.

use model::Severity;
use serde::Serialize;

use super::annotations::{Annotated, Annotation, Gathered, REPORTS};
use super::emitter::Format;
use super::fingerprint::Fingerprints;
use crate::output::escape_json;

/// The format.
pub(crate) const FORMAT: Format = Format {
    name: "gitlab",
    reports: REPORTS,
    new: |of, sink, _| Box::new(Annotated::for_programs(of, sink, report)),
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

/// Where a finding is.
#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

/// The line of a finding.
#[derive(Serialize)]
struct Lines {
    begin: usize,
}

/// Writes the report.
fn report(gathered: &Gathered) -> String {
    let mut fingerprints = Fingerprints::default();
    let all: Vec<_> = gathered.problems.iter().map(|one| finding(one, &mut fingerprints)).collect();
    let text = serde_json::to_string_pretty(&all).unwrap_or_else(|_| "[]".into());
    format!("{}\n", escape_json(text))
}

/// Builds a finding.
fn finding(one: &Annotation, fingerprints: &mut Fingerprints) -> Finding {
    let place = one.place_or_document();
    Finding {
        description: one.message.replace('\n', ": "),
        check_name: one.name().into(),
        fingerprint: fingerprints.of(one),
        severity: match one.severity {
            Severity::Error => "critical",
            Severity::Warning => "minor",
        },
        location: Location { path: place.path, lines: Lines { begin: place.line } },
    }
}
