//! `kasm-db plan`

use std::path::Path;

use render::Plan;

use crate::args::{self, Format, Global, Sink};
use crate::document::{Loaded, load};
use crate::exit::{Exit, Failure};
use crate::output::{Terminal, escape, human, json, patch, quoted};
use crate::permissions;
use crate::saved::{Planned, format, plan_file};
use crate::target::places;

/// Shows what would change; writes nothing, but for the files that the command line names.
pub(crate) fn run(args: &args::Plan, global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    super::check_allowed(global)?;
    let loaded = load(global.file.as_deref())?;
    let desired = match super::desired(&loaded, terminal) {
        Ok(desired) => desired,
        Err(exit) => return Ok(exit),
    };
    let mut planned: Vec<Planned> = Vec::new();
    let mut plans: Vec<(Plan, String)> = Vec::new();
    let mut exit = Exit::Done;
    let places = places(desired, &loaded.folder, global)?;
    let targets = places.len();
    for place in places {
        let root = match place.open() {
            Ok(root) => root,
            Err(failure) => {
                terminal.failure(&failure);
                exit = exit.worse(failure.exit);
                continue;
            }
        };
        let made = super::make_plan(desired, &place.target, &root, global);
        let plan = super::judged(&made, &root, permissions::For::Looking, global);
        super::findings(&plan, targets > 1, terminal);
        exit = exit.worse(super::exit_of(&plan, args.detailed_exitcode));
        plans.push((plan, made.folder.clone()));
        planned.push(made);
    }
    show(&args.format, &plans, &loaded, global, terminal)?;
    if let Some(out) = &args.out {
        if planned.len() < targets {
            let message = format!("{}: not written, as not every target could be planned", out.display());
            return Err(Failure::new(Exit::Error, message));
        }
        save(out, &loaded, &planned, global, terminal)?;
    }
    Ok(exit)
}

fn show(
    sinks: &[Sink],
    plans: &[(Plan, String)],
    loaded: &Loaded,
    global: &Global,
    terminal: &Terminal,
) -> Result<(), Failure> {
    super::each_sink(sinks, terminal, |format| match format {
        Format::Human => Ok(plans
            .iter()
            .map(|(plan, folder)| human::plan(plan, folder, global))
            .collect::<Vec<_>>()
            .join("\n")
            .into()),
        Format::Json => Ok(json::plans(&loaded.name, &loaded.reading.diagnostics, plans, global).into()),
        Format::Patch => {
            let mut bytes = Vec::new();
            for (plan, _) in plans.iter().filter(|(plan, _)| !plan.is_blocked()) {
                bytes.extend(patch::patch(plan, global.show_secrets)?);
            }
            Ok(super::Written::Bytes(bytes))
        }
    })
}

/// Saves the plan; a blocked one too, so that it can be looked at.
///
/// Its owner alone can read it: it holds no secret, but the SHA-256 of a short file with a password in it lets
/// who has it try passwords.
fn save(
    out: &Path,
    loaded: &Loaded,
    planned: &[Planned],
    global: &Global,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let bytes = format::encode(&plan_file(loaded, planned, global));
    let name = out.display().to_string();
    // What could not be read again must not be taken for a plan.
    format::decode(&bytes)
        .map_err(|invalid| Failure::new(Exit::Error, format!("{name}: not written: the plan {invalid}")))?;
    terminal.private_file(out, &bytes)?;
    if !terminal.quiet {
        let shown = escape(&quoted(&name));
        terminal.note(&format!("\nSaved the plan. `kasm-db apply {shown}` applies this and nothing else.\n"));
    }
    Ok(())
}
