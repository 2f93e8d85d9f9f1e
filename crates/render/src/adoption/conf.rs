//! The settings of a document that leaves postgresql.conf as it is.

use std::collections::BTreeMap;

use model::audit::{Class, ClassSet};
use model::postgres;
use model::settings::{LOG_LEVELS, PGAUDIT, PgauditKind, PgauditSetting};
use pgconf::Assignment;
use pgconf::value::{Type, parse_bool, parse_int};
use serde_json::{Value, json};

use crate::adoption::contents::{Contents, Key, Preloads};
use crate::conf::ObservedConf;
use crate::observe::ObservedState;
use crate::reconcile::{PRELOAD, current_image, in_force};
use crate::redact;
use crate::secrets::known;
use crate::variable_names::VariableNames;

pub(super) fn adopt(
    observed: &ObservedState,
    all_settings: bool,
    names: &VariableNames,
    contents: &mut Contents,
) {
    let Some(conf) = &observed.conf else { return };
    let mut majors = observed.databases.iter().map(|observed| {
        current_image(&observed.database).and_then(|image| model::Release::of(&image).postgres_major())
    });
    let first = majors.next().flatten();
    let major = first.filter(|_| majors.all(|major| major == first));
    let preloads = libraries(observed, conf, major, names, contents);
    contents.conf = Some(preloads);
    for row in PGAUDIT {
        let Some((value, by)) = in_force(row.name, major, observed, conf) else { continue };
        if let Some(why) = variable(&value, by, names) {
            contents.leave_out(Key::Audit(row.key), None, why);
            continue;
        }
        match audit(row, &value) {
            Some(value) => contents.push(Key::Audit(row.key), value, by.map(set_by)),
            None => {
                let why = format!("`{}` has a value that pgaudit does not take", row.name);
                contents.leave_out(Key::Audit(row.key), None, why);
            }
        }
    }
    if all_settings {
        settings(observed, conf, major, names, contents);
    }
}

/// Returns why a value that does not come from postgresql.conf is not written down: what a variable of the compose file becomes may
/// be a secret.
fn variable(value: &[u8], by: Option<&str>, names: &VariableNames) -> Option<String> {
    let (text, by) = (String::from_utf8_lossy(value), by?);
    let name = names.in_text(&text)?;
    Some(format!("{by} takes it from the variable `{name}`, and what that becomes may be a secret"))
}

/// Returns what the value comes from, where that is not the file that the document manages.
fn set_by(by: &str) -> String {
    format!("Set by {by}, which wins over postgresql.conf.")
}

fn libraries(
    observed: &ObservedState,
    conf: &ObservedConf,
    major: Option<u16>,
    names: &VariableNames,
    contents: &mut Contents,
) -> Preloads {
    let Some((value, by)) = in_force(PRELOAD, major, observed, conf) else { return Preloads::Nothing };
    if let Some(why) = variable(&value, by, names) {
        contents.leave_out(Key::Libraries, None, why);
        return Preloads::Something;
    }
    let Some(items) = pgconf::split_libraries(&value) else {
        contents.leave_out(Key::Libraries, None, "the list is invalid, so PostgreSQL loads nothing");
        return Preloads::Something;
    };
    let mut written: Vec<String> = Vec::new();
    let mut seen = Vec::new();
    let mut unwritable = 0;
    for item in &items {
        let name = pgconf::library_name(item).into_owned();
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        match String::from_utf8(item.clone()).ok().filter(|item| is_library(item)) {
            Some(item) => written.push(item),
            None => unwritable += 1,
        }
    }
    if unwritable > 0 {
        let why = format!(
            "{unwritable} of {} libraries have a path or a character that a document cannot contain",
            seen.len()
        );
        contents.leave_out(Key::Libraries, None, format!("{why}; they stay where they are"));
    }
    let is_something = !seen.is_empty();
    if !written.is_empty() {
        let note = "Others may be added by hand and stay; `mode: exact` would take them out of the list.";
        let note = by.map_or_else(|| note.to_string(), |by| format!("{}\n{note}", set_by(by)));
        contents.push(Key::Libraries, written, Some(note));
    }
    if is_something { Preloads::Something } else { Preloads::Nothing }
}

