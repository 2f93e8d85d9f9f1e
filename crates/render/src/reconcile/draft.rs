//! What the parts of a plan are gathered in, and the plan that comes of it.

use std::collections::{BTreeMap, HashSet};

use model::{Code, Diagnostic, Location};

use crate::file_kind::FileKind;
use crate::observe::ObservedState;
use crate::plan::{FileChange, Plan, ValueChange};
use crate::text_edit::{Replacement, TextEdit};

/// What the parts of a plan are gathered in.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) changes: Vec<ValueChange>,
    replacements: BTreeMap<String, (FileKind, Vec<Replacement>)>,
    pub(super) findings: Vec<Diagnostic>,
}

impl Draft {
    /// Starts with what was found in looking.
    pub(super) fn new(findings: Vec<Diagnostic>) -> Self {
        Self { findings, ..Self::default() }
    }

    /// Adds changes of a file.
    pub(super) fn replace(
        &mut self,
        path: &str,
        kind: FileKind,
        replacements: impl IntoIterator<Item = Replacement>,
    ) {
        let entry = self.replacements.entry(path.to_string()).or_insert_with(|| (kind, Vec::new()));
        entry.1.extend(replacements);
    }

    /// Adds a finding, once.
    pub(super) fn find(&mut self, finding: Diagnostic) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Adds a finding that a declared value causes, with the place of that value.
    pub(super) fn find_declared(&mut self, mut finding: Diagnostic, place: Option<&Location>) {
        finding.related = place.map(|place| (place.clone(), "declared here".to_string()));
        self.find(finding);
    }

    /// Builds the plan, with the files as its changes leave them.
    pub(super) fn plan(mut self, observed: &ObservedState) -> Plan {
        let mut files = Vec::new();
        for (path, (kind, mut replacements)) in std::mem::take(&mut self.replacements) {
            // Two projects that share a file ask for the same change twice.
            let mut seen = HashSet::new();
            replacements.retain(|replacement| seen.insert(replacement.clone()));
            let before = observed.snapshot.shared(&path).cloned().unwrap_or_default();
            match TextEdit::new(&before, replacements) {
                Ok(edit) if edit.is_empty() => {}
                Ok(edit) => files.push(FileChange::new(path, kind, before, edit)),
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
            ignored: Vec::new(),
            restored: Vec::new(),
            in_order,
            skipped: observed.skipped.clone(),
        }
    }
}
