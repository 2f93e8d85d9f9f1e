//! Whether a container still has the file of the host that is mounted into it.
//!
//! A file that is mounted by itself is mounted with its inode. Whoever replaces it on the host, as editors and kasm-db do,
//! leaves the old one in the container until that is stopped and started.

use std::path::Path;

use crate::docker::{Container, Docker};
use crate::file_identity::identity;

/// A file: its device and its inode.
type Identity = (u64, u64);

/// Tells whether a container has another file at `inside` than the host has at `here`; `None` if that cannot be told, also
/// because the file is not mounted.
pub fn is_stale(docker: &Docker, container: &Container, inside: &str, here: &Path) -> Option<bool> {
    container.host_path(inside)?;
    let here = identity(std::fs::metadata(here))?;
    let there = docker
        .seen_by_process(container, inside)
        .or_else(|| docker.seen_inside(container, inside, here.0))?;
    Some(there != here)
}

impl Docker {
    /// Looks through the first process of the container, if it is one of this machine and this user may.
    fn seen_by_process(&self, container: &Container, inside: &str) -> Option<Identity> {
        let arguments = ["container", "inspect", "--format", "{{.State.Pid}}", "--", &container.id];
        let ended = self.run(&arguments, String::new()).ok()?;
        let pid: u32 = std::str::from_utf8(&ended.stdout).ok()?.trim().parse().ok().filter(|pid| *pid > 1)?;
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

    /// Asks `stat` in the container. Only a file on the same device can be compared: that of another machine is another one.
    fn seen_inside(&self, container: &Container, inside: &str, device: u64) -> Option<Identity> {
        let arguments = ["exec", "--", &container.name, "stat", "-L", "-c", "%d %i", inside];
        let ended = self.run(&arguments, String::new()).ok()?;
        let text = std::str::from_utf8(&ended.stdout).ok().filter(|_| ended.status.success())?;
        let (found, inode) = text.trim().split_once(' ')?;
        let identity = (found.parse().ok()?, inode.parse().ok()?);
        (identity.0 == device).then_some(identity)
    }
}
