//! What was applied to a target.

use commit::Generation;

use crate::error::Error;
use crate::opened::Rooted;
use crate::selection::Selection;
use crate::target_dir::TargetDir;

/// What was applied to a target.
#[derive(Debug)]
pub struct History {
    /// Where the target's folder is, with all links followed.
    pub folder: String,
    /// The oldest first.
    pub generations: Vec<Generation>,
    /// The error that says that an interrupted run is here.
    pub interrupted: Option<Error>,
}

/// Reads what was applied to a target; writes nothing.
///
/// # Errors
/// Its folder cannot be opened, or what is kept there cannot be read.
pub fn history(dir: &TargetDir, selection: &Selection) -> Result<History, Error> {
    let rooted = Rooted::open(dir, selection)?;
    let generations = rooted.root.history().map_err(|error| Error::from(&error))?;
    Ok(History { folder: rooted.folder(), generations, interrupted: rooted.interrupted() })
}
