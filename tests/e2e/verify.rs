//! `verify` and `status` on a running server.

use crate::bed::{Bed, STOCK, names};

#[test]
fn a_server_that_does_what_the_document_says_passes_every_check() {
    let bed = Bed::in_order();
    bed.document("");
    let before = bed.identity();
    let run = bed.run("verify").expect(0);
    assert_eq!(bed.identity(), before, "the container was touched");
    run.says(&["ok    audit read", "ok    audit write", "ok    audit ddl", " 0 FAIL, 0 skipped."]);
    // The probe's entries are in the folder on the host, and nothing of the probe is left in the database.
    let folder = bed.tree().join("log/postgres");
    let log = std::fs::read_to_string(folder.join(&names(&folder)[0])).unwrap();
    assert!(log.contains("AUDIT: SESSION") && log.contains("kasm-db probe"), "{log}");
    assert_eq!(bed.sql("SELECT count(*) FROM pg_class WHERE relname LIKE 'kasm_db_probe%'"), "0");
    bed.run("status").expect(0).says(&["current  files in sync; server in sync"]);
    bed.run("status --format json").expect(0).says(&["\"state\": \"in_sync\""]);
}

#[test]
fn the_probe_finds_every_class_in_every_format_of_the_log() {
    for format in ["stderr", "csvlog", "jsonlog"] {
        let bed = Bed::in_order();
        bed.edit_conf(|conf| {
            conf.replace("log_destination = 'stderr'", &format!("log_destination = '{format}'"))
                .replace("postgresql-%m-%d.log", "%Y/../kasm-%a-%%-%H.log")
                .replace("read, write, ddl", "all")
                + "log_error_verbosity = verbose\nlog_timezone = 'GMT'\npgaudit.log_rows = on\n"
        });
        std::fs::create_dir(bed.tree().join("log/postgres/2026")).unwrap();
        let year = bed.sql("SELECT date_part('year', now())");
        let folder = bed.tree().join("log/postgres").join(year);
        std::fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::chown(&folder, Some(bed.user()), None).unwrap();
        bed.sql("SELECT pg_reload_conf()");
        let path = bed.document("");
        let text = std::fs::read_to_string(&path).unwrap().replace("[read, write, ddl]", "[all]");
        std::fs::write(&path, text).unwrap();
        let run = bed.run("verify").expect(0);
        let classes = ["read", "write", "function", "role", "ddl", "misc", "misc_set"];
        run.says(&classes.map(|class| format!("ok    audit {class}:")).each_ref().map(String::as_str));
    }
}

#[test]
fn a_stock_deployment_fails_and_every_failure_says_what_to_do() {
    let bed = Bed::running(STOCK);
    bed.document("");
    let run = bed.run("verify").expect(9);
    let failures = run.stdout.matches("  FAIL  ").count();
    assert_eq!((failures, run.stdout.matches("fix: ").count()), (8, 8), "{}", run.stdout);
    run.says(&["runs postgres:15-alpine, not kasmweb/postgres:develop [KDB702]", "library pgaudit"]);
    bed.run("status").expect(2).says(&["files differ: ", "server differs: image, "]);
    bed.run("verify --format json").expect(9).says(&["\"code\": \"KDB702\"", "\"result\": \"fail\""]);
}
