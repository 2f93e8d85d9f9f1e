//! Scalars of a document: what a plain one is, and which characters are hidden in one.

use serde_json::{Number, Value};

use crate::yaml::Style;

/// Reads a scalar by YAML's core schema: only a plain one can be more than text.
pub(crate) fn scalar(text: &str, style: Style) -> Value {
    if style != Style::Plain {
        return Value::from(text);
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::from(true),
        "false" | "False" | "FALSE" => return Value::from(false),
        _ => {}
    }
    let radix =
        |prefix: &str, radix| text.strip_prefix(prefix).and_then(|d| i64::from_str_radix(d, radix).ok());
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Value::from(number);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        if let Ok(number) = text.parse::<i64>() {
            return Value::from(number);
        }
        let real =
            unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
        if let Some(number) = text.parse().ok().filter(|_| real).and_then(Number::from_f64) {
            return Value::Number(number);
        }
    }
    Value::from(text)
}

/// Returns whether an editor does not show a character: a control, a separator, one that turns the direction.
pub(crate) fn is_hidden(c: char) -> bool {
    let bidi =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}');
    let separator = matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    (c.is_control() && !matches!(c, '\n' | '\r' | '\t')) || bidi || separator
}

/// Names a hidden character.
pub(crate) fn hidden_name(c: char) -> String {
    let kind = if c.is_control() { "control character" } else { "invisible or bidirectional character" };
    format!("{kind} U+{:04X}", u32::from(c))
}
