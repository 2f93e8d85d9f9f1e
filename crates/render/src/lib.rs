//! Finds and changes what a kasm-db document names, and plans it.
//!
//! [`observe`] reads a target through a [`Source`]; [`reconcile`] compares it with a
//! [`DesiredState`](model::DesiredState) and gives a [`Plan`]: pure, proved, and free of IO.

mod adoption;
mod compose;
mod conf;
pub mod diff;
mod lines;
mod log;
mod observe;
mod plan;
mod reconcile;
pub mod redact;
mod rendered;
mod secrets;
mod source;
mod target;
mod text_edit;

pub use adoption::{Adoption, LeftOut, adopt};
pub use compose::CommandOption;
pub use log::{LogFolder, ServerLog};
pub use observe::{ObservedState, observe, observe_with};
pub use plan::{Action, Change, FileChange, FileKind, Needs, Plan};
pub use reconcile::{is_library, preload_is_met, proved, reconcile};
pub use rendered::{Rendered, redacted, rendered};
pub use secrets::secrets;
pub use source::{Found, Snapshot, Source};
pub use target::{Target, TargetKind};
pub use text_edit::{Overlap, Replacement, TextEdit};
