//! The logs of several targets: each is read by the configuration of its own server.

use std::fs::{create_dir_all, write};
use std::path::PathBuf;

use serde_json::Value;
use testing::{Run, Sandbox};

use super::csv;
use super::follow::Following;
use crate::PROGRAM;

/// A server: its name, `log_line_prefix`, `log_timezone` and the start of its lines.
type Row = (&'static str, &'static str, &'static str, &'static str);

/// Two servers whose lines can be told apart by their own configuration only.
const SERVERS: [Row; 2] = [
    ("east", "%m|%d|%u|", "Asia/Shanghai", "2026-11-29 09:53:47.000 CST|kasm|bob|"),
    ("west", "%m/%u/%d/", "America/Chicago", "2026-11-29 09:53:47.000 CST/alice/kasm/"),
];

const MESSAGE: &str = "LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,x,<none>\n";

fn log(sandbox: &Sandbox, name: &str) -> PathBuf {
    sandbox.root().join(name).join("log/pg.log")
}

/// Creates a target of each row, in this order.
fn targets(rows: &[Row]) -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    let mut document = "schema: kasm-db/v1\ntargets:\n".to_string();
    for (name, prefix, timezone, head) in rows {
        let log = log(&sandbox, name);
        create_dir_all(log.parent().unwrap()).unwrap();
        write(&log, format!("{head}{MESSAGE}")).unwrap();
        let conf = format!(
            "logging_collector = on\nlog_directory = '{}'\nlog_filename = 'pg.log'\nlog_line_prefix = '{prefix}'\n\
             log_timezone = '{timezone}'\n",
            log.parent().unwrap().display()
        );
        write(sandbox.root().join(name).join("postgresql.conf"), conf).unwrap();
        document
            .push_str(&format!("  - {{name: {name}, files: {{postgresql_conf: {name}/postgresql.conf}}}}\n"));
    }
    write(sandbox.root().join("kasm-db.yaml"), document).unwrap();
    sandbox
}

/// The entries of a run: when, as which text, and who.
fn entries(lines: impl Iterator<Item = String>) -> Vec<[String; 3]> {
    let values = lines.map(|line| serde_json::from_str::<Value>(&line).unwrap());
    let entries = values.filter(|value| value["format"] == "kasm-db/audit-entry");
    let text = |value: &Value| value.as_str().unwrap_or("null").to_string();
    entries.map(|entry| ["time", "time_text", "user"].map(|key| text(&entry[key]))).collect()
}

fn shown(run: &Run) -> Vec<[String; 3]> {
    entries(run.stdout.lines().map(String::from))
}

const EAST: [&str; 3] = ["2026-11-29T01:53:47Z", "2026-11-29 09:53:47.000 CST", "bob"];
const WEST: [&str; 3] = ["2026-11-29T15:53:47Z", "2026-11-29 09:53:47.000 CST", "alice"];

#[test]
fn each_target_has_its_own_prefix_and_its_own_zone() {
    for order in [[0, 1], [1, 0]] {
        let sandbox = targets(&order.map(|index| SERVERS[index]));
        let expected = order.map(|index| [EAST, WEST][index]);
        assert_eq!(shown(&sandbox.run("audit --strict --format json").expect(0)), expected);
        let since =
            |zone: &str| sandbox.run(&format!("audit --strict --since {zone} --format json")).expect(0);
        assert_eq!(shown(&since("2026-11-29T12:00Z")), [WEST]);
        assert_eq!(shown(&since("2026-11-29T01:00Z")), expected);
        let hours = sandbox.run("audit --strict --count hour").expect(0).stdout;
        assert_eq!(hours, "2026-11-29 09:00 +08  1\n2026-11-29 09:00 -06  1\n");
        let run = sandbox.run("audit --strict --count user").expect(0);
        assert_eq!(run.stdout, "alice  1\nbob    1\n");
    }
}

