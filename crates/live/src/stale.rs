//! Whether a container still has the file of the host that is mounted into it.
//!
//! A file that is mounted by itself is mounted with its inode. Whoever replaces it on the host, as editors and kasm-db do,
//! leaves the old one in the container until that is stopped and started.

use std::path::Path;

use crate::docker::{Container, Docker, refused};
use crate::file_identity::identity;
use crate::session::Unreachable;

/// A file: its device and its inode.
type Identity = (u64, u64);

/// Returns whether a container has another file at `inside` than the host has at `here`; `None` if that cannot be known, also
/// because the file is not mounted.
///
/// # Errors
/// The engine does not answer.
pub fn is_stale(
    docker: &Docker,
    container: &Container,
    inside: &str,
    here: &Path,
) -> Result<Option<bool>, Unreachable> {
    let Some(here) = container.host_path(inside).and_then(|_| identity(std::fs::metadata(here))) else {
        return Ok(None);
    };
    let there = match docker.seen_by_process(container, inside)? {
        None => docker.seen_inside(container, inside, here.0)?,
        there => there,
    };
    Ok(there.map(|there| there != here))
}

impl Docker {
    /// Looks through the first process of the container, if it is one of this machine and this user may.
    fn seen_by_process(&self, container: &Container, inside: &str) -> Result<Option<Identity>, Unreachable> {
        let arguments = ["container", "inspect", "--format", "{{.State.Pid}}", "--", &container.id];
        let ended = self.run(&arguments, String::new())?;
        if !ended.status.success() {
            return Err(refused(&self.last_words_of(&ended)));
        }
        let pid = std::str::from_utf8(&ended.stdout).ok().and_then(|pid| pid.trim().parse().ok());
        Ok(pid.filter(|pid| *pid > 1).and_then(|pid| seen_by(pid, container, inside)))
    }

    /// Asks `stat` in the container. Only a file on the same device can be compared: that of another machine is another one.
    fn seen_inside(
        &self,
        container: &Container,
        inside: &str,
        device: u64,
    ) -> Result<Option<Identity>, Unreachable> {
        let arguments = ["exec", "--", &container.name, "stat", "-L", "-c", "%d %i", inside];
        let ended = self.run(&arguments, String::new())?;
        let words = self.last_words_of(&ended);
        // A container without `stat` is another matter.
        if !ended.status.success() && words.to_lowercase().contains("docker daemon") {
            return Err(refused(&words));
        }
        let text = std::str::from_utf8(&ended.stdout).ok().filter(|_| ended.status.success());
        let identity = text.and_then(|text| {
            let (found, inode) = text.trim().split_once(' ')?;
            Some((found.parse().ok()?, inode.parse().ok()?))
        });
        Ok(identity.filter(|identity: &Identity| identity.0 == device))
    }
}

/// Looks through a process of a container.
fn seen_by(pid: u32, container: &Container, inside: &str) -> Option<Identity> {
    let process = format!("/proc/{pid}");
    // The number may be another process's, as the engine may be on another machine.
    let groups = std::fs::read_to_string(format!("{process}/cgroup")).ok()?;
    if container.id.len() < 32 || !groups.contains(&container.id) {
        return None;
    }
    // A link in the path would lead elsewhere from here.
    let path = format!("{process}/root{inside}");
    identity(std::fs::symlink_metadata(path).and_then(|found| match found.is_file() {
        true => Ok(found),
        false => Err(std::io::Error::other("not a regular file")),
    }))
}
