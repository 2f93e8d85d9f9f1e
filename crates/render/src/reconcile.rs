//! From what is wanted and what is there to a plan. Pure, and it never fails.

mod checks;
mod draft;
mod image;
mod no_longer_declared;
mod preload;
mod settings;
mod undeclared;

pub(crate) use image::{current as current_image, is_another_database};
pub(crate) use preload::{is_name, usable};
pub(crate) use settings::{PRELOAD, effective, in_force, in_force_at, location, needs_of};

use std::sync::Arc;

use model::{Code, DesiredState, Diagnostic};

use crate::compose::same_but_image;
use crate::file_kind::FileKind;
use crate::observe::{ObservedDatabase, ObservedState, observe_again};
use crate::plan::Plan;
use crate::reconcile::draft::Draft;
use crate::redact::{self, For};
use crate::restore::Record;
use crate::secrets::known;
use crate::target::Project;
use crate::variable_names::VariableNames;

/// Plans the way from `observed` to `desired`.
///
/// The plan is proved before it is given: its edits are applied in memory, the result is observed and
/// reconciled again, and nothing may be left to do. Blockers and warnings are values in the plan.
pub fn reconcile(desired: &DesiredState, observed: &ObservedState) -> Plan {
    reconcile_with(desired, observed, &Record::default())
}

/// Plans as [`reconcile`] does, and the way back of what was written and is no longer declared.
pub fn reconcile_with(desired: &DesiredState, observed: &ObservedState, record: &Record) -> Plan {
    let mut plan = proved_with(made(desired, observed, record), desired, observed, record);
    if !plan.findings.is_empty() {
        let names = VariableNames::of(observed.snapshot());
        plan.findings.iter_mut().for_each(|finding| names.name_in(finding));
    }
    plan
}

/// Proves a plan, as [`reconcile`] does with its own: it is applied in memory and observed again.
///
/// One that does not lead to what is wanted has no files any more, and says so.
pub fn proved(plan: Plan, desired: &DesiredState, observed: &ObservedState) -> Plan {
    proved_with(plan, desired, observed, &Record::default())
}

fn proved_with(mut plan: Plan, desired: &DesiredState, observed: &ObservedState, record: &Record) -> Plan {
    if plan.files.is_empty() {
        return plan;
    }
    match prove(desired, observed, &plan, record) {
        Ok(after) => {
            let known = Arc::new(known(observed));
            for file in &mut plan.files {
                let hide = |state: &ObservedState| match (file.kind, state.compose_file(&file.path)) {
                    (FileKind::Conf, _) => redact::conf(&known),
                    (FileKind::Compose, Some((file, _))) => redact::compose(&file.tree, &known, For::People),
                    (FileKind::Compose, None) => redact::everything(),
                };
                (file.hidden.0, file.hidden.1) = (hide(observed), hide(&after));
            }
        }
        Err(why) => {
            plan.findings.push(why);
            plan.files.clear();
            plan.changes.clear();
        }
    }
    plan
}

/// Creates a plan that is not proved yet.
fn made(desired: &DesiredState, observed: &ObservedState, record: &Record) -> Plan {
    match record.files.is_empty() {
        true => draft(desired, observed).plan(observed),
        false => undeclared::plan(desired, observed, record, |observed| draft(desired, observed)),
    }
}

fn draft(desired: &DesiredState, observed: &ObservedState) -> Draft {
    let mut findings = observed.findings.clone();
    if let Some((key, place)) = desired.target_place(&observed.target.name) {
        // A reference in a compose file has a place there; without one, the target names the file.
        let is_of_target = |finding: &&mut Diagnostic| match finding.code {
            Code::NoComposeFile | Code::NoService => true,
            Code::ComposeReference | Code::Unreadable => finding.location.is_none(),
            _ => false,
        };
        for finding in findings.iter_mut().filter(is_of_target) {
            finding.related = Some((place.clone(), format!("`{key}` is declared here")));
        }
    }
    let mut draft = Draft::new(findings);
    image::reconcile(desired, observed, &mut draft);
    settings::reconcile(desired, observed, &mut draft);
    checks::check(desired, observed, &mut draft);
    draft
}

fn not_proved(why: &str) -> Diagnostic {
    Diagnostic::error(Code::NotProved, format!("the planned edit does not read back as wanted: {why}"))
        .help("change the file by hand, and report this")
}

