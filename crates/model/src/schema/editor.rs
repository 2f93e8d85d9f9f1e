//! What editors get besides the schema: names to complete. They accept what the schema accepts, and nothing else.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::audit::Class;
use crate::extension::KnownExtension;
use crate::postgres::{self, Setting, advice};

/// Libraries that deployments preload; any other name that fits is accepted too.
const LIBRARIES: &[&str] = &[
    "pgaudit",
    "pgauditlogtofile",
    "pg_stat_statements",
    "auto_explain",
    "auth_delay",
    "passwordcheck",
    "pg_cron",
    "pg_prewarm",
];

/// Adds the names of classes, libraries and settings to a schema.
pub(super) fn complete(schema: &mut Value) {
    if let Some(classes) = schema.pointer_mut("/$defs/Audit/properties/classes/items") {
        let names = || Class::names();
        let all = names().map(String::from).chain(names().map(|name| format!("-{name}")));
        *classes = json!({ "enum": all.collect::<Vec<_>>() });
    }
    if let Some(library) = schema.pointer_mut("/$defs/Preload/properties/libraries/items") {
        *library = either(LIBRARIES.iter().map(|name| Value::from(*name)), &library.take());
    }
    if let Some(name) = schema.pointer_mut("/$defs/Extension/properties/name") {
        let names: Vec<_> = KnownExtension::names().collect();
        name["examples"] = json!(names);
    }
    let settings = settings();
    if let Some(name) = schema.pointer_mut("/properties/unset/items") {
        *name = either(settings.keys().map(|name| Value::from(*name)), &name.take());
    }
    if let Some(Value::Object(object)) = schema.pointer_mut("/properties/settings") {
        let any = object.get("additionalProperties").cloned().unwrap_or_default();
        let property = |(name, setting): (&&str, &&Setting)| {
            let mut rule = any.clone();
            rule["description"] = sentence(&advice(setting)).into();
            ((*name).to_string(), rule)
        };
        object.insert("properties".into(), settings.iter().map(property).collect::<Map<_, _>>().into());
    }
}

/// Returns a schema that has names to complete, and accepts what another one does.
fn either(names: impl Iterator<Item = Value>, other: &Value) -> Value {
    json!({ "anyOf": [{ "enum": names.collect::<Vec<_>>() }, other] })
}

/// Returns the settings of all majors that a document may have, each with its newest row.
fn settings() -> BTreeMap<&'static str, &'static Setting> {
    let majors = postgres::MAJORS;
    let of =
        |major| postgres::names(major).filter_map(move |name| Some((name, postgres::lookup(name, major)?)));
    let all = majors.flat_map(of);
    // That one has a key of its own.
    all.filter(|(name, _)| *name != "shared_preload_libraries").collect()
}

fn sentence(advice: &str) -> String {
    let mut letters = advice.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
