//! The server's log where it is not as one thinks: moved, emptied, removed, flooded, or none at all.

use crate::bed::{Bed, Run, engine, finish, has_no_engine, names};

/// Restarts the server on a changed postgresql.conf, and writes the document.
fn restarted(change: impl FnOnce(String) -> String) -> Bed {
    let bed = Bed::in_order();
    bed.edit_conf(change);
    bed.bin("stop");
    bed.start();
    bed.document("");
    bed
}

/// Runs `verify`, and a script right before the statements of its probe reach the server.
pub(crate) fn verify_with(bed: &Bed, script: &str) -> Run {
    let path = bed.path();
    let real = std::env::split_paths(&path).map(|folder| folder.join("docker")).find(|path| path.exists());
    let folder = bed.root.join("before");
    std::fs::create_dir_all(&folder).unwrap();
    let input = bed.root.join("input").display().to_string();
    let real = real.unwrap().display().to_string();
    bed.script(
        "../before/docker",
        &format!(
            "#!/bin/bash\nif [ \"$1\" = exec ]; then\n  cat > {input}\n  if grep -q 'kasm-db probe' {input}; then\n    \
             {script}\n  fi\n  exec {real} \"$@\" < {input}\nfi\nexec {real} \"$@\"\n"
        ),
    );
    finish(bed.command("verify").env("PATH", format!("{}:{path}", folder.display())))
}

#[test]
fn a_log_that_is_moved_or_emptied_while_the_probe_runs_is_read_to_its_end() {
    let bed = restarted(|conf| conf.replace("postgresql-%m-%d.log", "pg.log"));
    let filler = "DO $$ BEGIN FOR i IN 1..500 LOOP RAISE LOG '%', repeat('x', 200); END LOOP; END $$";
    bed.sql(filler);
    let log = bed.tree().join("log/postgres/pg.log").display().to_string();
    verify_with(&bed, &format!("truncate -s 0 {log}")).expect(0).says(&[" 0 FAIL, 0 skipped."]);

    bed.sql(filler);
    let rotate = match engine() {
        Some(engine) => format!("docker --host {engine}"),
        None => bed.root.join("shim/docker").display().to_string(),
    };
    let rotate = format!(
        "mv {log} {log}.1; {rotate} exec {} psql -XqtAU kasmapp -d kasm -c 'SELECT pg_rotate_logfile()' \
         > /dev/null < /dev/null; sleep 0.5",
        bed.name
    );
    verify_with(&bed, &rotate).expect(0).says(&[" 0 FAIL, 0 skipped."]);
    // Moved, and nobody told the server: its entries still go to the old file.
    std::fs::remove_file(format!("{log}.1")).unwrap();
    bed.sql(filler);
    verify_with(&bed, &format!("mv {log} {log}.1")).expect(0).says(&[" 0 FAIL, 0 skipped."]);
}

#[test]
fn a_log_that_was_removed_or_replaced_beneath_the_server_is_none() {
    let bed = Bed::in_order();
    bed.document("");
    let folder = bed.tree().join("log/postgres");
    let log = folder.join(&names(&folder)[0]);
    std::fs::remove_file(&log).unwrap();
    let says = ["FAIL  audit read: what the server logs is not in ", "pg_rotate_logfile"];
    bed.run("verify").expect(9).says(&says);
    std::fs::write(&log, "").unwrap();
    std::os::unix::fs::chown(&log, Some(bed.user()), Some(bed.user())).unwrap();
    bed.run("verify").expect(9).says(&says);
    bed.sql("SELECT pg_rotate_logfile()");
    std::thread::sleep(std::time::Duration::from_millis(500));
    bed.run("verify").expect(0);
}

