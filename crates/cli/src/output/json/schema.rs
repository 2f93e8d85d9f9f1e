//! A JSON Schema.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// A schema, by its name.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Part {
    /// Its name: `document`, or what follows `kasm-db/` in a format.
    pub(super) name: Option<String>,
    /// The schema.
    pub(super) schema: Option<Value>,
}

/// A schema is one thing, and there is nothing to count.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub(super) struct Totals {}
