//! What a document would say, value by value, and what stays out of it.

use serde_json::Value;

/// What was gathered for a document.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    pub(super) fields: Vec<Field>,
    pub(super) left_out: Vec<LeftOut>,
    /// Whether the target has a postgresql.conf, and whether what is in force there loads a library.
    pub(super) conf: Option<Preloads>,
}

/// Something that is there and stays out of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The key of the document, or the setting's name.
    pub subject: String,
    /// Why; it repeats no value that may be secret.
    pub why: String,
    /// What could be written there, were it not for the reason.
    pub(super) value: Option<Value>,
    pub(super) key: Key,
}

/// What is preloaded now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preloads {
    Nothing,
    Something,
}

/// One value of the document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) key: Key,
    pub(super) value: Value,
    /// Where the value comes from, where that is not plain.
    pub(super) note: Option<String>,
}

/// The place of a value in the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Image,
    PostgresMajor,
    Libraries,
    Audit(&'static str),
    Setting(String),
}

impl Key {
    /// Returns the key as people call it.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::Image => "image".into(),
            Self::PostgresMajor => "postgres_major".into(),
            Self::Libraries => "preload.libraries".into(),
            Self::Audit(key) => format!("audit.{key}"),
            Self::Setting(name) => name.clone(),
        }
    }
}

impl Contents {
    /// Adds a value.
    pub(super) fn push(&mut self, key: Key, value: impl Into<Value>, note: Option<String>) {
        self.fields.push(Field { key, value: value.into(), note });
    }

    /// Adds what stays out, and why.
    pub(super) fn leave_out(&mut self, key: Key, value: Option<Value>, why: impl Into<String>) {
        self.left_out.push(LeftOut { subject: key.subject(), why: why.into(), value, key });
    }
}
