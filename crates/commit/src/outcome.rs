//! How a commit ended.

use std::fmt;
use std::path::PathBuf;

use crate::error::Error;

/// Returns what a successful commit did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The files that have new content, as their changes named them. It will last: all is synced.
    pub written: Vec<PathBuf>,
    /// The files whose changes were none.
    pub unchanged: Vec<PathBuf>,
    /// The extended attributes that did not survive, because this user may not set them. Never an ACL.
    pub lost_xattrs: Vec<LostXattr>,
    /// The number under which the commit is in the history; `None` if there was nothing to do.
    pub generation: Option<u64>,
    /// What could not be cleaned up after the files were replaced. The files themselves are as they should be.
    pub leftovers: Vec<Error>,
}

/// Names an extended attribute that a replaced file no longer has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LostXattr {
    /// The file, as its change named it.
    pub path: PathBuf,
    /// The attribute, such as `security.selinux`.
    pub name: String,
}

/// Returns why a commit failed and what that means for the files.
#[derive(Debug)]
#[non_exhaustive]
pub struct CommitError {
    /// What went wrong first.
    pub cause: Error,
    /// What the checks found besides it, before anything was written: all of it stands in the way.
    pub others: Vec<Error>,
    /// What holds now.
    pub state: State,
    /// What could not be cleaned up. It does no harm; the next commit for the same files tries again.
    pub leftovers: Vec<Error>,
}

/// Returns how the files are after a commit failed.
#[derive(Debug)]
pub enum State {
    /// No file was touched.
    NothingChanged,
    /// Some files were replaced, and all of them are back; what another process wrote meanwhile is kept.
    RolledBack,
    /// Some files could not be put back, or it could not be made to last that they are. The journal is kept,
    /// and with it all that [`Lock::recover`](crate::Lock::recover) needs once the cause is gone.
    RecoveryPending(Vec<Pending>),
}

/// Returns what became of a file that could not be put back.
#[derive(Debug)]
#[non_exhaustive]
pub struct Pending {
    /// The file, with its absolute path.
    pub path: PathBuf,
    /// What it holds.
    pub holds: Content,
    /// Where the other content is.
    pub kept: Option<Kept>,
    /// Why it could not be put back.
    pub why: Error,
}

/// Names a file that was left because its content may be needed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kept {
    /// The file, with its absolute path.
    pub path: PathBuf,
    /// What it holds.
    pub content: Content,
}

/// Tells the contents apart that a file may have after a failed commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// The one from before the commit.
    Old,
    /// The one the commit was to bring.
    New,
    /// One that another process wrote meanwhile.
    Foreign,
    /// None: there is no such file any more.
    Missing,
    /// One that could not be read to see which it is.
    Unknown,
}

impl CommitError {
    pub(crate) fn nothing_changed(cause: Error, others: Vec<Error>) -> Box<CommitError> {
        Box::new(CommitError { cause, others, state: State::NothingChanged, leftovers: Vec::new() })
    }

    /// Returns what to do now: one sentence, or `None` where the error says it all.
    pub fn help(&self) -> Option<&'static str> {
        match self.state {
            State::RecoveryPending(_) => {
                Some("remove the cause, then recover: that completes or reverts the change")
            }
            State::NothingChanged | State::RolledBack => self.cause.help(),
        }
    }
}

impl std::error::Error for CommitError {}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.cause, self.state)
    }
}

impl fmt::Display for State {
    /// One line; for [`State::RecoveryPending`] one more for each file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::NothingChanged => write!(f, "nothing was changed"),
            State::RolledBack => write!(f, "every file was restored"),
            State::RecoveryPending(pending) => {
                write!(f, "recovery is pending, files that could not be put back: {}", pending.len())?;
                pending.iter().try_for_each(|file| write!(f, "\n{file}"))
            }
        }
    }
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} holds {}", self.path.display(), self.holds)?;
        if let Some(kept) = &self.kept {
            write!(f, ", and {} holds {}", kept.path.display(), kept.content)?;
        }
        write!(f, ": {}", self.why)
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Content::Old => "the old content",
            Content::New => "the new content",
            Content::Foreign => "what another process wrote",
            Content::Missing => "nothing, it is gone",
            Content::Unknown => "content that could not be read",
        })
    }
}
