//! A document as text: scalars as `serde_yaml` writes them, layout and comments by ourselves.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::read::{is_hidden, scalar};
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
    /// Gives the text so far.
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
        let _ = write!(self.text, "{:1$}{2}:", "", 2 * self.depth, scalar_text(&Value::from(key)));
        self.value(value);
    }

    /// Writes a key with its value as a comment, to be uncommented by whoever wants it.
    pub fn hint(&mut self, key: &str, value: &Value) {
        let mut inner = Self::default();
        inner.field(key, value);
        let indent = " ".repeat(2 * self.depth);
        inner.text.lines().for_each(|line| self.line(&format!("{indent}# {line}")));
    }

    /// Writes what stands behind the colon of a key.
    fn value(&mut self, value: &Value) {
        match value {
            Value::Object(map) if map.is_empty() => self.text.push_str(" {}\n"),
            Value::Object(map) => {
                self.text.push('\n');
                self.depth += 1;
                map.iter().for_each(|(key, value)| self.field(key, value));
                self.depth -= 1;
            }
            Value::Array(items) => match self.flow(items) {
                Some(flow) => {
                    let _ = writeln!(self.text, " {flow}");
                }
                None => {
                    self.text.push('\n');
                    self.depth += 1;
                    items.iter().for_each(|item| self.item(item));
                    self.depth -= 1;
                }
            },
            scalar => {
                let _ = writeln!(self.text, " {}", scalar_text(scalar));
            }
        }
    }

    fn item(&mut self, item: &Value) {
        let _ = write!(self.text, "{:1$}-", "", 2 * self.depth);
        match item {
            Value::Object(map) => self.mapping_in_list(map),
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

    /// Gives a list of plain words on one line, where it fits there.
    fn flow(&self, items: &[Value]) -> Option<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$' | '/' | '-');
        let words: Option<Vec<String>> = items
            .iter()
            .map(|item| (!item.is_object() && !item.is_array()).then(|| scalar_text(item)))
            .collect();
        let words = words.filter(|words| words.iter().all(|word| word.chars().all(plain)))?;
        let flow = format!("[{}]", words.join(", "));
        let column = self.text.len() - self.text.rfind('\n').map_or(0, |at| at + 1);
        (column + flow.len() < WIDTH).then_some(flow)
    }
}

/// Writes a scalar on one line, so that [`read`](crate::read()) reads the same value back.
fn scalar_text(value: &Value) -> String {
    let quoted = || value.to_string();
    let Ok(text) = serde_yaml::to_string(value) else { return quoted() };
    let text = text.trim_end_matches('\n');
    // JSON's strings are YAML's double-quoted ones; block scalars would need this line's indentation.
    if text.contains('\n') || text.starts_with(['|', '>']) {
        return quoted();
    }
    // What is plain to one reader may be a number to another: `+5`, `0o17`.
    if value.as_str() == Some(text) && scalar(text, Style::Plain) != *value {
        return quoted();
    }
    text.to_string()
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
        assert_eq!(
            written.text(),
            "audit:\n  classes: [all, -misc]\n  role: 'a: b'\n\nunset:\n  - a b\ntargets:\n  - name: a\n    \
             files:\n      compose: [x.yaml]\n  - name: b\n"
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

    proptest! {
        #[test]
        fn a_scalar_reads_back_as_it_was(text in "[ -~\n\u{e4}\u{20ac}]{0,12}", number in any::<i64>(), flag in any::<bool>()) {
            for value in [json!(text), json!(number), json!(flag)] {
                let mut written = Written::default();
                written.field("schema", &json!("kasm-db/v1"));
                written.field("settings", &json!({"my.flag": value}));
                written.field("x-list", &json!([value]));
                let reading = crate::read("d", written.text().as_bytes());
                let wanted = match &value {
                    Value::String(text) => text.clone(),
                    Value::Bool(on) => if *on { "on" } else { "off" }.to_string(),
                    other => other.to_string(),
                };
                let desired = reading.desired.unwrap_or_else(|| panic!("{:?}\n{}", reading.diagnostics, written.text()));
                prop_assert_eq!(&desired.settings()[0].value, &wanted);
            }
        }
    }
}
