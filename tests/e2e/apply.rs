//! `apply` with `restart: {policy: if_needed}`: what follows the files.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::bed::{Bed, STOCK, WITH, docker, finish, has_no_engine, names};
use crate::steps::{count, in_front, step};

/// More memory than there is: what no server comes up with, and nobody can foresee.
pub(crate) const NEVER_UP: &str = "settings:\n  max_locks_per_transaction: 2000000000\n";

const IF_NEEDED: &str = "restart:\n  policy: if_needed\n  timeout: 60s\n";

fn inode(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().ino()
}

#[test]
fn a_stock_deployment_audits_after_one_apply_and_is_left_alone_by_the_next() {
    let bed = Bed::running(STOCK);
    bed.document(IF_NEEDED);
    let before = bed.identity();
    bed.run("plan --detailed-exitcode").expect(2).says(&["The database must be stopped and started"]);
    bed.run("verify").expect(9);
    let run = bed.run("apply --yes").expect(0);
    assert_eq!(run.stdout.matches("  FAIL  ").count(), 0, "{}", run.stdout);
    run.says(&["stop: ", "/kasm/bin/stop", "start: ", "the database answers, after", " 0 FAIL, 0 skipped."]);
    let after = bed.identity();
    assert_ne!(before, after);
    bed.run("verify --probe").expect(0).says(&["ok    audit ddl", "ok    extension pgaudit in kasm"]);
    let folder = bed.tree().join("log/postgres");
    let log = std::fs::read_to_string(folder.join(&names(&folder)[0])).unwrap();
    assert!(log.contains("AUDIT: SESSION,"), "{log}");
    bed.run("status").expect(0);
    let again = bed.run("apply --yes").expect(0);
    assert!(!again.stderr.contains("stop: "), "{}", again.stderr);
    assert_eq!(bed.identity(), after, "the second apply touched the container");
}

#[test]
fn where_a_reload_is_enough_the_file_is_written_in_place_and_nobody_is_disconnected() {
    let bed = Bed::in_order();
    let path = bed.document(IF_NEEDED);
    let conf = bed.tree().join("conf/database/postgresql.conf");
    let before = (bed.identity(), inode(&conf));
    let text = std::fs::read_to_string(&path).unwrap().replace("[read, write, ddl]", "[role, ddl]");
    std::fs::write(&path, text).unwrap();
    bed.run("plan").expect(0).says(&["The server must reload its configuration", "written in place"]);
    let run =
        bed.run("apply --yes").expect(0).says(&["reload: SELECT pg_reload_conf();", "ok    audit role"]);
    assert!(!run.stderr.contains("stop: "), "{}", run.stderr);
    assert_eq!((bed.identity(), inode(&conf)), before);
    assert_eq!(bed.sql("SHOW pgaudit.log"), "role, ddl");
}

#[test]
fn a_restart_that_is_not_wanted_stays_pending_until_somebody_continues() {
    let bed = Bed::running(STOCK);
    bed.document(IF_NEEDED);
    let before = bed.identity();
    bed.run("apply --yes --no-restart").expect(9).says(&["a restart is pending", "kasm-db recover"]);
    assert_eq!(bed.identity(), before);
    bed.run("status").expect(9).says(&["files in sync", "an apply is not finished"]);
    bed.run("apply --yes --no-restart").expect(9).says(&["a restart is pending"]);
    bed.run("recover").expect(0).says(&["stop: ", "start: "]);
    bed.run("verify").expect(0);
    bed.run("recover").expect(0).says(&["Nothing to recover"]);

    let bed = Bed::running(STOCK);
    bed.document(IF_NEEDED);
    bed.run("apply --yes --files-only").expect(0).says(&["Still needed: stop and start the deployment"]);
    // The files are in order, and the server is not: that alone is reason enough.
    let run = bed.run("apply --yes").expect(0);
    run.says(&["The running server does not match its files: it must be stopped and started.", "stop: "]);
    bed.run("verify").expect(0);
}

