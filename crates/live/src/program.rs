//! Which program is run.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::trust::{Weak, Weakness, walk};

/// Why a program cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// No folder of `PATH` has one of this name.
    #[error("`{0}` is not in PATH")]
    Missing(String),
    /// There is nothing at the path that can be run.
    #[error("{0} is not there, or is no program")]
    NoProgram(String),
    /// Others than its owner can write to it, or to a folder on the way to it.
    #[error("{path} can be replaced by others: its mode is {mode:04o}")]
    Open {
        /// The program, or a folder on the way to it.
        path: String,
        /// Its permissions.
        mode: u32,
    },
    /// It, or a folder on the way to it, belongs to somebody else, and root would run it.
    #[error("{path} belongs to the user {uid}, and would run as root")]
    Foreign {
        /// The program, or a folder on the way to it.
        path: String,
        /// The numeric owner.
        uid: u32,
    },
}

/// Finds a program by name in the absolute folders of `PATH`.
///
/// # Errors
/// It is not there; or somebody else could replace it: then it is not what it seems.
pub fn find(name: &str, environment: &Environment) -> Result<PathBuf, NotFound> {
    let path = environment.get("PATH").unwrap_or_default();
    let found = std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
        .ok_or_else(|| NotFound::Missing(name.to_string()))?;
    check(found, &|_| false)
}

/// Checks a program that was named by its path. Root runs what belongs to somebody else only if that user is `trusted`.
///
/// # Errors
/// As for [`find`].
pub fn check(found: PathBuf, trusted: &dyn Fn(u32) -> bool) -> Result<PathBuf, NotFound> {
    let missing = || NotFound::NoProgram(found.display().to_string());
    if !is_program(&found) {
        return Err(missing());
    }
    let is_root = rustix::process::geteuid().is_root();
    for Weak { path, why } in walk(&found).map_err(|_| missing())? {
        let path = path.display().to_string();
        match why {
            Weakness::Writable { mode, .. } => return Err(NotFound::Open { path, mode }),
            Weakness::Owner { uid } if is_root && !trusted(uid) => {
                return Err(NotFound::Foreign { path, uid });
            }
            Weakness::Owner { .. } => {}
        }
    }
    Ok(found)
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
