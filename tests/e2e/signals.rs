//! Signals while the deployment is stopped and started.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use crate::bed::{Bed, Run, STOCK};
use crate::steps::{count, in_front, step};

const DOCUMENT: &str = "restart:\n  policy: if_needed\n  timeout: 120s\n";

/// An end "at once" on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// A run whose standard error is read as it comes.
struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Running {
    fn start(bed: &Bed, arguments: &str) -> Self {
        let plain = bed.command(arguments);
        // A job that a script runs in the background ignores SIGINT, and so would what it starts.
        let mut command = Command::new("env");
        command.arg("--default-signal=INT,HUP,TERM").arg(plain.get_program()).args(plain.get_args());
        command.current_dir(plain.get_current_dir().unwrap()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr, said: String::new() }
    }

    /// Reads until a line holds this.
    #[track_caller]
    fn until(&mut self, part: &str) {
        while !self.said.contains(part) {
            let read = self.stderr.read_line(&mut self.said).unwrap();
            assert!(read > 0, "{part:?} is not in\n{}", self.said);
        }
    }

    fn send(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    }

    fn end(mut self) -> Run {
        self.stderr.read_to_string(&mut self.said).unwrap();
        Run { code: self.child.wait().unwrap().code(), stdout: String::new(), stderr: self.said }
    }
}

#[test]
fn a_signal_waits_for_the_end_of_the_command_and_the_next_run_continues_after_it() {
    let cases = [("stop", "start", "TERM", "apply --yes"), ("start", "healthy", "INT", "recover")];
    for (name, next, signal, go_on) in cases {
        let bed = Bed::running(STOCK);
        bed.document(DOCUMENT);
        in_front(&bed, name, "sleep 2\nREAL\necho it is done");
        let mut running = Running::start(&bed, "apply --yes");
        running.until("  | it runs");
        running.send(signal);
        running.until(&format!("SIG{signal}: waiting until `"));
        running.until("  | it is done");
        let run = running.end().expect(130).says(&[
            &format!("bin/{name}` ends, at most 30 seconds; a second signal ends at once"),
            &format!("error: interrupted by SIG{signal}\n"),
            "  = help: changed: ",
            "conf/database/postgresql.conf",
            &format!("`kasm-db apply` or `kasm-db recover` resumes at the step `{next}`"),
            "  = state: files applied, what follows is not done",
        ]);
        assert!(!run.stderr.contains("waiting for the database"), "{}", run.stderr);
        assert_eq!((step(&bed).as_str(), count(&bed, name)), (next, 1));
        bed.run(go_on).expect(0).says(&["the database answers"]);
        assert_eq!(count(&bed, name), 1, "the command was run again");
        bed.run("verify --no-probe").expect(0);
    }
}

#[test]
fn a_second_signal_ends_at_once_and_a_command_that_fails_is_said() {
    let bed = Bed::running(STOCK);
    bed.document(DOCUMENT);
    let pid = bed.root.join("pid");
    in_front(&bed, "stop", &format!("sleep 600 & echo $! > {}; echo it hangs; wait", pid.display()));
    let mut running = Running::start(&bed, "apply --yes");
    running.until("  | it hangs");
    running.send("INT");
    running.until("a second signal ends at once");
    let started = Instant::now();
    running.send("TERM");
    running.end().expect(130).says(&["error: interrupted by SIGTERM", "resumes at the step `stop`"]);
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    assert_eq!(step(&bed), "stop");
    let pid = std::fs::read_to_string(pid).unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    while !(stat().is_empty() || stat().contains(") Z ")) {
        assert!(started.elapsed() < SOON, "what it started runs on: {}", stat());
        std::thread::sleep(Duration::from_millis(20));
    }

    // It fails behind the signal: both are said, and it is taken again.
    in_front(&bed, "stop", "sleep 1; echo no such thing >&2; exit 5");
    let mut running = Running::start(&bed, "recover");
    running.until("  | it runs");
    running.send("HUP");
    running.end().expect(130).says(&[
        "error: interrupted by SIGHUP; `",
        "bin/stop` ended with 5: no such thing",
        "resumes at the step `stop`",
    ]);
    in_front(&bed, "stop", "REAL");
    bed.run("apply --yes").expect(0).says(&["at its step `stop`"]);
    bed.run("verify --no-probe").expect(0);
}

#[test]
fn a_signal_ends_the_wait_for_the_database_at_once() {
    let bed = Bed::running(STOCK);
    bed.document(DOCUMENT);
    in_front(&bed, "start", "exit 0");
    let mut running = Running::start(&bed, "apply --yes");
    running.until("waiting for the database, at most 120 seconds");
    let started = Instant::now();
    running.send("TERM");
    running.end().expect(130).says(&["error: interrupted by SIGTERM", "resumes at the step `healthy`"]);
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    assert_eq!(step(&bed), "healthy");
    bed.bin("start.real");
    bed.run("recover").expect(0).says(&["the database answers"]);
    bed.run("verify --no-probe").expect(0);
}

#[test]
fn a_command_that_hangs_behind_a_signal_is_ended_in_the_end() {
    let bed = Bed::running(STOCK);
    bed.document(DOCUMENT);
    in_front(&bed, "stop", "trap '' TERM INT\nsleep 600 & wait");
    let mut running = Running::start(&bed, "apply --yes --rollback-on-failure");
    running.until("  | it runs");
    let started = Instant::now();
    running.send("TERM");
    running.end().expect(130).says(&[
        "error: interrupted by SIGTERM; `",
        "bin/stop` did not end within 30 seconds after it, and was ended",
        "resumes at the step `stop`",
    ]);
    let took = started.elapsed();
    assert!(took > Duration::from_secs(25) && took < Duration::from_secs(60), "{took:?}");
    // Nobody asked for the old files.
    assert!(bed.read("conf/database/postgresql.conf").contains("pgaudit.log = "), "the files went back");
    assert_eq!(step(&bed), "stop");
}
