//! A team's pipelines on GitHub and GitLab, from the merge request to the drift: `examples/gitops` with `action.yml` and
//! `templates/pipeline.yml`, and the checks of everything that is written for CI systems.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]

mod api;
mod expressions;
mod forge;
mod github;
mod gitlab;
mod hooks;
mod lint;
mod pipelines;
mod schema_store;
mod script;
mod team;
mod tools;

/// The program, as cargo built it for this test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_kasm-db");
