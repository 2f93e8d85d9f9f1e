//! From bytes to a typed document: one spanned reading, and all errors of it.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use jsonschema::error::ValidationErrorKind as Violation;
use serde_json::{Map, Number, Value};

use crate::check;
use crate::code::Code;
use crate::desired::DesiredState;
use crate::diagnostic::{Diagnostic, Place};
use crate::document::Document;
use crate::fits;
use crate::schema;
use crate::suggest::nearest;
use crate::yaml::{self, Kind, NodeId, Style, Tree};

/// A document with more errors than this has one cause; the rest would say the same.
pub(crate) const MAX_DIAGNOSTICS: usize = 100;

/// What came of reading a document.
#[derive(Debug)]
pub struct Reading {
    /// The desired state; holding one proves that there was no error.
    pub desired: Option<DesiredState>,
    /// Every error and warning, in the order of the text; no more than a hundred.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads and checks a document.
///
/// `path` is the name that diagnostics give to the file.
pub fn read(path: &str, bytes: &[u8]) -> Reading {
    let overflow = Diagnostic::error(Code::DocumentShape, "");
    let mut reader = Reader { path, bytes, diagnostics: Vec::new(), overflow, spans: Spans::default() };
    let desired = reader.document().and_then(|document| {
        let source = check::Source { path, bytes, spans: &reader.spans };
        check::check(document, &source, &mut reader.diagnostics)
    });
    let mut diagnostics = reader.diagnostics;
    diagnostics.sort_by_key(|d| d.place.as_ref().map_or(0, |place| place.span.start));
    let failed = diagnostics.iter().any(Diagnostic::is_error);
    Reading { desired: desired.filter(|_| !failed), diagnostics }
}

/// Where every key and value of the document stands, by JSON pointer.
#[derive(Debug, Default)]
pub(crate) struct Spans {
    values: HashMap<String, Range<usize>>,
    keys: HashMap<String, Range<usize>>,
}

impl Spans {
    /// Gives the bytes of a value, or of the nearest thing around it that is written.
    pub(crate) fn value(&self, pointer: &str) -> Range<usize> {
        let mut pointer = pointer;
        loop {
            if let Some(span) = self.values.get(pointer) {
                return span.clone();
            }
            match pointer.rsplit_once('/') {
                Some((parent, _)) => pointer = parent,
                None => return 0..0,
            }
        }
    }

    /// Gives the bytes of a key, or else of its value.
    pub(crate) fn key(&self, pointer: &str) -> Range<usize> {
        self.keys.get(pointer).cloned().unwrap_or_else(|| self.value(pointer))
    }
}

struct Reader<'a> {
    path: &'a str,
    bytes: &'a [u8],
    diagnostics: Vec<Diagnostic>,
    /// Takes what is said beyond the limit.
    overflow: Diagnostic,
    spans: Spans,
}

