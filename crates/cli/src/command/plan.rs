//! `kasm-db plan`

use std::path::Path;

use render::Plan;

use crate::args::{self, Format, Global, Sink};
use crate::document::{Loaded, Named, load_all, only};
use crate::exit::{Exit, Failure};
use crate::output::{Terminal, escape, human, json, patch, quoted};
use crate::permissions;
use crate::recovery;
use crate::saved::{Planned, format, plan_file};
use crate::target::places;

/// A document, and what came of its targets.
struct Ran {
    loaded: Loaded,
    planned: Vec<Planned>,
    /// The same with what the command line overrules, and the folders.
    plans: Vec<(Plan, String)>,
}

/// Shows what would change; writes nothing, but for the files that the command line names.
pub(crate) fn run(args: &args::Plan, global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    super::check_allowed(global)?;
    if args.out.is_some() {
        only(global)?;
    }
    let documents = load_all(global)?;
    let several = documents.len() > 1;
    let mut exit = Exit::Done;
    let mut all: Vec<Ran> = Vec::new();
    for (named, loaded) in documents {
        let planned = loaded.and_then(|loaded| {
            let planned = document(&named, &loaded, several, args, global, terminal)?;
            Ok((loaded, planned))
        });
        match planned {
            Ok((_, Err(ended))) => exit = exit.worse(ended),
            Ok((loaded, Ok((ended, planned, plans)))) => {
                exit = exit.worse(ended);
                all.push(Ran { loaded, planned, plans });
            }
            Err(failure) if several => {
                terminal.failure(&failure);
                exit = exit.worse(failure.exit);
            }
            Err(failure) => return Err(failure),
        }
    }
    if all.is_empty() {
        return if exit == Exit::Done { Err(super::no_targets()) } else { Ok(exit) };
    }
    let shown: Vec<_> = all.iter().map(|ran| (&ran.loaded, ran.plans.as_slice())).collect();
    show(&args.format, &shown, global, terminal)?;
    if let (Some(out), [Ran { loaded, planned, .. }]) = (&args.out, &all[..]) {
        let targets = match &loaded.reading.desired {
            Some(desired) => places(desired, &loaded.folder, global)?.len(),
            None => 0,
        };
        if planned.len() < targets {
            let message = format!("{}: not written, as not every target could be planned", out.display());
            return Err(Failure::new(Exit::Error, message));
        }
        save(out, loaded, planned, global, terminal)?;
    }
    Ok(exit)
}

/// How a document ended, its plans, and the same as [`Ran`] has them.
type Ended = (Exit, Vec<Planned>, Vec<(Plan, String)>);

/// Plans the targets of one document; the inner `Err` is how a document ends that has no plan.
fn document(
    named: &Named,
    loaded: &Loaded,
    several: bool,
    args: &args::Plan,
    global: &Global,
    terminal: &Terminal,
) -> Result<Result<Ended, Exit>, Failure> {
    let desired = match super::desired(loaded, terminal) {
        Ok(desired) => desired,
        Err(exit) => return Ok(Err(exit)),
    };
    if super::is_for_others(named, desired, global, terminal) {
        return Ok(Err(Exit::Done));
    }
    let (mut exit, mut planned, mut plans) = (Exit::Done, Vec::new(), Vec::new());
    let places = places(desired, &loaded.folder, global)?;
    let heading = several || places.len() > 1;
    for place in places {
        let root = match place.open() {
            Ok(root) => root,
            Err(failure) => {
                terminal.failure(&failure);
                exit = exit.worse(failure.exit);
                continue;
            }
        };
        // A plan of files that are half new is still worth a look, but is not what an apply would make.
        if let Some(failure) = recovery::interrupted(&root) {
            terminal.failure(&failure);
            exit = exit.worse(failure.exit);
        }
        let made = super::make_plan(desired, &place.target, &root, global);
        let plan = super::judged(&made, &root, permissions::For::Looking, global);
        super::findings(&plan, heading, terminal);
        exit = exit.worse(super::exit_of(&plan, args.detailed_exitcode));
        plans.push((plan, made.folder.clone()));
        planned.push(made);
    }
    Ok(Ok((exit, planned, plans)))
}

fn show(
    sinks: &[Sink],
    documents: &[(&Loaded, &[(Plan, String)])],
    global: &Global,
    terminal: &Terminal,
) -> Result<(), Failure> {
    super::each_sink(sinks, terminal, |format| match format {
        Format::Human => {
            let text = |(loaded, plans): &(&Loaded, &[(Plan, String)])| {
                let texts: Vec<_> =
                    plans.iter().map(|(plan, folder)| human::plan(plan, folder, global)).collect();
                match documents.len() {
                    1 => texts.join("\n"),
                    _ => format!("{}\n\n{}", escape(&loaded.name), texts.join("\n")),
                }
            };
            Ok(documents.iter().map(text).collect::<Vec<_>>().join("\n").into())
        }
        Format::Json => Ok(json::plans(documents, global).into()),
        Format::Patch => {
            let mut bytes = Vec::new();
            let plans = documents.iter().flat_map(|(_, plans)| plans.iter());
            for (plan, _) in plans.filter(|(plan, _)| !plan.is_blocked()) {
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
