//! What was applied to targets. Digests of the replaced files stay out: that of a short file with a password in it lets who has it
//! try passwords.

use commit::{Generation, Replaced};
use ops::history::History;
use ops::note::{Note, NotedChange, NotedDocument};
use ops::{Outcome, TargetDir};
use schemars::JsonSchema;
use serde::Serialize;

use super::problem::Problem;
use super::target::{Row, Sum};
use crate::output::time::time;

/// What was applied to a target.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Part {
    /// The oldest first.
    generations: Vec<GenerationRow>,
}

#[derive(Serialize, JsonSchema)]
struct GenerationRow {
    generation: u64,
    /// When it was made, as RFC 3339 has it.
    time: String,
    /// The program and its version.
    tool: String,
    what: String,
    files: Vec<FileRow>,
    /// Who made it; null for one that kasm-db 0.1 made, as is everything below.
    who: Option<WhoRow>,
    /// Why it was made: `--message`.
    message: Option<String>,
    /// The document that it was made from, then those that this one extends; empty for a rollback.
    documents: Vec<DocumentRow>,
    /// The commit that was checked out where the document is.
    git_commit: Option<String>,
    /// The warnings that the document silenced.
    ignored: Vec<String>,
    /// What changed.
    changes: Vec<ChangeRow>,
    /// How many more changes there were.
    changes_left_out: usize,
}

#[derive(Serialize, JsonSchema)]
struct WhoRow {
    /// The name of the user, if the machine knew it.
    user: Option<String>,
    uid: u32,
    /// Who had `sudo` run it.
    sudo_user: Option<String>,
    sudo_uid: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
struct DocumentRow {
    path: String,
    /// The SHA-256 of its content; null if not everybody could read it.
    sha256: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct ChangeRow {
    path: String,
    /// `services.db.image`, or the setting's name.
    subject: String,
    /// The value before, as a plan shows it; null if it was not set.
    before: Option<String>,
    after: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct FileRow {
    path: String,
    in_place: bool,
}

/// What all targets come to.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub(super) struct Totals {
    targets: usize,
    failed: usize,
    generations: usize,
}

/// Returns what was applied to a target.
pub(super) fn row(dir: &TargetDir, history: &History) -> Row<Part> {
    let outcome = history.interrupted.as_ref().map_or(Outcome::Done, |error| error.kind);
    Row {
        folder: Some(history.folder.clone()),
        outcome: Some(outcome.into()),
        own: Part { generations: history.generations.iter().map(generation).collect() },
        errors: history.interrupted.as_ref().map(Problem::all_of).unwrap_or_default(),
        ..Row::of(dir)
    }
}

fn generation(generation: &Generation) -> GenerationRow {
    let file = |file: &Replaced| FileRow { path: file.path.display().to_string(), in_place: file.in_place };
    let note = Note::decode(generation);
    let who = note.as_ref().map(|note| WhoRow {
        user: note.who.name.clone(),
        uid: note.who.uid,
        sudo_user: note.who.sudo_user.clone(),
        sudo_uid: note.who.sudo_uid,
    });
    let note = note.unwrap_or_default();
    let document = |document: NotedDocument| DocumentRow { path: document.path, sha256: document.sha256 };
    let change = |change: NotedChange| ChangeRow {
        path: change.path,
        subject: change.subject,
        before: change.before,
        after: change.after,
    };
    GenerationRow {
        generation: generation.number,
        time: time(generation.time),
        tool: generation.tool.clone(),
        what: generation.what.clone(),
        files: generation.files.iter().map(file).collect(),
        who,
        message: note.message,
        documents: note.documents.into_iter().map(document).collect(),
        git_commit: note.git_commit,
        ignored: note.ignored,
        changes: note.changes.into_iter().map(change).collect(),
        changes_left_out: note.changes_left_out,
    }
}

impl Sum for Totals {
    type Row = Row<Part>;

    fn add(&mut self, row: &Row<Part>) {
        self.targets += 1;
        self.failed += usize::from(!row.errors.is_empty());
        self.generations += row.own.generations.len();
    }
}
