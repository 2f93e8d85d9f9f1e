//! The choices of whoever applies.

use live::SslMode;

/// How to apply.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Whether nobody is asked.
    pub yes: bool,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// Whether files are written in place rather than replaced.
    pub in_place: bool,
    /// Whether the run ends after the files, whatever `restart` of the document says.
    pub files_only: bool,
    /// Whether what follows is left to a later run.
    pub no_restart: bool,
    /// Whether the old files come back if the database does not come up on the new ones.
    pub rollback_on_failure: bool,
    /// Whether a target that fails in the first pass is left out, rather than keeping the others from being written.
    pub keep_going: bool,
    /// With `keep_going`: how many targets may fail. If more fail in the first pass, nothing is written; up to so many, a target
    /// that fails in the second pass does not end the run. Without it, the first one that fails there does.
    pub max_failures: Option<usize>,
    /// How far the server has to prove who it is, over TCP.
    pub sslmode: Option<SslMode>,
}
