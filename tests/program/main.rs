//! The program as its users have it: arguments in, output, an exit code and files out.

mod active_compose;
mod advice;
mod audit;
mod audit_forgery;
mod audit_server;
mod canaries;
mod chroot;
mod documents;
mod editor;
mod examples;
mod exit_codes;
mod follows;
mod found;
mod found_audit;
mod found_compose;
mod found_scripts;
mod found_server;
mod hostile_server;
mod import;
mod jobs;
mod json;
mod json_rows;
mod kasm_trees;
mod libpq;
mod messages;
mod mistakes;
mod outputs;
mod owners;
mod passes;
mod patches;
mod permissions;
mod readme;
mod recovery;
mod render;
mod replay;
mod rollback;
mod saved;
mod security;
mod sinks;
mod state_folder;
mod untrusted;
mod upgrade;
mod words;
mod written;

/// The program, as cargo built it for this test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_kasm-db");