/// Applies the plan in memory and looks again; gives what is there then.
fn prove(
    desired: &DesiredState,
    observed: &ObservedState,
    plan: &Plan,
    record: &Record,
) -> Result<ObservedState, Diagnostic> {
    let changed = plan.files.iter().map(|file| (file.path.clone(), file.after.clone()));
    let snapshot = observed.snapshot.with(changed);
    let is_changed = |path: &String| plan.files.iter().any(|file| file.path == *path);
    let touched = |project: &Project| {
        let read = |d: &&ObservedDatabase| d.project == *project;
        let files = observed.databases.iter().find(read).map(|d| &d.database.stack.files);
        files.is_some_and(|files| files.iter().any(|file| is_changed(&file.path)))
    };
    let again = observe_again(observed, &snapshot, &touched).with_images(observed.images.clone());
    for file in plan.files.iter().filter(|file| file.kind == FileKind::Compose) {
        let (Some((before, service)), Some((after, _))) =
            (observed.compose_file(&file.path), again.compose_file(&file.path))
        else {
            return Err(not_proved(&format!("{} is no longer a compose file", file.path)));
        };
        if !same_but_image(before, after, service) {
            let message = format!("the image of `{service}` cannot be changed alone: its mapping is shared");
            let start = file.edit.replacements().first().map_or(0, |first| first.range.start);
            return Err(Diagnostic::error(Code::ImageShape, message)
                .at(before.location(start..start))
                .help("give what shares it an `image` of its own, or the service a mapping of its own"));
        }
    }
    if let Some(name) = changed_image(observed, &again) {
        let message = format!("the image of `{name}` would change too");
        let help = format!("give `{name}` an `image` of its own");
        return Err(Diagnostic::error(Code::ImageShape, message).help(help));
    }
    let second = made(desired, &again, record);
    if let Some(file) = second.files.first() {
        return Err(not_proved(&format!("{} would change again", file.path)));
    }
    if let Some(change) = second.changes.first() {
        return Err(not_proved(&format!("`{}` would change again", change.subject)));
    }
    let known = |finding: &Diagnostic| plan.blockers().any(|blocker| blocker.code == finding.code);
    match second.blockers().find(|finding| !known(finding)) {
        Some(finding) => Err(not_proved(&finding.message)),
        None => Ok(again),
    }
}

/// Names a service other than the database's whose image is not what it was: in the whole project, as Compose puts it
/// together.
fn changed_image(before: &ObservedState, after: &ObservedState) -> Option<String> {
    after.databases.iter().find_map(|after| {
        let before = before.databases.iter().find(|before| before.project == after.project)?;
        let (before, after) = (before.database.other_images()?, after.database.other_images()?);
        let changed = before.iter().find(|(name, image)| after.get(*name) != Some(*image));
        let added = || after.keys().find(|name| !before.contains_key(*name)).copied();
        changed.map(|(name, _)| *name).or_else(added).map(String::from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Snapshot;
    use crate::target::{Target, TargetKind};

    /// Plans a text as a compose file or a conf, spoils what the plan leads to, and proves it again.
    #[track_caller]
    fn spoil(is_conf: bool, text: &'static str, document: &str, spoil: (&str, &str)) {
        let kind = TargetKind::Files {
            compose: if is_conf { Vec::new() } else { vec!["f".into()] },
            postgresql_conf: is_conf.then(|| "f".to_string()),
            service: None,
        };
        let desired = model::read("d", format!("schema: kasm-db/v1\n{document}").as_bytes()).desired.unwrap();
        let observed = crate::observe(&Target::new("t", kind), &Snapshot::from_iter([("f", text)]));
        let mut plan = reconcile(&desired, &observed);
        assert!(!plan.is_blocked() && plan.files.len() == 1, "{:?}", plan.findings);
        let after = String::from_utf8(plan.files[0].after.to_vec()).unwrap();
        assert!(after.contains(spoil.0), "{after}");
        plan.files[0].after = after.replace(spoil.0, spoil.1).into();
        let plan = proved(plan, &desired, &observed);
        assert!(plan.files.is_empty() && plan.changes.is_empty());
        let codes: Vec<_> = plan.blockers().map(|finding| finding.code).collect();
        assert!(matches!(codes[..], [Code::NotProved | Code::ImageShape]), "{codes:?}");
    }

    #[test]
    fn a_plan_whose_proof_fails_has_no_files() {
        let compose = "services:\n  db:\n    image: postgres:12\n  other:\n    image: x\n";
        let image = "image: kasmweb/postgres:1.11.0\n";
        spoil(false, compose, image, ("kasmweb/postgres:1.11.0", "kasmweb/postgres:1.12.0"));
        spoil(false, compose, image, ("image: x", "image: y"));
        spoil(false, compose, image, ("services:", "services: ["));
        let settings = "settings: {work_mem: 8MB}\n";
        spoil(true, "work_mem = 4MB\n", settings, ("8MB", "9MB"));
        spoil(true, "work_mem = 4MB\n", settings, ("8MB", "8MB 9MB"));
    }
}
