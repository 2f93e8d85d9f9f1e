//! What the fields of the document are, from its schema and the tables of settings.

mod subject;

use std::sync::LazyLock;

use pgconf::value::{Type, Unit};
use serde_json::Value;

use crate::postgres::{self, Needs, Renamed, Setting};
use crate::schema;
use crate::settings::{self, PGAUDIT, PgauditSetting};
use crate::written::in_flow;

pub use subject::{Subject, find, nearest};

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

/// A setting of PostgreSQL, as majors have it.
#[derive(Clone, Debug)]
pub struct SettingHelp {
    /// The name in the server's letter case.
    pub name: &'static str,
    /// For each run of majors that agree: the first, the last, what it takes, what a change needs.
    pub rows: Vec<(u16, u16, String, Needs)>,
    /// What became of it, where newer majors no longer have it.
    pub gone: Option<&'static Renamed>,
    /// The field of the document that stands for it; `settings` refuses it then.
    pub field: Option<&'static str>,
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

/// Finds a setting of PostgreSQL by its name, in any letter case.
pub fn setting(name: &str) -> Option<SettingHelp> {
    let mut found: Vec<&'static Setting> =
        postgres::MAJORS.filter_map(|major| postgres::lookup(name, major)).collect();
    found.dedup_by_key(|row| (row.name, row.first));
    let row = |row: &&'static Setting| (row.first, row.last, words(&row.value), row.context.needs());
    let gone = postgres::removed_or_renamed(name);
    let name = found.last().map(|row| row.name).or(gone.map(|row| row.name))?;
    let field = (name == "shared_preload_libraries").then_some("preload.libraries");
    Some(SettingHelp { name, rows: found.iter().map(row).collect(), gone, field })
}

/// Says what values a type has.
fn words(value: &Type) -> String {
    let unit = |unit: Unit| match unit {
        Unit::None => String::new(),
        unit => format!("; a bare number counts {}", unit.name()),
    };
    match value {
        Type::Bool => "true or false".into(),
        Type::Integer { unit: of, min, max } => format!("a whole number from {min} to {max}{}", unit(*of)),
        Type::Real { unit: of, min, max } => format!("a number from {min} to {max}{}", unit(*of)),
        Type::Enum { values, .. } => format!("one of {}", values.join(", ")),
        Type::String => "text".into(),
    }
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

/// Gives the majors whose pgaudit has a setting, in words.
pub fn since(row: &PgauditSetting) -> String {
    match row.since {
        first if first <= *settings::MAJORS.start() => "every PostgreSQL major".into(),
        first => format!("PostgreSQL {first} and later"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn settings_of_postgresql_are_found_with_what_each_major_takes() {
        let help = setting("WORK_mem").unwrap();
        assert_eq!((help.name, help.rows.len()), ("work_mem", 1));
        assert_eq!(setting("log_connections").unwrap().rows.len(), 2);
        assert!(setting("wrok_mem").is_none());
    }
}
