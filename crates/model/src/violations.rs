//! What the schema has against a value, in words for people.

use std::collections::HashSet;
use std::ops::Range;

use jsonschema::error::ValidationErrorKind as Violation;
use serde_json::Value;

use crate::audit::Class;
use crate::bounds::MAJORS;
use crate::code::Code;
use crate::diagnostic::MAX_DIAGNOSTICS;
use crate::document::VERSION;
use crate::explain::fields;
use crate::locations::Spot;
use crate::meant::{
    accepts, allowed, form, image_of, image_of_tag, is_form_of_name, near, retyped, with_unit,
};
use crate::pointer::{self, escaped};
use crate::postgres;
use crate::reader::Reader;
use crate::schema;
use crate::settings;
use crate::statements::statement;
use crate::suggest::nearest;
use crate::syntax::OWN_VERSION;

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
            self.error(Code::DocumentShape, self.here(0..0), "internal error: the schema cannot be built");
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
        let of_type =
            |error: &&jsonschema::ValidationError<'_>| matches!(error.kind(), Violation::Type { .. });
        let mistyped: HashSet<&str> =
            errors.iter().filter(of_type).map(|error| error.instance_path().as_str()).collect();
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
                // A value of another type is none of those allowed, either.
                _ if mistyped.contains(pointer) && !of_type(&error) => {}
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
        // Who knows pgaudit writes its names: `pgaudit.log_catalog`, and `log` for the classes.
        let of_pgaudit = format!("pgaudit.{}", name.strip_prefix("pgaudit.").unwrap_or(name));
        let of_pgaudit = settings::pgaudit(&of_pgaudit).filter(|_| parent == "/audit").map(|row| row.key);
        let of_pgaudit = of_pgaudit.filter(|key| free.iter().any(|free| free == key));
        let elsewhere = elsewhere(parent, name).filter(|_| of_pgaudit.is_none());
        let meant = of_pgaudit
            .or_else(|| {
                let near = nearest(name, free.iter().map(|key| key.as_str()));
                near.filter(|_| elsewhere.is_none())
            })
            .map(String::from)
            .or_else(|| required(parent, &free, name).filter(|_| elsewhere.is_none()))
            .or_else(|| own_key(parent, name));
        let span = self.key(&format!("{parent}/{}", escaped(name)));
        let path = |name: &str| pointer::path(&format!("{parent}/{}", escaped(name)));
        let message = match &meant {
            Some(meant) => format!("unknown key `{}`; did you mean `{}`?", path(name), path(meant)),
            None => format!("unknown key `{}`", path(name)),
        };
        let diagnostic = self.reader.error(Code::UnknownKey, span.clone(), message);
        diagnostic.label = Some(match parent {
            "" => "not a key of the document".into(),
            parent => format!("not a key of `{}`", pointer::path(parent)),
        });
        diagnostic.help = Some(if !parent.is_empty() && name.starts_with("x-") {
            "move it to the top of the document".into()
        } else if let Some(place) = elsewhere {
            format!("move it to `{place}`")
        } else if parent == "/verify" && name.contains("password") {
            "remove it, put the password in a password file (`host:port:database:user:password`), and set PGPASSFILE to its path"
                .into()
        } else {
            format!("use one of: {}", known.join(", "))
        });
        let meant = meant?;
        diagnostic.fix = Some((span.span, meant.clone()));
        Some(format!("{parent}/{meant}"))
    }

    fn missing_key(&mut self, pointer: &str, name: &str) {
        let span = self.key(pointer);
        let span = if pointer.is_empty() { Spot { span: 0..0, ..span } } else { span };
        let path = pointer::path(&format!("{pointer}/{}", escaped(name)));
        let message = format!("the key `{path}` is missing");
        let start = self.reader.texts.block_start(span.text).filter(|_| pointer.is_empty());
        let diagnostic = self.reader.error(Code::MissingKey, span, message);
        if pointer.is_empty() && name == "schema" {
            diagnostic.help = Some(format!("add `schema: {VERSION}` as the first line"));
            diagnostic.fix = start.map(|start| (start..start, format!("schema: {VERSION}\n")));
        } else {
            diagnostic.help = Some(match pointer {
                "" => format!("add `{name}:` to the document"),
                pointer => format!("add `{name}:` to `{}`", pointer::path(pointer)),
            });
        }
    }

    fn wrong_value(&mut self, pointer: &str, found: &Value, kind: &Violation) {
        let span = self.value(pointer);
        let key = pointer::path(pointer);
        let shown = self.written(&span);
        let raw = String::from_utf8_lossy(
            self.reader.texts.bytes(span.text).get(span.span.clone()).unwrap_or_default(),
        )
        .into_owned();
        let rule = schema::at(pointer).unwrap_or_default();
        match kind {
            Violation::Type { .. } => {
                let expected = expected_type(&rule);
                let (help, fix) = retyped(&expected, found, &shown, &raw, &rule);
                let kind = if expected == "a whole number" && found.is_f64() {
                    "a number with a fraction"
                } else {
                    kind_of(found)
                };
                if raw.starts_with("{{") {
                    let message = format!("`{key}` is an unrendered template placeholder");
                    self.reader.error(Code::WrongType, span, message).help =
                        Some("render the template first, or write the value itself".into());
                    return;
                }
                if let (true, Some(help)) = (found.is_number(), with_unit(&rule, &shown)) {
                    let message = format!("`{key}` has no unit");
                    self.reader.error(Code::WrongType, span, message).help = Some(help);
                    return;
                }
                // YAML 1.1 took `yes` for a switch, so its type alone would puzzle whoever wrote it.
                let is_word =
                    !found.is_array() && !found.is_object() && !shown.is_empty() && !shown.contains('\n');
                let message = match &*expected {
                    "true or false" if is_word => format!("`{key}` must be `true` or `false`, not `{shown}`"),
                    "true or false" => format!("`{key}` must be `true` or `false`, not {kind}"),
                    _ => format!("`{key}` must be {expected}, not {kind}"),
                };
                let diagnostic = self.reader.error(Code::WrongType, span.clone(), message);
                diagnostic.help = help;
                if let (true, Some(image)) = (pointer == "/image", image_of(found)) {
                    diagnostic.help = Some(format!("write it as a single string: `image: {image}`"));
                }
                let target = pointer.strip_prefix("/targets/").is_some_and(|index| !index.contains('/'));
                if let (true, Some(path)) = (target, found.as_str().filter(|path| path.contains('/'))) {
                    diagnostic.help =
                        Some(format!("write a mapping, such as `{{name: current, deployment: {path}}}`"));
                }
                if pointer == "/image" && !found.is_object() {
                    diagnostic.help = Some(match image_of_tag(&raw) {
                        Some(image) => format!("write the repository as well: `{image}`"),
                        None => "write `repository:tag`, as in `kasmweb/postgres:1.16.1`".into(),
                    });
                    return;
                }
                // What would only lead to the next error is no suggestion.
                let mends = |(_, value): &(String, Value)| accepts(&rule, value);
                diagnostic.fix = fix.filter(mends).map(|(text, _)| (span.span, text));
            }
            _ if pointer == "/schema" && is_other_version(found) => {
                let message = format!("schema version `{shown}` is not supported by kasm-db {OWN_VERSION}");
                let diagnostic = self.reader.error(Code::WrongValue, span, message);
                diagnostic.help = Some(format!("write `{VERSION}`, or install a later kasm-db"));
            }
            Violation::Enum { .. } | Violation::Pattern { .. } | Violation::Constant { .. } => {
                let allowed = allowed(&rule);
                let text = found.as_str().unwrap_or_default();
                if let Some(code) = Code::find(text).filter(|_| pointer.starts_with("/ignore/")) {
                    let (message, help, fix) = not_ignorable(code, &key, &allowed);
                    let range = span.span.clone();
                    let diagnostic = self.reader.error(Code::WrongValue, span, message);
                    diagnostic.help = Some(help);
                    diagnostic.fix = fix.map(|fix| (range, fix));
                    return;
                }
                // A class may have a sign in front of it.
                let is_class = rule["pattern"].as_str().is_some_and(|pattern| pattern.starts_with("^-?("));
                let (sign, word) = match text.strip_prefix('-').filter(|_| is_class) {
                    Some(word) => ("-", word),
                    None => ("", text),
                };
                let statement = statement(word).filter(|_| is_class);
                let meant = match &statement {
                    Some(statement) => statement.class.map(Class::name),
                    // Of three letters one other makes another class: `dml` and `dcl` are not slips for `ddl`.
                    None => nearest(word, allowed.iter().map(String::as_str))
                        .filter(|_| !is_class || word.len() > 3),
                };
                let meant = meant.map(|meant| format!("{sign}{meant}"));
                let message = match &meant {
                    Some(meant) => format!("invalid value `{shown}` for `{key}`; did you mean `{meant}`?"),
                    None if text.contains(' ') && is_form_of_name(&rule) => {
                        format!("invalid value `{shown}` for `{key}`: a name must not contain spaces")
                    }
                    None => format!("invalid value `{shown}` for `{key}`"),
                };
                let is_safe = statement.as_ref().is_none_or(|statement| statement.is_certain);
                let fix = meant.filter(|_| is_safe).map(|meant| (span.span.clone(), meant));
                let diagnostic = self.reader.error(Code::WrongValue, span, message);
                diagnostic.fix = fix;
                diagnostic.help = Some(if let Some(statement) = statement {
                    format!("{}; the classes are: {}", statement.advice, allowed.join(", "))
                } else if allowed.is_empty() {
                    let pattern = || rule["pattern"].as_str().unwrap_or("its pattern");
                    let form =
                        form(&rule).unwrap_or_else(|| format!("write a text that matches {}", pattern()));
                    with_unit(&rule, text).or_else(|| near(&rule, text)).unwrap_or(form)
                } else if pointer == "/preload/mode" {
                    "use `exact` to preload only these libraries, or `ensure` to add them to the existing ones".into()
                } else {
                    format!("use one of: {}", allowed.join(", "))
                });
            }
            _ => {
                let limit = |name: &str| rule.get(name).map(ToString::to_string);
                let range = match (limit("minimum"), limit("maximum")) {
                    (Some(low), Some(high)) => format!("`{key}` must be between {low} and {high}"),
                    _ => match kind {
                        Violation::MinItems { .. } => format!("`{key}` must have at least one item"),
                        Violation::MinLength { .. } => format!("`{key}` must not be empty"),
                        Violation::MaxLength { limit } => {
                            format!("`{key}` must not be longer than {limit} characters")
                        }
                        _ => format!("`{key}` does not fit the schema ({})", kind.keyword()),
                    },
                };
                let help = match kind {
                    Violation::MinItems { .. } if pointer == "/preload/libraries" => {
                        "add a library, or write `mode: exact` to preload none".to_string()
                    }
                    Violation::MinItems { .. } => "add an item, or remove the key".to_string(),
                    Violation::MinLength { .. } => "write a text, or remove the key".to_string(),
                    Violation::MaxLength { .. } => "write a shorter text".to_string(),
                    _ if pointer == "/postgres_major"
                        && found.as_u64().is_some_and(|major| major < u64::from(*MAJORS.start())) =>
                    {
                        format!(
                            "correct the number, or upgrade the database: PostgreSQL {shown} is not supported"
                        )
                    }
                    _ if rule.get("maximum").is_some() => format!(
                        "write a number between {} and {}",
                        limit("minimum").unwrap_or_default(),
                        limit("maximum").unwrap_or_default()
                    ),
                    _ => format!("run `kasm-db explain {}`", key.split('[').next().unwrap_or_default()),
                };
                self.reader.error(Code::WrongValue, span, range).help = Some(help);
            }
        }
    }

    /// Returns the text at a place as it is written, cut to a length that a message bears.
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

