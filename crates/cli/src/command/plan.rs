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
    for place in places(desired, &loaded.folder, global)? {
        let root = match place.open() {
            Ok(root) => root,
            Err(failure) => {
                terminal.failure(&failure);
                exit = exit.worse(failure.exit);
                continue;
            }
        };
        let plan = super::make_plan(desired, &place.target, &root, global);
        super::findings(&plan, terminal);
        exit = exit.worse(super::exit_of(&plan, args.detailed_exitcode));
        plans.push((plan, root.path().display().to_string()));
    }
    let human = [Sink { format: Format::Human, file: None }];
    let sinks = if args.format.is_empty() { &human[..] } else { &args.format };
    for sink in sinks {
        let bytes = match sink.format {
            Format::Human => plans
                .iter()
                .map(|(plan, folder)| human::plan(plan, folder, global))
                .collect::<Vec<_>>()
                .join("\n")
                .into_bytes(),
            Format::Json => {
                json::plans(&loaded.name, &loaded.reading.diagnostics, &plans, global).into_bytes()
            }
            Format::Patch => {
                let mut bytes = Vec::new();
                for (plan, _) in plans.iter().filter(|(plan, _)| !plan.is_blocked()) {
                    bytes.extend(patch::patch(plan, global.show_secrets)?);
                }
                bytes
            }
        };
        match &sink.file {
            Some(path) => terminal.file(path, &bytes)?,
            None => terminal.bytes(&bytes)?,
        }
    }
    Ok(exit)
}
