//! What could not be found out before a stop: it is said, and not taken for fine.

use model::{Code, Diagnostic};

/// What could not be found out, each with the reason.
#[derive(Default)]
pub(super) struct Unknown {
    all: Vec<String>,
    help: Option<String>,
}

impl Unknown {
    /// Adds one.
    pub(super) fn push(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.all.contains(&what) {
            self.all.push(what);
        }
    }

    /// Sets what to do so that it can be found out.
    pub(super) fn help(&mut self, help: impl Into<String>) {
        self.help.get_or_insert_with(|| help.into());
    }

    /// Returns the warning that says so; `None` if everything was found out.
    pub(super) fn finding(self) -> Option<Diagnostic> {
        let help = self
            .help
            .unwrap_or_else(|| "run as root on the engine's host, or check by hand what is named".into());
        (!self.all.is_empty()).then(|| {
            let message = format!("not checked before the database is stopped: {}", self.all.join("; "));
            Diagnostic::warning(Code::StartNotChecked, message).help(help)
        })
    }
}
