//! Times as the server writes them into a prefix.

/// Returns whether a text is a time with its zone, as the server writes it.
pub(super) fn is_time(text: &[u8], milliseconds: bool) -> bool {
    let shape = shape(milliseconds);
    if text.len() <= shape.len() || !starts_as(text, shape) {
        return false;
    }
    match &text[shape.len()..] {
        [b'+' | b'-', offset @ ..] => {
            let is = |shape: &[u8]| offset.len() == shape.len() && starts_as(offset, shape);
            is(b"dd") || is(b"dddd") || is(b"dd:dd") || is(b"dd:dd:dd")
        }
        zone => zone.iter().all(u8::is_ascii_alphabetic),
    }
}

/// The start of a time: a `d` is a digit.
pub(super) fn shape(milliseconds: bool) -> &'static [u8] {
    if milliseconds { b"dddd-dd-dd dd:dd:dd.ddd " } else { b"dddd-dd-dd dd:dd:dd " }
}

/// Returns whether a text starts as a shape.
pub(super) fn starts_as(text: &[u8], shape: &[u8]) -> bool {
    let is = |(byte, shape): (&u8, &u8)| if *shape == b'd' { byte.is_ascii_digit() } else { byte == shape };
    text.len() >= shape.len() && text.iter().zip(shape).all(is)
}
