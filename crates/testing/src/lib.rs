//! What the tests of several crates share. It is built for tests alone, and no crate's code uses it.
//!
//! A pure law must not wait for the program to be built: only the feature `program`, which the program's own tests
//! switch on, uses `kasm-db`. The path of the program comes from the test that runs it: cargo gives it to the
//! integration tests of the program's package alone, and builds the program before them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

pub mod compose;
pub mod envelope;
pub mod fuzz;
pub mod laws;
mod memory;
mod planning;
pub mod postgres;
mod random;
mod repository;
mod sandbox;
mod terminal;

pub use memory::{ConfFiles, Memory};
pub use planning::{desired, files, files_target, plan};
pub use random::Random;
pub use repository::{folder_from, repository};
pub use sandbox::{Run, Sandbox, Seen, copy, open_to_all};
pub use terminal::InTerminal;
