//! Any bytes as a document: every finding has a place that is there.

use model::{Diagnostic, Location};

/// Runs the target with one input.
pub fn run(input: &[u8]) {
    let reading = model::read("kasm-db.yaml", input);
    let failed = reading.diagnostics.iter().any(Diagnostic::is_error);
    assert_eq!(reading.desired.is_none(), failed, "no desired state without an error, and no other way");
    for diagnostic in &reading.diagnostics {
        assert!(!diagnostic.message.is_empty());
        let related = diagnostic.related.iter().map(|(location, _)| location);
        let location = diagnostic.location.iter();
        location.chain(related).for_each(|location| sane(location, input));
        let fix = diagnostic.fix.iter().map(|(range, _)| range);
        fix.for_each(|range| assert!(range.start <= range.end && range.end <= input.len()));
    }
    // One fix is tried: a document of many errors would be read as many times.
    if let Some((range, text)) = reading.diagnostics.iter().find_map(|diagnostic| diagnostic.fix.as_ref()) {
        model::read("kasm-db.yaml", &[&input[..range.start], text.as_bytes(), &input[range.end..]].concat());
    }
    let again = model::read("kasm-db.yaml", input);
    assert_eq!(reading.diagnostics, again.diagnostics, "two readings of the same bytes differ");
}

/// The bytes are in the text, between its characters, and on the line that is named.
fn sane(location: &Location, input: &[u8]) {
    assert_eq!(location.path, "kasm-db.yaml");
    assert!(location.span.start <= location.span.end && location.span.end <= input.len(), "{location:?}");
    let line = 1 + input[..location.span.start].iter().filter(|&&b| b == b'\n').count();
    assert!(location.line == line && location.column >= 1, "{location:?} is on line {line}");
    if let Ok(text) = std::str::from_utf8(input) {
        let is_boundary = |at| text.is_char_boundary(at);
        assert!(
            is_boundary(location.span.start) && is_boundary(location.span.end),
            "{location:?} cuts a character"
        );
    }
}
