//! A document and those that it extends as one.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// What a document and those that it extends come to.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Part {
    /// The document.
    pub(super) document: Option<String>,
    /// The documents that it extends, the nearest first.
    pub(super) extends: Vec<String>,
    /// All of them as one mapping; null for a document with errors.
    pub(super) resolved: Option<Value>,
}

/// It is one thing, and there is nothing to count.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub(super) struct Totals {}
