//! From what is wanted and what is there to a plan. Pure, and it never fails.

mod checks;
mod image;
mod preload;
mod settings;

pub(crate) use image::{current as current_image, is_another_database};
pub(crate) use settings::{PRELOAD, in_force};

use std::collections::{BTreeMap, HashSet};

pub use preload::{is_library, preload_is_met};

use model::{Code, DesiredState, Diagnostic};

use crate::compose::same_but_image;
use crate::observe::{ObservedDatabase, ObservedState, observe_again};
use crate::plan::{Change, FileChange, FileKind, Plan};
use crate::redact;
use crate::target::Project;
use crate::text_edit::{Replacement, TextEdit};

/// Plans the way from `observed` to `desired`.
///
/// The plan is proved before it is given: its edits are applied in memory, the result is observed and
/// reconciled again, and nothing may be left to do. Blockers and warnings are values in the plan.
pub fn reconcile(desired: &DesiredState, observed: &ObservedState) -> Plan {
    proved(draft(desired, observed).plan(observed), desired, observed)
}

/// Proves a plan, as [`reconcile`] does with its own: it is applied in memory and observed again.
///
/// One that does not lead to what is wanted has no files any more, and says so.
pub fn proved(mut plan: Plan, desired: &DesiredState, observed: &ObservedState) -> Plan {
    if plan.files.is_empty() {
        return plan;
    }
    match prove(desired, observed, &plan) {
        Ok(after) => {
            for file in plan.files.iter_mut().filter(|file| file.kind == FileKind::Compose) {
                let hide = |state: &ObservedState| {
                    state
                        .compose_file(&file.path)
                        .map_or_else(redact::everything, |(file, _)| redact::compose(&file.tree))
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

/// What the parts of a plan are gathered in.
#[derive(Debug, Default)]
struct Draft {
    changes: Vec<Change>,
    replacements: BTreeMap<String, (FileKind, Vec<Replacement>)>,
    findings: Vec<Diagnostic>,
}

impl Draft {
    fn replace(&mut self, path: &str, kind: FileKind, replacements: impl IntoIterator<Item = Replacement>) {
        let entry = self.replacements.entry(path.to_string()).or_insert_with(|| (kind, Vec::new()));
        entry.1.extend(replacements);
    }

    fn find(&mut self, finding: Diagnostic) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    fn plan(mut self, observed: &ObservedState) -> Plan {
        let mut files = Vec::new();
        for (path, (kind, mut replacements)) in std::mem::take(&mut self.replacements) {
            // Two projects that share a file ask for the same change twice.
            let mut seen = HashSet::new();
            replacements.retain(|replacement| seen.insert(replacement.clone()));
            let before = observed.snapshot.bytes(&path).unwrap_or_default().to_vec();
            match TextEdit::new(&before, replacements) {
                Ok(edit) if edit.is_empty() => {}
                Ok(edit) => {
                    let after = edit.apply(&before);
                    files.push(FileChange {
                        path,
                        kind,
                        before,
                        after,
                        edit,
                        hidden: (redact::everything(), redact::everything()),
                    });
                }
                Err(overlap) => {
                    self.find(Diagnostic::error(Code::NotProved, format!("{path}: {overlap}")));
                }
            }
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

fn not_proved(why: &str) -> Diagnostic {
    Diagnostic::error(Code::NotProved, format!("the planned edit does not read back as wanted: {why}"))
        .help("nothing was written; change the file by hand, and report this please")
}

/// Applies the plan in memory and looks again; gives what is there then.
fn prove(desired: &DesiredState, observed: &ObservedState, plan: &Plan) -> Result<ObservedState, Diagnostic> {
    let changed = plan.files.iter().map(|file| (file.path.clone(), file.after.clone()));
    let snapshot = observed.snapshot.with(changed);
    let is_changed = |path: &String| plan.files.iter().any(|file| file.path == *path);
    let touched = |project: &Project| {
        let read = |d: &&ObservedDatabase| d.project == *project;
        let files = observed.databases.iter().find(read).map(|d| &d.database.stack.files);
        files.is_some_and(|files| files.iter().any(|file| is_changed(&file.path)))
    };
    let again = observe_again(&observed.target, observed.arguments.clone(), &snapshot, &touched);
    for file in plan.files.iter().filter(|file| file.kind == FileKind::Compose) {
        let (Some((before, service)), Some((after, _))) =
            (observed.compose_file(&file.path), again.compose_file(&file.path))
        else {
            return Err(not_proved(&format!("{} is no compose file any more", file.path)));
        };
        if !same_but_image(before, after, service) {
            let message = format!("the image of `{service}` can not be changed alone: its mapping is shared");
            let start = file.edit.replacements().first().map_or(0, |first| first.range.start);
            return Err(Diagnostic::error(Code::ImageShape, message)
                .at(before.place(start..start))
                .help("give what shares it an `image` of its own, or the service a mapping of its own"));
        }
    }
    let second = draft(desired, &again).plan(&again);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Found, Source};
    use crate::target::{Target, TargetKind};

    struct One(&'static str);

    impl Source for One {
        fn read(&self, path: &str) -> Found<Vec<u8>> {
            if path == "f" { Found::Yes(self.0.into()) } else { Found::No }
        }
        fn list(&self, _: &str) -> Found<Vec<String>> {
            Found::No
        }
        fn below_root(&self, _: &str) -> Option<String> {
            None
        }
    }

    /// Plans a text as a compose file or a conf, spoils what the plan leads to, and proves it again.
    #[track_caller]
    fn spoil(is_conf: bool, text: &'static str, document: &str, spoil: (&str, &str)) {
        let kind = TargetKind::Files {
            compose: if is_conf { Vec::new() } else { vec!["f".into()] },
            postgresql_conf: is_conf.then(|| "f".to_string()),
            service: None,
        };
        let desired = model::read("d", format!("schema: kasm-db/v1\n{document}").as_bytes()).desired.unwrap();
        let observed = crate::observe(&Target { name: "t".into(), kind }, &One(text));
        let mut plan = reconcile(&desired, &observed);
        assert!(!plan.is_blocked() && plan.files.len() == 1, "{:?}", plan.findings);
        let after = String::from_utf8(plan.files[0].after.clone()).unwrap();
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
