//! What can be wrong with a running database: each with the right exit code, message and fix.

use std::os::unix::fs::PermissionsExt;

use crate::bed::{BARE, Bed, WITH, docker, engine, has_no_engine};

#[test]
fn what_wins_over_the_file_is_named_with_the_statement_that_fixes_it() {
    let bed = Bed::in_order();
    bed.document("settings:\n  work_mem: 8MB\n");
    bed.edit_conf(|conf| conf + "work_mem = 8MB\n");
    bed.sql("SELECT pg_reload_conf()");
    bed.run("verify").expect(0);

    // Each is fixed by the very statements that the message gives.
    let mended_by_its_own_words = |set: &str, parts: &[&str]| {
        bed.sql(set);
        bed.sql("SELECT pg_reload_conf()");
        let run = bed.run("verify --no-probe").expect(9).says(parts);
        let fixes = run.stdout.lines().filter_map(|line| line.trim().strip_prefix("fix: "));
        for statement in fixes.flat_map(|fix| fix.split('`').skip(1).step_by(2)) {
            bed.sql(statement);
        }
        bed.run("verify --no-probe").expect(0);
    };
    mended_by_its_own_words(
        "ALTER SYSTEM SET pgaudit.log = 'ddl'",
        &[
            "setting pgaudit.log: it is 'ddl'",
            "postgresql.auto.conf:",
            "KDB709",
            "`ALTER SYSTEM RESET pgaudit.log;`",
        ],
    );
    mended_by_its_own_words(
        "ALTER DATABASE kasm SET pgaudit.log = 'none'",
        &[
            "it is 'none', not 'read, write, ddl'",
            "in the database kasm",
            "`ALTER DATABASE kasm RESET pgaudit.log;`",
        ],
    );
    mended_by_its_own_words(
        "ALTER ROLE kasmapp SET work_mem = '1MB'",
        &["setting work_mem: it is '1MB', not '8MB'", "`ALTER ROLE kasmapp RESET work_mem;`"],
    );
    mended_by_its_own_words(
        "ALTER ROLE kasmapp IN DATABASE kasm SET work_mem = '1MB'",
        &["`ALTER ROLE kasmapp IN DATABASE kasm RESET work_mem;`"],
    );
    mended_by_its_own_words(
        "ALTER ROLE ALL SET work_mem = '1MB'",
        &["every role", "`ALTER ROLE ALL RESET work_mem;`"],
    );
    bed.sql(r#"CREATE ROLE "o'b-x""#);
    mended_by_its_own_words(
        r#"ALTER ROLE "o'b-x" SET pgaudit.log = 'none'"#,
        &[
            "it is 'read, write, ddl' here, but the role \"o'b-x\" has 'none'",
            "`ALTER ROLE \"o'b-x\" RESET pgaudit.log;`",
        ],
    );
    // A `SET` of somebody's session is not the server's value, in neither direction.
    bed.sql("SET pgaudit.log = 'none'; SELECT 1");
    bed.run("verify --no-probe").expect(0);
}

#[test]
fn a_set_in_a_session_is_not_taken_for_the_servers_value() {
    let bed = Bed::in_order();
    bed.edit_conf(|conf| conf.replace("pgaudit.log = 'read, write, ddl'\n", ""));
    bed.sql("SELECT pg_reload_conf()");
    bed.document("");
    bed.sql("SET pgaudit.log = 'read, write, ddl'; SELECT 1");
    bed.run("verify").expect(9).says(&[
        "setting pgaudit.log: it is 'none', not 'read, write, ddl': no file sets it; a `SET` applies only to its own session",
        "FAIL  audit read: a statement of this class was run, and is not in ",
        "KDB711",
    ]);
}

#[test]
fn a_later_line_an_include_and_a_value_that_is_refused_are_found_in_the_file() {
    let bed = Bed::in_order();
    bed.document("");
    bed.edit_conf(|conf| conf + "PGAUDIT.LOG = ddl\n");
    bed.sql("SELECT pg_reload_conf()");
    bed.run("verify --no-probe").expect(9).says(&[
        "setting pgaudit.log: it is 'ddl', not 'read, write, ddl': /var/lib/postgresql/conf/postgresql.conf:27 sets it",
        "fix: run `kasm-db plan`",
    ]);
    bed.run("status")
        .expect(2)
        .says(&["files differ: 1 value in 1 file (never applied); server differs: setting pgaudit.log"]);

    let include = bed.tree().join("log/postgres/extra.conf");
    let inside = match engine() {
        Some(_) => "/var/log/postgres/extra.conf".to_string(),
        None => include.display().to_string(),
    };
    std::fs::write(&include, "pgaudit.log = 'role'\n").unwrap();
    std::fs::set_permissions(&include, PermissionsExt::from_mode(0o644)).unwrap();
    bed.edit_conf(|conf| conf.replace("PGAUDIT.LOG = ddl\n", &format!("include '{inside}'\n")));
    bed.sql("SELECT pg_reload_conf()");
    bed.run("verify --no-probe").expect(9).says(&["it is 'role'", &format!("{inside}:1 sets it"), "KDB709"]);

    // A bad class: a running server keeps the old value, one that starts has none.
    bed.edit_conf(|conf| conf.replace(&format!("include '{inside}'\n"), "pgaudit.log = 'read, wrote'\n"));
    bed.bin("stop");
    bed.start();
    bed.run("verify").expect(9).says(&[
        "setting pgaudit.log: it is 'none'",
        "the server does not take 'read, wrote' of /var/lib/postgresql/conf/postgresql.conf:27",
        "KDB705",
        "FAIL  audit read",
    ]);
}

#[test]
fn what_waits_for_a_reload_or_a_restart_is_distinguished() {
    let bed = Bed::in_order();
    bed.document("settings:\n  work_mem: 8MB\n  max_connections: 30\n");
    bed.edit_conf(|conf| conf.replace("max_connections = 20", "max_connections = 30") + "work_mem = 8MB\n");
    bed.run("verify --no-probe").expect(9).says(&[
        "setting work_mem: it is '4MB', not '8MB': the server has not read /var/lib/postgresql/conf/postgresql.conf:27",
        "fix: run `SELECT pg_reload_conf();`",
    ]);
    bed.sql("SELECT pg_reload_conf()");
    bed.run("verify --no-probe").expect(9).says(&[
        "setting max_connections: it is '20', not '30': the file's value takes effect after a restart",
        "FAIL  pending_restart: max_connections in the file counts only after a restart",
        "KDB708",
    ]);
    bed.run("status")
        .expect(2)
        .says(&["files in sync; restart pending: setting max_connections, pending_restart"]);
}

#[test]
fn a_file_that_was_replaced_is_not_what_the_container_reads() {
    let bed = Bed::in_order();
    bed.document("");
    let conf = bed.tree().join("conf/database/postgresql.conf");
    let other = bed.tree().join("conf/database/other");
    std::fs::copy(&conf, &other).unwrap();
    std::os::unix::fs::chown(&other, Some(bed.user()), Some(bed.user())).unwrap();
    std::fs::rename(&other, &conf).unwrap();
    bed.edit_conf(|conf| conf + "# a comment\n");
    let run = bed.run("verify --no-probe").expect(9);
    run.says(&[
        "file /var/lib/postgresql/conf/postgresql.conf: the server reads another content",
        "KDB704",
        "bin/stop",
    ]);
    bed.run("status").expect(2).says(&["restart pending: file /var/lib/postgresql/conf/postgresql.conf"]);
}

#[test]
fn a_missing_extension_and_a_missing_database_are_distinguished() {
    let bed = Bed::in_order();
    bed.sql("DROP EXTENSION pgaudit");
    let path = bed.document("");
    bed.run("verify --no-probe").expect(9).says(&[
        "extension pgaudit in kasm: the database has no extension pgaudit",
        "KDB710",
        "fix: run `CREATE EXTENSION IF NOT EXISTS pgaudit SCHEMA pg_catalog;` in the database kasm",
    ]);
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("ddl]\n", "ddl]\n  databases: [kasm, nowhere]\n");
    std::fs::write(&path, text).unwrap();
    bed.run("verify --no-probe")
        .expect(9)
        .says(&["extension pgaudit in nowhere: there is no database nowhere"]);
}

#[test]
fn the_command_line_and_another_major_are_named() {
    let bed = Bed::in_order();
    bed.edit("docker/docker-compose.yaml", |text| {
        text.replace("postgres -c config", "postgres -c pgaudit.log=ddl -c config")
    });
    bed.bin("stop");
    bed.start();
    let path = bed.document("");
    bed.run("verify --no-probe").expect(9).says(&[
        "setting pgaudit.log: it is 'ddl', not 'read, write, ddl', because the command line sets it",
        "remove `-c pgaudit.log=…` from the service's `command:`",
    ]);
    let text = std::fs::read_to_string(&path).unwrap().replace("postgres_major: 15", "postgres_major: 14");
    std::fs::write(&path, text).unwrap();
    bed.run("verify --no-probe")
        .expect(9)
        .says(&["major: the server is PostgreSQL 15, the document is for 14", "KDB703"]);
}

#[test]
fn a_database_that_does_not_run_says_why() {
    let bed = Bed::in_order();
    let path = bed.document("");
    bed.bin("stop");
    bed.run("verify").expect(9).says(&[
        "connect: the container",
        "does not run: it ended with 0",
        "KDB701",
        "bin/start",
    ]);
    bed.run("status").expect(9).says(&["files in sync; server unreachable: the container"]);

    if !has_no_engine("a container that is paused") {
        bed.start();
        docker(&["pause", &bed.name]);
        bed.run("verify").expect(9).says(&["is paused", "docker unpause"]);
        docker(&["unpause", &bed.name]);
        bed.bin("stop");
    }

    // A library that the image lacks: the server ends at its start, and Docker starts it again and again.
    bed.edit_conf(|conf| conf.replace("= 'pgaudit'", "= 'pgaudit, no_such_library'"));
    bed.bin("start");
    let started = std::time::Instant::now();
    loop {
        let run = bed.run("verify");
        if run.stdout.contains("again and again") {
            run.expect(9).says(&["FAIL  connect: the container", "kasm-db rollback"]);
            break;
        }
        assert!(started.elapsed().as_secs() < 60, "{}", run.stdout);
    }
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap().replace(&bed.name, "kasm_db_nowhere"))
        .unwrap();
    bed.run("verify").expect(9).says(&["there is no container kasm_db_nowhere", "verify: {container: …}"]);
}

