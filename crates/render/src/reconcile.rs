//! From what is wanted and what is there to a plan. Pure, and it never fails.

mod checks;
mod image;
mod preload;
mod settings;

use std::collections::BTreeMap;

use model::{Code, DesiredState, Diagnostic};

use crate::compose::{ComposeFile, same_but_image};
use crate::observe::{ObservedState, observe_with};
use crate::plan::{Change, FileChange, FileKind, Plan};
use crate::text_edit::{Replacement, TextEdit};

/// Plans the way from `observed` to `desired`.
///
/// The plan is proved before it is given: its edits are applied in memory, the result is observed and
/// reconciled again, and nothing may be left to do. Blockers and warnings are values in the plan.
pub fn reconcile(desired: &DesiredState, observed: &ObservedState) -> Plan {
    let draft = draft(desired, observed);
    let mut plan = draft.plan(observed);
    if let Err(why) = prove(desired, observed, &plan) {
        plan.findings.push(
            Diagnostic::error(
                Code::NotProved,
                format!("the planned edit does not read back as wanted: {why}"),
            )
            .help("nothing was written; change the file by hand, and report this please"),
        );
        plan.files.clear();
        plan.changes.clear();
    }
    plan
}

/// What the parts of a plan are gathered in.
#[derive(Debug, Default)]
struct Draft {
    changes: Vec<Change>,
    replacements: BTreeMap<String, (FileKind, Vec<Replacement>)>,
    findings: Vec<Diagnostic>,
    touched_services: BTreeMap<String, String>,
    overlap: Option<String>,
}

impl Draft {
    fn replace(&mut self, path: &str, kind: FileKind, replacements: impl IntoIterator<Item = Replacement>) {
        let entry = self.replacements.entry(path.to_string()).or_insert_with(|| (kind, Vec::new()));
        for replacement in replacements {
            // Two projects that share a file ask for the same change twice.
            if !entry.1.contains(&replacement) {
                entry.1.push(replacement);
            }
        }
    }

    fn find(&mut self, finding: Diagnostic) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    fn plan(mut self, observed: &ObservedState) -> Plan {
        let mut files = Vec::new();
        for (path, (kind, replacements)) in std::mem::take(&mut self.replacements) {
            let before = observed.snapshot.bytes(&path).unwrap_or_default().to_vec();
            match TextEdit::new(&before, replacements) {
                Ok(edit) if edit.is_empty() => {}
                Ok(edit) => {
                    let after = edit.apply(&before);
                    files.push(FileChange { path, kind, before, after, edit });
                }
                Err(overlap) => self.overlap = Some(format!("{path}: {overlap}")),
            }
        }
        if let Some(message) = &self.overlap {
            self.findings.push(Diagnostic::error(Code::NotProved, message.clone()));
        }
        let mut in_order: Vec<String> = observed
            .databases
            .iter()
            .flat_map(|d| d.database.stack.files.iter().map(|file| file.path.clone()))
            .chain(observed.conf.as_ref().map(|conf| conf.path.clone()))
            .filter(|path| files.iter().all(|file| file.path != *path))
            .collect();
        in_order.sort();
        in_order.dedup();
        self.changes.dedup();
        Plan {
            target: observed.target.clone(),
            changes: self.changes,
            files,
            findings: self.findings,
            in_order,
            skipped: observed.skipped.clone(),
        }
    }
}

fn draft(desired: &DesiredState, observed: &ObservedState) -> Draft {
    let mut draft = Draft { findings: observed.findings.clone(), ..Draft::default() };
    image::reconcile(desired, observed, &mut draft);
    settings::reconcile(desired, observed, &mut draft);
    checks::check(desired, observed, &mut draft);
    draft
}

/// Applies the plan in memory and looks again.
fn prove(desired: &DesiredState, observed: &ObservedState, plan: &Plan) -> Result<(), String> {
    if plan.files.is_empty() {
        return Ok(());
    }
    for file in plan.files.iter().filter(|file| file.kind == FileKind::Compose) {
        let parse = |bytes: &[u8]| ComposeFile::parse(&file.path, bytes.to_vec());
        let (Ok(before), Ok(after)) = (parse(&file.before), parse(&file.after)) else {
            return Err(format!("{} is no YAML any more", file.path));
        };
        let service =
            observed.databases.iter().find(|d| d.database.stack.files.iter().any(|f| f.path == file.path));
        let service = service.map_or("", |d| &d.database.service);
        if !same_but_image(&before, &after, service) {
            return Err(format!("in {} more than the image of `{service}` would change", file.path));
        }
    }
    let changed = plan.files.iter().map(|file| (file.path.clone(), file.after.clone()));
    let snapshot = observed.snapshot.with(changed);
    let arguments: Vec<String> =
        observed.arguments.iter().map(|option| format!("--{}={}", option.name, option.value)).collect();
    let again = observe_with(&observed.target, &arguments, &snapshot);
    let second = draft(desired, &again).plan(&again);
    if let Some(file) = second.files.first() {
        return Err(format!("{} would change again", file.path));
    }
    if let Some(change) = second.changes.first() {
        return Err(format!("`{}` would change again", change.subject));
    }
    let known = |finding: &Diagnostic| plan.blockers().any(|blocker| blocker.code == finding.code);
    match second.blockers().find(|finding| !known(finding)) {
        Some(finding) => Err(finding.message.clone()),
        None => Ok(()),
    }
}
