//! Who gets what is read.

use std::time::Duration;

use auditlog::AuditEntry;

use super::reading::Tally;

/// Gets what is read.
pub trait Listener {
    /// Accepts an entry of the file of this name.
    fn entry(&mut self, name: &str, entry: &AuditEntry<'_>);

    /// Accepts what a file holds, and what is wrong with it.
    fn read(&mut self, name: &str, tally: &Tally, wrong: Option<&str>);

    /// Returns whether anybody still listens.
    fn is_open(&self) -> bool;

    /// Lets whoever listens see what there is.
    fn flush(&mut self);

    /// Waits, and ends the wait if nobody listens any more.
    fn wait(&mut self, time: Duration);
}
