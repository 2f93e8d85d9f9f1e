//! What kinds of values change.

use crate::file_kind::FileKind;
use crate::plan::{Action, ValueChange};
use crate::reconcile::PRELOAD;

/// What a changed value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The image of the database's service.
    Image,
    /// The libraries that are preloaded.
    Preload,
    /// A setting of postgresql.conf.
    Setting,
    /// A setting that is commented out.
    Unset,
}

impl ValueChange {
    /// Returns what the value is.
    pub fn kind(&self) -> ChangeKind {
        match self.action {
            _ if FileKind::of(self.path.as_ref()) == FileKind::Compose => ChangeKind::Image,
            _ if self.subject == PRELOAD => ChangeKind::Preload,
            Action::Remove => ChangeKind::Unset,
            Action::Add | Action::Change => ChangeKind::Setting,
        }
    }
}
