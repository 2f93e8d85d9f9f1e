//! `kasm-db schema`

use crate::exit::{Exit, Failure};
use crate::output::Terminal;

/// Prints the JSON Schema that this program was built with.
pub(crate) fn run(terminal: &Terminal) -> Result<Exit, Failure> {
    terminal.result(&model::schema::text())?;
    Ok(Exit::Done)
}
