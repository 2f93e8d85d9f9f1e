//! What has changed since a plan was saved.

use model::{Code, Severity};
use render::{Found, Source as _};

use super::format::{
    DocumentPlan, InputFound, PlanFile, SavedFile, SavedImage, SavedSelection, SavedSeverity, SavedTarget,
};
use super::record::{documents, saved_target, sha256};
use crate::document::Document;
use crate::planned::Planned;

/// How what is there stands to a saved plan.
#[derive(Debug, PartialEq, Eq)]
pub enum Standing {
    /// As the plan saw it.
    Fresh,
    /// As the plan leads to.
    Applied,
    /// Otherwise: what changed, and how.
    Stale(Vec<String>),
    /// All inputs are as the plan saw them, and it does not say what they lead to; this part of it differs.
    Foreign(&'static str),
}

/// Returns what changed of what all targets have in common.
pub(super) fn common(saved: &PlanFile, documents: &[Document]) -> Vec<String> {
    let mut changed = Vec::new();
    let version = env!("CARGO_PKG_VERSION");
    if saved.tool_version != version {
        changed.push(format!("kasm-db is {version}, and the plan was made by {}", saved.tool_version));
    }
    for line in saved.plans.iter().zip(documents).flat_map(|(plan, document)| of_document(plan, document)) {
        // Several documents may extend the same one.
        if !changed.contains(&line) {
            changed.push(line);
        }
    }
    changed
}

/// Returns what changed of a document and those that it extends.
fn of_document(saved: &DocumentPlan, document: &Document) -> Vec<String> {
    let mut changed = Vec::new();
    let now = documents(document);
    // By their order: with `-f` the first, and with it its parents, may have other names.
    for (index, saved) in saved.documents.iter().enumerate() {
        match now.get(index) {
            Some(other) if other.sha256 == saved.sha256 => {}
            Some(other) => changed.push(format!("{}: changed (the document)", other.path)),
            None => {
                let error =
                    || document.reading.diagnostics.iter().find(|one| one.severity == Severity::Error);
                let why = document.desired().is_none().then(error).flatten();
                let why = why.map(|error| format!(": {}", error.message)).unwrap_or_default();
                changed.push(format!("{} is no longer part of the document{why}", saved.path));
            }
        }
    }
    for other in now.iter().skip(saved.documents.len()) {
        changed.push(format!("{} is a part of the document now", other.path));
    }
    changed
}

/// Compares a saved target with what is planned now. A plan is bound to what is below the target's folder, and not to where
/// that is: it may be made from a copy, in a pipeline, and be applied on the host.
pub(crate) fn standing(saved: &SavedTarget, now: &Planned, selection: &SavedSelection) -> Standing {
    let current = saved_target(now, &selection.allow);
    let hash = |path: &str| now.snapshot.bytes(path).map(sha256);
    let is_done = |file: &SavedFile| hash(&file.path).as_deref() == Some(&*file.sha256_after);
    if !saved.files.is_empty() && saved.files.iter().all(is_done) && now.plan.is_empty() {
        return Standing::Applied;
    }
    let mut changed = changed(saved, &current, now);
    changed.extend(images(saved, &current));
    if !changed.is_empty() {
        return Standing::Stale(changed);
    }
    // No input shows it: what is recorded is not a file of the target.
    let is_unseen = |target: &SavedTarget| {
        let mut blockers = target.findings.iter().filter(|finding| finding.severity == SavedSeverity::Error);
        blockers.any(|finding| finding.code == Code::RecordUnseen.id())
    };
    match (is_unseen(saved), is_unseen(&current)) {
        (false, true) => return Standing::Stale(vec![".kasm-db/managed: cannot be read any longer".into()]),
        (true, false) => return Standing::Stale(vec![".kasm-db/managed: can be read now".into()]),
        _ => {}
    }
    // Of what was set before, a plan that was made from a copy knows nothing.
    if saved.restored != current.restored {
        let all = |names: &[String]| if names.is_empty() { "nothing".into() } else { names.join(", ") };
        let (then, now) = (all(&saved.restored), all(&current.restored));
        return Standing::Stale(vec![format!(
            ".kasm-db/managed: the values to restore are {now}, and were {then} where the plan was made"
        )]);
    }
    difference(saved, &current).map_or(Standing::Fresh, Standing::Foreign)
}

fn changed(saved: &SavedTarget, current: &SavedTarget, now: &Planned) -> Vec<String> {
    let mut changed = Vec::new();
    for input in &saved.inputs {
        let other = current.inputs.iter().find(|other| other.path == input.path);
        let is_file = other.is_some_and(|other| other.found == InputFound::File);
        // What another machine has elsewhere is no part of the target: the plan of this one knows what it means.
        if !is_below(&input.path) && (input.found != InputFound::File || !is_file) {
            continue;
        }
        let how = match other {
            Some(other) if other == input => continue,
            Some(other) => match (input.found, other.found) {
                (InputFound::File, InputFound::File) => "changed",
                (_, InputFound::Absent) => "gone",
                (_, InputFound::Unreadable) => "cannot be read any longer",
                (InputFound::Absent, _) => "appeared",
                _ => "can be read now",
            },
            None if is_gone(&input.path, now) => "gone",
            None => "is no longer read",
        };
        changed.push(format!("{}: {how}", input.path));
    }
    for input in current.inputs.iter().filter(|input| is_below(&input.path)) {
        let is_known = saved.inputs.iter().any(|other| other.path == input.path);
        if input.found == InputFound::File && !is_known {
            changed.push(format!("{}: appeared", input.path));
        }
    }
    changed
}

/// Returns which images are others now, of those that were looked into.
fn images(saved: &SavedTarget, current: &SavedTarget) -> Vec<String> {
    let id = |image: &SavedImage| image.id.clone().unwrap_or_else(|| "not there".into());
    let mut changed = Vec::new();
    for (index, image) in saved.images.iter().enumerate() {
        let name = image.reference.as_deref().unwrap_or("the present image");
        match current.images.get(index) {
            // Where it was found does not matter.
            Some(now)
                if (&now.id, &now.postgres, &now.libraries, &now.reference)
                    == (&image.id, &image.postgres, &image.libraries, &image.reference) => {}
            Some(now) if now.id == image.id => {
                changed.push(format!("{name}: something else was found in it"));
            }
            Some(now) => changed.push(format!("{name}: is {} now, and was {}", id(now), id(image))),
            None => changed.push(format!("{name}: was not looked into")),
        }
    }
    changed
}

/// Returns whether a path of an input leads to something below the target's folder.
fn is_below(path: &str) -> bool {
    !path.starts_with('/') && !path.starts_with("../")
}

/// Returns whether a folder that was listed has a file no longer.
fn is_gone(path: &str, now: &Planned) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    matches!(now.snapshot.list(folder), Found::Yes(names) if names.iter().all(|other| other != name))
}

/// Names the first part that differs, if one does. Warnings are left out: some are about what is elsewhere on the host.
fn difference(saved: &SavedTarget, current: &SavedTarget) -> Option<&'static str> {
    let blockers = |target: &SavedTarget| -> Vec<String> {
        let blockers = target.findings.iter().filter(|finding| finding.severity == SavedSeverity::Error);
        blockers.map(|finding| finding.code.clone()).collect()
    };
    let summary = |target: &SavedTarget| {
        (target.kind, target.blocked, target.needs, target.in_order.clone(), target.skipped.clone())
    };
    if saved.files != current.files {
        Some("files")
    } else if saved.changes != current.changes {
        Some("changes")
    } else if blockers(saved) != blockers(current) {
        Some("findings")
    } else if saved.follows != current.follows {
        Some("follows")
    } else if summary(saved) != summary(current) {
        Some("summary")
    } else {
        None
    }
}
