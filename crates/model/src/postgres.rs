//! The settings of PostgreSQL itself: which of them a major has, what values they take, and what a change
//! needs.
//!
//! Settings of extensions (`pgaudit.log`) are not here. The table is what servers say of themselves, and of the
//! latest minor versions where those came with settings: an older server of the major does not know them
//! (`output_plugin_libraries` is in 15.19, not in 15.18). See `scripts/postgres-settings`.

mod hooks;
mod renamed;
mod setting;
mod table;
mod values;

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use crate::suggest;

pub use hooks::{Refused, check};
pub use renamed::{Renamed, removed_or_renamed};
pub use setting::{Context, Needs, Setting};
pub use values::advice;

/// The majors that the table knows.
pub const MAJORS: RangeInclusive<u16> = 12..=18;

/// Finds the setting that a file of this major means by `name`, in any letter case.
///
/// An old name that the server still takes finds the setting by its name of today: `sort_mem` finds
/// `work_mem`.
pub fn lookup(name: &str, major: u16) -> Option<&'static Setting> {
    // An extension's.
    if name.contains('.') {
        return None;
    }
    let name = alias(name, major).unwrap_or(name);
    let start = table::SETTINGS.partition_point(|row| compare(row.name, name) == Ordering::Less);
    table::SETTINGS
        .get(start..)
        .unwrap_or_default()
        .iter()
        .take_while(|row| compare(row.name, name) == Ordering::Equal)
        .find(|row| (row.first..=row.last).contains(&major))
}

/// Finds the setting where the major may not be known: then the newest one that has it tells.
pub fn lookup_in(name: &str, major: Option<u16>) -> Option<&'static Setting> {
    match major {
        Some(major) => lookup(name, major),
        None => MAJORS.rev().find_map(|major| lookup(name, major)),
    }
}

/// Returns every name by which a file of this major sets what `name` sets, that itself among them.
pub fn spellings(name: &str, major: u16) -> Vec<&str> {
    let Some(today) = lookup(name, major).map(|row| row.name) else { return vec![name] };
    let old = table::ALIASES
        .iter()
        .filter(|(_, (first, last), instead)| (*first..=*last).contains(&major) && today == *instead);
    [name, today].into_iter().chain(old.map(|(old, ..)| *old)).collect()
}

/// Returns the majors that know `name`, in order.
pub fn known_in(name: &str) -> Vec<u16> {
    MAJORS.filter(|&major| lookup(name, major).is_some()).collect()
}

/// Finds the setting of this major that `name` most likely is a misspelling of; of equally near ones the
/// first by the alphabet.
///
/// Settings that no file can set are never meant, and a name with a dot is an extension's.
pub fn nearest(name: &str, major: u16) -> Option<&'static str> {
    if name.contains('.') {
        return None;
    }
    suggest::nearest(name, names(major))
}

/// Lists the settings of a major that a file can set, by the alphabet.
pub fn names(major: u16) -> impl Iterator<Item = &'static str> {
    let rows = table::SETTINGS.iter().filter(move |row| (row.first..=row.last).contains(&major));
    rows.filter(|row| row.context != Context::Internal).map(|row| row.name)
}

/// Returns the name of today for an old name that this major still takes.
fn alias(name: &str, major: u16) -> Option<&'static str> {
    table::ALIASES
        .iter()
        .find(|(old, (first, last), _)| old.eq_ignore_ascii_case(name) && (*first..=*last).contains(&major))
        .map(|&(_, _, today)| today)
}

/// Orders names as the server does, by their bytes with ASCII letters in lower case.
fn compare(a: &str, b: &str) -> Ordering {
    let lower = |byte: u8| byte.to_ascii_lowercase();
    a.bytes().map(lower).cmp(b.bytes().map(lower))
}

#[cfg(test)]
mod tests;
