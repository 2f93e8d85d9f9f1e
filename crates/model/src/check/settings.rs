//! The checks of `settings` and `unset`: names and values, by PostgreSQL's tables.

use std::collections::HashMap;

use pgconf::value::ValueError;
use serde_json::Value;

use super::Checker;
use crate::code::Code;
use crate::desired::{Compare, DesiredSetting};
use crate::diagnostic::{Diagnostic, MAX_DIAGNOSTICS};
use crate::document::Document;
use crate::meant::accepts;
use crate::pointer::escaped;
use crate::postgres::{self, Refused};
use crate::schema;
use crate::settings::{self, PGAUDIT};
use crate::suggest::nearest;
use crate::typed::{TypedValue, typed};
use crate::written::in_flow;

impl Checker<'_, '_> {
    /// Checks `settings`.
    pub(super) fn settings(&mut self, document: &Document, major: Option<u16>) -> Vec<DesiredSetting> {
        let mut wanted: Vec<DesiredSetting> = Vec::new();
        let mut seen: HashMap<String, String> = HashMap::new();
        for (written, value) in &document.settings {
            let pointer = format!("/settings/{}", escaped(written));
            let name = written.to_ascii_lowercase();
            if let Some(first) = seen.insert(today(&name, major), pointer.clone()) {
                let (mut at, mut first) = (self.key(&pointer), self.key(&first));
                // The map is not in the order of the text.
                if at.path == first.path && at.span.start < first.span.start {
                    std::mem::swap(&mut at, &mut first);
                }
                let message = format!(
                    "`settings.{written}` is set twice: letter case and old names make no difference"
                );
                self.push(
                    Diagnostic::error(Code::DuplicateItem, message)
                        .at(at)
                        .related(first, "first here")
                        .help("remove one of the two"),
                );
                continue;
            }
            if !self.name(&name, &pointer, Some(value)) {
                continue;
            }
            let value = match value {
                Value::Bool(true) => "on".to_string(),
                Value::Bool(false) => "off".to_string(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let compare = self.typed(&name, &value, &pointer, major);
            wanted.push(DesiredSetting { name, value, compare });
        }
        wanted
    }

    /// Looks a setting up in PostgreSQL's table and checks its value.
    fn typed(&mut self, name: &str, value: &str, pointer: &str, major: Option<u16>) -> Compare {
        if name.contains('.') {
            return Compare::Text;
        }
        let Some(row) = self.known(name, pointer, major) else {
            return Compare::Text;
        };
        if row.context == postgres::Context::Internal {
            let at = self.key(pointer);
            self.push(
                Diagnostic::error(Code::InvalidSetting, format!("`settings.{name}` cannot be set in a file"))
                    .at(at)
                    .help("remove it"),
            );
        } else if let Err(refused) = postgres::check(row, value.as_bytes(), major.unwrap_or(row.last)) {
            let at = self.value(pointer);
            let message = format!("invalid value for `settings.{name}`: {refused}");
            let more = format!("; run `kasm-db explain {name}` for more");
            let mut diagnostic = Diagnostic::error(Code::InvalidSetting, message).at(at.clone());
            if let Some(meant) = meant(&refused, value) {
                let text = in_flow(&Value::from(meant.as_str()));
                diagnostic = diagnostic.help(format!("write `{meant}`{more}")).fix(at.span, text);
            } else {
                let advice = match refused {
                    Refused::Value(_) => postgres::advice(row),
                    Refused::Rule(_) => "write a value that follows this rule".to_string(),
                };
                diagnostic = diagnostic.help(advice + &more);
            }
            self.push(diagnostic);
        }
        Compare::of(row.name, row.value)
    }

    /// Returns the row of a setting without a dot, or reports that PostgreSQL does not know it.
    fn known(&mut self, name: &str, pointer: &str, major: Option<u16>) -> Option<&'static postgres::Setting> {
        let majors: Vec<u16> = match major.filter(|major| postgres::MAJORS.contains(major)) {
            Some(major) => vec![major],
            None => postgres::MAJORS.rev().collect(),
        };
        let row = majors.iter().find_map(|&major| postgres::lookup(name, major));
        if row.is_none() && self.diagnostics.len() < MAX_DIAGNOSTICS {
            let at = self.key(pointer);
            let newest = majors.first().copied().unwrap_or(*postgres::MAJORS.end());
            let of = if majors.len() == 1 {
                format!("PostgreSQL {newest} setting")
            } else {
                "PostgreSQL setting".into()
            };
            let path = path_of(pointer, name);
            let meant = postgres::nearest(name, newest);
            let message = match meant {
                Some(meant) => format!("`{path}` is not a {of}; did you mean `{meant}`?"),
                None => format!("`{path}` is not a {of}"),
            };
            let mut diagnostic =
                Diagnostic::error(Code::InvalidSetting, message).at(at.clone()).help(meant.map_or_else(
                    || "remove it".to_string(),
                    |meant| format!("write `{meant}`, or remove `{name}`"),
                ));
            if let Some(meant) = meant {
                diagnostic = diagnostic.fix(at.span.clone(), meant);
            }
            if let Some(hint) = postgres::removed_or_renamed(name) {
                diagnostic = diagnostic.help(hint.advice);
            } else if let (Some(first), Some(last)) =
                (postgres::known_in(name).first(), postgres::known_in(name).last())
            {
                let help =
                    format!("remove it, or use an image with PostgreSQL {first} to {last}, which have it");
                diagnostic = diagnostic.help(help);
            } else if let Some(row) = PGAUDIT.iter().find(|row| row.key == name) {
                diagnostic = diagnostic.help(match pointer.starts_with("/unset/") {
                    true => format!("write `{}` if you mean the pgaudit setting", row.name),
                    false => format!("move it to `audit.{}` if you mean the pgaudit setting", row.key),
                });
            }
            self.push(diagnostic);
        }
        row
    }

    /// Checks a name in `settings` or `unset`: its grammar, and that it has no other place.
    fn name(&mut self, name: &str, pointer: &str, value: Option<&Value>) -> bool {
        let part = |part: &str| {
            let mut chars = part.chars();
            chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
                && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if name.split('.').count() > 2 || !name.split('.').all(part) {
            let path = path_of(pointer, &name.escape_debug().to_string());
            let message = format!("`{path}` is not a valid setting name");
            let at = self.key(pointer);
            let mut diagnostic = Diagnostic::error(Code::InvalidName, message)
                .at(at.clone())
                .help("use letters, digits and `_`, with one dot in the setting of an extension");
            // Command lines may have `-` for `_`, files may not.
            let meant = name.replace('-', "_");
            if postgres::lookup_in(&meant, None).is_some() {
                diagnostic = diagnostic.help(format!("write `{meant}`")).fix(at.span, meant);
            }
            self.push(diagnostic);
            return false;
        }
        let is_unset = pointer.starts_with("/unset/");
        let place = if name == "shared_preload_libraries" && is_unset {
            let path = path_of(pointer, name);
            let (message, at) = (format!("`{path}` is managed by `preload`"), self.value(pointer));
            self.push(
                Diagnostic::error(Code::ReservedSetting, message)
                    .at(at)
                    .help("list the libraries that stay under `preload.libraries`, with `mode: exact`"),
            );
            return false;
        } else if name.starts_with("pgaudit.") && is_unset {
            // A line with a name that pgaudit does not have is worth commenting out; a slip is not.
            if let Some(meant) = nearest(name, PGAUDIT.iter().map(|row| row.name)) {
                let (message, at) = (
                    format!("`{}` is not a pgaudit setting; did you mean `{meant}`?", path_of(pointer, name)),
                    self.value(pointer),
                );
                self.push(
                    Diagnostic::error(Code::InvalidSetting, message)
                        .help(format!("write `{meant}`, or remove `{name}`"))
                        .fix(at.span.clone(), meant)
                        .at(at),
                );
                return false;
            }
            return true;
        } else if name == "shared_preload_libraries" {
            "`preload.libraries`".to_string()
        } else if let Some(row) = settings::pgaudit(name) {
            format!("`audit.{}`", row.key)
        } else if name.starts_with("pgaudit.") {
            "`audit`".into()
        } else if matches!(name, "include" | "include_dir" | "include_if_exists") {
            let at = self.key(pointer);
            self.push(
                Diagnostic::error(
                    Code::ReservedSetting,
                    format!("`{}` is a directive, not a setting", path_of(pointer, name)),
                )
                .at(at)
                .help("remove it, and declare the settings themselves"),
            );
            return false;
        } else {
            return true;
        };
        let message = format!("`{}` is managed by {place}", path_of(pointer, name));
        let at = self.key(pointer);
        let help =
            moved(name, value.and_then(Value::as_str)).unwrap_or_else(|| format!("move it to {place}"));
        self.push(Diagnostic::error(Code::ReservedSetting, message).at(at).help(help));
        false
    }

    /// Checks `unset`.
    pub(super) fn unset(
        &mut self,
        document: &Document,
        settings: &[DesiredSetting],
        major: Option<u16>,
    ) -> Vec<String> {
        let mut unset: Vec<String> = Vec::new();
        let mut seen = HashMap::new();
        let of_audit = settings.iter().filter_map(|setting| settings::pgaudit(&setting.name));
        let set: HashMap<String, String> = of_audit
            .map(|row| (row.name.to_string(), format!("/audit/{}", row.key)))
            .chain(document.settings.keys().map(|written| {
                (today(&written.to_ascii_lowercase(), major), format!("/settings/{}", escaped(written)))
            }))
            .collect();
        for (index, written) in document.unset.iter().enumerate() {
            let pointer = format!("/unset/{index}");
            let name = written.to_ascii_lowercase();
            // `unset` may name pgaudit's settings: there is no other way to say that they must go.
            let audit = settings::pgaudit(&name).is_some();
            if !audit && !self.name(&name, &pointer, None) {
                continue;
            }
            if let Some(first) = seen.insert(today(&name, major), index) {
                let (at, first) = (self.value(&pointer), self.value(&format!("/unset/{first}")));
                let message = format!("`unset[{index}]` repeats the setting `{written}`");
                self.push(
                    Diagnostic::error(Code::DuplicateItem, message)
                        .at(at)
                        .related(first, "first here")
                        .help("remove one of the two"),
                );
                continue;
            }
            if let Some(set) = set.get(&today(&name, major)) {
                let path = crate::pointer::path(set);
                let (at, set) = (self.value(&pointer), self.key(set));
                let message = format!("`{path}` is set, and `unset[{index}]` comments it out");
                self.push(
                    Diagnostic::error(Code::SetAndUnset, message)
                        .at(at)
                        .related(set, "set here")
                        .help(format!("remove `{written}` from `unset`, or remove `{path}`")),
                );
            }
            // A setting that another major had may well stand in the file: that is no error.
            if !name.contains('.') && postgres::known_in(&name).is_empty() {
                self.known(&name, &pointer, major);
            }
            unset.push(name);
        }
        unset
    }
}

/// Returns the path of a setting in `settings` or `unset`: `settings.work_mem`, or `work_mem` for an item of a list,
/// which its place shows.
fn path_of(pointer: &str, name: &str) -> String {
    match pointer.starts_with("/unset/") {
        true => name.to_string(),
        false => format!("settings.{name}"),
    }
}

/// Returns what to write for the value of a setting whose own key takes a list.
fn moved(name: &str, value: Option<&str>) -> Option<String> {
    let (parent, key, items) = match name {
        "pgaudit.log" => ("audit", "classes", typed(name, value?)),
        "shared_preload_libraries" => ("preload", "libraries", typed(name, value?)),
        _ => return None,
    };
    let TypedValue::List(items) = items else { return None };
    let rule = schema::at(&format!("/{parent}/{key}"))?;
    let list = Value::from(items);
    accepts(&rule, &list)
        .then(|| format!("remove it, and write `{key}: {}` under `{parent}`", in_flow(&list)))
}

/// Returns the name of today for a setting in lower case, so that an old name is the same setting.
fn today(name: &str, major: Option<u16>) -> String {
    postgres::lookup_in(name, major).map_or_else(|| name.to_string(), |row| row.name.to_ascii_lowercase())
}

/// Returns the value that was probably meant for one that PostgreSQL does not take.
fn meant(refused: &Refused, value: &str) -> Option<String> {
    match refused {
        Refused::Value(ValueError::NotInEnum { values }) => {
            nearest(value, values.iter().copied()).map(String::from)
        }
        Refused::Value(ValueError::UnknownUnit { found, meant, .. }) => {
            Some(format!("{}{}", value.trim_end().strip_suffix(found.trim_end())?.trim_end(), (*meant)?))
        }
        _ => None,
    }
}
