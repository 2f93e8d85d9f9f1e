//! `kasm-db show`

use model::{Code, Diagnostic, Place};
use render::{Change, Plan, Target, TargetKind};

use crate::args::{self, Format, Global};
use crate::exit::{Exit, Failure};
use crate::output::{Terminal, human, json, patch, words};
use crate::saved::again::{Again, again, look, stale};
use crate::saved::format::{PlanFile, SavedTarget};
use crate::saved::open::{For, open};
use crate::saved::{Planned, Standing};

/// Shows a saved plan: as `plan` would where it still holds, and else as far as the file tells.
pub(crate) fn run(args: &args::Show, global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    let saved = open(&args.plan, For::Showing)?;
    let (changed, now) = match compare(&saved, global) {
        Ok((changed, now)) => (Some(changed), now),
        Err(failure) => {
            terminal.warning(
                &format!("whether the plan still holds can not be told: {}", failure.message),
                failure.help.as_deref(),
            );
            (None, Vec::new())
        }
    };
    let is_stale = changed.as_ref().is_some_and(|changed| !changed.is_empty());
    if let Some(changed) = changed.as_ref().filter(|changed| !changed.is_empty()) {
        let list: String = changed.iter().map(|one| format!("\n  {one}")).collect();
        terminal.warning(
            &format!("the plan is stale{list}"),
            Some("plan again: this one is not applied any more"),
        );
    }
    let mut plans = Vec::new();
    for (index, target) in saved.targets.iter().enumerate() {
        let fresh = now.get(index).filter(|(standing, _)| !is_stale && *standing == Standing::Fresh);
        let mut plan = fresh.map_or_else(|| from_file(target), |(_, planned)| planned.plan.clone());
        plan.allow(&saved.selection.allow);
        super::findings(&plan, saved.targets.len() > 1, terminal);
        if let Some((Standing::Applied, planned)) = now.get(index) {
            terminal.note(&format!("{}: already applied\n", crate::output::escape(&planned.folder)));
        }
        plans.push((plan, target, fresh.is_some()));
    }
    let document = saved.documents.first().map_or("", |document| &document.path);
    super::each_sink(&args.format, terminal, |format| match format {
        Format::Human => Ok(plans
            .iter()
            .map(|(plan, target, _)| human::plan_of(plan, &target.folder, target.files.len(), global))
            .collect::<Vec<_>>()
            .join("\n")
            .into()),
        Format::Json => Ok(json::saved(document, changed.as_deref(), &plans, global).into()),
        Format::Patch => {
            let mut bytes = Vec::new();
            for (plan, _, is_fresh) in plans.iter().filter(|(plan, ..)| !plan.is_blocked()) {
                if !is_fresh {
                    return Err(stale(changed.as_deref().unwrap_or_default())
                        .help("a patch needs the files as the plan saw them; plan again"));
                }
                bytes.extend(patch::patch(plan, global.show_secrets)?);
            }
            Ok(super::Written::Bytes(bytes))
        }
    })?;
    Ok(Exit::Done)
}

/// What changed, and the plans of now.
type Compared = (Vec<String>, Vec<(Standing, Planned)>);

/// Compares a saved plan with what is there.
fn compare(saved: &PlanFile, global: &Global) -> Result<Compared, Failure> {
    let again: Again = again(saved, global)?;
    let places = match again.places(saved)? {
        Ok(places) => places,
        Err(changed) => return Ok((changed, Vec::new())),
    };
    let Some(desired) = &again.loaded.reading.desired else { return Ok((Vec::new(), Vec::new())) };
    let now = look(saved, &places, |place| {
        Ok(super::make_plan(desired, &place.target, &place.open()?, &again.global))
    })?;
    let mut changed = Vec::new();
    for (standing, _) in &now {
        match standing {
            Standing::Fresh | Standing::Applied => {}
            Standing::Stale(files) => changed.extend(files.iter().cloned()),
            Standing::Foreign(part) => {
                changed.push(format!("its `{part}` are not what the same files lead to: it was changed"));
            }
        }
    }
    Ok((changed, now))
}

/// Gives what a plan file tells of a target: all but its files.
fn from_file(saved: &SavedTarget) -> Plan {
    let kind = match &*saved.kind {
        "deployment" => TargetKind::Deployment,
        "installer" => TargetKind::Installer,
        _ => TargetKind::Files { compose: Vec::new(), postgresql_conf: None, service: None },
    };
    let changes = saved.changes.iter().filter_map(|change| {
        Some(Change {
            path: change.path.clone(),
            line: change.line,
            subject: change.subject.clone(),
            action: words::action_of(&change.action)?,
            before: change.before.clone(),
            secret: None,
            after: change.after.clone(),
            needs: words::needs_of(&change.needs)?,
            why: change.why.clone(),
        })
    });
    let findings = saved.findings.iter().filter_map(|finding| {
        let code = Code::ALL.iter().find(|code| code.id() == finding.code)?;
        let mut diagnostic = match &*finding.severity {
            "error" => Diagnostic::error(*code, finding.message.clone()),
            _ => Diagnostic::warning(*code, finding.message.clone()),
        };
        diagnostic.help.clone_from(&finding.help);
        diagnostic.place = finding.place.as_ref().map(|place| Place {
            path: place.path.clone(),
            span: place.start..place.end,
            line: place.line,
            column: place.column,
        });
        Some(diagnostic)
    });
    Plan {
        target: Target { name: saved.name.clone(), kind },
        changes: changes.collect(),
        files: Vec::new(),
        findings: findings.collect(),
        in_order: saved.in_order.clone(),
        skipped: saved.skipped.clone(),
    }
}
