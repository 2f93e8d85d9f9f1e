//! The table of output formats: each is one file and one row.

use super::emitter::Format;
use super::{human, json, patch};

/// Every format.
pub(crate) const FORMATS: &[Format] = &[human::FORMAT, json::FORMAT, patch::FORMAT];
