//! What a running server shows of a setting, and whether that is what is wanted.

use pgconf::value::{Type, Unit, Value, parse, same};

use crate::audit::ClassSet;
use crate::desired::{Compare, DesiredSetting};
use crate::postgres;
use crate::settings::{PGAUDIT, PgauditKind};

impl DesiredSetting {
    /// Returns whether a text from a server gives this value, where the server has the setting as `vartype` and `unit`
    /// (columns of `pg_settings`).
    ///
    /// That type counts where ours is not known: for an extension's setting. Numbers are compared in as many
    /// digits as a server shows (`ShowGUCOption`: `%g`).
    pub fn is_shown(&self, text: &str, vartype: &str, unit: &str) -> bool {
        let (one, other) = (text.as_bytes(), self.value.as_bytes());
        let kind = match self.compare {
            Compare::Typed(kind) => Some(kind),
            Compare::Text => kind(vartype, unit),
            Compare::Classes(_) | Compare::Words { .. } => None,
        };
        match kind {
            _ if self.compare.is_same(one, other) => true,
            Some(kind @ Type::Real { .. }) => {
                let digits = |text: &[u8]| match parse(&kind, text) {
                    Ok(Value::Real(value)) => Some(format!("{value:.5e}")),
                    _ => None,
                };
                digits(one).is_some_and(|one| Some(one) == digits(other))
            }
            Some(kind) => same(&kind, one, other),
            // Words of an extension, which alone knows their synonyms.
            None => {
                self.compare == Compare::Text && vartype == "enum" && text.eq_ignore_ascii_case(&self.value)
            }
        }
    }

    /// Returns whether only the server knows which other texts give this value: where it is a text, or an
    /// extension's.
    pub fn is_text(&self) -> bool {
        matches!(self.compare, Compare::Text | Compare::Typed(Type::String))
    }
}

/// Returns whether two texts give a setting of a file the same value, as far as that shows without the server.
pub fn is_same_value(name: &str, one: &[u8], other: &[u8], major: Option<u16>) -> bool {
    if let Some(row) = PGAUDIT.iter().find(|row| row.name.eq_ignore_ascii_case(name)) {
        let classes = |text| ClassSet::parse(text);
        return match row.kind {
            PgauditKind::Classes => {
                one == other || classes(one).is_some_and(|set| Some(set) == classes(other))
            }
            kind => kind.value_type().map_or(Compare::Text, Compare::Typed).is_same(one, other),
        };
    }
    let row = postgres::lookup_in(name, major);
    row.map_or(Compare::Text, |row| Compare::of(row.name, row.value)).is_same(one, other)
}

/// Returns whether a text of a file gives a setting the value that a server shows, with the type and unit that it has there.
pub fn is_shown_value(
    name: &str,
    text: &str,
    shown: &str,
    (vartype, unit): (&str, &str),
    major: Option<u16>,
) -> bool {
    let row = postgres::lookup_in(name, major);
    let compare = row.map_or(Compare::Text, |row| Compare::of(row.name, row.value));
    DesiredSetting { name: name.into(), value: text.into(), compare }.is_shown(shown, vartype, unit)
}

/// Returns a type without a range; lists of words have none that is known.
fn kind(vartype: &str, unit: &str) -> Option<Type> {
    let units = [Unit::B, Unit::KB, Unit::Blocks, Unit::MB, Unit::Ms, Unit::S, Unit::Min];
    let unit = units.into_iter().find(|known| known.name() == unit).unwrap_or(Unit::None);
    match vartype {
        "bool" => Some(Type::Bool),
        "integer" => Some(Type::Integer { unit, min: i32::MIN, max: i32::MAX }),
        "real" => Some(Type::Real { unit, min: f64::NEG_INFINITY, max: f64::INFINITY }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn shown(name: &str, wanted: &str, text: &str, vartype: &str, unit: &str) -> bool {
        let compare =
            postgres::lookup(name, 15).map_or(Compare::Text, |row| Compare::of(row.name, row.value));
        let setting = DesiredSetting { name: name.into(), value: wanted.into(), compare };
        setting.is_shown(text, vartype, unit)
    }

    #[test]
    fn the_servers_type_counts_where_ours_is_not_known() {
        assert!(shown("x.bool", "yes", "on", "bool", "") && !shown("x.bool", "no", "on", "bool", ""));
        assert!(
            shown("x.time", "1s", "1000", "integer", "ms") && !shown("x.time", "1s", "1001", "integer", "ms")
        );
        assert!(shown("x.rate", "0.50", "0.5", "real", "") && !shown("x.rate", "0.5", "0.6", "real", ""));
        assert!(shown("x.word", "JSON", "json", "enum", "") && !shown("x.word", "json", "xml", "enum", ""));
        assert!(shown("x.text", "a", "a", "string", "") && !shown("x.text", "a", "A", "string", ""));
        assert!(!shown("x.bool", "maybe", "on", "bool", ""));
    }

    #[test]
    fn texts_of_files_are_compared_by_what_they_mean() {
        let same = |name: &str, one: &str, other: &str| {
            is_same_value(name, one.as_bytes(), other.as_bytes(), Some(15))
        };
        assert!(same("pgaudit.log", "read, write", "WRITE,read") && !same("pgaudit.log", "read", "ddl"));
        assert!(same("PGAudit.Log_Rows", "on", "true") && !same("pgaudit.role", "a", "A"));
        assert!(same("shared_buffers", "16MB", "2048") && !same("shared_buffers", "16MB", "2049"));
        assert!(same("log_destination", "stderr, csvlog", "CSVLOG,stderr"));
        assert!(same("x.y", "1", "1") && !same("x.y", "1", "1.0"));
    }

    #[test]
    fn numbers_count_in_as_many_digits_as_are_shown() {
        assert!(shown("seq_page_cost", "1.23456789", "1.23457", "real", ""));
        assert!(!shown("seq_page_cost", "1.23456789", "1.23456", "real", ""));
        assert!(shown("vacuum_cost_delay", "1234us", "1.234", "real", "ms"));
    }
}
