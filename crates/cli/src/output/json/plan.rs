//! Plans.

use std::collections::BTreeMap;

use ops::saved::format::{SavedFile, SavedImage};
use render::diff::{Hunk, hunks, redacted_hunks, unified};
use render::{FileChange, Managed, ValueChange};
use schemars::JsonSchema;
use serde::Serialize;

use super::follows::Follows;
use super::problem::Problem;
use super::target::{Row, Sum};
use super::value::Value;
use super::words::{Action, ChangeType, FileKind, ManagedType, Needs, Outcome};
use crate::output::emitter::PlanRow;
use crate::output::{Detail, escape_bytes};

/// What a plan says of a target.
#[derive(Serialize, JsonSchema)]
pub(super) struct Part {
    /// Whether an apply would be refused, or could not be planned.
    blocked: bool,
    /// What the whole plan takes to have an effect.
    pub(super) needs: Needs,
    /// Everything that the document asks for, also what does not change; null if that is not known.
    managed: Option<Vec<ManagedRow>>,
    changes: Vec<ChangeRow>,
    files: Vec<FileRow>,
    /// What an apply does after the files are written; null if that is nothing, or for a person to do.
    follows: Option<Follows>,
    /// Files with nothing to change.
    in_order: Vec<String>,
    /// Compose files without the database's service.
    skipped: Vec<String>,
    /// Silenced warnings of the document and the target.
    ignored: Vec<IgnoredRow>,
    /// Names that are new under `ignore` since the last apply.
    newly_ignored: Vec<&'static str>,
    /// What came of looking into the images; empty if nobody was asked to.
    images: Vec<ImageRow>,
}

/// What came of looking into an image.
#[derive(Serialize, JsonSchema)]
pub(super) struct ImageRow {
    /// Its reference; null if that may hold a secret.
    reference: Option<String>,
    /// Whether the plan uses what was found in it; otherwise what its name tells.
    inspected: bool,
    /// Its id.
    id: Option<String>,
    /// The archive that it was found in; null for the engine.
    archive: Option<String>,
    /// The version of its PostgreSQL; null if it has none.
    postgres: Option<String>,
    /// Why it was not looked into.
    why: Option<String>,
}

impl ImageRow {
    fn of(image: &SavedImage) -> Self {
        Self {
            reference: image.reference.clone(),
            inspected: image.id.is_some(),
            id: image.id.clone(),
            archive: image.archive.clone(),
            postgres: image.postgres.clone(),
            why: image.why.clone(),
        }
    }
}

/// Warnings that were silenced.
#[derive(Serialize, JsonSchema)]
pub(super) struct IgnoredRow {
    /// The name of the warning.
    name: &'static str,
    count: usize,
}

impl Default for Part {
    fn default() -> Self {
        Self {
            blocked: true,
            needs: Needs::Unknown,
            managed: None,
            changes: Vec::new(),
            files: Vec::new(),
            follows: None,
            in_order: Vec::new(),
            skipped: Vec::new(),
            ignored: Vec::new(),
            newly_ignored: Vec::new(),
            images: Vec::new(),
        }
    }
}

impl Part {
    /// Returns whether an apply would write anything.
    pub(super) fn changes_something(&self) -> bool {
        !self.blocked && !self.files.is_empty()
    }

    /// Returns how many files an apply would write.
    pub(super) fn count_files(&self) -> usize {
        self.files.len()
    }
}

/// Something that the document asks for.
#[derive(Serialize, JsonSchema)]
struct ManagedRow {
    r#type: ManagedType,
    /// `services.db.image`, the name of a setting, or the database of an extension.
    subject: String,
    /// The file that says it or would, relative to the folder of the target; null for an extension.
    path: Option<String>,
    /// What the document says; null for a setting that must not be set.
    declared: Option<Value>,
    /// What the files say; null if they do not say, or only the server knows.
    found: Option<Value>,
    /// Whether the files are as the document says; null if that is not known.
    in_sync: Option<bool>,
    /// Whether what was found may be a secret, and is hidden.
    secret: bool,
}

/// A value that changes.
#[derive(Serialize, JsonSchema)]
pub(super) struct ChangeRow {
    r#type: ChangeType,
    action: Action,
    /// `services.db.image`, or the name of a setting.
    subject: String,
    /// The file, relative to the folder of the target.
    path: String,
    /// The line, from 1; of an added line, the one that it will have.
    line: usize,
    before: Option<Value>,
    after: Option<Value>,
    /// The text of the value before, without the quotes of the file.
    before_text: Option<String>,
    /// The text of the value after.
    after_text: Option<String>,
    /// Whether the value before may be a secret, and is hidden.
    secret: bool,
    needs: Needs,
    why: Option<String>,
}

/// A file that changes.
#[derive(Serialize, JsonSchema)]
pub(super) struct FileRow {
    pub(super) path: String,
    pub(super) kind: FileKind,
    /// The difference as a unified diff, secrets hidden; null for a saved plan whose files are not as they were.
    pub(super) diff: Option<String>,
}

/// What all plans come to.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub(super) struct Totals {
    /// Lines of the list; one without a name stands for all targets of a document.
    targets: usize,
    /// Targets that would change.
    changed: usize,
    /// Targets that are as the document says.
    in_sync: usize,
    /// Targets with a blocker.
    blocked: usize,
    /// Targets that could not be planned.
    failed: usize,
    /// Targets whose saved plan is stale, or of which that is not known.
    stale: usize,
    changes: ChangeTotals,
    /// Files that would change.
    files: usize,
    /// Targets by what they need.
    needs: NeedsTotals,
}