#[test]
fn an_upgrade_that_puts_stock_files_back_is_seen_and_mended() {
    let bed = Bed::new(STOCK);
    let files = ["docker/docker-compose.yaml", "conf/database/postgresql.conf"];
    let stock = files.map(|file| bed.read(file));
    bed.start();
    bed.document(IF_NEEDED);
    bed.run("apply --yes").expect(0);
    bed.bin("stop");
    for (file, text) in files.iter().zip(&stock) {
        bed.write(file, text);
    }
    bed.start();
    bed.run("status").expect(2).says(&[
        "files differ: ",
        "changed outside since the last apply",
        "server differs: ",
    ]);
    bed.run("verify").expect(9).says(&["KDB702", "KDB706", "KDB707"]);
    bed.run("apply --yes").expect(0);
    bed.run("status").expect(0);
    // The other reason for a difference: not applied yet.
    let path = bed.document(IF_NEEDED);
    let text = std::fs::read_to_string(&path).unwrap().replace("[read, write, ddl]", "[ddl]");
    std::fs::write(&path, text).unwrap();
    bed.run("status").expect(2).says(&["files differ: 1 value in 1 file (not applied yet)"]);
}

#[test]
fn what_the_server_lacks_is_made_though_the_files_are_in_order() {
    let bed = Bed::in_order();
    bed.document(IF_NEEDED);
    bed.sql("DROP EXTENSION pgaudit");
    let before = bed.identity();
    bed.run("apply --yes").expect(0).says(&["the extension must be created"]);
    assert_eq!(bed.sql("SELECT count(*) FROM pg_extension WHERE extname = 'pgaudit'"), "1");
    bed.edit_conf(|conf| conf.replace("'read, write, ddl'", "'write, read, ddl'"));
    bed.sql("ALTER SYSTEM SET work_mem = '5MB'");
    bed.run("apply --yes").expect(0);
    assert_eq!(bed.identity(), before);
    // What only a person can fix is said, and nothing is touched.
    bed.sql("ALTER DATABASE kasm SET pgaudit.log = 'none'");
    bed.run("apply --yes").expect(9).says(&["`ALTER DATABASE kasm RESET pgaudit.log;`"]);
    assert_eq!(bed.identity(), before);
}

#[test]
fn a_command_that_fails_hangs_or_floods_leaves_its_step_to_be_done() {
    let bed = Bed::running(STOCK);
    bed.document(&IF_NEEDED.replace("60s", "20s"));
    let start = bed.read("bin/start");
    bed.script("bin/start", "#!/bin/sh\necho cannot: no space left >&2\nexit 5\n");
    let run = bed.run("apply --yes").expect(9);
    run.says(&[
        "/bin/start` ended with 5: cannot: no space left",
        "  | cannot",
        "continue with it",
        "what follows is not done",
    ]);
    bed.run("status").expect(9).says(&["an apply is not finished", "server unreachable"]);

    bed.script("bin/start", "#!/bin/sh\ntrap '' TERM\nsleep 600 & wait\n");
    bed.document(&IF_NEEDED.replace("60s", "2s"));
    let hung = bed.run("recover");
    hung.expect(9).says(&["did not end within", "and was ended", "restart: {timeout: …}"]);

    // It says more than anybody reads, and works.
    bed.document(IF_NEEDED);
    let flood = "#!/bin/sh\nhead -c 100000000 /dev/zero | tr '\\0' x\nyes 'a line' | head -n 3000000\n";
    bed.script("bin/start", &format!("{flood}exec {}.real\n", bed.tree().join("bin/start").display()));
    bed.script("bin/start.real", &start);
    let run = bed
        .run("apply --yes")
        .expect(0)
        .says(&["at its step `start`", "the rest of the output is not shown"]);
    assert!(run.stderr.len() < 200_000, "{} bytes", run.stderr.len());
    bed.run("verify").expect(0);

    // Without a command nothing is written.
    let other = Bed::running(STOCK);
    other.document(IF_NEEDED);
    std::fs::remove_file(other.tree().join("bin/stop")).unwrap();
    other.run("apply --yes").expect(1).says(&[
        "bin/stop does not exist, or is not a program",
        "restart: {stop: […], start: […]}",
        "nothing changed",
    ]);
    other.run("plan --detailed-exitcode").expect(2);
}

