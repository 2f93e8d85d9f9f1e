//! Saved plans: from a plan to its file and back, and what has changed since.

mod compare;
pub mod format;
mod managed;
mod open;
mod record;
mod reread;

pub use compare::Standing;
pub use managed::managed;
pub use open::open;
pub use record::{document_plan, plan_file, saved_image, saved_target};
pub use reread::{Reread, of_target, reread, stale};

pub(crate) use compare::standing;
pub(crate) use reread::refuse;
