//! Whether the commands that stop and start the database can be run.

use model::{Code, Diagnostic};

use super::seen::Seen;
use super::stopping::BeforeStop;
use crate::follow_up::runner::program_of;

impl BeforeStop<'_> {
    /// Looks for the commands: a database that is stopped and cannot be started stays down.
    pub(super) fn programs(&self, seen: &mut Seen) {
        for (argv, name) in [(self.stop, "stops"), (self.start, "starts")] {
            if let Err(error) = program_of(argv, &self.rooted.root, &self.trust, &self.context.environment) {
                let message =
                    format!("the command that {name} the database cannot be run: {}", error.message);
                let help = error.help.unwrap_or_default();
                seen.findings.push(Diagnostic::error(Code::WouldNotStart, message).help(help));
            }
        }
    }
}
