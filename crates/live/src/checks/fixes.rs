//! What to do about failures that several checks find.

/// If only a restart helps.
pub(super) const RESTART: &str = "stop and start the deployment (`bin/stop`, `bin/start`), or run `kasm-db apply` with \
    `restart: {policy: if_needed}` in the document";

/// If the user that asks may not see something.
pub(super) const RIGHTS: &str =
    "name a superuser under `verify: {user: …}` of the document, or grant the user what it lacks";

/// If the files are not as the document says.
pub(super) const APPLY: &str = "run `kasm-db plan`, and `kasm-db apply`";
