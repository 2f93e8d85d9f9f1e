//! A setting of PostgreSQL or pgaudit, as the tables have it.

use pgconf::value::{Type, Unit};

use crate::postgres::{self, Needs, Renamed, Setting};
use crate::settings::{self, PgauditSetting};

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

/// Returns the majors whose pgaudit has a setting, in words.
pub fn since(row: &PgauditSetting) -> String {
    match row.since {
        first if first <= *settings::MAJORS.start() => "every PostgreSQL major".into(),
        first => format!("PostgreSQL {first} and later"),
    }
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

/// Returns what values a type has.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_postgresql_are_found_with_what_each_major_takes() {
        let help = setting("WORK_mem").unwrap();
        assert_eq!((help.name, help.rows.len()), ("work_mem", 1));
        assert_eq!(setting("log_connections").unwrap().rows.len(), 2);
        assert!(setting("wrok_mem").is_none());
    }
}
