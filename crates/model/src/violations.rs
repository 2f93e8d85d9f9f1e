//! What the schema has against a value, in words for people.

use std::ops::Range;

use jsonschema::error::ValidationErrorKind as Violation;
use serde_json::Value;

use crate::code::Code;
use crate::document::VERSION;
use crate::read::{MAX_DIAGNOSTICS, Reader};
use crate::schema;
use crate::suggest::nearest;
use crate::texts::Spot;

/// Whether keys that are missing are reported.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// With everything else.
    Too,
    /// Not at all: another text may bring them.
    Not,
    /// And nothing else.
    Only,
}

impl Reader<'_> {
    /// Reports what the schema has against a value whose parts stand `among` these texts.
    pub(crate) fn violations(&mut self, among: Range<usize>, value: &Value, missing: Missing) {
        let Some(validator) = schema::validator() else {
            self.error(Code::DocumentShape, self.here(0..0), "internal error: the schema can not be built");
            return;
        };
        let errors: Vec<_> = validator.iter_errors(value).take(10 * MAX_DIAGNOSTICS).collect();
        let mut look = Look { reader: self, among };
        for error in &errors {
            if let Violation::AdditionalProperties { unexpected } = error.kind()
                && missing != Missing::Only
            {
                let parent = error.instance_path().as_str();
                for name in unexpected.iter().take(MAX_DIAGNOSTICS) {
                    let meant = look.unknown_key(parent, name, value);
                    look.reader.guessed.extend(meant);
                }
            }
        }
        for error in &errors {
            if look.reader.is_full() {
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
                    if missing != Missing::Not && !look.reader.guessed.contains(&format!("{pointer}/{name}"))
                    {
                        look.missing_key(pointer, name);
                    }
                }
                _ if missing == Missing::Only => {}
                kind => look.wrong_value(pointer, found, kind),
            }
        }
    }
}

/// A reader, and the texts that it looks at.
struct Look<'r, 'a> {
    reader: &'r mut Reader<'a>,
    among: Range<usize>,
}

impl Look<'_, '_> {
    fn value(&self, pointer: &str) -> Spot {
        self.reader.texts.value(self.among.clone(), pointer)
    }

    fn key(&self, pointer: &str) -> Spot {
        self.reader.texts.key(self.among.clone(), pointer)
    }

    /// Reports an unknown key; gives the pointer of the key that was probably meant.
    fn unknown_key(&mut self, parent: &str, name: &str, value: &Value) -> Option<String> {
        let known = schema::keys(parent);
        let present = value.pointer(parent);
        let free: Vec<_> =
            known.iter().filter(|key| present.is_none_or(|map| map.get(key.as_str()).is_none())).collect();
        let meant = nearest(name, free.iter().map(|key| key.as_str())).map(String::from);
        let span = self.key(&format!("{parent}/{}", escaped(name)));
        let of = parent.rsplit('/').find(|part| !part.is_empty() && part.parse::<usize>().is_err());
        let message = match &meant {
            Some(meant) => format!("unknown key `{name}`; did you mean `{meant}`?"),
            None => format!("unknown key `{name}`"),
        };
        let diagnostic = self.reader.error(Code::UnknownKey, span.clone(), message);
        diagnostic.label = Some(match of {
            Some(of) => format!("not a key of `{of}`"),
            None => "not a key of the document".into(),
        });
        diagnostic.help = Some(format!("known keys: {}", known.join(", ")));
        let meant = meant?;
        diagnostic.fix = Some((span.span, meant.clone()));
        Some(format!("{parent}/{meant}"))
    }

    fn missing_key(&mut self, pointer: &str, name: &str) {
        let span = self.key(pointer);
        let span = if pointer.is_empty() { Spot { span: 0..0, ..span } } else { span };
        let message = format!("the key `{name}` is missing");
        let diagnostic = self.reader.error(Code::MissingKey, span, message);
        diagnostic.help = Some(if pointer.is_empty() && name == "schema" {
            format!("add `schema: {VERSION}` as the first line")
        } else {
            format!("add `{name}:`")
        });
    }

    fn wrong_value(&mut self, pointer: &str, found: &Value, kind: &Violation) {
        let span = self.value(pointer);
        let key = pointer.rsplit('/').find(|part| part.parse::<usize>().is_err()).unwrap_or_default();
        let shown = self.written(&span);
        let rule = schema::at(pointer).unwrap_or_default();
        match kind {
            Violation::Type { .. } => {
                let expected = expected_type(&rule);
                let diagnostic = self.reader.error(
                    Code::WrongType,
                    span.clone(),
                    format!("`{key}` must be {expected}, not {}", kind_of(found)),
                );
                if expected == "text" && !found.is_object() && !found.is_array() {
                    diagnostic.help = Some(format!("write \"{shown}\" in quotes"));
                    diagnostic.fix = Some((span.span, format!("\"{shown}\"")));
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
                let fix = meant.map(|meant| (span.span.clone(), meant.to_string()));
                let diagnostic = self.reader.error(Code::WrongValue, span, message);
                diagnostic.fix = fix;
                diagnostic.help = Some(if allowed.is_empty() {
                    let pattern = || rule["pattern"].as_str().unwrap_or("its pattern");
                    match rule["patternErrorMessage"].as_str() {
                        Some(words) => words.replacen("Write", "write", 1).trim_end_matches('.').to_string(),
                        None => format!("it must match {}", pattern()),
                    }
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
                self.reader.error(Code::WrongValue, span, range);
            }
        }
    }

    /// Gives the text at a place as it is written, cut to a length that a message bears.
    fn written(&self, spot: &Spot) -> String {
        let bytes = self.reader.texts.bytes(spot.text);
        let text = String::from_utf8_lossy(bytes.get(spot.span.clone()).unwrap_or_default());
        let text = text.trim_matches(['"', '\'']);
        let mut cut: String = text.chars().take(60).collect();
        if cut.len() < text.len() {
            cut.push('…');
        }
        cut
    }
}

/// Writes a key as a part of a JSON pointer.
pub(crate) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
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
