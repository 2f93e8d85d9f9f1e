//! Values as YAML, the only writer of it: scalars as `serde_yaml` writes them, layout and comments by ourselves.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::scalar::{is_hidden, scalar};
use crate::yaml::Style;

/// Comments are wrapped at this column, and lists that fit stand on one line.
const WIDTH: usize = 100;

/// A document that is being written, from top to bottom.
///
/// ```
/// use kasm_db_model::Written;
/// use serde_json::json;
///
/// let mut written = Written::default();
/// written.comment("What runs today.");
/// written.field("image", &json!("postgres:14"));
/// written.hint("preload", &json!({"libraries": ["pgaudit"]}));
/// assert_eq!(
///     written.text(),
///     "# What runs today.\nimage: postgres:14\n# preload:\n#   libraries: [pgaudit]\n"
/// );
/// ```
#[derive(Clone, Debug, Default)]
pub struct Written {
    text: String,
    depth: usize,
}

impl Written {
    /// Returns the text so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes a line as it is: a modeline, whose reader wants no other.
    pub fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Leaves a line free, but for the first one.
    pub fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// Writes a comment, wrapped; each line feed in it starts a new one.
    ///
    /// What a document must not hold is escaped.
    pub fn comment(&mut self, text: &str) {
        for paragraph in text.lines() {
            let mut line = format!("{:1$}#", "", 2 * self.depth);
            let start = line.len();
            for word in paragraph.split(' ') {
                if line.len() > start && line.chars().count() + 1 + word.chars().count() > WIDTH {
                    self.line(&line);
                    line.truncate(start);
                }
                line.push(' ');
                line.extend(word.chars().flat_map(Escaped::new));
            }
            self.line(line.trim_end());
        }
    }

    /// Opens a mapping: what is written up to its [`Written::close`] is inside it.
    pub fn open(&mut self, key: &str) {
        let _ = writeln!(self.text, "{:1$}{2}:", "", 2 * self.depth, scalar_text(&Value::from(key)));
        self.depth += 1;
    }

    /// Closes the mapping that was opened last.
    pub fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Writes a key with its value.
    pub fn field(&mut self, key: &str, value: &Value) {
        self.noted(key, value, "");
    }

    /// Writes a key with its value, and a comment on the line of the key: one line, which is empty for none.
    pub(crate) fn noted(&mut self, key: &str, value: &Value, note: &str) {
        let _ = write!(self.text, "{:1$}{2}:", "", 2 * self.depth, scalar_text(&Value::from(key)));
        let note = if note.is_empty() { String::new() } else { format!(" # {note}") };
        self.value(value, &note);
    }

    /// Writes a key with its value as a comment, to be uncommented by whoever wants it.
    pub fn hint(&mut self, key: &str, value: &Value) {
        let mut inner = Self::default();
        inner.field(key, value);
        let indent = " ".repeat(2 * self.depth);
        inner.text.lines().for_each(|line| self.line(&format!("{indent}# {line}")));
    }