/// Returns why a code is not the name of a warning that can be ignored, what to do, and what to write instead.
fn not_ignorable(code: Code, key: &str, allowed: &[String]) -> (String, String, Option<String>) {
    let name = code.name();
    if allowed.iter().any(|one| one == name) {
        return (
            format!("`{key}` is a code; did you mean `{name}`?"),
            format!("write `{name}`"),
            Some(name.into()),
        );
    }
    let help = match code.risk() {
        Some(_) => format!("remove it; to override this blocker for one run, use `--allow {name}`"),
        None => format!("remove it; these warnings can be ignored: {}", allowed.join(", ")),
    };
    (format!("`{name}` in `{key}` cannot be ignored"), help, None)
}

/// Returns the only key that is required and missing, where a misspelt one begins like it: `libs` for `libraries`.
fn required(parent: &str, free: &[&String], name: &str) -> Option<String> {
    let rule = schema::at(parent)?;
    let mut missing = rule["required"].as_array()?.iter().filter_map(Value::as_str);
    let mut missing = missing.by_ref().filter(|key| free.iter().any(|free| free == key));
    let only = missing.next().filter(|_| missing.next().is_none())?;
    (name.get(..3).is_some() && name.get(..3) == only.get(..3)).then(|| only.to_string())
}

/// Returns the key that a name is the name of somewhere else in the document, or the setting of PostgreSQL that it is.
fn elsewhere(parent: &str, name: &str) -> Option<String> {
    let end = format!(".{name}");
    let mut keys = fields().iter().filter(|field| field.path.ends_with(&end));
    match (keys.next(), keys.next()) {
        (Some(only), None) => Some(only.path.clone()),
        (None, _) if !parent.starts_with("/targets") => {
            postgres::lookup_in(name, None).map(|setting| format!("settings.{}", setting.name))
        }
        _ => None,
    }
}

/// Returns a key of the user's own that was written in another letter case.
fn own_key(parent: &str, name: &str) -> Option<String> {
    let own = name.to_lowercase();
    (parent.is_empty() && own != name && own.starts_with("x-")).then_some(own)
}

fn is_other_version(found: &Value) -> bool {
    let number = found.as_str().and_then(|text| text.strip_prefix("kasm-db/v"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
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