/// Returns whether the document's grammar has this library.
fn is_library(item: &str) -> bool {
    let name = item.strip_prefix("$libdir/").unwrap_or(item);
    (1..=63).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// Returns the value of a setting of pgaudit as the document writes it; `None` where pgaudit refuses it.
fn audit(row: &PgauditSetting, value: &[u8]) -> Option<Value> {
    match row.kind {
        PgauditKind::Classes => classes(value),
        PgauditKind::Bool => parse_bool(value).ok().map(Value::from),
        PgauditKind::Level => {
            let level = std::str::from_utf8(value).ok()?.to_ascii_lowercase();
            LOG_LEVELS.contains(&level.as_str()).then(|| Value::from(level))
        }
        PgauditKind::Bytes(min, max) => {
            let bytes = i64::from(parse_int(value, pgconf::value::Unit::None).ok()?);
            (min..=max).contains(&bytes).then(|| json!(bytes))
        }
        PgauditKind::Role => String::from_utf8(value.to_vec()).ok().map(Value::from),
    }
}

/// Returns the classes, without those that change nothing where they stand.
fn classes(value: &[u8]) -> Option<Value> {
    ClassSet::parse(value)?;
    let mut set = ClassSet::default();
    let mut items = Vec::new();
    for item in pgconf::split_identifiers(value)? {
        let item = String::from_utf8(item).ok()?.to_ascii_lowercase();
        let after = set.and(&item)?;
        if std::mem::replace(&mut set, after) != after {
            items.push(item);
        }
    }
    if set.is_empty() {
        items = vec![Class::None.name().to_string()];
    }
    Some(json!(items))
}

/// Takes every other setting in that is set otherwise than in PostgreSQL's sample.
fn settings(
    observed: &ObservedState,
    conf: &ObservedConf,
    major: Option<u16>,
    names: &VariableNames,
    contents: &mut Contents,
) {
    let known = known(observed);
    let mut last: BTreeMap<String, Assignment<'_>> = BTreeMap::new();
    for assignment in conf.set.assignments() {
        let written = String::from_utf8_lossy(assignment.name()).to_ascii_lowercase();
        let today = postgres::lookup_in(&written, major).map(|row| row.name.to_ascii_lowercase());
        last.insert(today.unwrap_or(written), assignment);
    }
    for (name, assignment) in last {
        if name == PRELOAD || name.starts_with("pgaudit.") {
            continue;
        }
        let Some((value, by)) = in_force(&name, major, observed, conf) else { continue };
        if by.is_none() && redact::is_default_of_sample(assignment.conf.bytes(), assignment.entry) {
            continue;
        }
        if let Some(why) = variable(&value, by, names) {
            contents.leave_out(Key::Setting(name), None, why);
            continue;
        }
        if redact::may_be_secret(&name, &value) || known.is_in(&String::from_utf8_lossy(&value)) {
            let why = "its value may be secret, so it is not written down";
            contents.leave_out(Key::Setting(name), None, why);
            continue;
        }
        match String::from_utf8(value) {
            Ok(text) => contents.push(Key::Setting(name.clone()), typed(&name, text, major), by.map(set_by)),
            Err(_) => contents.leave_out(Key::Setting(name), None, "its value is not UTF-8"),
        }
    }
}

/// Returns a value with the type that it has in YAML, where it is the same one.
fn typed(name: &str, text: String, major: Option<u16>) -> Value {
    let row = postgres::lookup_in(name, major);
    if row.is_some_and(|row| row.value == Type::Bool)
        && let Ok(on) = parse_bool(text.as_bytes())
    {
        return on.into();
    }
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => number.into(),
        _ => text.into(),
    }
}
