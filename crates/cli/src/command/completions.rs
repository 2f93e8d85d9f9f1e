//! `kasm-db completions`

use clap_complete::env::Shells;
use ops::{Error, Outcome};

use crate::args::Completions;
use crate::complete::VARIABLE;
use crate::output::Terminal;

/// Prints the script that makes a shell ask this program for completions.
pub(crate) fn run(args: &Completions, terminal: &Terminal) -> Result<Outcome, Error> {
    let mut script = Vec::new();
    let name = args.shell.to_string();
    let shells = Shells::builtins();
    let Some(shell) = shells.completer(&name) else {
        return Err(Error::usage(format!("there are no completions for `{name}`")));
    };
    shell
        .write_registration(VARIABLE, "kasm-db", "kasm-db", "kasm-db", &mut script)
        .map_err(|error| Error::failed(format!("the completions: {}", commit::reason(&error))))?;
    terminal.bytes(&script)?;
    Ok(Outcome::Done)
}
