//! Values of settings, with their types.

use live::{Fact, Scrubber};
use model::TypedValue;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Number;

/// A value: a list for classes and libraries, a number without a unit, a truth value, or else a text.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Value {
    Bool(bool),
    Number(Number),
    List(Vec<String>),
    Text(String),
}

impl Value {
    /// Reads the text of a setting by its name.
    pub(super) fn of(name: &str, text: &str) -> Self {
        // What is hidden has no type.
        if text == model::HIDDEN {
            return Self::Text(text.into());
        }
        match model::typed(name, text) {
            TypedValue::Bool(value) => Self::Bool(value),
            TypedValue::Integer(value) => Self::Number(value.into()),
            TypedValue::Real(value) => Number::from_f64(value).map_or(Self::Text(text.into()), Self::Number),
            TypedValue::List(items) => Self::List(items),
            TypedValue::Text(text) => Self::Text(text),
        }
    }

    /// Accepts one side of a check of the running server.
    pub(super) fn fact(setting: Option<&str>, fact: &Fact, scrubber: &Scrubber) -> Self {
        match (fact, setting) {
            (Fact::Bool(value), _) => Self::Bool(*value),
            (Fact::Number(value), _) => Self::Number((*value).into()),
            (Fact::Text(text), Some(name)) => Self::of(name, &scrubber.hide(text)),
            (Fact::Text(text), None) => Self::Text(scrubber.hide(text)),
        }
    }
}