#[test]
fn what_a_command_says_of_secrets_is_not_repeated() {
    let bed = Bed::running(STOCK);
    bed.document(IF_NEEDED);
    bed.write("docker/.env", "FROM_ENV='canary-3c77 env'\nDOCKER_TOKEN=tok-canary-9b\n");
    bed.edit("docker/docker-compose.yaml", |text| {
        text.replace(
            "POSTGRES_USER:",
            "QUOTED: \"canary\\\"0d quoted\"\n      GIVEN: ${FROM_ENV}\n      \
             URL: postgres://me:ur1-canary@db/kasm\n      PEM: |\n        canary-line-1\n        canary-line-2\n      POSTGRES_USER:",
        )
    });
    // All of it, on both streams; in the words that end it; and where a line is cut.
    let work = bed.read("bin/start").replace("exec ", "");
    bed.script("bin/start.real", &work);
    let tree = bed.tree().display().to_string();
    let filler = "x".repeat(2040);
    let says = format!(
        "#!/bin/bash\ncd {tree}/docker; env; cat docker-compose.yaml .env; cat docker-compose.yaml .env >&2\n\
         echo {filler}canary-5f1d-password; echo {filler}canary-5f1d-password >&2\n\
         echo postgresql://other:l00k@host password=un-seen '\"secret\": \"un-known\"'\n"
    );
    let fails = format!("{says}echo 'refused: canary-5f1d-password, postgres://x:l00k@y' >&2\nexit 3\n");
    bed.script("bin/start", &fails);
    let run = bed.run("apply --yes").expect(9).says(&[
        "/bin/start` ended with 3: refused: <hidden>, postgres://x:<hidden>@y",
        "POSTGRES_PASSWORD: <hidden>",
        "  | HOME=",
        "POSTGRES_USER: kasmapp",
        "postgresql://other:<hidden>@host password=<hidden>",
        "container_name: ",
    ]);
    let leaks = |run: &crate::bed::Run| {
        let both = format!("{}{}", run.stdout, run.stderr);
        for part in ["canary", "l00k", "un-seen", "un-known", "tok-", "0d quoted", "xcan"] {
            let lines: Vec<_> = both.lines().filter(|line| line.contains(part)).collect();
            assert!(lines.is_empty(), "{part:?} in {lines:#?}");
        }
    };
    leaks(&run);
    // The same for a run that continues, and for one that works.
    leaks(&bed.run("recover").expect(9));
    bed.script("bin/start", &format!("{says}exec {tree}/bin/start.real\n"));
    let run = bed.run("apply --yes").expect(0).says(&["at its step `start`"]);
    leaks(&run);

    // What the container says of itself, and a docker that says too much.
    let path = bed.path();
    let folder = bed.root.join("talks");
    std::fs::create_dir(&folder).unwrap();
    bed.script(
        "../talks/docker",
        "#!/bin/sh\necho 'no: canary-5f1d-password password=un-seen' >&2\nexit 1\n",
    );
    for arguments in ["verify", "verify --format json", "status", "status --format json"] {
        let run = finish(bed.command(arguments).env("PATH", format!("{}:{path}", folder.display())));
        let run = run.expect(9).says(&["does not answer: no: <hidden> password=<hidden>"]);
        leaks(&run);
    }
}

