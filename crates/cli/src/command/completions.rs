//! `kasm-db completions`

use clap_complete::env::Shells;
use ops::{Error, Outcome};

use crate::args::Completions;
use crate::complete::VARIABLE;
use crate::output::Terminal;

/// What zsh runs when the script is the file of a function in `fpath`: the first Tab loads it and must complete, too.
const AUTOLOADED: &str =
    "if [ \"$funcstack[1]\" = _kasm-db ]; then\n    _clap_dynamic_completer_kasm_db \"$@\"\nfi\n";

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
    if name == "zsh" {
        script.extend_from_slice(AUTOLOADED.as_bytes());
    }
    terminal.bytes(&script)?;
    Ok(Outcome::Done)
}
