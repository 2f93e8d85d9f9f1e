//! `kasm-db recover`

use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::output::{Terminal, escape};
use crate::recovery;
use crate::target::Place;

/// Ends what an interrupted run has begun, for every target: all of its files new, or all as they were.
pub(crate) fn run(global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    for place in super::places_of(global, terminal)? {
        match one(&place, global) {
            Ok(text) => terminal.result(&text)?,
            Err(failure) => {
                terminal.failure(&failure);
                exit = exit.worse(failure.exit);
            }
        }
    }
    Ok(exit)
}

fn one(place: &Place, global: &Global) -> Result<String, Failure> {
    let root = place.open()?;
    let lock = recovery::lock(&root, global)?;
    let nothing = || format!("Nothing to recover below {}.\n", escape(&root.path().display().to_string()));
    Ok(recovery::recover(&lock, &root)?.unwrap_or_else(nothing))
}