#[test]
fn a_container_name_that_is_taken_is_what_compose_says_it_is() {
    if has_no_engine("a container name that is taken") {
        return;
    }
    let bed = Bed::running(STOCK);
    bed.document(IF_NEEDED);
    bed.bin("stop");
    docker(&["rm", &bed.name]);
    docker(&["create", "--name", &bed.name, "--network", "none", WITH]);
    bed.run("apply --yes")
        .expect(4)
        .says(&["is taken by a container which Compose did not make", "docker rename"]);
    let run = bed.run("apply --yes --allow would-not-start").expect(9);
    run.says(&["is already in use", "/bin/start` ended with 1"]);
    docker(&["rm", &bed.name]);
    bed.run("apply --yes").expect(0).says(&["at its step `start`"]);
}

#[test]
fn a_server_that_does_not_come_up_goes_back_to_the_old_files_if_that_is_wanted() {
    let bed = Bed::in_order();
    bed.document(&format!("{NEVER_UP}{IF_NEEDED}"));
    let before = (bed.read("conf/database/postgresql.conf"), bed.read("docker/docker-compose.yaml"));
    let run = bed.run("apply --yes --rollback-on-failure").expect(7);
    run.says(&["the database did not come up", "the database runs again on the old files", "rolled back"]);
    assert_eq!((bed.read("conf/database/postgresql.conf"), bed.read("docker/docker-compose.yaml")), before);
    assert_eq!(bed.sql("SHOW shared_preload_libraries"), "pgaudit");
    bed.document(IF_NEEDED);
    bed.run("verify").expect(0);
    bed.run("recover").expect(0).says(&["Nothing to recover"]);

    // Not wanted: the files stay, and so does the step.
    bed.document(&format!("{NEVER_UP}{IF_NEEDED}"));
    let run = bed.run("apply --yes").expect(9);
    run.says(&["the database did not come up", "again and again", "kasm-db rollback"]);
    // The way back starts the database on the old files, too.
    bed.run("rollback --yes").expect(0).says(&["the database answers"]);
    bed.run("recover").expect(0).says(&["Nothing to recover"]);
    bed.document(IF_NEEDED);
    bed.run("verify").expect(0);
}

#[test]
fn a_rollback_leaves_no_step_that_nobody_can_take() {
    // A target of single files, of which nothing says how to stop and start it.
    let bed = Bed::in_order();
    let path = bed.document(IF_NEEDED);
    let text = std::fs::read_to_string(&path).unwrap();
    let files = "files: {compose: [kasm/docker/docker-compose.yaml], postgresql_conf: kasm/conf/database/postgresql.conf}";
    let text = text.replace(&format!("deployment: {}", bed.tree().display()), files);
    std::fs::write(&path, text.replace("[read, write, ddl]", "[role]")).unwrap();
    bed.run("apply --yes --no-restart").expect(9).says(&["a reload is pending"]);
    // The way back needs a reload as well, which takes no command.
    let run = bed.run("rollback --yes").expect(0).says(&["reload: SELECT pg_reload_conf();"]);
    assert!(!run.stdout.contains("kasm-db recover"), "{}", run.stdout);
    bed.run("recover").expect(0).says(&["Nothing to recover"]);
    bed.bin("stop");
    bed.start();
    std::fs::write(&path, &text).unwrap();
    bed.run("status").expect(0);
    bed.run("apply --yes").expect(0);
}

/// A `docker` that ends whoever called it with SIGKILL at its call number `at`, before or after it did its work.
pub(crate) fn deadly(bed: &Bed, at: usize) -> String {
    let path = bed.path();
    let real = std::env::split_paths(&path).map(|folder| folder.join("docker")).find(|path| path.exists());
    let folder = bed.root.join("deadly");
    std::fs::create_dir_all(&folder).unwrap();
    let counter = bed.root.join("counter");
    std::fs::write(&counter, "0").unwrap();
    let text = format!(
        "#!/bin/bash\nn=$(($(cat {0}) + 1))\necho $n > {0}\nif [ $n = {at} ]; then kill -9 $PPID; exit 1; fi\nexec {1} \"$@\"\n",
        counter.display(),
        real.unwrap().display()
    );
    bed.script("../deadly/docker", &text);
    format!("{}:{path}", folder.display())
}

