//! `kasm-db history`

use commit::Generation;

use crate::args::{Global, History, ReportFormat};
use crate::exit::{Exit, Failure};
use crate::output::{Terminal, history};
use crate::recovery;
use crate::target::Place;

/// Lists what was applied to each target; writes nothing.
pub(crate) fn run(args: &History, global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    let mut all = Vec::new();
    for place in super::places_of(global, terminal)? {
        match one(&place, terminal) {
            Ok((folder, generations, ended)) => {
                exit = exit.worse(ended);
                all.push((place.target, folder, generations));
            }
            Err(failure) => {
                terminal.failure(&failure);
                exit = exit.worse(failure.exit);
            }
        }
    }
    let text = match args.format {
        ReportFormat::Human => history::human(&all, global.verbose > 0),
        ReportFormat::Json => history::json(&all),
    };
    terminal.result(&text)?;
    Ok(exit)
}

fn one(place: &Place, terminal: &Terminal) -> Result<(String, Vec<Generation>, Exit), Failure> {
    let root = place.open()?;
    let generations = root.history().map_err(|error| recovery::refused(&error))?;
    let mut exit = Exit::Done;
    if let Some(failure) = recovery::interrupted(&root) {
        terminal.failure(&failure);
        exit = failure.exit;
    }
    Ok((root.path().display().to_string(), generations, exit))
}
