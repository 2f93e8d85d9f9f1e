//! A rollback while the database runs: it costs what an apply of the same change costs.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::bed::{Bed, STOCK, has_no_engine};
use crate::downtime::Downtime;
use crate::steps::{count, in_front, step};

const IF_NEEDED: &str = "restart:\n  policy: if_needed\n  timeout: 60s\n";

/// A deployment to which a document with these settings was applied, and then one with others.
fn applied(first: &str, second: &str) -> Bed {
    let bed = Bed::in_order();
    for settings in [first, second] {
        bed.document(&format!("settings: {settings}\n{IF_NEEDED}"));
        bed.run("apply --yes").expect(0);
    }
    for command in ["stop", "start"] {
        in_front(&bed, command, "exec REAL");
    }
    bed
}

fn calls(bed: &Bed) -> (usize, usize) {
    (count(bed, "stop"), count(bed, "start"))
}

fn inode(bed: &Bed) -> u64 {
    fs::metadata(bed.tree().join("conf/database/postgresql.conf")).unwrap().ino()
}

#[test]
fn a_rollback_for_which_a_reload_is_enough_disconnects_nobody() {
    let bed = applied("{work_mem: 5MB}", "{work_mem: 6MB}");
    let before = (bed.identity(), inode(&bed));
    let run = bed.run("rollback --yes").expect(0);
    let run = run.says(&["reload: SELECT pg_reload_conf();", "Verify: ", " 0 FAIL, 0 skipped."]);
    assert!(!run.stdout.contains("Still needed"), "{}", run.stdout);
    assert_eq!((bed.identity(), inode(&bed), calls(&bed)), (before.0, before.1, (0, 0)));
    assert_eq!((bed.sql("SHOW work_mem").as_str(), step(&bed).as_str()), ("5MB", ""));

    // Left to a person, a reload is all that is needed.
    bed.document("settings: {work_mem: 5MB}\nrestart: {policy: never}\n");
    bed.run("rollback --yes").expect(0).says(&["Still needed: reload the configuration"]);
    assert_eq!((bed.sql("SHOW work_mem").as_str(), inode(&bed)), ("5MB", before.1));
    bed.sql("SELECT pg_reload_conf()");
    assert_eq!(bed.sql("SELECT pg_sleep(0.5); SHOW work_mem").lines().last(), Some("6MB"));
}

#[test]
fn a_rollback_that_needs_a_restart_stops_and_starts_once() {
    let bed = applied("{max_connections: 21}", "{max_connections: 22}");
    let before = bed.identity();
    let run = bed.run("rollback --yes").expect(0);
    run.says(&["The database must be restarted", "the database answers", " 0 FAIL, 0 skipped."]);
    assert_eq!((calls(&bed), bed.sql("SHOW max_connections").as_str()), ((1, 1), "21"));
    assert_ne!(bed.identity(), before);
    assert_eq!(step(&bed), "");
}

#[test]
fn a_rollback_of_the_first_apply_brings_the_image_back() {
    let bed = Bed::running(STOCK);
    bed.document(IF_NEEDED);
    bed.run("apply --yes").expect(0);
    for command in ["stop", "start"] {
        in_front(&bed, command, "exec REAL");
    }
    let run = bed.run("rollback --yes --format json").expect(0);
    run.says(&["\"type\": \"image\"", "\"needs\": \"recreate\""]);
    assert_eq!((calls(&bed), bed.sql("SHOW shared_preload_libraries").as_str()), ((1, 1), ""));
    if crate::bed::engine().is_some() {
        let image = bed.docker(&["inspect", "--format", "{{.Config.Image}}", &bed.name]);
        assert_eq!(image.trim(), STOCK);
    }
}

