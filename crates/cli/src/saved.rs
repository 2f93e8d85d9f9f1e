//! Saved plans: from a plan to its file, and what has changed since.

pub(crate) mod again;
pub(crate) mod format;
pub(crate) mod open;

use std::path::Path;

use render::{Found, Plan, Snapshot, Source as _};
use sha2::{Digest as _, Sha256};

use self::format::{
    FORMAT, Input, PlanFile, SavedChange, SavedEdit, SavedFile, SavedFinding, SavedPlace, SavedTarget,
    Selection, VERSION, hex,
};
use crate::args::Global;
use crate::document::Loaded;
use crate::output::words;

/// A plan and what it was made from.
pub(crate) struct Planned {
    /// As it was made, with nothing overruled.
    pub(crate) plan: Plan,
    pub(crate) snapshot: Snapshot,
    /// Where the target's folder leads to.
    pub(crate) folder: String,
}

/// How what is there stands to a saved plan.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// As the plan saw it.
    Fresh,
    /// As the plan leads to.
    Applied,
    /// Otherwise: what changed, and how.
    Stale(Vec<String>),
    /// All inputs are as the plan saw them, and it does not say what they lead to; this part of it differs.
    Foreign(&'static str),
}

/// Makes the plan file of a run.
pub(crate) fn plan_file(loaded: &Loaded, planned: &[Planned], global: &Global) -> PlanFile {
    PlanFile {
        format: FORMAT.into(),
        format_version: format!("{}.{}", VERSION.0, VERSION.1),
        tool_version: env!("CARGO_PKG_VERSION").into(),
        documents: documents(loaded),
        selection: selection(global),
        targets: planned.iter().map(|planned| target(planned, &global.allow)).collect(),
    }
}

/// Tells what changed of what all targets have in common.
pub(crate) fn common(saved: &PlanFile, loaded: &Loaded) -> Vec<String> {
    let mut changed = Vec::new();
    let version = env!("CARGO_PKG_VERSION");
    if saved.tool_version != version {
        changed.push(format!("kasm-db: is {version}, the plan was made by {}", saved.tool_version));
    }
    let now = documents(loaded);
    // By their order: with `-f` the first, and with it its parents, may have other names.
    for (index, document) in saved.documents.iter().enumerate() {
        match now.get(index) {
            Some(other) if other.sha256 == document.sha256 => {}
            Some(other) => changed.push(format!("{}: changed (the document)", other.path)),
            None => changed.push(format!("{}: is no part of the document any more", document.path)),
        }
    }
    for other in now.iter().skip(saved.documents.len()) {
        changed.push(format!("{}: is a part of the document now", other.path));
    }
    changed
}

/// Compares a saved target with what is planned now.
pub(crate) fn standing(saved: &SavedTarget, now: &Planned, selection: &Selection) -> Standing {
    let current = target(now, &selection.allow);
    if current == *saved {
        return Standing::Fresh;
    }
    let hash = |path: &str| now.snapshot.bytes(path).map(sha256);
    let is_done = |file: &SavedFile| hash(&file.path).as_deref() == Some(&*file.sha256_after);
    if current.folder == saved.folder
        && !saved.files.is_empty()
        && saved.files.iter().all(is_done)
        && now.plan.is_empty()
    {
        return Standing::Applied;
    }
    let changed = changed(saved, &current, now);
    if !changed.is_empty() {
        return Standing::Stale(changed);
    }
    Standing::Foreign(difference(saved, &current))
}

fn changed(saved: &SavedTarget, current: &SavedTarget, now: &Planned) -> Vec<String> {
    if saved.name != current.name {
        return vec![format!("{}: is no target any more", saved.name)];
    }
    if saved.folder != current.folder {
        return vec![format!("{}: leads to {} now", saved.folder, current.folder)];
    }
    let mut changed = Vec::new();
    for input in &saved.inputs {
        let how = match current.inputs.iter().find(|other| other.path == input.path) {
            Some(other) if other == input => continue,
            Some(other) => match (&*input.found, &*other.found) {
                ("file", "file") => "changed",
                (_, "absent") => "gone",
                (_, "unreadable") => "can not be read any more",
                ("absent", _) => "appeared",
                _ => "can be read now",
            },
            None if is_gone(&input.path, now) => "gone",
            None => "is not read any more",
        };
        changed.push(format!("{}: {how}", input.path));
    }
    for input in &current.inputs {
        if input.found == "file" && !saved.inputs.iter().any(|other| other.path == input.path) {
            changed.push(format!("{}: appeared", input.path));
        }
    }
    changed
}

