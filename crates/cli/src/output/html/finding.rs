//! What is wrong, and where.

use maud::{Markup, html};
use model::{Diagnostic, Location, Severity};
use ops::Error;

use super::text::{badge, code, words};
use crate::output::escape_message;

/// The findings that are listed of a document or a target.
const FINDINGS: usize = 100;

/// Writes findings as a table, the worst first; one cause in several places is one row.
pub(super) fn findings(all: &[Diagnostic]) -> Markup {
    let mut groups: Vec<Vec<&Diagnostic>> = Vec::new();
    for finding in all {
        let same = |group: &&mut Vec<&Diagnostic>| {
            let first = group[0];
            (first.code, &first.message, &first.help) == (finding.code, &finding.message, &finding.help)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups.sort_by_key(|group| group[0].severity);
    let left_out = groups.len().saturating_sub(FINDINGS);
    html! {
        table.findings {
            thead { tr { th scope="col" { "finding" } th scope="col" { "place" } th scope="col" { "what to do" } } }
            tbody { @for group in groups.iter().take(FINDINGS) { (row(group)) } }
        }
        @if left_out > 0 { p.more { "and " (left_out) " more" } }
    }
}

/// Writes one cause with its places.
fn row(group: &[&Diagnostic]) -> Markup {
    let first = group[0];
    let (word, class) = match first.severity {
        Severity::Error => ("error", "bad"),
        Severity::Warning => ("warning", "warned"),
    };
    let mut related: Vec<_> = group.iter().filter_map(|finding| finding.related.as_ref()).collect();
    related.dedup();
    html! {
        tr {
            td data-label="finding" {
                (badge(word, class)) " " strong { (first.code.id()) } " " (code(first.code.name()))
                br; (words(&first.message))
            }
            td data-label="place" {
                @for at in group.iter().filter_map(|finding| finding.location.as_ref()) { div { (place(at)) } }
                @for (at, why) in related { div { (place(at)) " " span.quiet { (words(why)) } } }
            }
            td data-label="what to do" { @if let Some(help) = &first.help { (words(help)) } }
        }
    }
}

/// Writes a place.
fn place(at: &Location) -> Markup {
    code(&format!("{}:{}:{}", at.path, at.line, at.column))
}

/// Writes an error of the run; its message may have several lines.
pub(super) fn error_item(error: &Error) -> Markup {
    html! {
        (badge("error", "bad")) " "
        @for (index, line) in escape_message(&error.message).lines().enumerate() {
            @if index > 0 { br; }
            (words(line))
        }
        @if let Some(help) = &error.help { br; span.quiet { (words(help)) } }
    }
}
