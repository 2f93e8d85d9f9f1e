//! How often the container of a database is stopped and started, and for how long the database is away.

use std::io::Write as _;
use std::process::Command;

use crate::bed::{Bed, docker, names};

/// What happened to a database meanwhile.
pub(crate) struct Downtime {
    /// How often a container of it stopped.
    pub(crate) stops: usize,
    /// How often one started.
    pub(crate) starts: usize,
}

impl Downtime {
    /// Counts what the engine tells while something is done, and prints for how long the server took no connections.
    pub(crate) fn of(bed: &Bed, what: &str, act: impl FnOnce()) -> Self {
        let (since, log) = (now(), log(bed).len());
        act();
        let project = format!("label=com.docker.compose.project={}", bed.name);
        let arguments = ["events", "--since", &since, "--until", &now(), "--filter", &project];
        let events = docker(&[&arguments[..], &["--format", "{{.Action}}"]].concat());
        let count = |action: &str| events.lines().filter(|line| *line == action).count();
        let downtime = Self { stops: count("die"), starts: count("start") };
        let (stops, starts) = (downtime.stops, downtime.starts);
        let away =
            away(&log_since(bed, log)).map_or("not away".to_string(), |away| format!("away for {away:.2} s"));
        // Past what catches the output of a test that passes: it is a result.
        let _ = writeln!(
            std::io::stderr(),
            "e2e: {what}: the database is {away}, with {stops} stop(s) and {starts} start(s)"
        );
        downtime
    }
}

/// Returns the time as the engine takes it.
fn now() -> String {
    let output = Command::new("date").arg("+%s.%N").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_string()
}

/// Returns the server's log.
fn log(bed: &Bed) -> String {
    let folder = bed.tree().join("log/postgres");
    let files =
        names(&folder).into_iter().map(|name| std::fs::read_to_string(folder.join(name)).unwrap_or_default());
    files.collect()
}

fn log_since(bed: &Bed, at: usize) -> String {
    log(bed).get(at..).unwrap_or_default().to_string()
}

/// Returns the seconds from the first shutdown to the last time that the server took connections again.
fn away(log: &str) -> Option<f64> {
    let at = |line: &str| {
        let time = line.split(' ').nth(1)?;
        let mut parts = time.splitn(3, ':').map(|part| part.parse::<f64>().ok());
        Some(parts.next()?? * 3600.0 + parts.next()?? * 60.0 + parts.next()??)
    };
    let stop = log.lines().find(|line| line.contains("shutdown request"))?;
    let start = log.lines().rfind(|line| line.contains("ready to accept connections"))?;
    Some(at(start)? - at(stop)?)
}
