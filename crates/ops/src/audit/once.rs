//! Entries that stand in several files, each taken once.
//!
//! A server that logs to several destinations writes each entry into a file of each of them, and one whose
//! `log_destination` was changed has older entries in one file only. So the entries of files that belong together are compared.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use auditlog::AuditEntry;

/// So many entries are compared; of more the memory would be too much.
const MOST: usize = 600_000;

/// Counts of entries by what they say.
pub(crate) type Times = HashMap<u64, u32>;

/// What the files that belong together have shown.
#[derive(Debug, Default)]
pub struct Once {
    shown: Times,
    /// What the file that is read now has.
    here: Times,
    is_full: bool,
}

impl Once {
    /// Begins with another file.
    pub fn begin(&mut self) {
        self.here = Times::new();
    }

    /// Swaps in the counts of a file; a second call swaps them out.
    pub(crate) fn exchange(&mut self, here: &mut Times) {
        std::mem::swap(&mut self.here, here);
    }

    /// Returns whether there were more entries than are compared.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Returns whether another file has shown an entry as often as this one has it.
    pub(crate) fn is_repeated(&mut self, entry: &AuditEntry<'_>) -> bool {
        if self.shown.len() >= MOST {
            self.is_full = true;
            self.here = Times::new();
            return false;
        }
        let key = key(entry);
        let here = self.here.entry(key).or_default();
        *here += 1;
        let shown = self.shown.entry(key).or_default();
        let is_repeated = *here <= *shown;
        *shown = (*shown).max(*here);
        is_repeated
    }
}

/// Returns what is the same of an entry in each format. Names are not: in a log in words they may be uncertain.
fn key(entry: &AuditEntry<'_>) -> u64 {
    let fields = entry.fields();
    let second = entry.timestamp().map(|time| time.moment() / 1000);
    let mut hasher = DefaultHasher::new();
    (second, entry.kind() as u8, entry.statement_id(), entry.substatement_id()).hash(&mut hasher);
    (entry.class(), fields.command(), fields.object_type(), fields.object_name()).hash(&mut hasher);
    (fields.statement(), fields.parameter(), fields.rows()).hash(&mut hasher);
    hasher.finish()
}
