//! What is to happen to files.

use std::fmt;
use std::path::PathBuf;

/// Replaces the content of one file.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    /// The file, relative to the root.
    pub path: PathBuf,
    /// The content the change was made for; any other is refused.
    pub before: Vec<u8>,
    /// The content that the file gets.
    pub after: Vec<u8>,
}

/// Chooses how a set of changes is committed.
#[derive(Clone, Default)]
pub struct Options {
    /// The program and its version, for the history.
    pub tool: String,
    /// What the commit is for, such as `apply`, for the history.
    pub what: String,
    /// The files to write in place rather than to exchange, by the paths of their changes.
    ///
    /// Such a file keeps its inode, which a container may have mounted, and may be a mount point itself. The
    /// price: a reader may see it half written, and a crash leaves it so until it is recovered.
    pub in_place: Vec<PathBuf>,
    /// What is to be done once the files are there, in bytes that only the caller understands. They last from
    /// the moment on in which the commit is decided; see [`Root::follow_up`](crate::Root::follow_up). No file
    /// changes, nothing follows.
    pub follow_up: Option<Vec<u8>>,
    /// What else the history is to tell, in bytes that only the caller understands: who, from which document, why. At
    /// most 128 KiB. Whoever can look into the root can read it, so nothing secret belongs there.
    pub note: Vec<u8>,
    /// What is managed below the root, in bytes that only the caller understands; `None` leaves what is there. It is
    /// kept for as long as the root is, however many commits follow; see [`Root::managed`](crate::Root::managed).
    pub managed: Option<Vec<u8>>,
    /// Whether only the owner may read what is managed; otherwise whoever can look into the root can.
    pub managed_is_secret: bool,
}

impl Change {
    pub(crate) fn is_none(&self) -> bool {
        self.before == self.after
    }
}

impl fmt::Debug for Change {
    /// Omits the content: it may hold passwords, and debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change").field("path", &self.path).finish_non_exhaustive()
    }
}

impl fmt::Debug for Options {
    /// Omits what follows and what is managed: it is the caller's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("tool", &self.tool)
            .field("what", &self.what)
            .field("in_place", &self.in_place)
            .finish_non_exhaustive()
    }
}
