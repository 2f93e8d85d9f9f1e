//! Which program is run, and what it gets to see of this process's environment.

use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What children get of this environment. Everything else could steer them: `COMPOSE_FILE`, `LD_PRELOAD`,
/// `PGOPTIONS`, and passwords would stand in their environment for others to read.
const PASSED_ON: &[&str] = &[
    "HOME",
    "PATH",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    // Which engine is meant is said in no other way.
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "DOCKER_API_VERSION",
    "SSH_AUTH_SOCK",
];

/// Gives the environment of every child: messages come in English, in UTF-8.
pub(crate) fn environment() -> Vec<(OsString, OsString)> {
    let passed = PASSED_ON.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
    passed.chain([("LC_ALL".into(), "C.UTF-8".into())]).collect()
}

/// Why a program can not be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotFound {
    #[error("`{0}` is not in PATH")]
    Missing(String),
    #[error("{0} is not there, or is no program")]
    NoProgram(String),
    #[error("{path} can be replaced by others: its mode is {mode:04o}")]
    Open { path: String, mode: u32 },
}

/// Finds a program by name in the absolute folders of `PATH`.
///
/// # Errors
/// It is not there; or it, or its folder, can be written by everybody: then it is not what it seems.
pub(crate) fn find(name: &str) -> Result<PathBuf, NotFound> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_program = |path: &PathBuf| {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let found = std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(is_program)
        .ok_or_else(|| NotFound::Missing(name.to_string()))?;
    check(found)
}

/// Checks a program that was named by its path.
///
/// # Errors
/// As for [`find`].
pub(crate) fn check(found: PathBuf) -> Result<PathBuf, NotFound> {
    let is_program =
        found.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    if !is_program {
        return Err(NotFound::NoProgram(found.display().to_string()));
    }
    let folder = found.parent().unwrap_or(Path::new("/"));
    for path in [&*found, folder] {
        // A sticky folder such as /tmp lets nobody replace what is another's.
        let open = |mode: u32| mode & 0o002 != 0 && mode & 0o1000 == 0;
        if let Some(mode) = path.metadata().ok().map(|meta| meta.mode()).filter(|mode| open(*mode)) {
            return Err(NotFound::Open { path: path.display().to_string(), mode: mode & 0o7777 });
        }
    }
    Ok(found)
}
