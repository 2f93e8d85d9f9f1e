//! The user that the server of a container runs as, as the host of the engine numbers it.

use crate::docker::{Container, Docker};

/// The number that the kernel gives to a user of a container that is one of the host.
const SAME: &str = "0 0 4294967295";

/// A user, and the groups that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUser {
    /// Its number on the host.
    pub uid: u32,
    /// Its groups, if they are known.
    pub groups: Option<Vec<u32>>,
    /// Whether the numbers in the container are those of the host; `None` if that is not known.
    pub is_same: Option<bool>,
}

impl Docker {
    /// Looks at the processes of a container; `None` if no server is among them, or the engine does not say.
    pub fn server_user(&self, container: &Container) -> Option<ServerUser> {
        let processes = self.processes(&container.name);
        let server = processes.iter().find(|process| process.is_server())?;
        let seen = of_process(server.pid, container);
        Some(seen.unwrap_or(ServerUser { uid: server.uid, groups: None, is_same: None }))
    }
}

/// Reads what the kernel says of a process of the container, if that is one of this machine.
fn of_process(pid: u32, container: &Container) -> Option<ServerUser> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).ok();
    // The number may be another process's, as the engine may be on another machine.
    if container.id.len() < 32 || !read("cgroup")?.contains(&container.id) {
        return None;
    }
    let is_same = read("uid_map").map(|map| map.split_whitespace().collect::<Vec<_>>().join(" ") == SAME);
    let (uid, groups) = credentials(&read("status")?)?;
    Some(ServerUser { uid, groups: Some(groups), is_same })
}

/// Reads the effective user and all groups from `/proc/PID/status`.
fn credentials(status: &str) -> Option<(u32, Vec<u32>)> {
    let numbers = |name: &str| -> Option<Vec<u32>> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().map(|number| number.parse().ok()).collect()
    };
    let uid = *numbers("Uid:")?.get(1)?;
    let mut groups = vec![*numbers("Gid:")?.get(1)?];
    groups.extend(numbers("Groups:").unwrap_or_default());
    Some((uid, groups))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_of_a_process_is_the_effective_one_with_all_its_groups() {
        let status = "Name:\tpostgres\nUid:\t0\t70\t70\t70\nGid:\t0\t71\t71\t71\nGroups:\t5 6 \n";
        assert_eq!(credentials(status), Some((70, vec![71, 5, 6])));
        assert_eq!(credentials("Uid:\t0\nGid:\t0\n"), None);
    }
}
