//! The JSON Schema of the document, made from its types.

mod editor;

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::document::Document;
use crate::form::{FORMS, Form};

/// The public address of the project; empty as long as it has none. Nothing may name an address that is somebody else's: editors
/// fetch schemas from there.
pub const ADDRESS: &str = "";

/// Returns the schema's own name, which carries the version; `None` without a public address.
pub fn id() -> Option<String> {
    (!ADDRESS.is_empty()).then(|| format!("{ADDRESS}/schemas/kasm-db.v1.schema.json"))
}

/// Returns the schema as JSON (draft 2020-12).
pub fn json() -> Value {
    let mut schema =
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Document>().to_value();
    forbid_null(&mut schema);
    say_patterns(&mut schema);
    if let Some(top) = schema.as_object_mut() {
        // What names the schema comes first, for people who open it.
        for (at, name) in ["$schema", "$id", "title", "description"].into_iter().enumerate() {
            let value = if name == "$id" { id().map(Value::from) } else { top.shift_remove(name) };
            if let Some(value) = value {
                top.shift_insert(at, name.into(), value);
            }
        }
    }
    schema
}

/// Returns the schema with names to complete, for editors: it accepts the same documents.
pub fn for_editors() -> Value {
    let mut schema = json();
    editor::complete(&mut schema);
    schema
}

/// Returns the schema as it is committed in `schemas/`.
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&for_editors()).unwrap_or_default();
    text.push('\n');
    text
}

/// Returns the validator; building it takes a millisecond, so it is built on the first use.
pub(crate) fn validator() -> Option<&'static jsonschema::Validator> {
    static VALIDATOR: LazyLock<Option<jsonschema::Validator>> =
        LazyLock::new(|| jsonschema::draft202012::new(&json()).ok());
    VALIDATOR.as_ref()
}

/// Returns the part of the schema that rules the value at a JSON pointer, references resolved.
pub fn at(pointer: &str) -> Option<Value> {
    static SCHEMA: LazyLock<Value> = LazyLock::new(json);
    let root = &*SCHEMA;
    let mut schema = root;
    for part in pointer.split('/').skip(1) {
        schema = match schema.get("properties").and_then(|keys| keys.get(part)) {
            Some(inner) => inner,
            None => schema.get("items").or_else(|| schema.get("additionalProperties"))?,
        };
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            schema = root.pointer(reference.strip_prefix('#')?)?;
        }
    }
    Some(schema.clone())
}

/// Returns the keys that the mapping at a JSON pointer may have.
pub fn keys(pointer: &str) -> Vec<String> {
    let keys =
        at(pointer).and_then(|schema| Some(schema.get("properties")?.as_object()?.keys().cloned().collect()));
    keys.unwrap_or_default()
}

/// Returns a part of the schema, or the one that it refers to.
pub(crate) fn resolved(rule: &Value) -> Option<Value> {
    match rule.get("$ref").and_then(Value::as_str) {
        Some(reference) => json().pointer(reference.strip_prefix('#')?).cloned(),
        None => Some(rule.clone()),
    }
}

/// Removes `null` from what `Option` allows: an absent key is not managed, a null one is an error.
fn forbid_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(forbid_null),
        Value::Object(map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = &types[..] {
                    let only = only.clone();
                    map.insert("type".into(), only);
                }
            }
            if let Some(Value::Array(choices)) = map.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
                if let [only] = &mut choices[..]
                    && let Value::Object(only) = only.take()
                {
                    map.shift_remove("anyOf");
                    map.extend(only);
                }
            }
            // `uint16` is Rust's word, not one of JSON Schema's formats.
            map.retain(|key, value| key != "format" || !value.is_string());
            if map.get("default").is_some_and(Value::is_null) {
                map.shift_remove("default");
            }
            map.values_mut().for_each(forbid_null);
        }
        _ => {}
    }
}

