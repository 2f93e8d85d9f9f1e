//! The base of a committed Dockerfile, brought to the document: what Renovate changed there, the document declares then.

use model::DesiredState;

use crate::document::Document;
use crate::error::Error;

/// Returns the text of the document with another base: the bytes of the value change, and no others. `None` if it is that
/// of the document already.
///
/// # Errors
/// The base is declared in a document that this one extends, or the document would not be valid with it.
pub fn with_base(document: &Document, desired: &DesiredState, base: &str) -> Result<Option<Vec<u8>>, Error> {
    let Some(place) = desired.build().and_then(|_| desired.base_place()) else { return Ok(None) };
    if place.path != document.name {
        return Err(Error::failed(format!("`build.base` is declared in {}", place.path))
            .help(format!("run `kasm-db build --write -f {}`, or write the base there", place.path)));
    }
    let bytes = &document.bytes;
    let (Some(before), Some(old), Some(after)) =
        (bytes.get(..place.span.start), bytes.get(place.span.clone()), bytes.get(place.span.end..))
    else {
        return Ok(None);
    };
    // A reference needs no escape in quotes of either kind.
    let quote = old.first().copied().filter(|first| matches!(first, b'"' | b'\''));
    let quote: Vec<u8> = quote.into_iter().collect();
    let text = [before, &quote, base.as_bytes(), &quote, after].concat();
    if text == *bytes {
        return Ok(None);
    }
    let reading = document.read_again(&text);
    let is_declared = reading.desired.as_ref().and_then(DesiredState::build);
    if is_declared.is_none_or(|build| build.base.as_str() != base) {
        let why = reading.diagnostics.iter().find(|diagnostic| diagnostic.is_error());
        let why = why.map(|error| format!(": {}", error.message)).unwrap_or_default();
        return Err(Error::failed(format!("the document would not be valid with the base {base}{why}"))
            .help("change `build.base` by hand, or run `kasm-db build` to restore the Dockerfile"));
    }
    Ok(Some(text))
}
