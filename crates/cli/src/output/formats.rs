//! The table of output formats: each is one file and one row.

use super::emitter::Format;
use super::{github, gitlab, html, human, json, junit, markdown, patch, sarif};

/// Every format.
pub(crate) const FORMATS: &[Format] = &[
    human::FORMAT,
    json::FORMAT,
    markdown::FORMAT,
    github::FORMAT,
    gitlab::FORMAT,
    sarif::FORMAT,
    junit::FORMAT,
    html::FORMAT,
    patch::FORMAT,
];
