//! A field of the document, as its schema describes it.

use std::sync::LazyLock;

use serde_json::Value;

use crate::schema;
use crate::settings::{PGAUDIT, PgauditSetting};
use crate::written::in_flow;

/// A field of the document.
#[derive(Clone, Debug)]
pub struct Field {
    /// The keys that lead to it with dots in between, without the numbers of items: `targets.files.service`.
    pub path: String,
    /// What it is: whole sentences.
    pub description: String,
    /// What may stand there, in words: `text`, `a list of text`, `true or false`.
    pub takes: String,
    /// Whether the mapping around it must have it.
    pub required: bool,
    /// What counts where it is not written, if something does.
    pub default: Option<String>,
    /// The values that it takes, where they can be listed.
    pub values: Vec<String>,
    /// What its text must be like, in words.
    pub form: Option<String>,
    /// Examples, as YAML in one line.
    pub examples: Vec<String>,
    /// The fields below it, each with its path.
    pub keys: Vec<String>,
    /// The setting of pgaudit that it stands for.
    pub pgaudit: Option<&'static PgauditSetting>,
}

/// Lists every field, each after the one that it is part of.
pub fn fields() -> &'static [Field] {
    static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
        let root = schema::json();
        let mut all = Vec::new();
        below(&root, &root, "", &mut all);
        all
    });
    &FIELDS
}

/// Finds a field by its path, in any letter case.
pub fn field(path: &str) -> Option<&'static Field> {
    fields().iter().find(|field| field.path.eq_ignore_ascii_case(path))
}

fn below(root: &Value, schema: &Value, path: &str, all: &mut Vec<Field>) {
    let Some(keys) = schema.get("properties").and_then(Value::as_object) else { return };
    let required = schema.get("required").and_then(Value::as_array);
    for (key, own) in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        // What stands at the field itself goes before what its type says.
        let resolved = resolve(root, own);
        let items = resolve(root, resolved.get("items").unwrap_or(&Value::Null));
        let get = |name: &str| own.get(name).or_else(|| resolved.get(name));
        let item = |name: &str| get(name).or_else(|| items.get(name));
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(String::from);
        let words = text(item("patternErrorMessage"))
            .map(|words| words.replacen("Write ", "", 1).trim_end_matches('.').to_string());
        let keyed = if items.get("properties").is_some() { items } else { resolved };
        let inner = keyed.get("properties").and_then(Value::as_object);
        let field = Field {
            description: text(get("description"))
                .unwrap_or_default()
                .replace('\n', " ")
                .replace("  ", "\n\n"),
            takes: takes(root, resolved),
            required: required.is_some_and(|names| names.iter().any(|name| name == key)),
            default: get("default").map(in_flow),
            values: match item("const") {
                Some(only) => vec![in_flow(only)],
                None => item("enum").and_then(Value::as_array).into_iter().flatten().map(in_flow).collect(),
            },
            form: words.or_else(|| range(resolved)),
            examples: get("examples").and_then(Value::as_array).into_iter().flatten().map(in_flow).collect(),
            keys: inner.into_iter().flat_map(|keys| keys.keys()).map(|key| format!("{path}.{key}")).collect(),
            pgaudit: path.strip_prefix("audit.").and_then(|key| PGAUDIT.iter().find(|row| row.key == key)),
            path: path.clone(),
        };
        all.push(field);
        below(root, keyed, &path, all);
    }
}

fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix('#'));
    reference.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

fn takes(root: &Value, schema: &Value) -> String {
    match schema.get("type").and_then(Value::as_str) {
        Some("boolean") => "true or false".into(),
        Some("integer") => "a whole number".into(),
        Some("array") => {
            let items = resolve(root, schema.get("items").unwrap_or(&Value::Null));
            format!("a list of {}", if items.get("properties").is_some() { "mappings" } else { "texts" })
        }
        Some("object") if schema.get("properties").is_none() => "a mapping of names to single values".into(),
        Some("object") => "a mapping".into(),
        _ => "text".into(),
    }
}

fn range(schema: &Value) -> Option<String> {
    let limit = |name: &str| schema.get(name).map(Value::to_string);
    Some(format!("from {} to {}", limit("minimum")?, limit("maximum")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;

    #[test]
    fn fields_are_found_by_their_keys_in_any_letter_case() {
        let field = field("Targets.files.SERVICE").unwrap();
        assert_eq!(field.path, "targets.files.service");
        assert_eq!(field.examples, ["db"]);
        assert!(super::field("targets.0.name").is_none());
        assert!(super::field("audit").unwrap().keys.contains(&"audit.log_catalog".to_string()));
        assert_eq!(super::field("audit.log_level").unwrap().values.len(), settings::LOG_LEVELS.len());
        assert_eq!(super::field("schema").unwrap().values, ["kasm-db/v1"]);
        assert!(super::field("targets.name").unwrap().required);
        assert_eq!(super::field("restart.policy").unwrap().default.as_deref(), Some("never"));
    }

    #[test]
    fn every_field_says_what_it_is_and_what_it_takes() {
        for field in fields() {
            assert!(
                field.description.ends_with(['.', '`', ')']) && field.description.len() > 10,
                "{field:?}"
            );
            let shown = !field.values.is_empty()
                || !field.examples.is_empty()
                || !field.keys.is_empty()
                || field.default.is_some()
                || field.form.is_some()
                || field.takes == "true or false";
            assert!(shown, "{field:?}");
        }
        assert_eq!(fields().iter().filter(|field| field.pgaudit.is_some()).count(), PGAUDIT.len());
    }
}
