//! Whether a document keeps the limits that the schema sets beyond the types.
//!
//! Building the schema's validator costs more than the rest of a plan. A document that fits its types and
//! these limits is one that the schema accepts, so the validator is built only to say what is wrong. A
//! test holds the two together.

use serde_json::Value;

use crate::bounds::{IMAGE_LENGTH, MAJORS, PARAMETER_SIZES, PATH_LENGTH, ROLE_LENGTH};
use crate::document::{Audit, Build, Document, Files, Mode, Restart, Target, VERSION, Verify};
use crate::form;

/// Reads a document, or gives `None` where the schema has something to say.
pub(crate) fn read(value: &Value) -> Option<Document> {
    if !mappings(value) {
        return None;
    }
    Document::of(value).filter(fits)
}

/// Returns whether the schema accepts a document, but for keys that another document may bring.
pub(crate) fn apart_from_missing(value: &Value) -> bool {
    let mut value = value.clone();
    if let Value::Object(map) = &mut value {
        map.entry("schema").or_insert_with(|| VERSION.into());
        if let Some(Value::Object(preload)) = map.get_mut("preload") {
            preload.entry("libraries").or_insert_with(|| vec!["pgaudit"].into());
        }
        if let Some(Value::Object(build)) = map.get_mut("build") {
            build.entry("base").or_insert_with(|| "postgres:16".into());
        }
    }
    read(&value).is_some()
}

/// Returns whether a text is a path that `extends` may have.
pub(crate) fn is_document_path(text: &str) -> bool {
    form::DOCUMENT_PATH.fits(text) && text.chars().count() <= PATH_LENGTH
}

/// Returns whether every mapping is one: serde reads a list as a struct, too.
fn mappings(value: &Value) -> bool {
    let is_mapping = |value: Option<&Value>| value.is_none_or(Value::is_object);
    let targets = value.get("targets").and_then(Value::as_array);
    let target = |target: &Value| target.is_object() && is_mapping(target.get("files"));
    let build = value.get("build");
    let extensions = build.and_then(|build| build.get("extensions")).and_then(Value::as_array);
    let extension = |extension: &Value| extension.is_object() && is_mapping(extension.get("source"));
    ["preload", "build", "audit", "restart", "verify"].iter().all(|key| is_mapping(value.get(key)))
        && extensions.is_none_or(|extensions| extensions.iter().all(extension))
        && targets.is_none_or(|targets| targets.iter().all(target))
}

/// Returns whether the schema accepts a document of these types.
fn fits(document: &Document) -> bool {
    let Document {
        schema: _,
        extends,
        min_version,
        image,
        postgres_major,
        preload,
        build,
        audit,
        settings,
        unset: _,
        targets,
        restart,
        verify,
        on_removal: _,
        ignore: _,
    } = document;
    extends.as_deref().is_none_or(is_document_path)
        && min_version.as_deref().is_none_or(|text| form::VERSION.fits(text))
        && image.as_ref().is_none_or(|image| (1..=IMAGE_LENGTH).contains(&image.chars().count()))
        && postgres_major.is_none_or(|major| MAJORS.contains(&major))
        && preload.as_ref().is_none_or(|preload| {
            (preload.mode == Mode::Exact || !preload.libraries.is_empty())
                && preload.libraries.iter().all(|library| form::LIBRARY.fits(library))
        })
        && build.as_ref().is_none_or(build_fits)
        && audit.as_ref().is_none_or(audit_fits)
        && settings
            .values()
            .all(|value| matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_)))
        && targets.iter().all(target_fits)
        && restart.as_ref().is_none_or(restart_fits)
        && verify.as_ref().is_none_or(verify_fits)
}

