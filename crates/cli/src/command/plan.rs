//! `kasm-db plan`

use std::path::Path;
use std::sync::Arc;

use ops::inspect::Known;
use ops::saved::format::{SavedTarget, decode, encode};
use ops::saved::{document_plan, plan_file};
use ops::{Documents, Error, Met, Outcome, Overlaps, Selection, quoted};

use super::{Setting, outcome_of};
use crate::args;
use crate::output::emitter::{PlanHead, PlanRow};
use crate::output::{escape, progress};

/// Shows what would change; writes nothing, but for the files that the command line names.
pub(crate) fn run(args: &args::Plan, setting: &Setting) -> Result<Outcome, Error> {
    let inspect = args.inspect.as_ref().map(|archives| {
        let archives = archives.iter().filter(|path| !path.is_empty()).map(Into::into).collect();
        Arc::new(Known::new(archives, setting.environment.clone()))
    });
    let selection = Selection { inspect, ..setting.selection() };
    // Before any other error: one would be written to the files of results, which must not be documents.
    let documents = Documents::load(&selection)?;
    selection.check_allowed()?;
    let heading = documents.are_several() || documents.with_targets().any(|(_, dirs)| dirs.len() > 1);
    let names: Vec<_> = documents.with_targets().map(|(document, _)| document.name.as_str()).collect();
    let several = names.len() > 1;
    let head = PlanHead { documents: names, stale: None, unknown: None };
    let results = &setting.results;
    let mut begun = false;
    let mut overlaps = Overlaps::default();
    let mut ignored = Vec::new();
    let mut saved: Vec<SavedTarget> = Vec::new();
    setting.terminal.bar.begin(documents.with_targets().map(|(_, dirs)| dirs.len()).sum());
    let outcome = documents.each_target(
        |_, desired, dir| ops::plan(desired, dir, args.out.is_some(), &selection),
        |met| {
            if let Met::Document(document, dirs) = &met {
                setting.show_document(document)?;
                ignored.clone_from(&document.reading.ignored);
                if dirs.is_none() {
                    return Ok(Outcome::Done);
                }
                if !std::mem::replace(&mut begun, true) {
                    results.each(|emitter| emitter.begin_plans(&head))?;
                }
                results.each(|emitter| emitter.document(&document.name))?;
                return Ok(Outcome::Done);
            }
            if matches!(met, Met::Target(_, _, Err(_))) {
                setting.terminal.bar.step(true);
            }
            let Some(target) = setting.show_met(met) else { return Ok(Outcome::Done) };
            let mut planned = target.result;
            if let Some(error) = planned.overwritten {
                return Err(error);
            }
            let mut outcome = Outcome::Done;
            let label = if several { target.name.label() } else { target.name.target };
            // One target alone shares nothing.
            if heading && let Some(blocker) = overlaps.blocker(label.clone(), &planned.touched) {
                planned.plan.findings.push(blocker);
                planned.follow_up = None;
            }
            let heading = heading.then_some(label.as_str());
            progress::warnings(&planned.plan, heading, &setting.terminal);
            let (plan, folder) = (&planned.plan, planned.folder.as_str());
            let images: Vec<_> = planned.images.iter().map(ops::saved::saved_image).collect();
            let row = PlanRow {
                document: &target.document,
                several,
                plan,
                ignored: &ignored,
                newly_ignored: &planned.newly_ignored,
                folder,
                follow_up: planned.follow_up.as_ref(),
                managed: Some(&planned.managed),
                images: &images,
                saved_files: None,
                interrupted: planned.interrupted.as_ref(),
                saved: None,
            };
            results.each(|emitter| emitter.plan(&row))?;
            if let Some(error) = &planned.interrupted {
                setting.terminal.error(error);
                outcome = error.kind;
            }
            progress::blockers(&planned.plan, heading, &setting.terminal);
            saved.extend(planned.saved);
            setting.terminal.bar.step(outcome != Outcome::Done || plan.is_blocked());
            Ok(outcome.worse(outcome_of(plan, args.detailed_exitcode)))
        },
    );
    // What is wrong is written to the files of results: none of them may be one of a target that the run did not get to.
    let outcome = outcome.or_else(|error| ops::check_outputs(&documents, &selection).and(Err(error)))?;
    setting.terminal.bar.end();
    if !begun {
        return Ok(outcome);
    }
    results.each(|emitter| emitter.finish())?;
    if let Some(out) = &args.out {
        save(out, &documents, saved, &selection, setting)?;
    }
    Ok(outcome)
}

/// Saves the plan; a blocked one too, so that it can be looked at.
///
/// Its owner alone can read it: it holds no secret, but the SHA-256 of a short file with a password in it lets
/// who has it try passwords.
fn save(
    out: &Path,
    documents: &Documents,
    saved: Vec<SavedTarget>,
    selection: &Selection,
    setting: &Setting,
) -> Result<(), Error> {
    let name = out.display().to_string();
    let targets: usize = documents.with_targets().map(|(_, dirs)| dirs.len()).sum();
    if saved.len() < targets || !documents.are_all_usable() {
        return Err(Error::failed(format!("{name}: not written, as not every target could be planned")));
    }
    let mut saved = saved.into_iter();
    let plans = documents
        .with_targets()
        .map(|(document, dirs)| document_plan(document, saved.by_ref().take(dirs.len()).collect()));
    let bytes = encode(plan_file(plans.collect(), selection));
    // What could not be read again must not be taken for a plan.
    decode(&bytes).map_err(|invalid| Error::failed(format!("{name}: not written: the plan {invalid}")))?;
    setting.terminal.private_file(out, &bytes)?;
    if !setting.terminal.quiet {
        let shown = escape(&quoted(&name));
        setting
            .terminal
            .note(&format!("\nSaved the plan. `kasm-db apply {shown}` applies this and nothing else.\n"));
    }
    Ok(())
}
