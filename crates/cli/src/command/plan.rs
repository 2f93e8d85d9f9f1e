//! `kasm-db plan`

use render::Plan;

use crate::args::{self, Format, Global, Sink};
use crate::document::load;
use crate::exit::{Exit, Failure};
use crate::output::{Terminal, human, json, patch};
use crate::target::places;

/// Shows what would change; writes nothing.
pub(crate) fn run(args: &args::Plan, global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    super::check_allowed(global)?;
    let loaded = load(global.file.as_deref())?;
    let desired = match super::desired(&loaded, terminal) {
        Ok(desired) => desired,
        Err(exit) => return Ok(exit),
    };
    let mut plans: Vec<(Plan, String)> = Vec::new();
    let mut exit = Exit::Done;
    let places = places(desired, &loaded.folder, global)?;
    let several = places.len() > 1;
    for place in places {
        let root = match place.open() {
            Ok(root) => root,
            Err(failure) => {
                terminal.failure(&failure);
                exit = exit.worse(failure.exit);
                continue;
            }
        };
        let plan = super::make_plan(desired, &place.target, &root, global);
        super::findings(&plan, several, terminal);
        exit = exit.worse(super::exit_of(&plan, args.detailed_exitcode));
        plans.push((plan, root.path().display().to_string()));
    }
    let human = [Sink { format: Format::Human, file: None }];
    let sinks = if args.format.is_empty() { &human[..] } else { &args.format };
    for sink in sinks {
        let file = sink.file.as_deref();
        match (sink.format, file) {
            (Format::Human, file) => {
                let texts: Vec<_> =
                    plans.iter().map(|(plan, folder)| human::plan(plan, folder, global)).collect();
                let text = texts.join("\n");
                file.map_or_else(|| terminal.result(&text), |file| terminal.text_file(file, &text))?;
            }
            (Format::Json, file) => {
                let text = json::plans(&loaded.name, &loaded.reading.diagnostics, &plans, global);
                file.map_or_else(|| terminal.result(&text), |file| terminal.text_file(file, &text))?;
            }
            (Format::Patch, file) => {
                let mut bytes = Vec::new();
                for (plan, _) in plans.iter().filter(|(plan, _)| !plan.is_blocked()) {
                    bytes.extend(patch::patch(plan, global.show_secrets)?);
                }
                file.map_or_else(|| terminal.bytes(&bytes), |file| terminal.file(file, &bytes))?;
            }
        }
    }
    Ok(exit)
}