fn build_fits(build: &Build) -> bool {
    (1..=IMAGE_LENGTH).contains(&build.base.chars().count())
        && build.extensions.iter().all(|extension| {
            form::EXTENSION.fits(&extension.name)
                && extension.package.as_deref().is_none_or(|package| form::PACKAGE.fits(package))
                && extension.source.as_ref().is_none_or(|source| {
                    form::ADDRESS.fits(&source.url)
                        && source.sha256.as_deref().is_none_or(|sum| form::SHA256.fits(sum))
                })
        })
        && build.labels.iter().all(|(name, value)| form::LABEL.fits(name) && form::LABEL_VALUE.fits(value))
        && build.platforms.iter().all(|platform| form::PLATFORM.fits(platform))
        && build.ca_certificates.iter().all(|path| !path.is_empty())
}

fn audit_fits(audit: &Audit) -> bool {
    audit
        .classes
        .as_ref()
        .is_none_or(|items| !items.is_empty() && items.iter().all(|item| form::CLASS.fits(item)))
        && audit.log_parameter_max_size.is_none_or(|bytes| PARAMETER_SIZES.contains(&bytes))
        && audit.role.as_ref().is_none_or(|role| role.chars().count() <= ROLE_LENGTH)
        && audit
            .databases
            .as_ref()
            .is_none_or(|names| !names.is_empty() && names.iter().all(|name| form::IDENTIFIER.fits(name)))
}

fn target_fits(target: &Target) -> bool {
    let filled = |text: &Option<String>| text.as_ref().is_none_or(|text| !text.is_empty());
    let files = |files: &Files| filled(&files.postgresql_conf) && filled(&files.service);
    form::TARGET.fits(&target.name)
        && filled(&target.deployment)
        && filled(&target.installer)
        && target.files.as_ref().is_none_or(files)
}

fn restart_fits(restart: &Restart) -> bool {
    let command = |words: &Option<Vec<String>>| words.as_ref().is_none_or(|words| !words.is_empty());
    let trust = |names: &Vec<String>| !names.is_empty() && names.iter().all(|name| !name.is_empty());
    command(&restart.stop)
        && command(&restart.start)
        && restart.trust.as_ref().is_none_or(trust)
        && restart.timeout.as_deref().is_none_or(|text| form::TIMEOUT.fits(text))
        && restart.stop_timeout.as_deref().is_none_or(|text| form::TIMEOUT.fits(text))
}

