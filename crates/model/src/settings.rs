//! The settings of pgaudit: one row for each.
//!
//! Sources: pgaudit's own `DefineCustom…Variable` calls by release tag, 1.4.3 to 19beta1.

use std::ops::RangeInclusive;

use pgconf::value::{Type, Unit};

/// A setting that the document's `audit` key may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PgauditSetting {
    /// The key in the document, and the name behind `pgaudit.`; `classes` stands for `log`.
    pub key: &'static str,
    /// The name in postgresql.conf.
    pub name: &'static str,
    /// The values it takes.
    pub kind: PgauditKind,
    /// The first PostgreSQL major whose pgaudit has it.
    pub since: u16,
    /// What the server takes it for when nothing sets it.
    pub default: &'static str,
}

/// The values of a [`PgauditSetting`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PgauditKind {
    /// A list of [`Class`](crate::audit::Class)es.
    Classes,
    /// `on` or `off`.
    Bool,
    /// One of [`LOG_LEVELS`], in any letter case.
    Level,
    /// Bytes.
    Bytes(i64, i64),
    /// The name of a role; empty for none.
    Role,
}

impl PgauditKind {
    /// Returns PostgreSQL's type of the value; lists and names have none that compares.
    pub fn value_type(self) -> Option<Type> {
        match self {
            Self::Bool => Some(Type::Bool),
            Self::Level => Some(Type::Enum { values: LOG_LEVELS, aliases: &[] }),
            Self::Bytes(..) => Some(Type::Integer { unit: Unit::None, min: 0, max: (1 << 30) - 1 }),
            Self::Classes | Self::Role => None,
        }
    }
}

/// The message levels of `pgaudit.log_level`: without `error`, `fatal` and `panic`.
pub const LOG_LEVELS: &[&str] =
    &["debug5", "debug4", "debug3", "debug2", "debug1", "debug", "info", "notice", "warning", "log"];

/// The PostgreSQL majors that have a pgaudit this table knows.
pub const MAJORS: RangeInclusive<u16> = 12..=19;

const fn row(
    key: &'static str,
    name: &'static str,
    kind: PgauditKind,
    since: u16,
    default: &'static str,
) -> PgauditSetting {
    PgauditSetting { key, name, kind, since, default }
}

/// Every setting, in the order in which they are added to a file.
pub const PGAUDIT: &[PgauditSetting] = &[
    row("classes", "pgaudit.log", PgauditKind::Classes, 12, "none"),
    row("log_catalog", "pgaudit.log_catalog", PgauditKind::Bool, 12, "on"),
    row("log_client", "pgaudit.log_client", PgauditKind::Bool, 12, "off"),
    row("log_level", "pgaudit.log_level", PgauditKind::Level, 12, "log"),
    row("log_parameter", "pgaudit.log_parameter", PgauditKind::Bool, 12, "off"),
    row(
        "log_parameter_max_size",
        "pgaudit.log_parameter_max_size",
        PgauditKind::Bytes(0, (1 << 30) - 1),
        16,
        "0",
    ),
    row("log_relation", "pgaudit.log_relation", PgauditKind::Bool, 12, "off"),
    row("log_rows", "pgaudit.log_rows", PgauditKind::Bool, 14, "off"),
    row("log_statement", "pgaudit.log_statement", PgauditKind::Bool, 14, "on"),
    row("log_statement_once", "pgaudit.log_statement_once", PgauditKind::Bool, 12, "off"),
    row("role", "pgaudit.role", PgauditKind::Role, 12, ""),
];

/// Returns the row of a name in postgresql.conf, in any letter case.
pub fn pgaudit(name: &str) -> Option<&'static PgauditSetting> {
    PGAUDIT.iter().find(|row| row.name.eq_ignore_ascii_case(name))
}
