//! From a plan to what its file records.

use commit::Digest;
use model::document::Connect;
use render::{Bytes, Found, Snapshot, TargetKind, ValueChange, VariableNames};

use super::format::{
    DocumentDigest, DocumentPlan, FORMAT, Input, InputFound, Kind, PlanFile, SavedChange, SavedEdit,
    SavedFile, SavedFinding, SavedFollows, SavedImage, SavedLocation, SavedSelection, SavedTarget, VERSION,
};
use crate::document::Document;
use crate::follow_up::FollowUp;
use crate::inspect::{Looked, Place};
use crate::planned::Planned;
use crate::selection::{Selection, Tree};

/// Builds a plan file from the plans of each document.
pub fn plan_file(plans: Vec<DocumentPlan>, selection: &Selection) -> PlanFile {
    PlanFile {
        format: FORMAT.into(),
        format_version: format!("{}.{}", VERSION.0, VERSION.1),
        tool_version: env!("CARGO_PKG_VERSION").into(),
        selection: saved_selection(selection),
        plans,
    }
}

/// Records the plans of a document's targets.
pub fn document_plan(document: &Document, targets: Vec<SavedTarget>) -> DocumentPlan {
    DocumentPlan { documents: documents(document), resolved: document.resolved(), targets }
}

/// Returns the digests of a document and of those that it extends.
pub(super) fn documents(document: &Document) -> Vec<DocumentDigest> {
    let digest = |path: &str, bytes: &[u8]| DocumentDigest { path: path.to_string(), sha256: sha256(bytes) };
    let parents = document.reading.parents.iter().map(|(path, bytes)| digest(path, bytes));
    std::iter::once(digest(&document.name, &document.bytes)).chain(parents).collect()
}

fn saved_selection(selection: &Selection) -> SavedSelection {
    let text = |path: &std::path::Path| path.display().to_string();
    let (deployment, installer) = match &selection.tree {
        Some(Tree::Deployment(folder)) => (Some(text(folder)), None),
        Some(Tree::Installer(folder)) => (None, Some(text(folder))),
        None => (None, None),
    };
    SavedSelection {
        targets: selection.targets.clone(),
        deployment,
        installer,
        root: selection.root.as_deref().map(text),
        allow: selection.allow.clone(),
        inspect: selection
            .inspect
            .as_ref()
            .map(|known| known.archives().iter().map(|path| text(path)).collect()),
    }
}

/// Records the plan of a target.
pub fn saved_target(planned: &Planned, allow: &[String]) -> SavedTarget {
    let Planned { plan, snapshot, folder, follow_up, images, .. } = planned;
    let findings = plan.findings.iter().map(|finding| SavedFinding {
        code: finding.code.id().into(),
        name: finding.code.name().into(),
        severity: finding.severity.into(),
        message: finding.message.clone(),
        place: finding.location.as_ref().map(|place| SavedLocation {
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
        kind: kind(&plan.target.kind),
        follows: follow_up.as_ref().map(saved_follows),
        folder: folder.clone(),
        blocked: allowed.is_blocked(),
        needs: plan.needs().into(),
        changes: plan.changes.iter().map(change).collect(),
        files: plan.files.iter().map(file).collect(),
        findings: findings.collect(),
        in_order: plan.in_order.clone(),
        skipped: plan.skipped.clone(),
        restored: plan.restored.clone(),
        inputs: inputs(snapshot),
        images: images.iter().map(saved_image).collect(),
    }
}

/// Records what came of looking into an image.
pub fn saved_image(looked: &Looked) -> SavedImage {
    let contents = looked.contents.as_ref();
    let server = contents.and_then(|contents| contents.server.as_ref());
    SavedImage {
        reference: looked.reference.clone(),
        id: contents.map(|contents| contents.id.clone()),
        postgres: server.map(|server| server.version.clone()),
        libraries: server.map(|server| server.libraries.clone()),
        archive: match &looked.place {
            Some(Place::Archive(path)) => Some(path.display().to_string()),
            _ => None,
        },
        why: looked.why.clone(),
    }
}

fn kind(kind: &TargetKind) -> Kind {
    match kind {
        TargetKind::Deployment => Kind::Deployment,
        TargetKind::Installer => Kind::Installer,
        TargetKind::Files { .. } => Kind::Files,
    }
}

fn saved_follows(follow_up: &FollowUp) -> SavedFollows {
    SavedFollows {
        steps: follow_up.steps().map(|step| step.name().to_string()).collect(),
        stop: follow_up.stop.clone(),
        start: follow_up.start.clone(),
        stop_timeout_seconds: follow_up.stop_timeout.as_secs(),
        timeout_seconds: follow_up.timeout.as_secs(),
        connect: match follow_up.connect {
            Connect::Docker => "docker",
            Connect::Tcp => "tcp",
            Connect::None => "none",
        }
        .into(),
        container: follow_up.container.clone(),
        user: follow_up.user.clone(),
        database: follow_up.database.clone(),
        extension_databases: follow_up.extension_databases.clone(),
        sql: follow_up.sql().into_iter().map(String::from).collect(),
    }
}

/// Records what was read and looked for. The name of a file that is there is no secret to whoever can read the plan; of one that
/// was only looked for, what a variable became in it may be one.
fn inputs(snapshot: &Snapshot) -> Vec<Input> {
    let names = VariableNames::of(snapshot);
    let input = |(path, found): (&str, &Found<Bytes>)| {
        let named = || names.named(path).into_owned();
        let (path, found, sha256) = match found {
            Found::Yes(bytes) => (path.to_string(), InputFound::File, Some(sha256(bytes))),
            Found::No => (named(), InputFound::Absent, None),
            Found::Unknown(_) => (named(), InputFound::Unreadable, None),
        };
        Input { path, found, sha256 }
    };
    snapshot.files().map(input).collect()
}

fn change(change: &ValueChange) -> SavedChange {
    SavedChange {
        r#type: change.kind().into(),
        action: change.action.into(),
        subject: change.subject.clone(),
        path: change.path.clone(),
        line: change.line,
        before: change.before.clone(),
        after: change.after.clone(),
        needs: change.needs.into(),
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
        kind: file.kind.into(),
        sha256_before: sha256(&file.before),
        sha256_after: sha256(&file.after),
        edits: file.edit.replacements().iter().map(edit).collect(),
    }
}

/// Returns the SHA-256 of bytes, in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}