#[test]
fn who_is_not_let_in_is_told_whom_to_name() {
    let bed = Bed::in_order();
    bed.document("  user: nobody\n");
    bed.run("verify").expect(9).says(&["role \"nobody\" does not exist", "verify: {user: …}"]);
    bed.document("  database: nowhere\n");
    bed.run("verify").expect(9).says(&["database \"nowhere\" does not exist", "verify: {database: …}"]);
    bed.edit("conf/database/pg_hba.conf", |text| text.replace("trust", "scram-sha-256"));
    bed.sql("SELECT pg_reload_conf()");
    bed.document("");
    bed.run("verify").expect(9).says(&["no password supplied", "PGPASSFILE"]);
    bed.edit("conf/database/pg_hba.conf", |text| {
        text.replace("local   all       all", "local   all       other")
    });
    bed.docker(&["kill", "--signal", "HUP", &bed.name]);
    std::thread::sleep(std::time::Duration::from_millis(500));
    bed.run("verify").expect(9).says(&["no pg_hba.conf entry", "pg_hba.conf that lets this user in"]);
}

#[test]
fn what_a_user_may_not_see_has_not_passed() {
    let bed = Bed::in_order();
    bed.sql("CREATE ROLE watcher LOGIN");
    bed.document("  user: watcher\n");
    let run = bed.run("verify").expect(9);
    run.says(&[
        "as watcher in kasm",
        "FAIL  files: not checked: permission denied",
        "ok    library pgaudit",
        "FAIL  audit read: not checked: the name of the log file cannot be seen: permission denied",
        "KDB712",
        " 0 skipped.",
    ]);
    bed.run("status").expect(9).says(&["files in sync; server not checked: file ", ", files"]);
    bed.run("status --format json").expect(9).says(&["\"state\": \"not_checked\""]);
    bed.sql("ALTER SYSTEM SET pgaudit.log = 'none'");
    bed.sql("SELECT pg_reload_conf()");
    while bed.sql("SHOW pgaudit.log") != "none" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    bed.run("status").expect(9).says(&["server differs: setting pgaudit.log; not checked: file "]);
}

