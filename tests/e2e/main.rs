//! The program against a running database: Docker, Compose, PostgreSQL and pgaudit, all of them real.
//!
//! `scripts/with-engine` gives the engine. Without one the scenarios run against PostgreSQL processes behind a
//! `docker` of our own, and those that are about the engine itself are left out; standard error says so. With
//! `CI=true` that is a failure, unless no engine can run here or `KASM_DB_E2E=processes` is set.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]

mod apply;
mod audited;
mod bed;
mod build;
mod builders;
mod causes;
mod compiled;
mod deep;
mod downtime;
mod faults;
mod inspect;
mod libpq;
mod log;
mod log_files;
mod lost;
mod next_start;
mod preconditions;
mod registry;
mod respelled;
mod resume;
mod rollback;
mod session;
mod signals;
mod soak;
mod stale;
mod steps;
mod tcp;
mod upgrade;
mod upgrade_path;
mod verify;
