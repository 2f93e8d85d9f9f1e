//! `kasm-db completions`

use clap::CommandFactory;

use crate::args::{Cli, Completions};
use ops::{Error, Outcome};

use crate::output::Terminal;

/// Prints a shell's completions.
pub(crate) fn run(args: &Completions, terminal: &Terminal) -> Result<Outcome, Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "kasm-db", &mut script);
    terminal.bytes(&script)?;
    Ok(Outcome::Done)
}