#[test]
fn an_apply_that_is_killed_while_it_stops_or_starts_is_finished_by_the_next_run() {
    for (script, after, recover) in [
        ("stop", false, "apply --yes"),
        ("stop", true, "recover"),
        ("start", false, "recover"),
        ("start", true, "apply --yes"),
    ] {
        let bed = Bed::running(STOCK);
        bed.document(IF_NEEDED);
        for other in ["stop", "start"] {
            in_front(&bed, other, "exec REAL");
        }
        let killer = "kill -9 $PPID";
        in_front(&bed, script, &if after { format!("REAL\n{killer}") } else { killer.to_string() });
        let run = bed.run("apply --yes");
        assert_eq!(run.code, None, "{}", run.stderr);
        // The files alone do not tell where it was.
        let before = match script {
            "stop" => (1, 0),
            _ => (1, 1),
        };
        let calls = || (count(&bed, "stop"), count(&bed, "start"));
        assert_eq!((step(&bed).as_str(), calls()), (script, before), "where it was killed");
        in_front(&bed, script, "exec REAL");
        bed.run("status").says(&["an apply is not finished", &format!("resumes at its step `{script}`")]);
        let said = match recover {
            "recover" => format!("went on at its step `{script}`, and is done"),
            _ => format!("Resuming an earlier apply at its step `{script}`."),
        };
        bed.run(recover).expect(0).says(&[&said, "the database answers"]);
        let behind = match script {
            "stop" => (2, 1),
            _ => (1, 2),
        };
        assert_eq!((step(&bed).as_str(), calls()), ("", behind), "{script} again, and what follows it");
        bed.run("verify").expect(0);
        bed.run("recover").expect(0).says(&["Nothing to recover"]);
        bed.run("apply --yes").expect(0);
        assert_eq!(calls(), behind, "all is done");
    }
}

/// Applies one of two documents after the other, each time killed one call of docker later, until it is not killed any
/// more; gives the number of calls.
fn killed_at_every_call(bed: &Bed, documents: [&str; 2], prepare: impl Fn(&Bed)) -> usize {
    for at in 1.. {
        bed.document(documents[at % 2]);
        prepare(bed);
        let path = deadly(bed, at);
        let run = finish(bed.command("apply --yes").env("PATH", path));
        let killed = run.code.is_none();
        if killed {
            // Before anything is written there is nothing to recover.
            let go_on = if at % 3 == 0 && !step(bed).is_empty() { "recover" } else { "apply --yes" };
            bed.run(go_on).expect(0);
        } else {
            run.expect(0);
        }
        bed.run("verify --no-probe").expect(0);
        assert_eq!(step(bed), "");
        if !killed {
            return at;
        }
    }
    unreachable!()
}

#[test]
fn an_apply_that_is_killed_whenever_it_asks_the_server_is_finished_by_the_next_run() {
    let bed = Bed::in_order();
    let with = |more: &str| format!("{more}{IF_NEEDED}");
    let reloads = [with("settings:\n  work_mem: 8MB\n"), with("settings:\n  work_mem: 9MB\n")];
    let calls = killed_at_every_call(&bed, reloads.each_ref().map(String::as_str), |bed| {
        bed.sql("DROP EXTENSION IF EXISTS pgaudit");
    });
    assert!(calls > 6, "only {calls} calls");
    let restarts = [with("settings:\n  max_connections: 21\n"), with("settings:\n  max_connections: 22\n")];
    let calls = killed_at_every_call(&bed, restarts.each_ref().map(String::as_str), |_| {});
    assert!(calls > 9, "only {calls} calls");
}
