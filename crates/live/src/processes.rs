//! The processes of a container, as the engine's host sees them.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use crate::docker::Docker;
use crate::session::Unreachable;
use crate::watch::Commanding;

/// How long the engine may take to list them.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How long psql may take before it is asked whether it waits for a process that is stopped.
const PATIENCE: Duration = Duration::from_secs(6);

/// A process of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// The user that it runs as.
    pub(crate) uid: u32,
    /// Its number on the engine's host.
    pub(crate) pid: u32,
    /// As `ps` has it: `Ss`, `T`, …
    pub(crate) state: String,
    pub(crate) command: String,
}

impl Process {
    /// Reads a line of `ps -eo uid,pid,stat,args`.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (uid, pid, state) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
        let command = words.collect::<Vec<_>>().join(" ");
        Some(Self { uid, pid, state: state.to_string(), command })
    }

    /// Returns whether it is one of the server's.
    pub(crate) fn is_server(&self) -> bool {
        let program = self.command.split([' ', ':']).next().unwrap_or_default();
        matches!(program.rsplit('/').next(), Some("postgres" | "postmaster"))
    }

    /// Returns whether a signal has stopped it.
    fn is_stopped(&self) -> bool {
        self.state.starts_with(['T', 't'])
    }

    /// Returns what it is, such as `postgres: logger`, without the arguments of the server.
    fn name(&self) -> &str {
        match self.command.split_once(' ') {
            Some((program, _)) if !program.ends_with(':') => program,
            _ => &self.command,
        }
    }
}

impl Docker {
    /// Lists the processes of a container; none if the engine does not say.
    pub(crate) fn processes(&self, name: &str) -> Vec<Process> {
        let arguments = ["container", "top", name, "-eo", "uid,pid,stat,args"];
        let Ok(ended) = self.run_within(&arguments, String::new(), TIMEOUT, None) else { return Vec::new() };
        let text = String::from_utf8_lossy(&ended.stdout);
        text.lines().filter_map(Process::parse).collect()
    }

    /// Reports that a process of the server is stopped, if one is: whoever waits for it waits for ever.
    pub(crate) fn stopped(&self, name: &str) -> Option<Unreachable> {
        let processes = self.processes(name);
        let stopped = processes.iter().find(|process| process.is_server() && process.is_stopped())?;
        Some(Unreachable::new(
            format!(
                "the process {} (`{}`) of the server is stopped, as by SIGSTOP",
                stopped.pid,
                stopped.name()
            ),
            format!("let it continue with `kill -CONT {}` on the engine's host", stopped.pid),
        ))
    }
}

/// Looks, while psql runs, whether it waits for a process that is stopped, and ends it then.
pub(crate) struct Stall<'a> {
    docker: &'a Docker,
    container: &'a str,
    started: Instant,
    looked: Cell<bool>,
    found: RefCell<Option<Unreachable>>,
}

impl<'a> Stall<'a> {
    pub(crate) fn new(docker: &'a Docker, container: &'a str) -> Self {
        let (looked, found) = (Cell::new(false), RefCell::new(None));
        Self { docker, container, started: Instant::now(), looked, found }
    }

    /// Returns what was found.
    pub(crate) fn into_found(self) -> Option<Unreachable> {
        self.found.into_inner()
    }
}

impl Commanding for Stall<'_> {
    fn started(&self, _: u32) {}

    fn ended(&self) {}

    fn until(&self) -> Option<Instant> {
        if self.started.elapsed() > PATIENCE && !self.looked.replace(true) {
            *self.found.borrow_mut() = self.docker.stopped(self.container);
        }
        self.found.borrow().is_some().then_some(self.started)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_of_a_server_are_read_and_named_without_their_arguments() {
        let read = |line: &str| Process::parse(line).unwrap();
        let main = read("100  3012  Ts  postgres -c config_file=/conf/postgresql.conf");
        assert_eq!((main.uid, main.pid, main.name()), (100, 3012, "postgres"));
        assert!(main.is_server() && main.is_stopped());
        let logger = read("70 3339 Ss postgres: logger ");
        assert!(logger.is_server() && !logger.is_stopped() && logger.name() == "postgres: logger");
        let path = read("70 1 Ss /usr/lib/postgresql/15/bin/postgres -D /data");
        assert!(path.is_server() && path.name() == "/usr/lib/postgresql/15/bin/postgres");
        assert!(!read("0 9 S sh -c postgres").is_server());
        assert_eq!(Process::parse("UID PID STAT COMMAND"), None);
    }
}
