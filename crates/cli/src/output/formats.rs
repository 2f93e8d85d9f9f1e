//! The table of output formats: each is one file and one row.

use super::emitter::Format;
use super::{github, gitlab, gitlab_terraform, html, human, json, junit, markdown, patch, sarif, summary};

/// Every format.
pub(crate) const FORMATS: &[Format] = &[
    human::FORMAT,
    summary::FORMAT,
    json::FORMAT,
    json::lines::FORMAT,
    markdown::FORMAT,
    github::FORMAT,
    gitlab::FORMAT,
    gitlab_terraform::FORMAT,
    sarif::FORMAT,
    junit::FORMAT,
    html::FORMAT,
    patch::FORMAT,
];
