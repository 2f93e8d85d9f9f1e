//! What a terminal would obey, and what a reader would not see, in plain sight.

use std::fmt::Write as _;

use model::yaml::is_ascii_text;

/// Writes control, bidirectional and other invisible characters as `\u{…}`: what stands on one line.
///
/// A line feed in a name or a value would start a line that looks like one of ours. A tab stays, as files are
/// full of them.
pub(crate) fn escape(text: &str) -> String {
    escape_but(text, |_| false)
}

/// As [`escape()`], for a text whose line feeds are ours.
pub(crate) fn escape_lines(text: &str) -> String {
    escape_but(text, |_| true)
}

/// As [`escape()`], for a message: its further lines are indented, and any other line feed is one of a name.
pub(crate) fn escape_message(text: &str) -> String {
    escape_but(text, |behind| behind.starts_with("  "))
}

/// Escapes; a line feed stays where the text behind it passes `is_ours`.
fn escape_but(text: &str, is_ours: impl Fn(&str) -> bool) -> String {
    // Nearly all texts are as plain as this.
    if is_ascii_text(text.as_bytes()) && text.match_indices('\n').all(|(at, _)| is_ours(&text[at + 1..])) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if is_unsafe(c) || (c == '\n' && !is_ours(&text[at + 1..])) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Writes what a terminal would obey in a JSON text as escapes of JSON, so that its values stay exact.
pub(crate) fn escape_json(json: String) -> String {
    // The common case costs one look at many bytes at once, and the next one a look at each character.
    if is_ascii_text(json.as_bytes()) || !json.contains(is_unsafe) {
        return json;
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Returns whether a character could make a terminal, or a reader, see something else than is there.
pub(crate) fn is_unsafe(c: char) -> bool {
    let invisible = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    (c.is_control() && !matches!(c, '\n' | '\t')) || invisible
}

/// Writes bytes of a file as text that may be shown; its lines stay lines.
pub(crate) fn escape_bytes(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(&escape_lines(chunk.valid()));
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
        assert_eq!(escape_json("\"\u{9b}\u{e0001}ü\"\n".into()), "\"\\u009b\\udb40\\udc01ü\"\n");
    }

    #[test]
    fn a_name_cannot_start_a_line() {
        assert_eq!(escape("a\nb"), "a\\u{a}b");
        assert_eq!(escape_lines("a\nb\n"), "a\nb\n");
        assert_eq!(escape_message("stale\n  a\nb: changed"), "stale\n  a\\u{a}b: changed");
    }
}