#[test]
fn settings_that_keep_every_entry_out_are_seen_without_a_probe() {
    let bed = Bed::in_order();
    bed.document("");
    let set = |sql: &str| {
        bed.sql(sql);
        bed.sql("SELECT pg_reload_conf()");
        std::thread::sleep(std::time::Duration::from_millis(300));
    };
    set("ALTER SYSTEM SET log_min_messages = 'fatal'");
    bed.run("status").expect(2).says(&["server differs: log"]);
    bed.run("verify --no-probe").expect(9).says(&["log_min_messages is `fatal`", "KDB711"]);
    bed.run("verify").expect(9).says(&["FAIL  audit read"]);
    set("ALTER SYSTEM RESET log_min_messages");
    set("ALTER ROLE kasmapp SET log_min_messages = 'panic'");
    bed.run("verify --no-probe").expect(9).says(&["log_min_messages is `panic`"]);
    set("ALTER ROLE kasmapp RESET log_min_messages");
    bed.sql("CREATE ROLE other; ALTER ROLE other SET log_min_messages = 'panic'");
    bed.run("verify --no-probe").expect(9).says(&["`ALTER ROLE other RESET log_min_messages;`"]);
    bed.sql("DROP ROLE other");
    // With `log_client` the level counts: the client has the entries then, and the log has none.
    for name in ["log_client = on", "log_level = 'notice'"] {
        set(&format!("ALTER SYSTEM SET pgaudit.{name}"));
    }
    bed.run("verify").expect(9).says(&["leaves entries of the level `notice` out", "FAIL  audit read"]);
    for name in ["log_client", "log_level"] {
        set(&format!("ALTER SYSTEM RESET pgaudit.{name}"));
    }
    bed.run("verify").expect(0);
    set("ALTER SYSTEM SET log_destination = ''");
    bed.run("verify --no-probe").expect(9).says(&["log_destination is empty"]);
    // What goes to syslog cannot be seen from here.
    set("ALTER SYSTEM SET log_destination = 'syslog'");
    let not_checked = ["FAIL  audit read: not checked: the server writes no log file", "KDB712"];
    bed.run("verify").expect(9).says(&not_checked);
    // Unless the document says so.
    bed.document("settings: {log_destination: syslog}\n");
    bed.edit_conf(|conf| conf.replace("log_destination = 'stderr'", "log_destination = 'syslog'"));
    set("ALTER SYSTEM RESET log_destination");
    let skipped =
        "skip  audit read: the server writes no log file: log_destination is `syslog`, as the document says";
    bed.run("verify").expect(0).says(&[skipped]);
}

#[test]
fn the_output_of_a_container_is_read_from_its_end_and_only_where_the_log_is_in_it() {
    let bed = restarted(|conf| conf + "logging_collector = off\n");
    bed.run("verify").expect(0).says(&["'s output", " 0 FAIL, 0 skipped."]);
    // More than is read of one child.
    bed.sql("DO $$ BEGIN FOR i IN 1..60000 LOOP RAISE LOG '%', repeat('x', 400); END LOOP; END $$");
    bed.run("verify").expect(0).says(&[" 0 FAIL, 0 skipped."]);
    bed.sql("ALTER SYSTEM SET log_destination = 'syslog'");
    bed.sql("SELECT pg_reload_conf()");
    bed.run("verify").expect(9).says(&["audit read: not checked: the server writes no log file"]);
    if !has_no_engine("a container whose output nobody keeps") {
        bed.sql("ALTER SYSTEM RESET log_destination");
        bed.edit("docker/docker-compose.yaml", |text| {
            text.replace("    restart: always\n", "    restart: always\n    logging: {driver: none}\n")
        });
        bed.bin("stop");
        bed.start();
        bed.run("verify").expect(9).says(&["not checked: Docker does not show the container's output"]);
    }
}

#[test]
fn a_prefix_that_starts_with_a_tab_is_not_a_failure_of_the_log() {
    let bed = Bed::in_order();
    bed.document("");
    bed.edit_conf(|conf| conf.replace("'%m [%p] %u@%d '", "'\\t%m '"));
    bed.sql("SELECT pg_reload_conf()");
    bed.run("verify").expect(9).says(&["audit read: not checked: log_line_prefix starts with a tab"]);
    bed.document("settings: {log_line_prefix: \"\\t%m \"}\n");
    bed.run("verify").expect(0).says(&["skip  audit read: log_line_prefix starts with a tab"]);
}
