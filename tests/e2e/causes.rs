//! A server that does not answer: the true cause, in bounded time, and a fix that works as it is written.

use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::bed::{Bed, Run, docker, engine, finish, has_no_engine, names};
use crate::steps::in_front;

const IF_NEEDED: &str = "restart:\n  policy: if_needed\n  timeout: 60s\n";

/// A cause is to be named within this time.
const BOUND: Duration = Duration::from_secs(10);

/// Runs `kasm-db` until it says this of a server that does not answer: Docker needs a moment to see that it does not. Each run
/// must end in time.
#[track_caller]
fn says(bed: &Bed, arguments: &str, parts: &[&str]) -> Run {
    let started = Instant::now();
    loop {
        let begun = Instant::now();
        let run = bed.run(arguments);
        assert!(begun.elapsed() < BOUND, "{:?}: {}", begun.elapsed(), run.stdout);
        if parts.iter().all(|part| run.stdout.contains(part)) {
            return run.expect(9);
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{parts:?} is not in\n{}", run.stdout);
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Runs the commands that a fix names, as they are written.
#[track_caller]
fn fix(bed: &Bed, run: &Run) {
    let fix = run.stdout.lines().find_map(|line| line.trim().strip_prefix("fix: ")).expect("a fix");
    let commands: Vec<&str> = fix.split('`').skip(1).step_by(2).collect();
    assert!(!commands.is_empty(), "{fix}");
    for command in commands {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).env("PATH", bed.path()).env("DOCKER_HOST", engine().unwrap_or_default());
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_reason_of_the_past_is_not_given_for_a_stop_of_today() {
    let bed = Bed::in_order();
    bed.document("");
    let hba = bed.read("conf/database/pg_hba.conf");
    bed.write("conf/database/pg_hba.conf", "garbage\n");
    bed.bin("stop");
    bed.bin("start");
    let why = "FATAL:  could not load ";
    says(&bed, "verify", &["LOG:  invalid connection type \"garbage\"", why, "pg_hba.conf"]);
    bed.run("status").expect(9).says(&["server unreachable: ", why]);
    bed.write("conf/database/pg_hba.conf", &hba);
    bed.bin("stop");
    bed.start();
    bed.run("status").expect(0);
    bed.bin("stop");
    for arguments in ["status", "verify"] {
        let run = bed.run(arguments).expect(9).says(&["does not run: it ended with 0"]);
        assert!(!run.stdout.contains("FATAL") && !run.stdout.contains("garbage"), "{}", run.stdout);
    }
}

#[test]
fn what_a_fatal_line_refers_to_is_quoted_before_it_and_the_fix_works_as_it_is_written() {
    if has_no_engine("files that belong to another user than the server") {
        return;
    }
    let bed = Bed::in_order();
    bed.document("");
    let conf = bed.tree().join("conf/database/postgresql.conf");
    std::fs::set_permissions(&conf, PermissionsExt::from_mode(0o600)).unwrap();
    chown(&conf, Some(0), Some(0)).unwrap();
    bed.bin("stop");
    bed.bin("start");
    let reason = [
        "LOG:  could not open configuration file \"/var/lib/postgresql/conf/postgresql.conf\": Permission denied; FATAL:  ",
        "contains errors",
    ];
    let run = says(&bed, "verify", &reason);
    fix(&bed, &run);
    bed.wait();
    bed.run("verify --no-probe").expect(0);

    // The log of today, which belongs to somebody else since.
    let folder = bed.tree().join("log/postgres");
    let log = folder.join(&names(&folder)[0]);
    chown(&log, Some(0), Some(0)).unwrap();
    bed.bin("stop");
    bed.bin("start");
    let run = says(&bed, "verify", &["FATAL:  could not open log file ", "Permission denied"]);
    fix(&bed, &run);
    bed.wait();
    bed.run("verify").expect(0);
}

#[test]
fn a_server_that_is_stopped_by_a_signal_is_named_with_the_signal_that_continues_it() {
    let bed = Bed::in_order();
    bed.document("");
    bed.docker(&["kill", "--signal", "STOP", &bed.name]);
    let run = says(
        &bed,
        "verify",
        &["FAIL  connect: the process ", " (`", "is stopped, as by SIGSTOP", "kill -CONT "],
    );
    let begun = Instant::now();
    bed.run("status").expect(9).says(&["server unreachable: the process ", "is stopped"]);
    assert!(begun.elapsed() < BOUND);
    fix(&bed, &run);
    bed.run("verify").expect(0);
}

#[test]
fn a_collector_that_is_stopped_is_found_also_where_it_holds_up_the_whole_server() {
    if has_no_engine("the processes of a container") {
        return;
    }
    let bed = Bed::in_order();
    bed.document("");
    let top = docker(&["container", "top", &bed.name, "-eo", "pid,args"]);
    let logger = top.lines().find(|line| line.contains("postgres: logger")).unwrap();
    let pid = logger.split_whitespace().next().unwrap();
    assert!(Command::new("kill").args(["-STOP", pid]).status().unwrap().success());
    // The pipe to it is full: whoever logs something waits.
    let filler = "DO $$ BEGIN FOR i IN 1..500 LOOP RAISE LOG '%', repeat('x', 400); END LOOP; END $$";
    let mut full = Command::new("docker")
        .args([
            "--host",
            engine().unwrap(),
            "exec",
            &bed.name,
            "psql",
            "-XqtAU",
            "kasmapp",
            "-d",
            "kasm",
            "-c",
            filler,
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(1));
    bed.edit_conf(|conf| conf + "pgaudit.log_catalog = on\n");
    let run = says(&bed, "verify", &["is stopped, as by SIGSTOP", "postgres: logger"]);
    fix(&bed, &run);
    full.wait().unwrap();
    bed.run("verify").expect(0);
}

#[test]
fn a_server_in_recovery_is_said_to_be_in_recovery() {
    let bed = Bed::in_order();
    bed.document("");
    let data = bed.sql("SHOW data_directory");
    // A restore that takes its time: the server does not reach a consistent state before it ends.
    bed.sql(&format!("COPY (SELECT 1) TO '{data}/recovery.signal'"));
    bed.edit_conf(|conf| conf + "restore_command = 'sleep 300; false'\n");
    bed.bin("stop");
    bed.bin("start");
    let begun = Instant::now();
    let run = says(&bed, "verify", &["the database system is ", "recover"]);
    assert!(run.stdout.contains("its log says how far it is"), "{}", run.stdout);
    bed.run("status").expect(9).says(&["server unreachable: ", "the database system is "]);
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn what_pg_hba_rejects_is_final_and_nobody_waits_for_it() {
    let bed = Bed::in_order();
    let path = bed.document(&IF_NEEDED.replace("60s", "600s"));
    let text = std::fs::read_to_string(&path).unwrap();
    bed.edit("conf/database/pg_hba.conf", |text| {
        text.replace("local   all       all              trust", "local all all reject")
    });
    std::fs::write(&path, format!("{text}settings: {{max_connections: 30}}\n")).unwrap();
    let begun = Instant::now();
    let run = bed.run("apply --yes").expect(9);
    run.says(&[
        "the database did not come up, ",
        "pg_hba.conf rejects connection",
        "pg_hba.conf that lets this user in",
    ]);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    bed.run("verify").expect(9).says(&["pg_hba.conf rejects connection"]);
    bed.edit("conf/database/pg_hba.conf", |text| text.replace("reject", "trust"));
    bed.docker(&["kill", "--signal", "HUP", &bed.name]);
    bed.run("apply --yes").expect(0);
}

#[test]
fn an_apply_that_is_running_is_not_one_that_is_not_finished() {
    let bed = Bed::running(crate::bed::STOCK);
    bed.document(IF_NEEDED);
    let (reached, go) = (bed.root.join("reached"), bed.root.join("go"));
    let script =
        format!("touch {}\nwhile [ ! -e {} ]; do sleep 0.05; done\nREAL", reached.display(), go.display());
    in_front(&bed, "start", &script);
    let mut apply = bed.command("apply --yes");
    let apply = apply.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !reached.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let running =
        format!("; an apply is running, process {}, at its step `start`; server unreachable", apply.id());
    let run = bed.run("status").expect(9).says(&[&running]);
    assert!(!run.stdout.contains("not finished"), "{}", run.stdout);
    bed.run("status --format json").expect(9).says(&[
        &format!("\"pid\": {}", apply.id()),
        &format!("/kasm: an apply is running, process {}", apply.id()),
    ]);
    std::fs::write(&go, "").unwrap();
    assert_eq!(apply.wait_with_output().unwrap().status.code(), Some(0));
    let run = bed.run("status").expect(0);
    assert!(!run.stdout.contains("an apply"), "{}", run.stdout);
    // Killed, it is one that is not finished.
    std::fs::remove_file(&go).unwrap();
    std::fs::remove_file(&reached).unwrap();
    bed.document(&format!("{IF_NEEDED}settings: {{max_connections: 30}}\n"));
    let mut apply = bed.command("apply --yes");
    let mut apply = apply.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !reached.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    apply.kill().unwrap();
    apply.wait().unwrap();
    bed.run("status").expect(9).says(&["an apply is not finished"]);
    std::fs::write(&go, "").unwrap();
    finish(&mut bed.command("recover")).expect(0);
    bed.run("status").expect(0);
}