    /// Writes what stands behind the colon of a key.
    fn value(&mut self, value: &Value, note: &str) {
        let on_its_line = match value {
            Value::Object(map) => map.is_empty().then(|| "{}".to_string()),
            Value::Array(items) => self.flow(items),
            scalar => Some(scalar_text(scalar)),
        };
        if let Some(text) = on_its_line {
            let _ = writeln!(self.text, " {text}{note}");
            return;
        }
        let _ = writeln!(self.text, "{note}");
        self.depth += 1;
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| self.field(key, value)),
            Value::Array(items) => items.iter().for_each(|item| self.item(item)),
            _ => {}
        }
        self.depth -= 1;
    }

    fn item(&mut self, item: &Value) {
        let _ = write!(self.text, "{:1$}-", "", 2 * self.depth);
        match item {
            Value::Object(map) => self.mapping_in_list(map),
            Value::Array(_) => {
                let _ = writeln!(self.text, " {}", in_flow(item));
            }
            scalar => {
                let _ = writeln!(self.text, " {}", scalar_text(scalar));
            }
        }
    }

    /// Writes a mapping whose first key stands behind the dash.
    fn mapping_in_list(&mut self, map: &Map<String, Value>) {
        let mut inner = Self { text: String::new(), depth: self.depth + 1 };
        map.iter().for_each(|(key, value)| inner.field(key, value));
        let indent = 2 * inner.depth;
        let _ = write!(self.text, " {}", inner.text.get(indent..).unwrap_or_default());
        if map.is_empty() {
            self.text.push_str("{}\n");
        }
    }

    /// Returns a list of scalars on one line, where it fits there.
    fn flow(&self, items: &[Value]) -> Option<String> {
        let is_flat = !items.iter().any(|item| item.is_object() || item.is_array());
        let flow = is_flat.then(|| in_flow(&Value::from(items)))?;
        let column = self.text.len() - self.text.rfind('\n').map_or(0, |at| at + 1);
        (column + flow.len() < WIDTH).then_some(flow)
    }
}

/// Writes a value on one line, so that it reads back wherever a value may stand, also between brackets.
pub(crate) fn in_flow(value: &Value) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$' | '/' | '-' | ':' | '@');
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(in_flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries = map
                .iter()
                .map(|(key, value)| format!("{}: {}", in_flow(&Value::from(key.as_str())), in_flow(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        scalar => {
            let text = scalar_text(scalar);
            let is_plain = text.chars().all(plain) && !text.ends_with(':');
            let is_safe = is_plain || text.starts_with(['"', '\'']);
            if is_safe { text } else { quoted(scalar) }
        }
    }
}

/// Writes a scalar on one line, so that [`read`](crate::read()) reads the same value back.
fn scalar_text(value: &Value) -> String {
    let Ok(text) = serde_yaml::to_string(value) else { return quoted(value) };
    let text = text.trim_end_matches('\n');
    // A block scalar would need this line's indentation.
    if text.contains('\n') || text.starts_with(['|', '>']) {
        return quoted(value);
    }
    let is_plain = value.as_str() == Some(text);
    if is_plain && (scalar(text, Style::Plain) != *value || is_other_than_text(text)) {
        return quoted(value);
    }
    text.to_string()
}

/// Writes a text in quotes; anything else as JSON does, which is YAML, too.
fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) if !text.contains(char::is_control) => format!("'{}'", text.replace('\'', "''")),
        // JSON's strings are YAML's double-quoted ones.
        other => other.to_string(),
    }
}

/// Returns whether some reader of YAML 1.1 or 1.2 may take plain text for a switch, a number or a time.
fn is_other_than_text(text: &str) -> bool {
    let words = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~"];
    let number = text.trim_start_matches(['.', '-', '+']);
    let in_numbers =
        |b: u8| b.is_ascii_digit() || matches!(b, b'_' | b'.' | b':' | b'+' | b'-' | b'e' | b'E');
    let with_radix = |prefix: &str| {
        let digits = number.get(..2).filter(|start| start.eq_ignore_ascii_case(prefix)).map(|_| &number[2..]);
        digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit() || b == b'_'))
    };
    words.iter().any(|word| word.eq_ignore_ascii_case(text))
        || (number.starts_with(|c: char| c.is_ascii_digit()) && number.bytes().all(in_numbers))
        || ["0x", "0o", "0b"].into_iter().any(with_radix)
        || matches!(number.to_ascii_lowercase().as_str(), "inf" | "nan" | "")
}

/// A character, or its escape where a document must not hold it.
enum Escaped {
    Plain(Option<char>),
    Unicode(std::char::EscapeUnicode),
}

impl Escaped {
    fn new(c: char) -> Self {
        if is_hidden(c) || matches!(c, '\r' | '\t') {
            Self::Unicode(c.escape_unicode())
        } else {
            Self::Plain(Some(c))
        }
    }
}

