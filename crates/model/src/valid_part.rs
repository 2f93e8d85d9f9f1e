//! The valid part of a document, without what the schema refuses: the checks look at it, so that one run tells
//! all errors.

use jsonschema::error::ValidationErrorKind as Violation;
use serde_json::{Value, json};

use crate::check;
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Location, MAX_DIAGNOSTICS};
use crate::document::{Document, VERSION};
use crate::limits;
use crate::pointer::{escaped, unescaped};
use crate::reader::Reader;
use crate::schema;

/// Each round takes out what the one before has brought to light: a mapping without a key that it needs, say.
const ROUNDS: usize = 8;

impl Reader<'_> {
    /// Reports the errors that the checks find in what is left of a value, and drops what one mistake has
    /// brought about twice.
    pub(crate) fn check_valid_part(&mut self, value: Value) {
        let room = MAX_DIAGNOSTICS.saturating_sub(self.diagnostics.len());
        if room == 0 {
            return self.once();
        }
        let mut found = Vec::new();
        let left = Left::of(value);
        if let Some(document) = left.document {
            // Whether it would be valid otherwise is not known.
            let _ = check::check(document, &self.texts, &mut found);
        }
        found.retain(|d| d.is_error() && !(d.code == Code::UnknownMajor && left.lacks_keys));
        self.diagnostics.extend(found.into_iter().take(room));
        self.once();
    }

    /// Drops what is said of bytes that are already refused for what they are made of.
    fn once(&mut self) {
        let is_first = |d: &Diagnostic| matches!(d.code, Code::DocumentCharacter | Code::DocumentFeature);
        let first: Vec<_> =
            self.diagnostics.iter().filter(|d| is_first(d)).filter_map(|d| d.location.clone()).collect();
        self.diagnostics.retain(|d| {
            let overlaps = |location: &Location| {
                first.iter().any(|first| {
                    first.path == location.path
                        && first.span.start < location.span.end
                        && location.span.start < first.span.end
                })
            };
            is_first(d) || !d.location.as_ref().is_some_and(overlaps)
        });
    }
}

struct Left {
    document: Option<Document>,
    /// Whether a key of the document itself was taken out: what it says is missing may be there.
    lacks_keys: bool,
}

impl Left {
    fn of(mut value: Value) -> Left {
        let mut lacks_keys = false;
        if let Value::Object(map) = &mut value {
            map.insert("schema".into(), VERSION.into());
        }
        let Some(validator) = schema::validator() else { return Left { document: None, lacks_keys } };
        for _ in 0..ROUNDS {
            if let Some(document) = limits::read(&value) {
                return Left { document: Some(document), lacks_keys };
            }
            let mut refused = Vec::new();
            for error in validator.iter_errors(&value).take(10 * MAX_DIAGNOSTICS) {
                let at = error.instance_path().as_str();
                match error.kind() {
                    Violation::AdditionalProperties { unexpected } => {
                        refused.extend(unexpected.iter().map(|name| format!("{at}/{}", escaped(name))));
                    }
                    _ => refused.push(at.to_string()),
                }
            }
            for pointer in &refused {
                lacks_keys |= take_out(&mut value, pointer);
            }
        }
        Left { document: None, lacks_keys }
    }
}

/// Removes what stands at a pointer; tells whether that was a key of the document itself.
///
/// No item of a list moves, as its place in the text is found by its number: a target is replaced by one that is
/// valid, and any other list is taken out as a whole.
fn take_out(value: &mut Value, pointer: &str) -> bool {
    let parts: Vec<&str> = pointer.split('/').skip(1).collect();
    let is_number = |part: &str| part.parse::<usize>().is_ok();
    if let ["targets", index, ..] = parts[..]
        && is_number(index)
    {
        if let Some(target) = value.pointer_mut(&format!("/targets/{index}")) {
            *target = json!({ "name": format!("{index}-{}", "x".repeat(50)), "deployment": "/" });
        }
        return false;
    }
    let end = parts.iter().skip(1).position(|part| is_number(part)).map_or(parts.len(), |at| at + 1);
    let Some((key, parents)) = parts[..end].split_last() else { return false };
    let parent: String = parents.iter().map(|part| format!("/{part}")).collect();
    if let Some(Value::Object(map)) = value.pointer_mut(&parent) {
        map.swap_remove(&unescaped(key));
    }
    parents.is_empty()
}

#[cfg(test)]
mod tests {
    /// Returns the errors as `line:column code`.
    fn errors(text: &str) -> Vec<String> {
        let reading = crate::read("d", format!("schema: kasm-db/v1\n{text}").as_bytes());
        assert!(reading.desired.is_none());
        let errors = reading.diagnostics.iter().filter(|d| d.is_error());
        errors
            .map(|d| {
                let location = d.location.as_ref().unwrap();
                format!("{}:{} {}", location.line - 1, location.column, d.code.id())
            })
            .collect()
    }

    #[test]
    fn what_is_wrong_in_syntax_in_the_schema_and_in_meaning_is_said_in_one_run() {
        let text = "imgae: a:1\npreload: {libraries: [a, a]}\naudit: {classes: [raed], log_rows: &x true}\n\
            settings: {shared_bufers: 1GB, port: 1, port: 2}\nunset: [prot]\n<<: {a: b}\n\
            targets: [{name: x, deploymnt: /}, {name: y}, {name: x, deployment: /}, {name: x, deployment: /}]\n";
        let expected = [
            "1:1 KDB101",
            "2:26 KDB211",
            "3:19 KDB104",
            "3:36 KDB004",
            "4:12 KDB212",
            "4:41 KDB005",
            "5:9 KDB212",
            "6:1 KDB004",
            "7:21 KDB101",
            "7:43 KDB208",
            "7:80 KDB207",
        ];
        assert_eq!(errors(text), expected);
    }

    #[test]
    fn one_mistake_is_said_once() {
        for (text, expected) in [
            // The image may hold the major that is said to be unknown.
            ("image: [a:1]\naudit: {log_statement_once: true}\n", &["1:8 KDB103"][..]),
            ("postgres_majr: 16\naudit: {log_rows: true}\n", &["1:1 KDB101"]),
            ("image: \"a:\u{200e}1\"\n", &["1:11 KDB002"]),
            ("image: !x\n", &["1:8 KDB004"]),
            ("image: &x\n", &["1:8 KDB004"]),
            ("image: !!str 12\n", &["1:8 KDB004"]),
            ("foo: 1\nfoo: 2\n", &["2:1 KDB005", "2:1 KDB101"]),
            ("targets: [{name: x}, 5]\n", &["1:18 KDB208", "1:22 KDB103"]),
            ("preload: {mode: ensure}\nsettings: {port: x}\n", &["1:1 KDB102", "2:18 KDB212"]),
        ] {
            assert_eq!(errors(text), expected, "{text}");
        }
    }
}
