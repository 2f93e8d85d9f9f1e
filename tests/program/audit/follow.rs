//! `--follow` shows what is added, whatever happens to the file.

use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use testing::Sandbox;

use crate::PROGRAM;
use crate::audit::csv;

const WAIT: Duration = Duration::from_secs(20);

pub(super) struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    pub(super) fn start(sandbox: &Sandbox, arguments: &str) -> Self {
        let mut command = sandbox.command(PROGRAM);
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

    /// Waits for the line of the next entry.
    #[track_caller]
    pub(super) fn next(&self) -> String {
        self.lines.recv_timeout(WAIT).expect("an entry comes")
    }

    /// The next entry is the one with this id.
    #[track_caller]
    pub(super) fn expect(&self, id: usize) {
        let line = self.next();
        assert!(line.contains(&format!("\"statement_id\":{id},")), "not {id}: {line}");
    }

    pub(super) fn end(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines.iter().collect()
    }
}

pub(super) fn append(path: &PathBuf, text: &str) {
    File::options().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn what_is_added_rotated_and_truncated_is_shown_once() {
    let sandbox = Sandbox::new(PROGRAM);
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
    let sandbox = Sandbox::new(PROGRAM);
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
    let sandbox = Sandbox::new(PROGRAM);
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
    let sandbox = Sandbox::new(PROGRAM);
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
    let sandbox = Sandbox::new(PROGRAM);
    append(&sandbox.root().join("pg.csv"), &csv(1, "READ", "a"));
    let mut command = sandbox.command(PROGRAM);
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

fn words(id: usize) -> String {
    format!("2026-11-23 00:00:00.752 UTC [7] LOG:  AUDIT: SESSION,{id},1,READ,SELECT,,,x{id},<none>\n")
}

/// Longer than it takes to look at the files, and for new ones.
fn look() {
    std::thread::sleep(Duration::from_millis(1500));
}

#[test]
fn a_log_that_is_copied_and_truncated_is_shown_once() {
    let sandbox = Sandbox::new(PROGRAM);
    let folder = sandbox.target("existing").join("log/postgres");
    let log = folder.join("postgresql-11-23.log");
    let named = |more: &str| folder.join(format!("postgresql-11-23.log{more}"));
    append(&log, &words(71));
    let following = Following::start(&sandbox, "--deployment examples/existing/opt/kasm/current --session 7");
    following.expect(71);
    // What comes between the last look and the copy is in the copy alone.
    append(&log, &words(72));
    std::fs::copy(&log, named(".1")).unwrap();
    File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
    following.expect(72);
    append(&log, &words(73));
    following.expect(73);
    look();
    // A copy that is seen before the log is truncated.
    std::fs::rename(named(".1"), named(".2")).unwrap();
    std::fs::copy(&log, named(".1")).unwrap();
    look();
    append(&log, &words(74));
    following.expect(74);
    File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
    append(&log, &words(75));
    following.expect(75);
    // Copied and compressed at once.
    std::fs::rename(named(".1"), named(".3")).unwrap();
    std::fs::copy(&log, named(".1")).unwrap();
    assert!(std::process::Command::new("gzip").arg(named(".1")).status().unwrap().success());
    File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
    look();
    append(&log, &words(76));
    following.expect(76);
    assert_eq!(following.end(), [""; 0]);
}

#[test]
fn a_truncated_log_that_is_longer_than_before_is_read_from_its_start() {
    let sandbox = Sandbox::new(PROGRAM);
    let log = sandbox.root().join("pg.log");
    append(&log, &words(1));
    let following = Following::start(&sandbox, "pg.log");
    following.expect(1);
    std::thread::sleep(Duration::from_millis(500));
    // In one write, so that no look sees it shorter.
    let file = File::options().write(true).open(&log).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, (2..6).map(words).collect::<String>().as_bytes(), 0)
        .unwrap();
    (2..6).for_each(|id| following.expect(id));
    // Of the same length.
    std::thread::sleep(Duration::from_millis(500));
    std::os::unix::fs::FileExt::write_all_at(&file, (6..10).map(words).collect::<String>().as_bytes(), 0)
        .unwrap();
    (6..10).for_each(|id| following.expect(id));
    assert_eq!(following.end(), [""; 0]);
}

#[test]
fn a_log_that_comes_and_is_compressed_between_two_looks_is_shown() {
    let sandbox = Sandbox::new(PROGRAM);
    let folder = sandbox.target("existing").join("log/postgres");
    let following = Following::start(&sandbox, "--deployment examples/existing/opt/kasm/current --session 7");
    look();
    let other = sandbox.root().join("other");
    append(&other, &words(81));
    assert!(std::process::Command::new("gzip").arg(&other).status().unwrap().success());
    std::fs::rename(sandbox.root().join("other.gz"), folder.join("postgresql-11-24.log.1.gz")).unwrap();
    following.expect(81);
    assert_eq!(following.end(), [""; 0]);
}

#[test]
fn what_several_destinations_get_is_shown_once() {
    let sandbox = Sandbox::new(PROGRAM);
    let folder = sandbox.target("existing").join("log/postgres");
    let following = Following::start(&sandbox, "--deployment examples/existing/opt/kasm/current --session 7");
    std::thread::sleep(Duration::from_millis(500));
    for id in 91..94 {
        let record = csv(id, "READ", "x");
        let time = &record[..27];
        let words =
            format!("{time} [7] LOG:  AUDIT: SESSION,{id},1,READ,SELECT,TABLE,public.t{},x,<none>\n", id % 7);
        append(&folder.join("postgresql-11-25.csv"), &record);
        append(&folder.join("postgresql-11-25.log"), &words);
        following.expect(id);
    }
    append(&folder.join("postgresql-11-25.log"), &words(94));
    following.expect(94);
    look();
    assert_eq!(following.end(), [""; 0]);
}

#[test]
fn more_files_are_followed_than_can_be_open() {
    let sandbox = Sandbox::new(PROGRAM);
    let name = |id: usize| sandbox.root().join(format!("pg-{id:04}.csv"));
    let files: Vec<String> = (0..600).map(|id| format!("pg-{id:04}.csv")).collect();
    for id in 0..files.len() {
        append(&name(id), &csv(id, "READ", "a"));
    }
    let mut command = sandbox.command("prlimit");
    command.args(["--nofile=256", PROGRAM, "audit", "--follow", "--format", "json"]).args(&files);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    let following = Following { child, lines: Following::lines(out) };
    let mut seen: Vec<usize> = (0..files.len())
        .map(|_| {
            let line = following.lines.recv_timeout(WAIT).expect("an entry of each file");
            line.split("\"statement_id\":").nth(1).unwrap().split(',').next().unwrap().parse().unwrap()
        })
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..files.len()).collect::<Vec<_>>());
    look();
    for id in [0, 300, 599] {
        append(&name(id), &csv(1000 + id, "READ", "b"));
        following.expect(1000 + id);
    }
    std::fs::rename(name(1), sandbox.root().join("pg-0600.csv")).unwrap();
    append(&name(1), &csv(2001, "READ", "c"));
    following.expect(2001);
    assert_eq!(following.end(), [""; 0]);
}
