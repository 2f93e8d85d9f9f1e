//! What would change, what it costs, and what stands in its way.

use model::{Diagnostic, Ignorable, Severity};

use crate::file_kind::FileKind;
use crate::redact::{self, Hiding};
use crate::source::Bytes;
use crate::target::Target;
use crate::text_edit::TextEdit;

/// The way from what is there to what is wanted, for one target.
///
/// A plan alone drives an apply: it holds the bytes that it was made from and those that it leads to.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The target.
    pub target: Target,
    /// What changes, one entry for each value.
    pub changes: Vec<ValueChange>,
    /// The files that change; none where a blocker stands in the way of all of them.
    pub files: Vec<FileChange>,
    /// Blockers and warnings.
    pub findings: Vec<Diagnostic>,
    /// Warnings that are silenced.
    pub ignored: Vec<Diagnostic>,
    /// The values among the changes that are no longer declared, and are restored to what stood there before.
    pub restored: Vec<String>,
    /// Files that were read and found to be in order, with nothing to change.
    pub in_order: Vec<String>,
    /// Compose files without the database service.
    pub skipped: Vec<String>,
}

/// One changed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueChange {
    /// The file, relative to the target's root.
    pub path: String,
    /// The line, from 1; of an added line, the one that it will have.
    pub line: usize,
    /// What it is: `services.db.image`, or the setting's name.
    pub subject: String,
    /// What happens to it.
    pub action: Action,
    /// The value before, if something set it, as it may be shown.
    pub before: Option<String>,
    /// The value before as it is, where it may be a secret and `before` hides it.
    pub secret: Option<String>,
    /// The value after; none where it is commented out.
    pub after: Option<String>,
    /// What it takes for the change to have an effect.
    pub needs: Needs,
    /// Why, where it is not plain.
    pub why: Option<String>,
}

/// What happens to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is written where nothing was.
    Add,
    /// It becomes another.
    Change,
    /// It is commented out.
    Remove,
}

/// What it takes for a change to have an effect; the greater includes the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Nothing is running from this file.
    Nothing,
    /// The server reads its configuration again.
    Reload,
    /// The server starts again.
    Restart,
    /// The container is recreated.
    Recreate,
}

/// One changed file.
#[derive(Clone, Debug)]
pub struct FileChange {
    /// The path, relative to the target's root.
    pub path: String,
    /// What kind of file it is.
    pub kind: FileKind,
    /// The bytes that the plan saw.
    pub before: Bytes,
    /// The bytes that it leads to.
    pub after: Bytes,
    /// The way from one to the other.
    pub edit: TextEdit,
    /// What a diff hides, before and after.
    pub(crate) hidden: (Hiding, Hiding),
    /// Whether lines come back that nobody declared, and that may hold a secret.
    pub(crate) restores: bool,
}

impl FileChange {
    /// Returns whether another file changes in the same way, and the same of it is hidden.
    pub fn is_as(&self, other: &Self) -> bool {
        // What is hidden in a conf depends on more than its bytes.
        [self, other].iter().all(|file| file.kind == FileKind::Compose && !file.restores)
            && self.before == other.before
            && self.edit == other.edit
    }

    /// Applies an edit to the bytes of a file. What a diff hides is known once the result was read; until then, everything.
    pub(crate) fn new(path: String, kind: FileKind, before: Bytes, edit: TextEdit) -> Self {
        let after = edit.apply(&before).into();
        let hidden = (redact::everything(), redact::everything());
        FileChange { path, kind, before, after, edit, hidden, restores: false }
    }

    /// Marks that lines come back that nobody declared.
    pub(crate) fn restoring(mut self) -> Self {
        self.restores = true;
        self
    }
}

impl Plan {
    /// Returns whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.changes.is_empty()
    }

    /// Returns what stands in the way.
    pub fn blockers(&self) -> impl Iterator<Item = &Diagnostic> {
        self.findings.iter().filter(|finding| finding.is_error())
    }

    /// Returns what somebody should know.
    pub fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.findings.iter().filter(|finding| !finding.is_error())
    }

    /// Returns whether the plan must not be applied.
    pub fn is_blocked(&self) -> bool {
        self.blockers().next().is_some()
    }

    /// Returns what the whole plan takes.
    pub fn needs(&self) -> Needs {
        self.changes.iter().map(|change| change.needs).max().unwrap_or(Needs::Nothing)
    }

    /// Silences warnings.
    pub fn ignore(&mut self, silenced: &[Ignorable]) {
        self.ignored.extend(Ignorable::take(silenced, &mut self.findings));
    }

    /// Turns blockers that a person may override, and did by name, into warnings.
    pub fn allow(&mut self, names: &[String]) {
        for finding in &mut self.findings {
            if finding.code.risk().is_some() && names.iter().any(|name| name == finding.code.name()) {
                finding.severity = Severity::Warning;
            }
        }
    }
}
