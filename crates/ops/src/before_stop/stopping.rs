//! A database that is about to be stopped, as far as it is known without asking.

use live::SslMode;
use model::document::Verify;
use model::{Diagnostic, Severity};
use render::Declared;

use crate::context::Context;
use crate::follow_up::record::Record;
use crate::opened::Rooted;
use crate::trust::Trust;

/// What is known of a database that is about to be stopped, besides its files.
pub(crate) struct BeforeStop<'a> {
    /// How the server is reached.
    pub(crate) verify: Verify,
    /// What the command line says of TLS.
    pub(crate) sslmode: Option<SslMode>,
    /// What of its settings is declared.
    pub(crate) declared: &'a Declared,
    /// The PostgreSQL major that is to start; that of the running server if it is not known.
    pub(crate) major: Option<u16>,
    /// The command that stops it.
    pub(super) stop: &'a [String],
    /// The command that starts it.
    pub(super) start: &'a [String],
    /// Whose programs are run.
    pub(super) trust: Trust,
    pub(crate) rooted: &'a Rooted,
    pub(crate) context: &'a Context<'a>,
}

impl<'a> BeforeStop<'a> {
    /// Accepts what is known from the record of what is about to be done.
    pub(crate) fn of(record: &'a Record, rooted: &'a Rooted, context: &'a Context<'a>) -> Self {
        Self {
            verify: record.follow_up.verify(),
            sslmode: record.sslmode,
            declared: &record.declared,
            major: record.major,
            stop: &record.follow_up.stop,
            start: &record.follow_up.start,
            trust: Trust::new(&record.trust, context.selection),
            rooted,
            context,
        }
    }

    /// Returns whether it is started by the tree's own command, which starts the whole project.
    pub(super) fn has_own_start(&self) -> bool {
        let own = self.rooted.root.path().join("bin/start");
        matches!(self.start, [start] if *start == own.display().to_string() || start == "bin/start")
    }

    /// Makes warnings of what is allowed.
    pub(super) fn allow(&self, findings: &mut [Diagnostic]) {
        let allow = &self.context.selection.allow;
        for finding in findings {
            if finding.code.risk().is_some() && allow.iter().any(|name| name == finding.code.name()) {
                finding.severity = Severity::Warning;
            }
        }
    }
}