#[test]
fn docker_or_psql_that_is_not_there_is_said() {
    let bed = Bed::in_order();
    bed.document("");
    let empty = bed.root.join("empty");
    std::fs::create_dir(&empty).unwrap();
    let mut command = bed.command("verify");
    crate::bed::finish(command.env("PATH", &empty))
        .expect(9)
        .says(&["`docker` is not in PATH", "connect: tcp"]);
    // What everybody can replace is not run.
    let open = bed.root.join("open");
    std::fs::create_dir(&open).unwrap();
    bed.script("../open/docker", "#!/bin/sh\nexit 0\n");
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
    let mut command = bed.command("verify");
    crate::bed::finish(command.env("PATH", &open))
        .expect(9)
        .says(&["can be replaced by others: its mode is 0777"]);
    let mut command = bed.command("verify");
    command.env("DOCKER_HOST", "unix:///nowhere.sock");
    crate::bed::finish(&mut command).expect(9).says(&["the Docker engine does not answer", "DOCKER_HOST"]);
    if !has_no_engine("an image without psql") {
        let bare = Bed::new(BARE);
        bare.document("");
        bare.bin("start");
        bare.run("verify")
            .expect(9)
            .says(&["there is no psql in the container", "use an image that has psql"]);
    }
}

#[test]
fn a_tag_that_was_moved_since_is_another_image() {
    if has_no_engine("a tag that was moved") {
        return;
    }
    let bed = Bed::new(WITH);
    let mine = format!("kasmweb/postgres:{}", bed.name);
    docker(&["tag", WITH, &mine]);
    for file in ["docker-compose.yaml", ".conf/docker-compose-all.yaml", ".conf/docker-compose-db.yaml"] {
        bed.edit(&format!("docker/{file}"), |text| text.replace(WITH, &mine));
    }
    bed.start();
    let path = bed.document("");
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap().replace(WITH, &mine)).unwrap();
    docker(&["tag", BARE, &mine]);
    bed.run("verify --no-probe").expect(9).says(&["was made from an older kasmweb/postgres:", "KDB702"]);
    docker(&["rmi", &mine]);
}

