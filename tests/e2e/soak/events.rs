//! What happens to a deployment, what is then said of it, and what fixes it.

pub(super) mod containers;
pub(super) mod declared;
pub(super) mod files;
pub(super) mod runs;
pub(super) mod statements;