fn verify_fits(verify: &Verify) -> bool {
    verify.container.as_deref().is_none_or(|text| form::CONTAINER.fits(text))
        && verify.user.as_deref().is_none_or(|text| form::IDENTIFIER.fits(text))
        && verify.database.as_deref().is_none_or(|text| form::IDENTIFIER.fits(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn full() -> Value {
        json!({
            "schema": "kasm-db/v1",
            "extends": "../base.kasm-db.yaml",
            "min_version": "0.1.0",
            "image": "kasmweb/postgres:1.11.0",
            "postgres_major": 12,
            "preload": { "mode": "exact", "libraries": ["pgaudit", "$libdir/x.so"] },
            "build": {
                "base": "postgres:16-bookworm",
                "extensions": [
                    { "name": "a", "package": "postgresql-16-a=1.0-1" },
                    { "name": "b", "source": { "url": "https://example.org/b.tar.gz", "sha256": "0".repeat(64) } },
                ],
                "labels": { "a.b": "c" },
                "platforms": ["linux/arm64/v8"],
                "ca_certificates": ["ca.pem"],
            },
            "audit": {
                "classes": ["read", "-misc"], "log_catalog": true, "log_level": "log", "role": "a b",
                "log_parameter_max_size": 5, "extension": false, "databases": ["kasm"],
            },
            "settings": { "work_mem": "8MB", "a.b": 1, "c": 1.5, "d": true },
            "unset": ["x"],
            "targets": [
                { "name": "a", "deployment": "/x" },
                { "name": "b", "files": { "compose": ["c"], "postgresql_conf": "p", "service": "db" } },
            ],
            "restart": { "policy": "if_needed", "stop": ["a"], "start": ["b"], "trust": ["kasm"], "timeout": "5min" },
            "verify": { "connect": "tcp", "container": "kasm_db", "user": "u", "database": "d" },
        })
    }

    fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
        out.push(at.to_string());
        match value {
            Value::Object(map) => {
                map.iter().for_each(|(key, value)| pointers(value, &format!("{at}/{key}"), out));
            }
            Value::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(key, value)| pointers(value, &format!("{at}/{key}"), out));
            }
            _ => {}
        }
    }

    fn values() -> Vec<Value> {
        let words = [
            "",
            "a",
            "-a",
            "all",
            "-none",
            "READ",
            "a=b",
            "a b",
            "10s",
            "0s",
            "9999999h",
            "1.5min",
            "$libdir/x",
            "$libdir/",
            "/tmp/x",
            "log",
            "exact",
            "docker",
            "never",
            "é",
            "a\u{a0}b",
            "a\u{2003}",
            ".a",
            "_a",
            "a.b-c_d",
            "kasm-db/v1",
            "kasm-db.yaml",
            "a b/~x/kasm-db.yml",
            "/kasm-db.yaml",
            "~/kasm-db.yaml",
            "~.kasm-db.yaml",
            "a/.kasm-db.yaml",
            "a/..kasm-db.yaml",
            "x\n/kasm-db.yaml",
            "https://example.org/kasm-db.yaml",
            "0.1",
            "1.2.3",
            "1.2.3.4",
            "1..3",
            "12345.0.0",
            "1.2.x",
            "postgresql-16-a=1:1.0~b-1",
            "a=",
            "https://example.org:443/a%20b/c.tar.gz",
            "https://user:word@example.org/a",
            "https://example.org/",
            "linux/amd64",
            "linux/arm/v7",
            "linux/arm/v77",
            "r\u{e9}sum\u{e9}",
        ];
        let lengths = [1usize, 62, 63, 64, 128, 511, 512, 513];
        let numbers = [-1i64, 0, 1, 11, 12, 19, 20, 1_073_741_823, 1_073_741_824];
        let mut all: Vec<Value> = words.into_iter().map(Value::from).collect();
        all.extend(lengths.map(|length| Value::from("a".repeat(length))));
        all.extend(numbers.map(Value::from));
        all.extend([json!(12.0), json!(1.5), json!(true), json!([]), json!({}), json!(["a"]), json!([1])]);
        all
    }

    fn agree(document: &Value) -> Result<(), String> {
        let schema = crate::schema::validator().unwrap().is_valid(document);
        let typed = read(document).is_some();
        if schema == typed { Ok(()) } else { Err(format!("schema: {schema}, types: {typed}: {document}")) }
    }

    #[test]
    fn every_value_in_every_place_is_taken_by_both_or_by_none() {
        let mut all = Vec::new();
        pointers(&full(), "", &mut all);
        for pointer in &all[1..] {
            for value in values() {
                let mut document = full();
                *document.pointer_mut(pointer).unwrap() = value;
                agree(&document).unwrap();
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn types_and_limits_accept_what_the_schema_accepts(pick in any::<prop::sample::Index>(), kind in 0..5, value in prop::sample::select(values())) {
            let mut document = full();
            let mut all = Vec::new();
            pointers(&document, "", &mut all);
            let pointer = &all[pick.index(all.len() - 1) + 1];
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            match (kind, document.pointer_mut(parent).unwrap()) {
                (0, Value::Object(map)) => { map.shift_remove(key); }
                (1, Value::Object(map)) => { map.insert(format!("{key}x"), value); }
                (4, Value::Object(map)) => {
                    let old = map.shift_remove(key).unwrap();
                    map.insert(key[..key.len() - 1].to_string(), old);
                }
                (_, _) => *document.pointer_mut(pointer).unwrap() = value,
            }
            agree(&document).map_err(TestCaseError::fail)?;
        }
    }
}