/// Puts the words for a pattern beside it.
fn say_patterns(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(say_patterns),
        Value::Object(map) => {
            let pattern = map.get("pattern").and_then(Value::as_str);
            let form = FORMS.iter().find(|form| Some(form.pattern) == pattern);
            if let Some(Form { words, .. }) = form {
                // Editors show it in place of the pattern.
                map.insert("patternErrorMessage".into(), format!("Write {words}.").into());
            }
            map.values_mut().for_each(say_patterns);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_a_valid_one_without_null_or_choices() {
        let schema = json();
        assert!(jsonschema::meta::is_valid(&schema));
        let text = schema.to_string();
        for word in ["\"null\"", "anyOf", "oneOf"] {
            assert!(!text.contains(word), "{word} in {text}");
        }
    }

    #[test]
    fn what_editors_get_accepts_the_same_documents() {
        use serde_json::json;
        let (plain, editors) = (json(), for_editors());
        assert!(jsonschema::meta::is_valid(&editors));
        let [plain, editors] = [plain, editors].map(|schema| jsonschema::draft202012::new(&schema).unwrap());
        let documents = [
            ("audit", json!({"classes": ["read", "-misc_set", "all"]})),
            ("audit", json!({"classes": ["raed"]})),
            ("audit", json!({"classes": ["--read"]})),
            ("audit", json!({"classes": [1]})),
            ("audit", json!({"classes": []})),
            ("preload", json!({"libraries": ["pgaudit", "my_own", "$libdir/x.so"]})),
            ("preload", json!({"libraries": ["a b"]})),
            ("preload", json!({"libraries": [true]})),
            (
                "settings",
                json!({"work_mem": "8MB", "my.own": 1, "jit": true, "log_min_duration_statement": 250}),
            ),
            ("settings", json!({"work_mem": ["8MB"]})),
            ("settings", json!({"work_mem": null})),
            ("unset", json!(["work_mem", "anything at all"])),
            ("unset", json!([1])),
        ];
        let mut accepted = 0;
        for (key, value) in documents {
            let document = json!({"schema": "kasm-db/v1", key: value});
            let is_valid = plain.is_valid(&document);
            assert_eq!(is_valid, editors.is_valid(&document), "{document}");
            accepted += usize::from(is_valid);
        }
        assert_eq!(accepted, 4);
    }

    #[test]
    fn every_pattern_has_its_words() {
        let text = serde_json::to_string_pretty(&json()).unwrap();
        let words = text.matches("\"patternErrorMessage\": ").count();
        assert_eq!((text.matches("\"pattern\": ").count(), words), (words, words));
        for Form { pattern, .. } in FORMS {
            assert!(text.contains(&pattern.replace('\\', "\\\\")), "{pattern}");
        }
    }

    #[test]
    fn every_example_and_every_default_in_the_schema_is_valid() {
        fn walk(root: &Value, schema: &Value, count: &mut usize) {
            let default = schema.get("default").filter(|default| !default.is_object());
            assert!(default.is_none_or(|default| {
                let mut alone = schema.clone();
                alone["$defs"] = root["$defs"].clone();
                jsonschema::draft202012::new(&alone).unwrap().is_valid(default)
            }));
            if let Some(Value::Array(examples)) = schema.get("examples") {
                let mut alone = schema.clone();
                alone["$defs"] = root["$defs"].clone();
                let validator = jsonschema::draft202012::new(&alone).unwrap();
                for example in examples {
                    assert!(validator.is_valid(example), "{example} in {schema}");
                    *count += 1;
                }
            }
            match schema {
                Value::Object(map) => {
                    map.iter().filter(|(k, _)| *k != "examples").for_each(|(_, v)| walk(root, v, count));
                }
                Value::Array(items) => items.iter().for_each(|v| walk(root, v, count)),
                _ => {}
            }
        }
        let (schema, mut count) = (json(), 0);
        walk(&schema, &schema, &mut count);
        assert!(count > 10, "{count}");
    }

    #[test]
    fn no_other_key_than_image_ends_in_image() {
        let text = text();
        let keys = text.lines().filter(|line| line.to_ascii_lowercase().contains("image\": {"));
        assert_eq!(keys.count(), 1);
    }
}
