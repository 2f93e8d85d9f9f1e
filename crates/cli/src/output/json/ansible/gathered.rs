//! What a run came to, as far as it is known.

use live::Scrubber;
use ops::{Error, FilesState};

use super::difference::FileDifference;
use crate::output::emitter::Asked;
use crate::output::json::problem::Problem;
use crate::output::json::target::Row;
use crate::output::json::words::Needs;
use crate::output::json::{apply, plan, verify};

/// What a run came to, as far as it is known.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) asked: Asked,
    /// Whether a document lets the run restart the database.
    pub(super) restarts: bool,
    pub(super) plans: Vec<Row<plan::Part>>,
    pub(super) applied: Vec<Row<apply::Part>>,
    pub(super) verified: Vec<Row<verify::Part>>,
    pub(super) differences: Vec<FileDifference>,
    /// Errors and warnings that are in no row.
    pub(super) problems: Vec<Problem>,
    /// What holds for the files after the errors so far; nothing if nothing changed.
    state: Option<FilesState>,
    /// Whether a step is left to a later run, which is not a failure.
    pub(super) is_left: bool,
    /// What a server needs to do as the document says; nothing if none was asked.
    pub(super) server_needs: Option<Needs>,
    pub(super) scrubber: Scrubber,
}

impl Gathered {
    /// Notes what holds for the files after an error.
    pub(super) fn failed(&mut self, error: &Error) {
        if error.state != FilesState::NothingChanged {
            self.state = Some(error.state);
        }
    }

    /// Returns what holds for the files.
    pub(super) fn state(&self) -> FilesState {
        self.state.unwrap_or(FilesState::NothingChanged)
    }
}
