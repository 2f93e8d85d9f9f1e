//! `kasm-db version`

use ops::{Error, Outcome};

use crate::output::Terminal;

/// Prints the version.
pub(crate) fn run(terminal: &Terminal) -> Result<Outcome, Error> {
    terminal.result(concat!("kasm-db ", env!("CARGO_PKG_VERSION"), "\n"))?;
    Ok(Outcome::Done)
}
