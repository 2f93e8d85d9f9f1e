//! What the server's check hooks refuse beyond a setting's type and range, where that is a plain rule.
//!
//! Hooks that ask the host, the build, the catalog or other settings are not here. Source: the sources of
//! PostgreSQL 12 to 18 (`check_slru_buffers`, `check_vacuum_buffer_usage_limit`, `check_io_max_concurrency`,
//! `check_default_with_oids`, `check_log_destination`), and servers of these majors on the same values.

use pgconf::value::{self, Type, Value, ValueError};

use super::setting::Setting;

/// Why a server does not take a value.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    /// It is none of the setting's type.
    #[error("{0}")]
    Value(ValueError),
    /// A rule of the setting's own.
    #[error("{0}")]
    Rule(&'static str),
}

/// Checks a value as a server of this major does when it reads its files.
///
/// # Errors
/// What the server has against it.
pub fn check(setting: &Setting, text: &[u8], major: u16) -> Result<(), Refused> {
    value::check(&setting.value, text).map_err(Refused::Value)?;
    if setting.value == Type::String {
        return of_text(setting.name, text, major).map_err(Refused::Rule);
    }
    match value::parse(&setting.value, text) {
        Ok(value) => of_value(setting.name, &value).map_err(Refused::Rule),
        Err(error) => Err(Refused::Value(error)),
    }
}

/// The buffers of the server's simple caches, which are made in banks of 16.
const BANKS: &[&str] = &[
    "commit_timestamp_buffers",
    "multixact_member_buffers",
    "multixact_offset_buffers",
    "notify_buffers",
    "serializable_buffers",
    "subtransaction_buffers",
    "transaction_buffers",
];

fn of_value(name: &str, value: &Value) -> Result<(), &'static str> {
    match (name, value) {
        (name, Value::Integer(blocks)) if BANKS.contains(&name) && blocks % 16 != 0 => {
            Err("it must be a multiple of 16 blocks, which is 128kB")
        }
        ("vacuum_buffer_usage_limit", Value::Integer(1..128)) => Err("it must be 0, or from 128kB to 16GB"),
        ("io_max_concurrency", Value::Integer(0)) => Err("it must be -1, or 1 or more"),
        ("default_with_oids", Value::Bool(true)) => Err("tables with OIDs are gone; it can only be off"),
        _ => Ok(()),
    }
}

fn of_text(name: &str, text: &[u8], major: u16) -> Result<(), &'static str> {
    if name != "log_destination" {
        return Ok(());
    }
    let known = |item: &Vec<u8>| {
        ["stderr", "csvlog", "syslog"].iter().any(|word| item.eq_ignore_ascii_case(word.as_bytes()))
            || (major >= 15 && item.eq_ignore_ascii_case(b"jsonlog"))
    };
    match pgconf::split_identifiers(text) {
        Some(items) if items.iter().all(known) => Ok(()),
        _ if major >= 15 => Err("it is a list of stderr, csvlog, jsonlog and syslog"),
        _ => Err("it is a list of stderr, csvlog and syslog"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::{known_in, lookup};

    #[track_caller]
    fn takes(name: &str, major: u16, good: &[&str], bad: &[&str]) {
        let setting = lookup(name, major).unwrap();
        for value in good {
            assert_eq!(check(setting, value.as_bytes(), major), Ok(()), "{name} = {value}");
        }
        for value in bad {
            assert!(check(setting, value.as_bytes(), major).is_err(), "{name} = {value}");
        }
    }

    #[test]
    fn rules_beyond_the_range_are_those_of_the_server() {
        for name in BANKS {
            takes(name, 17, &["16", "32", "128kB", "1MB", "131072"], &["17", "24", "136kB", "131071"]);
            assert_eq!(known_in(name), [17, 18]);
        }
        takes(
            "vacuum_buffer_usage_limit",
            16,
            &["0", "128", "128kB", "16GB"],
            &["1", "127", "127kB", "-1", "17GB"],
        );
        takes("io_max_concurrency", 18, &["-1", "1", "1024"], &["0", "-2", "1025"]);
        takes("default_with_oids", 14, &["off", "false", "0"], &["on", "yes"]);
        takes("work_mem", 14, &["64kB"], &["63kB"]);
    }

    #[test]
    fn a_log_destination_is_a_list_of_those_that_the_major_has() {
        let good = ["stderr", "csvlog, stderr", "SYSLOG", "", "\"stderr\""];
        takes("log_destination", 14, &good, &["stdout", "jsonlog", "stderr,", "csv log"]);
        takes("log_destination", 15, &["jsonlog,stderr"], &["eventlog", "json"]);
    }
}
