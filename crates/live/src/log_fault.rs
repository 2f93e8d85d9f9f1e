//! Why what the server logs does not get into the file of its log.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;

use crate::cause::full;
use crate::docker::Container;
use crate::facts::LogFault;
use crate::log::Log;
use crate::way::Way;

/// Finds the reason; `None` if it cannot be seen from here.
pub(crate) fn find(way: &Way, log: &Log<'_>, container: Option<&Container>) -> Option<LogFault> {
    let (processes, name) = match (way.docker(), container) {
        (Some(docker), Some(container)) => (docker.processes(&container.name), Some(&container.name)),
        _ => (Vec::new(), None),
    };
    if let (Some(docker), Some(name)) = (way.docker(), name)
        && let Some(stopped) = docker.stopped(name)
    {
        return Some(LogFault { why: stopped.why, fix: stopped.fix });
    }
    let path = log.path()?;
    let folder = path.parent()?;
    if let Some(why) = full(folder) {
        return Some(LogFault {
            why,
            fix: "free space on that disk: the server then continues to write".into(),
        });
    }
    let rotate = "run `SELECT pg_rotate_logfile();`, with which the server opens its log file again";
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let why = format!("{} was removed or renamed, and the server still has it open", path.display());
            return Some(LogFault { why, fix: rotate.into() });
        }
        Err(_) => return None,
    };
    // Some program of the image may have been started as root before.
    let server = processes.iter().filter(|process| process.is_server()).map(|process| process.uid).next();
    if let Some(uid) = server.filter(|uid| *uid != found.uid()) {
        let why =
            format!("{} belongs to the user {}, and the server runs as {uid}", path.display(), found.uid());
        let group = std::fs::metadata(folder).map_or(uid, |folder| folder.gid());
        let fix = format!("run `chown {uid}:{group} {}`, then {rotate}", path.display());
        return Some(LogFault { why, fix });
    }
    let why = format!("{} is not the file that the server has opened: it was replaced", path.display());
    Some(LogFault { why, fix: rotate.into() })
}
