//! The value of a setting as programs read it: a list, a number or a truth value rather than a text.

use pgconf::value::{self, Type};

use crate::desired::is_list_of_words;
use crate::{postgres, settings};

/// A value of a setting, by the type that the tables have for it.
#[derive(Clone, Debug, PartialEq)]
pub enum TypedValue {
    /// `on` or `off`, in one of their spellings.
    Bool(bool),
    /// A whole number without a unit.
    Integer(i64),
    /// Another number without a unit.
    Real(f64),
    /// A list, such as that of libraries or of audit classes.
    List(Vec<String>),
    /// Anything else, a number with a unit among it.
    Text(String),
}

/// Settings that are lists of libraries.
const LIBRARIES: &[&str] =
    &["shared_preload_libraries", "session_preload_libraries", "local_preload_libraries"];

/// Reads the text of a setting's value. What its type does not take stays a text.
pub fn typed(name: &str, text: &str) -> TypedValue {
    let otherwise = || TypedValue::Text(text.to_string());
    let is = |other: &&str| other.eq_ignore_ascii_case(name);
    let list = if name.eq_ignore_ascii_case("pgaudit.log") {
        crate::audit::ClassSet::parse(text.as_bytes()).map(|_| classes(text))
    } else if LIBRARIES.iter().any(is) {
        pgconf::split_libraries(text.as_bytes()).map(texts)
    } else if is_list_of_words(name) {
        pgconf::split_identifiers(text.as_bytes()).map(texts)
    } else {
        None
    };
    if let Some(list) = list {
        return TypedValue::List(list);
    }
    let of_pgaudit = settings::pgaudit(name).and_then(|row| row.kind.value_type());
    // Majors differ: what one of them takes for a number or a truth value is that.
    let of_postgres = postgres::MAJORS.filter_map(|major| postgres::lookup(name, major)).map(|row| row.value);
    of_postgres.chain(of_pgaudit).find_map(|kind| scalar(kind, text)).unwrap_or_else(otherwise)
}

fn scalar(kind: Type, text: &str) -> Option<TypedValue> {
    let number = text.trim();
    match kind {
        Type::Bool => match value::parse(&kind, text.as_bytes()) {
            Ok(value::Value::Bool(value)) => Some(TypedValue::Bool(value)),
            _ => None,
        },
        Type::Integer { .. } => number.parse().ok().map(TypedValue::Integer),
        Type::Real { .. } => {
            number.parse().ok().filter(|value: &f64| value.is_finite()).map(TypedValue::Real)
        }
        Type::Enum { .. } | Type::String => None,
    }
}

fn classes(text: &str) -> Vec<String> {
    let items = text.split(',').map(|item| item.trim().to_ascii_lowercase());
    items.filter(|item| !item.is_empty()).collect()
}

fn texts(items: Vec<Vec<u8>>) -> Vec<String> {
    items.into_iter().map(|item| String::from_utf8_lossy(&item).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_type_of_their_setting() {
        let list = |items: &[&str]| TypedValue::List(items.iter().map(ToString::to_string).collect());
        for (name, text, value) in [
            ("pgaudit.log", "READ, -misc", list(&["read", "-misc"])),
            ("pgaudit.log", "", list(&[])),
            ("shared_preload_libraries", "a, \"b c\"", list(&["a", "b c"])),
            ("log_destination", "stderr,csvlog", list(&["stderr", "csvlog"])),
            ("log_connections", "yes", TypedValue::Bool(true)),
            ("pgaudit.log_catalog", "off", TypedValue::Bool(false)),
            ("max_connections", "100", TypedValue::Integer(100)),
            ("work_mem", "64MB", TypedValue::Text("64MB".into())),
            ("random_page_cost", "1.1", TypedValue::Real(1.1)),
            ("log_line_prefix", "%m ", TypedValue::Text("%m ".into())),
            ("other.thing", "on", TypedValue::Text("on".into())),
        ] {
            assert_eq!(typed(name, text), value, "{name} = {text}");
        }
    }
}
