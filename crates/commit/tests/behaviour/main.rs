//! What a caller can rely on, tried through the public API.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "helpers of tests are tests too")]

mod folder;
mod history;
mod in_place;
mod keeping;
mod locking;
mod property;
mod reading;
mod refusing;
mod replacing;
mod support;
