//! What the server reads at its next start, whether it is what is declared, and whether it would start with it.
//!
//! A plan asks nobody, and sees the files of the target. Others count as well: `postgresql.auto.conf`, files in the image
//! or in a volume. Whoever has asked the server for them hands them in.

mod declared;
mod lines;
mod reading;
mod rules;
#[cfg(test)]
mod tests;

use model::Diagnostic;

pub use self::declared::Declared;
pub use self::lines::RefusedLine;
pub use self::reading::{Edit, Foreign, NextStart, NextValue, Ways};

impl NextStart<'_> {
    /// Returns what keeps the server from starting, as far as the files tell.
    pub fn would_not_start(&self) -> Vec<Diagnostic> {
        let mut findings = lines::check(self);
        findings.extend(rules::check(self));
        findings
    }

    /// Returns which lines that the running server does not take keep it from starting: it knows more rules than are known
    /// here.
    pub fn refused_by_server(&self, lines: &[RefusedLine]) -> Vec<Diagnostic> {
        lines::refused_by_server(self, lines)
    }

    /// Returns which declared values the next start would not have, as a file or an option hides them.
    pub fn differs(&self, declared: &Declared) -> Vec<Diagnostic> {
        declared::check(self, declared)
    }
}
