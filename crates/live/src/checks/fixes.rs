//! What to do about failures that several checks find.

/// If only a restart helps.
pub(super) const RESTART: &str = "stop and start the deployment (`bin/stop`, `bin/start`), or run `kasm-db apply` with \
    `restart: {policy: if_needed}` in the document";

/// If the files are not as the document says.
pub(super) const APPLY: &str = "run `kasm-db plan`, and `kasm-db apply`";
