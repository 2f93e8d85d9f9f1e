//! A large csvlog is counted in pieces at once, and the counts are those of one go.

use std::fmt::Write as _;

use testing::Sandbox;

use crate::PROGRAM;
use crate::audit::{csv, piped};

/// The fields that are counted, and what must be the same besides.
const COUNTS: [&str; 4] = ["--count=class", "--count=hour", "--count=object", "--summary"];

#[track_caller]
fn same(log: &str, expected: usize) {
    let sandbox = Sandbox::new(PROGRAM);
    std::fs::write(sandbox.root().join("big.csv"), log).unwrap();
    for count in COUNTS {
        // Standard input is read in one go.
        let one = piped(&sandbox, &[count, "--format=json"], log.as_bytes()).expect(0);
        let pieces = sandbox.run(&format!("audit big.csv {count} --format json")).expect(0);
        assert_eq!(pieces.stdout.replace("big.csv", "<stdin>"), one.stdout, "{count}");
        assert_eq!(pieces.stderr.replace("big.csv", "<stdin>"), one.stderr, "{count}");
        assert!(one.stdout.contains(&format!("\"entries\": {expected},")), "{}", one.stdout);
    }
}

#[test]
fn of_plain_records() {
    let mut log = String::new();
    for number in 0..60_000 {
        let class = ["READ", "WRITE", "DDL"][number % 3];
        log.push_str(&csv(number, class, &format!("select \"{number}\",\n'x'")));
    }
    assert!(log.len() > 13_000_000);
    same(&log, 60_000);
}

/// Every piece starts within a statement of lines that look like records.
#[test]
fn of_statements_that_look_like_records() {
    let decoy = csv(0, "ROLE", "decoy");
    let mut log = String::new();
    let mut entries = 0;
    while log.len() < 14_000_000 {
        log.push_str(&csv(1, "READ", &decoy.repeat(2_000)));
        log.push_str(&csv(2, "WRITE", "x"));
        entries += 2;
    }
    same(&log, entries);
}

#[test]
fn of_broken_records() {
    let mut log = String::new();
    for number in 0..60_000 {
        let record = csv(number, "READ", "select \"a\"");
        match number % 9_973 {
            5_000 => {
                let _ = writeln!(log, "{}", &record[..170]);
            }
            7_000 => log.push_str("no record\n"),
            _ => log.push_str(&record),
        }
    }
    let entries = 60_000 - log.matches("no record").count();
    // A record that is cut within its message takes the next line's start with it.
    let cut = (0..60_000).filter(|number| number % 9_973 == 5_000).count();
    same(&log, entries - cut);
}
