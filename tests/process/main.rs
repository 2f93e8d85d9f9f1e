//! The program as a process: signals, limits, a terminal, and streams that nobody reads.

mod commands;
mod completions;
mod exchange;
mod hostile;
mod interrupts;
mod progress_line;
mod question;
mod swapped;
mod swapped_files;
mod swapped_programs;

/// The program, as cargo built it for this test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_kasm-db");
