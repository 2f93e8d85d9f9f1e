//! Memory stays below 64 MiB, whatever comes.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use testing::Sandbox;

use crate::PROGRAM;
use crate::audit::csv;

const LIMIT_KIB: u64 = 64 * 1024;

/// Runs with input that is written bit by bit, and gives the standard output.
#[track_caller]
fn within_memory(
    arguments: &[&str],
    write: impl Fn(&mut dyn FnMut(&[u8]) -> bool) + Send + 'static,
) -> String {
    let sandbox = Sandbox::new(PROGRAM);
    let mut command = sandbox.command("/usr/bin/time");
    command.args(["-f", "%M", "-o", "memory", PROGRAM, "audit"]).args(arguments).arg("-");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("GNU time is there");
    let mut stdin = child.stdin.take().unwrap();
    let writes = std::thread::spawn(move || write(&mut |bytes| stdin.write_all(bytes).is_ok()));
    let output = child.wait_with_output().unwrap();
    writes.join().unwrap();
    // What is no log at all is an error, and not more.
    assert!(matches!(output.status.code(), Some(0 | 1)), "{:?}", output.status);
    let memory = std::fs::read_to_string(sandbox.root().join("memory")).unwrap();
    let memory: u64 = memory.lines().last().unwrap().parse().unwrap();
    assert!(memory < LIMIT_KIB, "{memory} KiB");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_line_without_end() {
    for start in
        ["", "{\"message\":\"AUDIT: SESSION,1,1,READ,SELECT,,,", "LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,"]
    {
        let out = within_memory(&["--format=json"], move |write| {
            write(start.as_bytes());
            let piece = vec![b'\x1b'; 1 << 20];
            for _ in 0..100 {
                write(&piece);
            }
        });
        // The last line ends the result.
        assert_eq!(out.lines().count(), usize::from(!start.is_empty()) + 1, "{start}");
    }
}

#[test]
fn a_record_without_end() {
    let out = within_memory(&["--count=class"], |write| {
        let record = csv(1, "READ", "x");
        write(&record.as_bytes()[..record.len() - 60]);
        // Quotes that never close.
        let piece = "\"\"\u{202e}\n".repeat(100_000);
        for _ in 0..100 {
            write(piece.as_bytes());
        }
    });
    assert!(out.is_empty() || out == "READ  1\n", "{out}");
}

#[test]
fn more_names_than_can_be_kept() {
    let out = within_memory(&["--count=object", "--format=json"], |write| {
        for part in 0..60 {
            let mut log = String::new();
            for number in 0..10_000 {
                let record = csv(number, "READ", "x");
                let _ = write!(log, "{}", record.replace("public.t", &format!("public.t{part}_{number}_")));
            }
            write(log.as_bytes());
        }
    });
    let out: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(out["totals"]["entries"], 600_000);
    assert!(out["totals"]["other"].as_u64().unwrap() > 0);
}