impl Iterator for Escaped {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self {
            Self::Plain(c) => c.take(),
            Self::Unicode(escape) => escape.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_of_words_stand_on_one_line_and_others_below() {
        let mut written = Written::default();
        written.open("audit");
        written.field("classes", &json!(["all", "-misc"]));
        written.field("role", &json!("a: b"));
        written.close();
        written.gap();
        written.field("unset", &json!(["a b"]));
        written.field("targets", &json!([{"name": "a", "files": {"compose": ["x.yaml"]}}, {"name": "b"}]));
        written.field("nested", &json!([["a", "\n"], []]));
        assert_eq!(
            written.text(),
            "audit:\n  classes: [all, -misc]\n  role: 'a: b'\n\nunset: ['a b']\ntargets:\n  - name: a\n    \
             files:\n      compose: [x.yaml]\n  - name: b\nnested:\n  - [a, \"\\n\"]\n  - []\n"
        );
    }

    #[test]
    fn a_comment_is_wrapped_and_holds_nothing_that_hides() {
        let mut written = Written::default();
        written.comment(&format!("{}\nb\u{202e}\u{7}", "word ".repeat(25)));
        let lines: Vec<_> = written.text().lines().collect();
        assert!(lines.iter().all(|line| line.starts_with("# ") && line.len() <= WIDTH), "{lines:?}");
        assert_eq!((lines.len(), lines[2]), (3, "# b\\u{202e}\\u{7}"));
    }

    #[test]
    fn what_another_reader_may_take_for_no_text_is_quoted() {
        for text in [
            "no",
            "Y",
            "1.10",
            "0x1",
            ".5",
            "-1",
            "~",
            ".inf",
            "1_000",
            "1e5",
            "12:30",
            "2026-11-23",
            "0.1.0",
        ] {
            let written = scalar_text(&json!(text));
            assert!(written.starts_with(['"', '\'']), "{written}");
        }
        for text in ["a", "8MB", "$libdir/x", "kasmweb/postgres:1.16.0", "1d", "a b"] {
            assert_eq!(scalar_text(&json!(text)), text);
        }
    }

    /// Any value that a document may hold, with keys and texts that look like everything else.
    fn values() -> impl Strategy<Value = Value> {
        let odd = prop::sample::select(vec![
            "", "no", "1.10", "0x1", "-", "- a", "a: b", "a:", "#a", "a #b", "'", "\"", "\\", "~", "<<",
            "@a", "*a", "&a", "!a", "[", "{}", "a,b", "|", ">", "?", "%", "`", "=", "---", "...", " a", "a ",
            "\n", "a\nb\n", "\ta",
        ]);
        let text = || prop_oneof![odd.clone().prop_map(String::from), "[ -~\n\u{e4}\u{20ac}\u{1f600}]{0,12}"];
        let scalar = prop_oneof![
            text().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e20..1e20).prop_map(|number: f64| json!(number)),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
        ];
        // The reader refuses this key in quotes, too: another reader may still merge it.
        let key = text().prop_filter("no merge key", |key| key != "<<");
        scalar.prop_recursive(4, 40, 5, move |inner| {
            let map = prop::collection::vec((key.clone(), inner.clone()), 0..5);
            prop_oneof![
                prop::collection::vec(inner, 0..5).prop_map(Value::from),
                map.prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_the_same_value(value in values(), note in "[ -~]{0,5}") {
            let mut written = Written::default();
            written.open("open");
            written.noted("block", &value, &note);
            written.close();
            written.line(&format!("flow: {}", in_flow(&value)));
            let mut reader = crate::reader::Reader::new("d", written.text().as_bytes());
            let read = reader.text();
            let wanted = json!({"open": {"block": value}, "flow": value});
            prop_assert_eq!(read, Some(wanted), "{:?}\n{}", reader.diagnostics, written.text());
        }
    }
}
