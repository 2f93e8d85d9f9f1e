//! What a server reads besides the deployment's files: a restart must not make a good server bad.

use std::process::Command;

use crate::bed::{Bed, Run, has_no_engine};
use crate::steps::{in_front, step};

const IF_NEEDED: &str = "restart:\n  policy: if_needed\n  timeout: 60s\n";

/// A deployment with a declared `max_connections` of 30, which its server has.
fn with_connections() -> Bed {
    let bed = Bed::in_order();
    bed.edit_conf(|conf| conf.replace("max_connections = 20", "max_connections = 30"));
    bed.bin("stop");
    bed.start();
    bed.document(&format!("settings:\n  max_connections: 30\n{IF_NEEDED}"));
    bed.run("verify --no-probe").expect(0);
    bed
}

/// Adds a setting to the document that needs a restart.
fn declare(bed: &Bed, line: &str) {
    let path = bed.root.join("kasm-db.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let at = text.find("settings:\n").map(|at| at + "settings:\n".len());
    let text = match at {
        Some(at) => format!("{}  {line}\n{}", &text[..at], &text[at..]),
        None => format!("{text}settings:\n  {line}\n"),
    };
    std::fs::write(path, text).unwrap();
}

/// Returns what stands in backquotes in the help of a run, as one command or statement each.
fn fixes(run: &Run) -> Vec<String> {
    let both = format!("{}\n{}", run.stdout, run.stderr);
    let helps = both.lines().filter(|line| line.contains("help: ") || line.contains("fix: "));
    let quoted = |line: &str| line.split('`').skip(1).step_by(2).map(String::from).collect::<Vec<_>>();
    helps.flat_map(quoted).collect()
}

/// Does what a message says: SQL in psql.
fn run_sql_of(bed: &Bed, run: &Run) {
    let all = fixes(run);
    let sql = all.iter().find(|fix| fix.starts_with("ALTER SYSTEM RESET"));
    bed.psql(sql.unwrap_or_else(|| panic!("no statement in {all:?}\n{}", run.stderr)));
}

/// Does what a message says: `sed` in a shell of this host.
fn run_sed_of(bed: &Bed, run: &Run) {
    let all = fixes(run);
    let sed = all.iter().find(|fix| fix.contains("sed ") && fix.contains(" -i "));
    let sed = sed.unwrap_or_else(|| panic!("no edit in {all:?}\n{}\n{}", run.stdout, run.stderr));
    let mut shell = Command::new("sh");
    shell.args(["-c", sed]).env("PATH", bed.path());
    if let Some(engine) = crate::bed::engine() {
        shell.env("DOCKER_HOST", engine);
    }
    assert!(shell.status().unwrap().success(), "{sed}");
}

#[test]
fn what_a_colleague_left_for_the_next_start_is_not_a_reason_for_a_restart() {
    let bed = with_connections();
    bed.sql("ALTER SYSTEM SET max_connections = 40");
    for reload in [false, true] {
        if reload {
            bed.sql("SELECT pg_reload_conf()");
        }
        let before = bed.identity();
        bed.run("plan --detailed-exitcode").expect(0);
        let said = [
            "setting max_connections: it is '30', and '40' by ",
            "postgresql.auto.conf:3 after a restart",
            "KDB721",
            "`ALTER SYSTEM RESET max_connections; SELECT pg_reload_conf();`",
        ];
        bed.run("verify --no-probe").expect(9).says(&said);
        bed.run("status").expect(2).says(&["server differs: setting max_connections"]);
        let run = bed.run("apply --yes").expect(9).says(&said);
        assert!(!run.stderr.contains("stop: "), "{}", run.stderr);
        assert_eq!((bed.identity(), bed.sql("SHOW max_connections").as_str()), (before, "30"));
    }
    run_sql_of(&bed, &bed.run("apply --yes"));
    bed.run("apply --yes").expect(0);
    bed.run("verify --no-probe").expect(0);
    bed.run("status").expect(0);
}

#[test]
fn nothing_is_written_or_stopped_if_the_next_start_would_not_be_as_declared() {
    let bed = with_connections();
    declare(&bed, "shared_buffers: 24MB");
    bed.sql("ALTER SYSTEM SET max_connections = 40");
    let before = (bed.identity(), bed.read("conf/database/postgresql.conf"));
    let said = [
        "the next start would have max_connections = '40', not '30'",
        "/postgresql.auto.conf:3:1",
        "help: run `ALTER SYSTEM RESET max_connections; SELECT pg_reload_conf();` in psql",
        "nothing changed",
    ];
    bed.run("apply --yes --dry-run").expect(4).says(&said);
    let run = bed.run("apply --yes").expect(4).says(&said);
    assert_eq!((bed.identity(), bed.read("conf/database/postgresql.conf")), before, "{}", run.stderr);
    assert!(!bed.tree().join(".kasm-db").exists(), "something was written");
    bed.run("apply --yes --format json").expect(4).says(&["\"code\": \"KDB721\"", "\"end\": \"refused\""]);
    run_sql_of(&bed, &run);
    bed.run("apply --yes").expect(0);
    assert_eq!(bed.sql("SHOW max_connections") + &bed.sql("SHOW shared_buffers"), "3024MB");

    // A rollback is a stop like any other.
    bed.sql("ALTER SYSTEM SET max_connections = 40");
    let before = (bed.identity(), bed.read("conf/database/postgresql.conf"));
    let run = bed.run("rollback --yes").expect(4).says(&said);
    assert_eq!((bed.identity(), bed.read("conf/database/postgresql.conf")), before);
    run_sql_of(&bed, &run);
    bed.run("rollback --yes").expect(0).says(&["the database answers"]);
    assert_eq!(bed.sql("SHOW max_connections") + &bed.sql("SHOW shared_buffers"), "3016MB");
}

#[test]
fn a_value_that_a_reload_would_not_bring_is_refused_as_well() {
    let bed = Bed::in_order();
    let path = bed.document(IF_NEEDED);
    bed.sql("ALTER SYSTEM SET pgaudit.log = 'all'");
    let text = std::fs::read_to_string(&path).unwrap().replace("[read, write, ddl]", "[ddl]");
    std::fs::write(&path, text).unwrap();
    let before = bed.read("conf/database/postgresql.conf");
    let run = bed.run("apply --yes").expect(4).says(&["pgaudit.log = 'all', not 'ddl'", "auto.conf:3:1"]);
    assert_eq!(bed.read("conf/database/postgresql.conf"), before);
    run_sql_of(&bed, &run);
    bed.run("apply --yes").expect(0);
}

#[test]
fn two_libraries_that_are_one_name_stop_nothing() {
    let bed = with_connections();
    bed.sql("ALTER SYSTEM SET shared_preload_libraries = 'pgaudit,pg_cron'");
    bed.sql("SELECT pg_reload_conf()");
    let before = bed.identity();
    let statement = "`ALTER SYSTEM RESET shared_preload_libraries; SELECT pg_reload_conf();`";
    bed.run("verify --no-probe").expect(9).says(&["setting shared_preload_libraries", "KDB721", statement]);
    bed.run("apply --yes").expect(9).says(&[statement]);
    declare(&bed, "shared_buffers: 24MB");
    let would_not = "would not start: shared_preload_libraries has `pgaudit,pg_cron`";
    let run = bed.run("apply --yes").expect(4).says(&[would_not, "auto.conf:3:1", statement]);
    assert_eq!((bed.identity(), bed.sql("SHOW shared_preload_libraries").as_str()), (before, "pgaudit"));
    run_sql_of(&bed, &run);
    // Whoever names them apart names a library that the image lacks.
    bed.sql("ALTER SYSTEM SET shared_preload_libraries = 'pgaudit', 'pg_cron'");
    let run = bed.run("apply --yes").expect(4).says(&["has no library `pg_cron`", statement]);
    run_sql_of(&bed, &run);
    bed.run("apply --yes").expect(0);

    // The same where the document does not name the list.
    let path = bed.document("");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text
        .replace("preload:\n  libraries: [pgaudit]\n", "")
        .replace("[read, write, ddl]\n", "[ddl]\n  extension: false\n");
    std::fs::write(&path, text.replace("audit:\n  classes: [ddl]\n  extension: false\n", "") + IF_NEEDED)
        .unwrap();
    declare(&bed, "max_connections: 33");
    bed.sql("ALTER SYSTEM SET shared_preload_libraries = 'pgaudit,pg_cron'");
    let before = bed.identity();
    let run = bed.run("apply --yes").expect(4).says(&[would_not, statement]);
    assert_eq!(bed.identity(), before);
    run_sql_of(&bed, &run);
    bed.run("apply --yes").expect(0);
    assert_eq!(bed.sql("SHOW max_connections"), "33");
}

#[test]
fn settings_that_contradict_each_other_stop_nothing() {
    let bed = with_connections();
    declare(&bed, "shared_buffers: 24MB");
    for (set, why) in [
        ("wal_level = 'minimal'", "wal_level = minimal is not enough for max_wal_senders"),
        ("superuser_reserved_connections = 30", "30 connections are reserved, of max_connections = 30"),
    ] {
        bed.sql(&format!("ALTER SYSTEM SET {set}"));
        let run = bed.run("apply --yes").expect(4).says(&[why, "auto.conf:3:1", "KDB722"]);
        run_sql_of(&bed, &run);
    }
    bed.run("apply --yes").expect(0);
}

#[test]
fn what_a_reload_would_bring_is_named_before_somebody_reloads() {
    let bed = with_connections();
    declare(&bed, "work_mem: 8MB");
    bed.run("apply --yes").expect(0);
    bed.sql("ALTER SYSTEM SET work_mem = '5MB'");
    let run = bed.run("verify --no-probe").expect(9).says(&[
        "setting work_mem: it is '8MB', and '5MB' by ",
        "postgresql.auto.conf:3 after a reload",
        "KDB721",
        "`ALTER SYSTEM RESET work_mem; SELECT pg_reload_conf();`",
    ]);
    bed.run("status").expect(2).says(&["server differs: setting work_mem"]);
    bed.run("apply --yes").expect(9).says(&["after a reload"]);
    run_sql_of(&bed, &run);
    bed.run("verify --no-probe").expect(0);

    bed.edit_conf(|conf| conf.replace("work_mem = 8MB", "work_mem = 9MB"));
    bed.run("verify --no-probe").expect(9).says(&["and '9MB' by ", "after a reload", "run `kasm-db plan`"]);
    let before = bed.identity();
    bed.run("apply --yes").expect(0);
    assert_eq!((bed.identity(), bed.sql("SHOW work_mem").as_str()), (before, "8MB"));
    bed.run("verify --no-probe").expect(0);
}

/// Appends a line to the server's own file, which nobody should do by hand.
fn edit_auto_conf(bed: &Bed, line: &str) {
    let script = format!("echo \"{line}\" >> \"$0\"");
    let path = format!("{}/postgresql.auto.conf", bed.sql("SHOW data_directory"));
    bed.docker(&["exec", &bed.name, "sh", "-c", &script, &path]);
}

#[test]
fn lines_that_no_server_starts_with_are_named_with_an_edit_that_takes_them_out() {
    let bed = with_connections();
    declare(&bed, "shared_buffers: 24MB");
    for (line, why) in [
        ("max_connections 30 40", "a syntax error"),
        ("no_such_setting = 1", "PostgreSQL 15 has no setting `no_such_setting`"),
        ("include 'nowhere.conf'", "could not open"),
    ] {
        edit_auto_conf(&bed, line);
        let before = bed.identity();
        let run = bed.run("apply --yes").expect(4).says(&["would not start", why, "auto.conf:3:", "line 3"]);
        assert_eq!(bed.identity(), before);
        run_sed_of(&bed, &run);
    }
    // The server knows more rules than are known here; of what only a database can tell it takes any text.
    edit_auto_conf(&bed, "default_text_search_config = 'nowhere'");
    edit_auto_conf(&bed, "timezone = 'Mars/Olympus'");
    let run = bed.run("apply --yes").expect(4).says(&["it refuses the value of `TimeZone`", "auto.conf:4:1"]);
    run_sql_of(&bed, &run);
    bed.run("apply --yes")
        .expect(9)
        .says(&["the database answers", "`default_text_search_config`: setting could"]);
}

#[test]
fn a_server_that_is_down_is_helped_by_an_edit_and_not_by_sql() {
    if has_no_engine("a volume of a container that does not run") {
        return;
    }
    let bed = with_connections();
    declare(&bed, "shared_buffers: 24MB");
    bed.sql("ALTER SYSTEM SET shared_preload_libraries = 'pgaudit,pg_cron'");
    bed.bin("stop");
    let run = bed.run("apply --yes").expect(4).says(&[
        "pgaudit,pg_cron",
        "auto.conf:3:1",
        "remove line 3: `sed -i",
    ]);
    run_sed_of(&bed, &run);
    bed.run("apply --yes").expect(0).says(&["the database answers"]);
    assert_eq!(bed.sql("SHOW shared_buffers"), "24MB");

    // Whoever insists gets a database that does not come up, with the reason and a way out.
    bed.sql("ALTER SYSTEM SET shared_preload_libraries = 'pgaudit,pg_cron'");
    declare(&bed, "max_wal_senders: 9");
    let run = bed.run("apply --yes --allow would-not-start");
    let run = run.expect(9).says(&["did not come up", "auto.conf:3: ", "pgaudit,pg_cron", "sed -i"]);
    run_sed_of(&bed, &run);
    bed.run("recover").expect(0).says(&["the database answers"]);
    bed.run("verify --no-probe").expect(0);
}

#[test]
fn what_keeps_a_server_down_that_nobody_can_foresee_is_among_the_suspects() {
    if has_no_engine("a volume of a container that does not run") {
        return;
    }
    let bed = with_connections();
    declare(&bed, "shared_buffers: 24MB");
    bed.sql("ALTER SYSTEM SET unix_socket_directories = '/nowhere/at/all'");
    let run = bed.run("apply --yes").expect(9);
    let run = run.says(&[
        "did not come up",
        "besides the files of this target",
        "unix_socket_directories (",
        "auto.conf:3)",
    ]);
    run_sed_of(&bed, &run);
    bed.run("recover").expect(0).says(&["the database answers"]);
}

#[test]
fn a_run_that_continues_with_the_stop_looks_again() {
    let bed = with_connections();
    declare(&bed, "shared_buffers: 24MB");
    in_front(&bed, "stop", "kill -9 $PPID");
    assert_eq!(bed.run("apply --yes").code, None);
    in_front(&bed, "stop", "exec REAL");
    assert_eq!(step(&bed), "stop");
    bed.sql("ALTER SYSTEM SET max_connections = 40");
    let before = bed.identity();
    for again in ["recover", "apply --yes", "apply --yes --rollback-on-failure"] {
        let run = bed.run(again).expect(9).says(&[
            "auto.conf:3: the next start would have max_connections = '40', not '30' [KDB721]",
            "ALTER SYSTEM RESET max_connections",
            "what follows is not done",
        ]);
        assert_eq!((bed.identity(), step(&bed).as_str()), (before.clone(), "stop"), "{}", run.stderr);
    }
    run_sql_of(&bed, &bed.run("recover"));
    bed.run("recover").expect(0);
    assert_eq!(bed.sql("SHOW max_connections") + &bed.sql("SHOW shared_buffers"), "3024MB");
}

#[test]
fn what_nobody_declared_takes_effect_with_a_restart_and_is_not_a_reason_for_one() {
    // Taken out in place by another admin.
    let bed = with_connections();
    bed.edit_conf(|conf| conf.replace("shared_buffers = 16MB", "#shared_buffers = 16MB"));
    bed.sql("ALTER SYSTEM SET max_wal_senders = 7");
    for reload in [false, true] {
        if reload {
            bed.sql("SELECT pg_reload_conf()");
        }
        let before = bed.identity();
        bed.run("verify --no-probe")
            .expect(9)
            .says(&["a restart changes what the document does not name", "KDB708"]);
        bed.run("status").expect(2).says(&["restart pending: pending_restart"]);
        let run =
            bed.run("apply --yes").expect(9).says(&["KDB708", "does not restart for what is not declared"]);
        assert_eq!(bed.identity(), before, "{}", run.stderr);
    }
    // A declared value that waits is one, and what else comes with it is said before.
    bed.edit_conf(|conf| conf.replace("max_connections = 30", "max_connections = 31"));
    let path = bed.root.join("kasm-db.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("max_connections: 30", "max_connections: 31")).unwrap();
    bed.run("plan --detailed-exitcode").expect(0);
    let run = bed.run("apply --yes").expect(0).says(&[
        "With the restart these take effect, too, which the document does not name: ",
        "max_wal_senders (",
        "auto.conf:3)",
        "shared_buffers (no file sets it any more)",
        "stop: ",
    ]);
    let at = |part: &str| run.stderr.find(part).unwrap();
    assert!(at("With the restart") < at("stop: "), "{}", run.stderr);
    bed.run("verify --no-probe").expect(0);
    assert_eq!(bed.sql("SHOW max_connections") + &bed.sql("SHOW max_wal_senders"), "317");
}

#[test]
fn a_user_who_may_not_see_it_is_told_so() {
    let bed = with_connections();
    declare(&bed, "shared_buffers: 24MB");
    bed.sql("CREATE ROLE watcher LOGIN");
    let path = bed.root.join("kasm-db.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("  container:", "  user: watcher\n  container:")).unwrap();
    bed.sql("ALTER SYSTEM SET max_connections = 40");
    let before = bed.identity();
    // Root sees the server's own file on this host, or through Docker.
    bed.run("apply --yes").expect(4).says(&["max_connections = '40', not '30'"]);
    assert_eq!(bed.identity(), before);
}
