//! Settings that contradict each other, so that a server does not start (PostgreSQL 12 to 18, `PostmasterMain`).

use model::postgres;
use model::{Code, Diagnostic};
use pgconf::value::{self, Value};

use super::reading::NextStart;

/// What a server takes where nothing sets it.
const DEFAULTS: &[(&str, i64)] =
    &[("max_connections", 100), ("max_wal_senders", 10), ("superuser_reserved_connections", 3)];

pub(super) fn check(next: &NextStart<'_>) -> Vec<Diagnostic> {
    reserved(next).into_iter().chain(wal(next)).collect()
}

fn reserved(next: &NextStart<'_>) -> Option<Diagnostic> {
    let all = number(next, "max_connections")?;
    let reserved = number(next, "superuser_reserved_connections")?;
    let reserved = reserved + number(next, "reserved_connections").unwrap_or(0);
    if reserved < all {
        return None;
    }
    let message = format!(
        "the server would not start: {reserved} connections are reserved, of max_connections = {all}"
    );
    Some(one_of(
        next,
        &["max_connections", "superuser_reserved_connections", "reserved_connections"],
        message,
    ))
}

fn wal(next: &NextStart<'_>) -> Option<Diagnostic> {
    if !word(next, "wal_level").is_some_and(|level| level.eq_ignore_ascii_case("minimal")) {
        return None;
    }
    let is_on = |name| word(next, name).is_some_and(|text| value::parse_bool(text.as_bytes()) != Ok(false));
    let other = if is_on("archive_mode") {
        "archive_mode"
    } else if number(next, "max_wal_senders")? > 0 {
        "max_wal_senders"
    } else if is_on("summarize_wal") {
        "summarize_wal"
    } else {
        return None;
    };
    let message = format!("the server would not start: wal_level = minimal is not enough for {other}");
    Some(one_of(next, &["wal_level", other], message))
}

/// Points at the setting that no file of the target sets, else at the first.
fn one_of(next: &NextStart<'_>, names: &[&str], message: String) -> Diagnostic {
    let is_foreign = |name: &&&str| {
        let at = next.value(name);
        at.is_some_and(|at| !next.observed.conf_files().any(|(_, here)| at.place.starts_with(here)))
    };
    let foreign = names.iter().find(is_foreign);
    let set = || names.iter().find(|name| next.value(name).is_some());
    let name = foreign.or_else(set).unwrap_or(&names[0]);
    next.of_setting(name, Diagnostic::error(Code::WouldNotStart, message))
}

/// Returns a whole number; `None` for a setting that the major does not have, or a value that is not one.
fn number(next: &NextStart<'_>, name: &str) -> Option<i64> {
    let row = postgres::lookup(name, next.known_major()?)?;
    match next.value(name) {
        Some(at) => match value::parse(&row.value, &at.value) {
            Ok(Value::Integer(number)) => Some(i64::from(number)),
            _ => None,
        },
        None => Some(DEFAULTS.iter().find(|(known, _)| *known == name).map_or(0, |(_, default)| *default)),
    }
}

fn word(next: &NextStart<'_>, name: &str) -> Option<String> {
    postgres::lookup(name, next.known_major()?)?;
    next.value(name).map(|at| String::from_utf8_lossy(&at.value).into_owned())
}