impl Reader<'_> {
    fn place(&self, span: Range<usize>) -> Place {
        Place::new(self.path, self.bytes, span)
    }

    fn error(&mut self, code: Code, span: Range<usize>, message: impl Into<String>) -> &mut Diagnostic {
        if self.diagnostics.len() >= MAX_DIAGNOSTICS {
            self.overflow = Diagnostic::error(code, "");
            return &mut self.overflow;
        }
        let place = self.place(span);
        self.diagnostics.push(Diagnostic::error(code, message).at(place));
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }

    fn is_full(&self) -> bool {
        self.diagnostics.len() >= MAX_DIAGNOSTICS
    }

    fn document(&mut self) -> Option<Document> {
        if self.bytes.len() <= yaml::MAX_BYTES {
            self.characters();
        }
        let tree = match Tree::parse(self.bytes) {
            Ok(tree) => tree,
            Err(error) => {
                self.error(Code::DocumentSyntax, error.offset..error.offset, error.message);
                return None;
            }
        };
        let top = match tree.documents() {
            [] => return self.shape(0..0, "empty document; expected a mapping"),
            [top] if tree.is_null(*top) => return self.shape(0..0, "empty document; expected a mapping"),
            [top] => *top,
            [_, second, ..] => {
                let span = tree.written(*second).span.clone();
                return self.shape(span, "a second document starts here; exactly one is expected");
            }
        };
        self.features(&tree);
        if self.diagnostics.iter().any(Diagnostic::is_error) {
            return None;
        }
        let value = self.value(&tree, top, "");
        if !value.is_object() {
            return self.shape(tree.written(top).span.clone(), "expected a mapping with the key `schema`");
        }
        // What fits the types and their limits fits the schema; only errors need its validator.
        if let Some(document) = fits::read(without_extensions(value.clone()))
            && !self.diagnostics.iter().any(Diagnostic::is_error)
        {
            return Some(document);
        }
        self.violations(&value);
        if !self.diagnostics.iter().any(Diagnostic::is_error) {
            self.error(Code::DocumentShape, 0..0, "internal error: the schema accepts what the types refuse");
        }
        None
    }

    fn shape(&mut self, span: Range<usize>, message: &str) -> Option<Document> {
        self.error(Code::DocumentShape, span, message)
            .help
            .replace(format!("start the document with `schema: {}`", crate::document::VERSION));
        None
    }

    /// Refuses what an editor does not show: control and bidirectional characters.
    fn characters(&mut self) {
        let Ok(text) = std::str::from_utf8(self.bytes) else {
            return;
        };
        let hidden = text.char_indices().filter(|&(at, c)| is_hidden(c) && !(at == 0 && c == '\u{feff}'));
        for (at, c) in hidden.take(20).collect::<Vec<_>>() {
            self.error(Code::DocumentCharacter, at..at + c.len_utf8(), hidden_name(c)).help =
                Some("remove it, or write it as an escape in double quotes where it belongs".into());
        }
    }

    /// Refuses what makes a document mean more than it says.
    fn features(&mut self, tree: &Tree) {
        for (id, node) in tree.nodes() {
            if self.is_full() {
                return;
            }
            if let Some((name, span)) = &node.anchor {
                self.error(
                    Code::DocumentFeature,
                    span.clone(),
                    format!("anchors are not supported here: `&{name}`"),
                );
            }
            if let Some((tag, span)) = &node.tag {
                self.error(
                    Code::DocumentFeature,
                    span.clone(),
                    format!("tags are not supported here: `{tag}`"),
                );
            }
            match &node.kind {
                Kind::Alias(_) => {
                    self.error(Code::DocumentFeature, node.span.clone(), "aliases are not supported here")
                        .help = Some("write the value out".into());
                }
                Kind::Mapping(entries, _) => self.keys(tree, entries),
                Kind::Scalar(text, _) => {
                    // Escapes such as "\e" bring in what `characters` does not see.
                    if let Some(c) = text.chars().find(|&c| is_hidden(c) && c != '\n') {
                        let span = tree.written(id).span.clone();
                        self.error(Code::DocumentCharacter, span, hidden_name(c));
                    }
                }
                Kind::Sequence(..) => {}
            }
        }
    }

    fn keys(&mut self, tree: &Tree, entries: &[(NodeId, NodeId)]) {
        let mut seen: HashMap<&str, Range<usize>> = HashMap::new();
        for (key, _) in entries {
            let span = tree.written(*key).span.clone();
            match tree.scalar(*key) {
                None => {
                    self.error(Code::DocumentShape, span, "a key must be a word");
                }
                Some("<<") => {
                    self.error(Code::DocumentFeature, span, "merge keys are not supported here").help =
                        Some("write the keys out".into());
                }
                Some(name) => {
                    if let Some(first) = seen.get(name) {
                        if self.is_full() {
                            return;
                        }
                        let first = self.place(first.clone());
                        let message = format!("duplicate key `{name}` (first on line {})", first.line);
                        self.error(Code::DuplicateKey, span, message).related =
                            Some((first, "the key is here already".into()));
                    } else {
                        seen.insert(name, span);
                    }
                }
            }
        }
    }

    /// Makes the JSON value that schema and types read, and notes where its parts stand.
    fn value(&mut self, tree: &Tree, id: NodeId, pointer: &str) -> Value {
        let node = tree.written(id);
        self.spans.values.insert(pointer.to_string(), node.span.clone());
        match &node.kind {
            Kind::Scalar(text, style) => {
                if tree.is_null(id) {
                    let span = self.spans.key(pointer);
                    self.error(Code::WrongType, span, "no value is written here").help = Some(
                        "leave the key out for what is not managed; name a setting under `unset` to comment it out"
                            .into(),
                    );
                }
                scalar(text, *style)
            }
            Kind::Sequence(items, _) => {
                let item =
                    |(index, id): (usize, &NodeId)| self.value(tree, *id, &format!("{pointer}/{index}"));
                Value::Array(items.iter().enumerate().map(item).collect())
            }
            Kind::Mapping(entries, _) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    let name = tree.scalar(*key).unwrap_or_default();
                    let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                    self.spans.keys.insert(pointer.clone(), tree.written(*key).span.clone());
                    let value = self.value(tree, *value, &pointer);
                    map.insert(name.to_string(), value);
                }
                Value::Object(map)
            }
            Kind::Alias(_) => Value::Null,
        }
    }

    fn violations(&mut self, value: &Value) {
        let Some(validator) = schema::validator() else {
            self.error(Code::DocumentShape, 0..0, "internal error: the schema can not be built");
            return;
        };
        let errors: Vec<_> = validator.iter_errors(value).take(10 * MAX_DIAGNOSTICS).collect();
        let mut guessed = HashSet::new();
        for error in &errors {
            if let Violation::AdditionalProperties { unexpected } = error.kind() {
                let parent = error.instance_path().as_str();
                for name in unexpected.iter().take(MAX_DIAGNOSTICS) {
                    guessed.extend(self.unknown_key(parent, name, value));
                }
            }
        }
        for error in &errors {
            if self.is_full() {
                return;
            }
            let pointer = error.instance_path().as_str();
            let found = error.instance();
            match error.kind() {
                Violation::AdditionalProperties { .. } => {}
                // The null itself is reported already.
                _ if found.is_null() => {}
                Violation::Required { property } => {
                    let name = property.as_str().unwrap_or_default();
                    // A misspelt key is one error, not two.
                    if !guessed.contains(&format!("{pointer}/{name}")) {
                        self.missing_key(pointer, name);
                    }
                }
                kind => self.wrong_value(pointer, found, kind),
            }
        }
    }

    /// Reports an unknown key; gives the pointer of the key that was probably meant.
    fn unknown_key(&mut self, parent: &str, name: &str, value: &Value) -> Option<String> {
        let known = schema::keys(parent);
        let present = value.pointer(parent);
        let free: Vec<_> =
            known.iter().filter(|key| present.is_none_or(|map| map.get(key.as_str()).is_none())).collect();
        let meant = nearest(name, free.iter().map(|key| key.as_str())).map(String::from);
        let span = self.spans.key(&format!("{parent}/{name}"));
        let of = parent.rsplit('/').find(|part| !part.is_empty() && part.parse::<usize>().is_err());
        let message = match &meant {
            Some(meant) => format!("unknown key `{name}`; did you mean `{meant}`?"),
            None => format!("unknown key `{name}`"),
        };
        let diagnostic = self.error(Code::UnknownKey, span.clone(), message);
        diagnostic.label = Some(match of {
            Some(of) => format!("not a key of `{of}`"),
            None => "not a key of the document".into(),
        });
        diagnostic.help = Some(format!("known keys: {}", known.join(", ")));
        let meant = meant?;
        diagnostic.fix = Some((span, meant.clone()));
        Some(format!("{parent}/{meant}"))
    }

    fn missing_key(&mut self, pointer: &str, name: &str) {
        let span = self.spans.key(pointer);
        let span = if pointer.is_empty() { 0..0 } else { span };
        let message = format!("the key `{name}` is missing");
        let diagnostic = self.error(Code::MissingKey, span, message);
        diagnostic.help = Some(if pointer.is_empty() && name == "schema" {
            format!("add `schema: {}` as the first line", crate::document::VERSION)
        } else {
            format!("add `{name}:`")
        });
    }

    fn wrong_value(&mut self, pointer: &str, found: &Value, kind: &Violation) {
        let span = self.spans.value(pointer);
        let key = pointer.rsplit('/').find(|part| part.parse::<usize>().is_err()).unwrap_or_default();
        let shown = self.written(&span);
        let rule = schema::at(pointer).unwrap_or_default();
        match kind {
            Violation::Type { .. } => {
                let expected = expected_type(&rule);
                let diagnostic = self.error(
                    Code::WrongType,
                    span.clone(),
                    format!("`{key}` must be {expected}, not {}", kind_of(found)),
                );
                if expected == "text" && !found.is_object() && !found.is_array() {
                    diagnostic.help = Some(format!("write \"{shown}\" in quotes"));
                    diagnostic.fix = Some((span, format!("\"{shown}\"")));
                } else if expected == "true or false" {
                    diagnostic.help = Some("write `true` or `false`".into());
                }
            }
            Violation::Enum { .. } | Violation::Pattern { .. } | Violation::Constant { .. } => {
                let allowed = allowed(&rule);
                let meant = nearest(found.as_str().unwrap_or_default(), allowed.iter().map(String::as_str));
                let message = match meant {
                    Some(meant) => format!("`{shown}` is not a value of `{key}`; did you mean `{meant}`?"),
                    None => format!("`{shown}` is not a value of `{key}`"),
                };
                let fix = meant.map(|meant| (span.clone(), meant.to_string()));
                let diagnostic = self.error(Code::WrongValue, span, message);
                diagnostic.fix = fix;
                diagnostic.help = Some(if allowed.is_empty() {
                    format!("it must match {}", rule["pattern"].as_str().unwrap_or("its pattern"))
                } else {
                    format!("one of: {}", allowed.join(", "))
                });
            }
            _ => {
                let limit = |name: &str| rule.get(name).map(ToString::to_string);
                let range = match (limit("minimum"), limit("maximum")) {
                    (Some(low), Some(high)) => format!("`{key}` must be from {low} to {high}"),
                    _ => match kind {
                        Violation::MinItems { .. } => format!("`{key}` must have at least one item"),
                        Violation::MinLength { .. } => format!("`{key}` must not be empty"),
                        Violation::MaxLength { limit } => {
                            format!("`{key}` must not be longer than {limit} characters")
                        }
                        _ => format!("`{key}` does not fit the schema ({})", kind.keyword()),
                    },
                };
                self.error(Code::WrongValue, span, range);
            }
        }
    }

    /// Gives the text at a span as it is written, cut to a length that a message bears.
    fn written(&self, span: &Range<usize>) -> String {
        let text = String::from_utf8_lossy(&self.bytes[span.clone()]);
        let text = text.trim_matches(['"', '\'']);
        let mut cut: String = text.chars().take(60).collect();
        if cut.len() < text.len() {
            cut.push('…');
        }
        cut
    }
}

