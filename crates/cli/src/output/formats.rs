//! The table of output formats: each is one file and one row.

use super::emitter::Format;
use super::{github, gitlab, human, json, junit, markdown, patch};

/// Every format.
pub(crate) const FORMATS: &[Format] = &[
    human::FORMAT,
    json::FORMAT,
    markdown::FORMAT,
    github::FORMAT,
    gitlab::FORMAT,
    junit::FORMAT,
    patch::FORMAT,
];
