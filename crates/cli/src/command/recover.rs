//! `kasm-db recover`

use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::live::hushed::hush;
use crate::live::restart::{Follower, pending};
use crate::output::{Terminal, escape};
use crate::recovery;
use crate::target::Place;

/// Ends what an interrupted run has begun, for every target: all of its files new, or all as they were, and what
/// was to follow them.
pub(crate) fn run(global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    for place in super::places_of(global, terminal)? {
        match one(&place, global, terminal) {
            Ok(text) => terminal.result(&text)?,
            Err(failure) => {
                terminal.failure(&failure);
                exit = exit.worse(failure.exit);
            }
        }
    }
    Ok(exit)
}

fn one(place: &Place, global: &Global, terminal: &Terminal) -> Result<String, Failure> {
    let root = place.open()?;
    let lock = recovery::lock(&root, global)?;
    let recovered = recovery::recover(&lock, &root)?;
    if let Some(record) = pending(&root)? {
        if let Some(text) = recovered {
            terminal.note(&text);
        }
        let step = record.step.name();
        hush(place, &root, global.root.as_deref());
        // The document may say more than the record: it is not asked here.
        Follower { lock: &lock, root: &root, terminal }.run(record)?;
        let below = escape(&root.path().display().to_string());
        return Ok(format!(
            "Recovered: an apply below {below} went on at its step `{step}`, and is done. `kasm-db verify` looks at it.\n"
        ));
    }
    let nothing = || format!("Nothing to recover below {}.\n", escape(&root.path().display().to_string()));
    Ok(recovered.unwrap_or_else(nothing))
}
