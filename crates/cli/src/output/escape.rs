//! What a terminal would obey, and what a reader would not see, in plain sight.

use std::fmt::Write as _;

/// Writes control, bidirectional and other invisible characters as `\u{…}`.
///
/// Line feeds stay: they are ours. A tab stays, as files are full of them.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Tells whether a character could make a terminal, or a reader, see something else than is there.
pub(crate) fn is_unsafe(c: char) -> bool {
    let invisible = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    (c.is_control() && !matches!(c, '\n' | '\t')) || invisible
}

/// Writes bytes of a file as text that may be shown.
pub(crate) fn escape_bytes(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(&escape(chunk.valid()));
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(escape("a\u{1b}[2Jb\r\u{202e}c\u{9b}ü\t"), "a\\u{1b}[2Jb\\u{d}\\u{202e}c\\u{9b}ü\t");
        assert_eq!(escape_bytes(b"caf\xe9\x07"), "caf\\xe9\\u{7}");
    }
}