#[test]
fn a_restart_that_a_rollback_leaves_is_done_by_the_next_run() {
    let first = "{max_connections: 21}";
    for next in ["recover", "rollback 1 --yes", "apply --yes"] {
        let bed = applied(first, "{max_connections: 22}");
        let before = bed.identity();
        bed.run("rollback --yes --no-restart").expect(9).says(&["a restart is pending", "kasm-db recover"]);
        assert_eq!((bed.identity(), step(&bed).as_str()), (before, "stop"));
        bed.run("rollback 1 --yes --no-restart").expect(9).says(&["a restart is pending"]);
        bed.run("rollback 1 --yes --dry-run").expect(9).says(&["a restart is pending"]);
        if next.starts_with("apply") {
            bed.document(&format!("settings: {first}\n{IF_NEEDED}"));
        }
        bed.run(next).expect(0).says(&["stop: ", "the database answers"]);
        let shown = bed.sql("SHOW max_connections");
        assert_eq!((calls(&bed), shown.as_str(), step(&bed).as_str()), ((1, 1), "21", ""), "{next}");
    }
}

#[test]
fn a_rollback_that_leaves_something_pending_ends_with_9() {
    // It reloads, and something that nobody declared waits for a restart.
    let bed = applied("{work_mem: 5MB}", "{work_mem: 6MB}");
    bed.edit_conf(|conf| conf + "max_locks_per_transaction = 65\n");
    let run = bed.run("rollback --yes --allow edited-since").expect(0);
    run.says(&["The database must be restarted", " 0 FAIL, 0 skipped."]);

    let bed = applied("{work_mem: 5MB}", "{work_mem: 6MB}");
    bed.sql("ALTER SYSTEM SET max_locks_per_transaction = 65");
    let run = bed.run("rollback --yes").expect(9);
    run.says(&[
        "FAIL  pending_restart: in the files, and pending until a restart: max_locks_per_transaction",
        "KDB",
    ]);
    assert_eq!((bed.sql("SHOW work_mem").as_str(), calls(&bed)), ("5MB", (0, 0)));

    // A value that came back and is not in force, as somebody set it for the database.
    let bed = applied("{work_mem: 5MB}", "{work_mem: 6MB}");
    bed.sql("ALTER DATABASE kasm SET work_mem = '7MB'");
    let run = bed.run("rollback --yes").expect(9);
    run.says(&["FAIL  setting work_mem: it is '7MB', not '5MB'", "ALTER DATABASE kasm RESET work_mem"]);
}

#[test]
fn a_hidden_value_that_came_back_is_not_shown() {
    let bed = applied("{archive_cleanup_command: echo canary-1}", "{archive_cleanup_command: echo canary-2}");
    bed.document(IF_NEEDED);
    bed.sql("ALTER SYSTEM SET archive_cleanup_command = 'echo canary-3'");
    let run = bed.run("rollback --yes").expect(9);
    let run = run.says(&["FAIL  setting archive_cleanup_command: it does not have the value of the files"]);
    let both = format!("{}{}", run.stdout, run.stderr);
    assert!(!both.contains("canary"), "{both}");
    let run = bed.run("rollback --yes --format json").expect(9);
    assert!(!format!("{}{}", run.stdout, run.stderr).contains("canary"), "{}", run.stdout);
}

#[test]
fn a_change_is_one_stop_and_one_start_or_none() {
    if has_no_engine("the events of a container") {
        return;
    }
    let bed = Bed::running(STOCK);
    bed.document(IF_NEEDED);
    let once = Downtime::of(&bed, "the first apply", || drop(bed.run("apply --yes").expect(0)));
    assert_eq!((once.stops, once.starts), (1, 1));

    for (what, first, second, expected) in [
        ("a restart-class change", "max_connections: 21", "max_connections: 22", 1),
        ("a reload-class change", "work_mem: 5MB", "work_mem: 6MB", 0),
    ] {
        bed.document(&format!("settings: {{{first}}}\n{IF_NEEDED}"));
        bed.run("apply --yes").expect(0);
        bed.document(&format!("settings: {{{second}}}\n{IF_NEEDED}"));
        for (how, command) in
            [(what.to_string(), "apply --yes"), (format!("a rollback of {what}"), "rollback --yes")]
        {
            let before = bed.identity();
            let downtime = Downtime::of(&bed, &how, || drop(bed.run(command).expect(0)));
            assert_eq!((downtime.stops, downtime.starts), (expected, expected), "{how}");
            assert_eq!(bed.identity() == before, expected == 0, "{how}");
        }
    }
}