#[test]
fn what_a_child_gets_to_see_is_chosen() {
    let bed = Bed::in_order();
    bed.document("");
    let folder = bed.root.join("spy");
    std::fs::create_dir(&folder).unwrap();
    let real = std::env::split_paths(&bed.path())
        .map(|folder| folder.join("docker"))
        .find(|path| path.exists())
        .unwrap();
    let log = bed.root.join("spied");
    bed.script(
        "../spy/docker",
        &format!(
            "#!/bin/bash\n{{ env; printf '%s\\n' \"$@\"; }} >> {}\nexec {} \"$@\"\n",
            log.display(),
            real.display()
        ),
    );
    let mut command = bed.command("verify");
    let path = format!("{}:{}", folder.display(), bed.path());
    for name in ["COMPOSE_FILE", "PGOPTIONS", "PGHOST", "LD_LIBRARY_PATH", "PGPASSWORD", "OTHER_SECRET"] {
        command.env(name, "canary-77aa");
    }
    crate::bed::finish(command.env("PATH", path)).expect(0);
    let spied = std::fs::read_to_string(log).unwrap();
    assert!(!spied.contains("canary"), "{spied}");
    assert!(spied.contains("LC_ALL=C.UTF-8") && spied.contains("\n--\n"), "{spied}");
}