#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub(super) struct ChangeTotals {
    add: usize,
    change: usize,
    remove: usize,
}

#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
struct NeedsTotals {
    nothing: usize,
    reload: usize,
    restart: usize,
    recreate: usize,
    unknown: usize,
}

/// Returns the plan of a target.
pub(super) fn row(row: &PlanRow<'_>, detail: Detail) -> Row<Part> {
    let plan = row.plan;
    let mut outcome = ops::outcome_of(plan);
    if let Some(error) = row.interrupted {
        outcome = error.kind.worse(outcome);
    }
    let mut target = Row {
        document: Some(row.document.to_string()),
        name: Some(plan.target.name.clone()),
        kind: Some((&plan.target.kind).into()),
        folder: Some(row.folder.to_string()),
        outcome: Some(outcome.into()),
        own: Part {
            blocked: plan.is_blocked() || row.interrupted.is_some(),
            // A file that cannot be read may hide what else would change.
            needs: if ops::outcome_of(plan) == ops::Outcome::Failed {
                Needs::Unknown
            } else {
                plan.needs().into()
            },
            managed: row.managed.map(|all| all.iter().map(|one| managed(one, detail)).collect()),
            changes: plan.changes.iter().map(|one| change(one, detail.show_secrets)).collect(),
            files: match row.saved_files {
                Some(files) => files.iter().map(saved_file).collect(),
                None => files(&plan.files, detail),
            },
            follows: row.follow_up.map(Follows::from),
            in_order: plan.in_order.clone(),
            skipped: plan.skipped.clone(),
            ignored: IgnoredRow::of(row.ignored()),
            newly_ignored: row.newly_ignored.iter().map(|one| one.name()).collect(),
            images: row.images.iter().map(ImageRow::of).collect(),
        },
        errors: Vec::new(),
        warnings: Vec::new(),
    };
    target.add(plan.findings.iter().map(Problem::of_target));
    target.add(row.interrupted.into_iter().flat_map(Problem::all_of));
    target
}

impl IgnoredRow {
    /// Lists warnings by their names.
    pub(super) fn of(counts: BTreeMap<&'static str, usize>) -> Vec<Self> {
        counts.into_iter().map(|(name, count)| Self { name, count }).collect()
    }
}

fn saved_file(file: &SavedFile) -> FileRow {
    FileRow { path: file.path.clone(), kind: render::FileKind::from(file.kind).into(), diff: None }
}

/// Returns a file that changes.
/// Returns files that change. Those that change in the same way, as the file that runs and its copy do, are compared once.
pub(super) fn files(files: &[FileChange], detail: Detail) -> Vec<FileRow> {
    let mut compared: Vec<Vec<Hunk>> = Vec::with_capacity(files.len());
    let mut rows = Vec::with_capacity(files.len());
    for (index, file) in files.iter().enumerate() {
        let hunks = match files[..index].iter().position(|other| other.is_as(file)) {
            Some(same) => compared[same].clone(),
            None if detail.show_secrets => hunks(file, detail.context),
            None => redacted_hunks(file, detail.context),
        };
        let diff = escape_bytes(&unified(&file.path, &hunks));
        compared.push(hunks);
        rows.push(FileRow { path: file.path.clone(), kind: file.kind.into(), diff: Some(diff) });
    }
    rows
}

/// Returns a value that changes.
pub(super) fn change(change: &ValueChange, show_secrets: bool) -> ChangeRow {
    let before = change.secret.as_ref().filter(|_| show_secrets).or(change.before.as_ref());
    let value = |text: &String| Value::of(&change.subject, text);
    ChangeRow {
        r#type: change.kind().into(),
        action: change.action.into(),
        subject: change.subject.clone(),
        path: change.path.clone(),
        line: change.line,
        before: before.map(value),
        after: change.after.as_ref().map(value),
        before_text: before.cloned(),
        after_text: change.after.clone(),
        secret: change.secret.is_some(),
        needs: change.needs.into(),
        why: change.why.clone(),
    }
}

fn managed(managed: &Managed, detail: Detail) -> ManagedRow {
    let found = managed.secret.as_ref().filter(|_| detail.show_secrets).or(managed.found.as_ref());
    let value = |text: &String| Value::of(&managed.subject, text);
    ManagedRow {
        r#type: managed.kind.into(),
        subject: managed.subject.clone(),
        path: managed.path.clone(),
        declared: managed.declared.as_ref().map(value),
        found: found.map(value),
        in_sync: managed.in_sync,
        secret: managed.secret.is_some(),
    }
}

impl ChangeTotals {
    pub(super) fn add(&mut self, changes: &[ChangeRow]) {
        for change in changes {
            match change.action {
                Action::Add => self.add += 1,
                Action::Change => self.change += 1,
                Action::Remove => self.remove += 1,
            }
        }
    }
}

impl Sum for Totals {
    type Row = Row<Part>;

    fn add(&mut self, row: &Row<Part>) {
        self.targets += 1;
        match row.outcome {
            Some(Outcome::Done) => self.in_sync += 1,
            Some(Outcome::Differences) => self.changed += 1,
            Some(Outcome::Stale) | None => self.stale += 1,
            _ if row.own.needs == Needs::Unknown => self.failed += 1,
            _ => self.blocked += 1,
        }
        self.changes.add(&row.own.changes);
        self.files += row.own.files.len();
        *match row.own.needs {
            Needs::Unknown => &mut self.needs.unknown,
            Needs::Nothing => &mut self.needs.nothing,
            Needs::Reload => &mut self.needs.reload,
            Needs::Restart => &mut self.needs.restart,
            Needs::Recreate => &mut self.needs.recreate,
        } += 1;
    }
}