/// Tells whether a folder that was listed has a file no longer.
fn is_gone(path: &str, now: &Planned) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    matches!(now.snapshot.list(folder), Found::Yes(names) if names.iter().all(|other| other != name))
}

/// Names the first part that differs.
fn difference(saved: &SavedTarget, current: &SavedTarget) -> &'static str {
    if saved.files != current.files {
        "files"
    } else if saved.changes != current.changes {
        "changes"
    } else if saved.findings != current.findings {
        "findings"
    } else if saved.inputs != current.inputs {
        "inputs"
    } else {
        "summary"
    }
}

fn documents(loaded: &Loaded) -> Vec<Input> {
    let input = |path: &str, bytes: &[u8]| Input {
        path: path.to_string(),
        found: "file".into(),
        sha256: Some(sha256(bytes)),
    };
    let parents = loaded.reading.parents.iter().map(|(path, bytes)| input(path, bytes));
    std::iter::once(input(&loaded.name, &loaded.bytes)).chain(parents).collect()
}

fn selection(global: &Global) -> Selection {
    let text =
        |path: &Option<std::path::PathBuf>| path.as_deref().map(|path: &Path| path.display().to_string());
    Selection {
        targets: global.target.clone(),
        deployment: text(&global.deployment),
        installer: text(&global.installer),
        root: text(&global.root),
        allow: global.allow.clone(),
    }
}

fn target(planned: &Planned, allow: &[String]) -> SavedTarget {
    let Planned { plan, snapshot, folder } = planned;
    let findings = plan.findings.iter().map(|finding| SavedFinding {
        code: finding.code.id().into(),
        name: finding.code.name().into(),
        severity: words::severity(finding.severity).into(),
        message: finding.message.clone(),
        place: finding.place.as_ref().map(|place| SavedPlace {
            path: place.path.clone(),
            line: place.line,
            column: place.column,
            start: place.span.start,
            end: place.span.end,
        }),
        help: finding.help.clone(),
    });
    let mut allowed = plan.clone();
    allowed.allow(allow);
    SavedTarget {
        name: plan.target.name.clone(),
        kind: words::kind(&plan.target.kind).into(),
        folder: folder.clone(),
        blocked: allowed.is_blocked(),
        needs: words::needs(plan.needs()).into(),
        changes: plan.changes.iter().map(change).collect(),
        files: plan.files.iter().map(file).collect(),
        findings: findings.collect(),
        in_order: plan.in_order.clone(),
        skipped: plan.skipped.clone(),
        inputs: snapshot.files().map(|(path, found)| input(path, found)).collect(),
    }
}

fn input(path: &str, found: &Found<Vec<u8>>) -> Input {
    let (found, sha256) = match found {
        Found::Yes(bytes) => ("file", Some(sha256(bytes))),
        Found::No => ("absent", None),
        Found::Unknown(_) => ("unreadable", None),
    };
    Input { path: path.into(), found: found.into(), sha256 }
}

fn change(change: &render::Change) -> SavedChange {
    SavedChange {
        action: words::action(change.action).into(),
        subject: change.subject.clone(),
        path: change.path.clone(),
        line: change.line,
        before: change.before.clone(),
        after: change.after.clone(),
        needs: words::needs(change.needs).into(),
        why: change.why.clone(),
    }
}

fn file(file: &render::FileChange) -> SavedFile {
    let edit = |edit: &render::Replacement| SavedEdit {
        start: edit.range.start,
        end: edit.range.end,
        sha256: sha256(&edit.text),
    };
    SavedFile {
        path: file.path.clone(),
        kind: words::file_kind(file.kind).into(),
        sha256_before: sha256(&file.before),
        sha256_after: sha256(&file.after),
        edits: file.edit.replacements().iter().map(edit).collect(),
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