/// Leaves the free `x-*` keys at the top out.
fn without_extensions(mut value: Value) -> Value {
    if let Value::Object(map) = &mut value {
        map.retain(|key, _| !key.starts_with("x-"));
    }
    value
}

/// Reads a scalar by YAML's core schema: only a plain one can be more than text.
fn scalar(text: &str, style: Style) -> Value {
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

fn is_hidden(c: char) -> bool {
    let bidi =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}');
    let separator = matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    (c.is_control() && !matches!(c, '\n' | '\r' | '\t')) || bidi || separator
}

fn hidden_name(c: char) -> String {
    let kind = if c.is_control() { "control character" } else { "invisible or bidirectional character" };
    format!("{kind} U+{:04X}", u32::from(c))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

fn expected_type(rule: &Value) -> String {
    let word = |kind: &Value| match kind.as_str().unwrap_or_default() {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "array" => "a list",
        "object" => "a mapping",
        _ => "text",
    };
    match &rule["type"] {
        Value::Array(_) => "a single value".into(),
        kind => word(kind).into(),
    }
}

/// Gives the values that a schema lists, in an `enum`, a `const` or a pattern of alternatives.
fn allowed(rule: &Value) -> Vec<String> {
    if let Some(Value::Array(items)) = rule.get("enum") {
        return items.iter().filter_map(|item| item.as_str().map(String::from)).collect();
    }
    if let Some(Value::String(only)) = rule.get("const") {
        return vec![only.clone()];
    }
    let pattern = rule["pattern"].as_str().unwrap_or_default();
    match pattern.strip_prefix("^-?(").and_then(|rest| rest.strip_suffix(")$")) {
        Some(alternatives) => alternatives.split('|').map(String::from).collect(),
        None => Vec::new(),
    }
}