#[test]
fn what_is_given_holds_for_all_targets() {
    let sandbox = targets(&SERVERS);
    let run = sandbox.run("audit --log-timezone +02:00 --format json").expect(0);
    let times: Vec<_> = shown(&run).into_iter().map(|[time, ..]| time).collect();
    assert_eq!(times, ["2026-11-29T07:53:47Z", "2026-11-29T07:53:47Z"]);
    let run = sandbox.run("audit --log-line-prefix %m|%d|%u| --count user").expect(0);
    assert_eq!(run.stdout, "(uncertain)  1\nbob          1\n");
}

#[test]
fn targets_are_followed_by_their_own_configuration() {
    let sandbox = targets(&SERVERS);
    let following = Following::start(&sandbox, "");
    let mut lines = vec![following.next(), following.next()];
    lines.sort();
    assert_eq!(entries(lines.into_iter()), [EAST, WEST]);
    for (name, .., head) in SERVERS {
        super::follow::append(&log(&sandbox, name), &format!("{head}{MESSAGE}"));
    }
    let mut lines = vec![following.next(), following.next()];
    lines.sort();
    assert_eq!(entries(lines.into_iter()), [EAST, WEST]);
    following.end();
}

#[test]
fn the_same_entry_of_two_servers_is_shown_twice() {
    let rows = [("one", "%m ", "UTC", ""), ("two", "%m ", "UTC", "")];
    let sandbox = targets(&rows);
    for (name, ..) in rows {
        let log = log(&sandbox, name);
        write(log.with_extension("csv"), csv(1, "READ", "x")).unwrap();
        // Of several formats, each entry of one server is shown once.
        write(log, "2026-11-22 22:46:35.752 UTC LOG:  ready\n").unwrap();
    }
    let run = sandbox.run("audit --strict --count user").expect(0);
    assert_eq!(run.stdout, "bob  2\n");
    let following = Following::start(&sandbox, "");
    following.expect(1);
    following.expect(1);
    following.end();
}

#[test]
fn a_target_without_logs_does_not_hide_those_of_the_others() {
    let sandbox = targets(&SERVERS);
    std::fs::remove_file(log(&sandbox, "east")).unwrap();
    let run = sandbox.run("audit --format json").expect(1);
    assert_eq!(shown(&run), [WEST]);
    assert!(run.stderr.contains("east/log"), "{run}");
}

#[test]
fn a_zone_that_is_given_is_shown_with_its_offset() {
    let sandbox = targets(&SERVERS);
    let run = |more: &str| {
        sandbox.run(&format!("audit east/log/pg.log --log-line-prefix %m|%d|%u| {more}")).expect(0)
    };
    let zone = "--log-timezone Asia/Shanghai";
    assert!(run(zone).stdout.contains("2026-11-29 09:53:47.000 +08"));
    assert!(run("").stdout.contains("2026-11-29 09:53:47.000 CST"));
    assert_eq!(run(&format!("{zone} --count hour")).stdout, "2026-11-29 09:00 +08  1\n");
    assert_eq!(run("--count hour").stdout, "2026-11-29 09:00 CST  1\n");
    assert!(run(&format!("{zone} --summary")).stdout.contains("first       2026-11-29 09:53:47.000 +08\n"));
    let value: Value =
        serde_json::from_str(&run(&format!("{zone} --count hour --format json")).stdout).unwrap();
    assert_eq!(value["counts"][0]["key"], "2026-11-29T01:00:00Z");
    assert_eq!(shown(&run(&format!("{zone} --format json"))), [EAST]);
    assert_eq!(shown(&run("--format json"))[0][0], "null");
    // A zone that has one meaning only keeps it.
    write(log(&sandbox, "east"), format!("2026-11-29 09:53:47.000 UTC|kasm|bob|{MESSAGE}")).unwrap();
    assert!(run(zone).stdout.contains("2026-11-29 09:53:47.000 UTC"));
}
