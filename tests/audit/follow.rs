//! `--follow` shows what is added, whatever happens to the file.

use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::command::Sandbox;
use crate::csv;

const WAIT: Duration = Duration::from_secs(20);

struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    fn start(sandbox: &Sandbox, arguments: &str) -> Self {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_kasm-db"));
        command.arg("audit").args(arguments.split_whitespace()).args(["--follow", "--format", "json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        Self { child, lines: Self::lines(out) }
    }

    fn lines(out: ChildStdout) -> Receiver<String> {
        let (sends, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sends.send(line).is_err() {
                    return;
                }
            }
        });
        lines
    }

    /// The next entry is the one with this id.
    #[track_caller]
    fn expect(&self, id: usize) {
        let line = self.lines.recv_timeout(WAIT).unwrap_or_else(|_| panic!("no entry {id}"));
        assert!(line.contains(&format!("\"statement_id\":{id},")), "not {id}: {line}");
    }

    fn end(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines.iter().collect()
    }
}

fn append(path: &PathBuf, text: &str) {
    File::options().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn what_is_added_rotated_and_truncated_is_shown_once() {
    let sandbox = Sandbox::new();
    let log = sandbox.root().join("pg.csv");
    append(&log, &csv(1, "READ", "a"));
    let following = Following::start(&sandbox, "pg.csv");
    following.expect(1);
    let two = csv(2, "READ", "b\nc");
    append(&log, &two[..150]);
    std::thread::sleep(Duration::from_millis(500));
    append(&log, &two[150..]);
    following.expect(2);
    // The old file gets its last entry while it is renamed.
    std::fs::rename(&log, sandbox.root().join("pg.csv.1")).unwrap();
    append(&sandbox.root().join("pg.csv.1"), &csv(3, "READ", "d"));
    append(&log, &csv(4, "READ", "e"));
    following.expect(3);
    following.expect(4);
    std::fs::write(&log, "").unwrap();
    std::thread::sleep(Duration::from_millis(700));
    append(&log, &csv(5, "READ", "f"));
    following.expect(5);
    assert_eq!(following.end(), [""; 0]);
}

#[test]
fn a_log_in_words_shows_an_entry_before_the_next_one_comes() {
    let sandbox = Sandbox::new();
    let log = sandbox.root().join("pg.log");
    let line = |id: usize, statement: &str| {
        format!(
            "2026-11-22 22:46:35.752 UTC [7] LOG:  AUDIT: SESSION,{id},1,READ,SELECT,,,{statement},<none>\n"
        )
    };
    append(&log, &line(1, "x"));
    let following = Following::start(&sandbox, "pg.log");
    following.expect(1);
    append(&log, &line(2, "\"x\n\ty\""));
    following.expect(2);
    assert_eq!(following.end(), [""; 0]);
}

#[test]
fn what_was_shown_is_not_shown_again_under_another_name() {
    let sandbox = Sandbox::new();
    let folder = sandbox.target("existing").join("log/postgres");
    let log = folder.join("postgresql-11-23.log");
    let named = |more: &str| folder.join(format!("postgresql-11-23.log{more}"));
    let line = |id: usize| {
        format!("2026-11-23 00:00:00.752 UTC [7] LOG:  AUDIT: SESSION,{id},1,READ,SELECT,,,x,<none>\n")
    };
    append(&log, &line(71));
    let following = Following::start(&sandbox, "--deployment examples/existing/opt/kasm/current --session 7");
    following.expect(71);
    // Longer than it takes to look for new files, so that each name is seen.
    let look = || std::thread::sleep(Duration::from_millis(1500));
    std::fs::rename(&log, named(".1")).unwrap();
    look();
    // The server was not told yet, and writes on.
    append(&named(".1"), &line(72));
    following.expect(72);
    append(&log, &line(73));
    following.expect(73);
    std::fs::rename(named(".1"), named(".2")).unwrap();
    std::fs::rename(&log, named(".1")).unwrap();
    append(&log, &line(74));
    following.expect(74);
    look();
    let gzip = std::process::Command::new("gzip").arg(named(".2")).status().unwrap();
    assert!(gzip.success());
    look();
    assert_eq!(following.end(), [""; 0]);
}

#[test]
fn a_new_file_of_the_target_is_followed_too() {
    let sandbox = Sandbox::new();
    let folder = sandbox.target("existing").join("log/postgres");
    let following = Following::start(&sandbox, "--deployment examples/existing/opt/kasm/current --session 7");
    std::thread::sleep(Duration::from_millis(500));
    append(
        &folder.join("postgresql-11-23.log"),
        "2026-11-23 00:00:00.752 UTC [7] LOG:  AUDIT: SESSION,77,1,READ,SELECT,,,x,<none>\n",
    );
    following.expect(77);
    assert_eq!(following.end(), [""; 0]);
}

#[test]
fn it_ends_when_nobody_reads_and_when_it_is_told_to() {
    let sandbox = Sandbox::new();
    append(&sandbox.root().join("pg.csv"), &csv(1, "READ", "a"));
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_kasm-db"));
    command.args(["audit", "pg.csv", "--follow"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let start = std::time::Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(start.elapsed() < WAIT, "it does not see that its reader has gone");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!((status.code(), status.signal()), (Some(0), None));

    let mut following = Following::start(&sandbox, "pg.csv");
    following.expect(1);
    let id = rustix::process::Pid::from_child(&following.child);
    // A job of a shell that has gone to the background ignores SIGINT, and so would its children.
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert_eq!(following.child.wait().unwrap().code(), Some(130));
}
