//! Any bytes as a document: every finding has a place that is there.

use model::{Diagnostic, Place};

pub(crate) fn run(input: &[u8]) {
    let reading = model::read("kasm-db.yaml", input);
    let failed = reading.diagnostics.iter().any(Diagnostic::is_error);
    assert_eq!(reading.desired.is_none(), failed, "no desired state without an error, and no other way");
    for diagnostic in &reading.diagnostics {
        assert!(!diagnostic.message.is_empty());
        let related = diagnostic.related.iter().map(|(place, _)| place);
        let place = diagnostic.place.iter();
        place.chain(related).for_each(|place| sane(place, input));
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
fn sane(place: &Place, input: &[u8]) {
    assert_eq!(place.path, "kasm-db.yaml");
    assert!(place.span.start <= place.span.end && place.span.end <= input.len(), "{place:?}");
    let line = 1 + input[..place.span.start].iter().filter(|&&b| b == b'\n').count();
    assert!(place.line == line && place.column >= 1, "{place:?} is on line {line}");
    if let Ok(text) = std::str::from_utf8(input) {
        let is_boundary = |at| text.is_char_boundary(at);
        assert!(is_boundary(place.span.start) && is_boundary(place.span.end), "{place:?} cuts a character");
    }
}
