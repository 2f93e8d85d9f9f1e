//! Signals, and output that nobody reads or that nothing holds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use testing::{InTerminal, Run, Sandbox};

use crate::PROGRAM;

const SIGNALS: [(Signal, &str); 3] =
    [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM"), (Signal::HUP, "SIGHUP")];

/// An end "at once" on a busy machine; what it is not is a lock's 60 seconds.
const SOON: Duration = Duration::from_secs(5);

const APPLY: [&str; 5] = ["-q", "-f", "examples/existing/kasm-db.yaml", "apply", "-y"];

fn kasm_db(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    // A job that a script runs in the background ignores SIGINT, and so would what it starts.
    let mut command = sandbox.command("env");
    command.args(["--default-signal=INT,HUP,TERM", PROGRAM]);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Waits until the process waits for signals: a thread of that name is there.
fn wait_until_it_listens(child: &Child) {
    let started = Instant::now();
    let tasks = format!("/proc/{}/task", child.id());
    while started.elapsed() < SOON {
        let tasks = std::fs::read_dir(&tasks).unwrap();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
        if names.into_iter().any(|name| name.trim() == "signals") {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it does not listen");
}

#[track_caller]
fn ended(child: Child) -> (Option<i32>, String) {
    let started = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(started.elapsed() < SOON, "it took {:?}", started.elapsed());
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_signal_ends_the_wait_for_the_lock_at_once() {
    for (signal, name) in SIGNALS {
        let sandbox = Sandbox::new(PROGRAM);
        let target = sandbox.target("existing");
        let before = sandbox.seen(&target);
        let held = File::open(&target).unwrap();
        held.lock().unwrap();
        let child = kasm_db(&sandbox, &["--lock-timeout", "60"]).args(APPLY).spawn().unwrap();
        wait_until_it_listens(&child);
        std::thread::sleep(Duration::from_millis(100));
        send(&child, signal);
        let said = format!("error: interrupted by {name}\n  = state: nothing changed\n");
        assert_eq!(ended(child), (Some(130), said));
        assert_eq!(sandbox.seen(&target), before);
    }
}

#[test]
fn a_signal_that_the_caller_ignores_is_ignored() {
    let sandbox = Sandbox::new(PROGRAM);
    let held = File::open(sandbox.target("existing")).unwrap();
    held.lock().unwrap();
    let script = format!("trap '' HUP INT; exec {} --lock-timeout 60 {}", PROGRAM, APPLY.join(" "));
    let mut command = sandbox.command("sh");
    let child = command.args(["-c", &script]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until_it_listens(&child);
    send(&child, Signal::HUP);
    send(&child, Signal::INT);
    std::thread::sleep(Duration::from_millis(200));
    held.unlock().unwrap();
    assert_eq!(ended(child), (Some(0), String::new()));
}

#[test]
fn a_signal_ends_the_question_at_once() {
    for (signal, name) in SIGNALS {
        let sandbox = Sandbox::new(PROGRAM);
        let target = sandbox.target("existing");
        let before = sandbox.seen(&target);
        let mut run = InTerminal::start(kasm_db(&sandbox, &APPLY[..4]));
        run.wait_for("Only `yes` is accepted: ");
        let started = Instant::now();
        send(&run.child, signal);
        let code = run.end();
        assert!(started.elapsed() < SOON);
        assert!(run.said.contains(&format!("interrupted by {name}")), "{}", run.said);
        assert!(run.said.contains("state: nothing changed"), "{}", run.said);
        assert_eq!(code, Some(130));
        assert_eq!(sandbox.seen(&target), before);
    }
}

#[test]
fn a_reader_that_has_stopped_reading_keeps_no_run_alive() {
    let sandbox = Sandbox::new(PROGRAM);
    let (reader, writer) = std::io::pipe().unwrap();
    // Both streams go where nobody reads, and more is written than a pipe holds.
    let arguments = ["-vv", "--context", "100000", "-f", "examples/existing/kasm-db.yaml", "plan"];
    let conf = sandbox.target("existing").join("conf/database/postgresql.conf");
    let mut text = std::fs::read(&conf).unwrap();
    text.extend("# a comment that is long enough to fill a pipe\n".repeat(5000).bytes());
    std::fs::write(&conf, text).unwrap();
    let mut command = sandbox.command(PROGRAM);
    command.args(arguments).stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut child = command.spawn().unwrap();
    drop(command);
    wait_until_it_listens(&child);
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it was to be stuck");
    let started = Instant::now();
    send(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(started.elapsed() < SOON);
    drop(reader);
}

/// Sends SIGTERM at the `when`-th call of this kind; gives how it ended, or `None` where there is no such call.
fn at_call(sandbox: &Sandbox, arguments: &[&str], call: &str, when: usize) -> Option<Run> {
    let log = sandbox.root().join("strace.log");
    let mut command = sandbox.command("strace");
    command.args(["-o", log.to_str().unwrap(), "-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:signal=TERM:when={when}")]);
    let run = sandbox.finish(command.arg(PROGRAM).args(arguments));
    std::fs::read_to_string(log).unwrap().contains("--- SIGTERM").then_some(run)
}

#[test]
fn a_signal_while_files_are_written_leaves_all_or_none_and_says_which() {
    let sandbox = Sandbox::new(PROGRAM);
    let all = |sandbox: &Sandbox| sandbox.contents(&sandbox.target("existing"));
    let old = all(&sandbox);
    sandbox.finish(&mut kasm_db(&sandbox, &APPLY)).expect(0);
    let new = all(&sandbox);
    let (mut kept, mut applied) = (0, 0);
    for call in ["fsync", "renameat2", "unlinkat", "fchmod", "flock", "write"] {
        for when in 1..=40 {
            let sandbox = Sandbox::new(PROGRAM);
            let Some(run) = at_call(&sandbox, &APPLY, call, when) else { break };
            let now = all(&sandbox);
            let said = format!("{call} {when}: {run}");
            // The last line may be on its way when the signal comes: then it is a run that is done.
            match run.code {
                Some(130) if run.stderr.contains("state: nothing changed") => {
                    assert!(now == old, "{said}");
                    kept += 1;
                }
                Some(130) if run.stderr.contains("state: files applied") => {
                    assert!(now == new, "{said}");
                    applied += 1;
                }
                Some(0) => assert!(now == new, "{said}"),
                _ => panic!("{said}"),
            }
        }
    }
    assert!(applied >= 15, "{applied} signals came while files were written");
    assert!(kept >= 1, "{kept} signals came before");
}

/// Writes documents in folders of their own, with a target each.
fn many(number: usize) -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    for index in 0..number {
        let folder = sandbox.root().join(format!("many/t{index}"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("postgresql.conf"), "work_mem = 4MB\n").unwrap();
        let text = format!(
            "schema: kasm-db/v1\npostgres_major: 14\nsettings: {{work_mem: 8MB}}\n\
             targets: [{{name: t{index}, files: {{postgresql_conf: postgresql.conf}}}}]\n"
        );
        std::fs::write(folder.join("kasm-db.yaml"), text).unwrap();
    }
    sandbox
}

#[test]
fn a_signal_while_targets_are_written_side_by_side_is_said_once_and_names_the_files_of_all() {
    const TARGETS: usize = 150;
    let mut cut_short = 0;
    for first in [1, 5, 20, 40, 80] {
        let sandbox = many(TARGETS);
        let conf = |index: usize| sandbox.root().join(format!("many/t{index}/postgresql.conf"));
        let written = || {
            let is_new = |index: &usize| std::fs::read_to_string(conf(*index)).unwrap() == "work_mem = 8MB\n";
            (0..TARGETS).filter(is_new).collect::<Vec<_>>()
        };
        let child = kasm_db(&sandbox, &["apply", "-y", "-R", "-f", "many", "--summary"]).spawn().unwrap();
        let started = Instant::now();
        while written().len() < first {
            assert!(started.elapsed() < 4 * SOON, "{:?} are written", written());
        }
        send(&child, Signal::TERM);
        let output = child.wait_with_output().unwrap();
        let [table, said] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        let written = written();
        if output.status.code() == Some(0) {
            assert_eq!(written.len(), TARGETS);
            continue;
        }
        assert_eq!(output.status.code(), Some(130), "{said}");
        assert_eq!(said.matches("interrupted by SIGTERM").count(), 1, "{said}");
        let changed = said.lines().find_map(|line| line.strip_prefix("  = help: changed: ")).unwrap();
        let mut changed: Vec<_> = changed.split(", ").map(String::from).collect();
        let mut wanted: Vec<_> = written.iter().map(|index| conf(*index).display().to_string()).collect();
        changed.sort();
        wanted.sort();
        assert_eq!(changed, wanted);
        // No more than the target that the signal is said with ends with it.
        assert!(table.matches("applied, and then it failed").count() <= 1, "{table}");
        assert!(!table.contains(": failed\n"), "{table}");
        assert_eq!(table.matches("not started").count().min(1), usize::from(written.len() < TARGETS));
        cut_short += usize::from(written.len() < TARGETS);
    }
    assert!(cut_short >= 2, "{cut_short} runs were cut short");
}

#[test]
fn a_file_that_changes_while_nobody_reads_a_saved_plan_is_an_error() {
    let sandbox = many(600);
    let saved = ["plan", "-q", "-R", "-f", "many", "--out", "plan.json"];
    sandbox.finish(&mut kasm_db(&sandbox, &saved)).expect(0);
    let mut child = kasm_db(&sandbox, &["show", "plan.json"]).spawn().unwrap();
    let (mut stdout, mut first) = (child.stdout.take().unwrap(), [0]);
    stdout.read_exact(&mut first).unwrap();
    // More than a pipe holds is before it.
    std::fs::write(sandbox.root().join("many/t599/postgresql.conf"), "work_mem = 5MB\n").unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("files of `t599` changed while the plan was shown"), "{said}");
    assert!(rest.contains("t598") && !rest.contains("5MB"), "{rest}");
}

#[test]
fn a_rollback_that_a_signal_ends_names_the_files_that_it_changed() {
    const ROLLBACK: [&str; 4] = ["-f", "examples/existing/kasm-db.yaml", "rollback", "-y"];
    let mut named = 0;
    for when in 1..=40 {
        let sandbox = Sandbox::new(PROGRAM);
        let old = sandbox.contents(&sandbox.target("existing"));
        sandbox.finish(&mut kasm_db(&sandbox, &APPLY)).expect(0);
        let Some(run) = at_call(&sandbox, &ROLLBACK, "renameat2", when) else { break };
        if run.code != Some(130) || !run.stderr.contains("state: files applied") {
            continue;
        }
        assert!(sandbox.contents(&sandbox.target("existing")) == old, "{run}");
        assert!(run.stderr.contains("docker/docker-compose.yaml"), "{run}");
        assert!(run.stderr.contains("= help: changed: "), "{run}");
        named += 1;
    }
    assert!(named >= 1, "no signal came while files were written");
}

/// Writes a file that a shell can run.
fn script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_signal_does_not_repeat_the_secrets_of_the_command_that_it_waits_for() {
    let sandbox = Sandbox::new(PROGRAM);
    let target = sandbox.target("existing");
    for name in ["stop", "start"] {
        script(&target.join("bin").join(name), "#!/bin/sh\ntouch it-runs\nsleep 2\n");
    }
    let document = sandbox.document("existing");
    let text = std::fs::read_to_string(&document).unwrap();
    let more = "restart: {policy: if_needed, stop: [bin/stop, dummy-db-password]}\nverify: {connect: none}\n";
    std::fs::write(&document, text + more).unwrap();
    let child = kasm_db(&sandbox, &APPLY).spawn().unwrap();
    let started = Instant::now();
    while !sandbox.root().join("it-runs").exists() {
        assert!(started.elapsed() < SOON, "the command does not run");
        std::thread::sleep(Duration::from_millis(20));
    }
    send(&child, Signal::TERM);
    let (code, said) = ended(child);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("SIGTERM: waiting until `bin/stop <hidden>` ends"), "{said}");
    assert!(!said.contains("dummy-db-password"), "{said}");
}

#[test]
fn a_reader_that_has_gone_is_not_an_error() {
    let sandbox = Sandbox::new(PROGRAM);
    for arguments in
        ["--help", "schema", "completions bash", "man", "-q -f examples/existing/kasm-db.yaml plan"]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = sandbox.command(PROGRAM);
        command.args(arguments.split(' '));
        let output =
            command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("error") && !said.contains("pipe"), "{arguments}: {said}");
    }
}

#[test]
fn a_full_disk_behind_standard_output_is_an_error() {
    let sandbox = Sandbox::new(PROGRAM);
    let before = sandbox.seen(sandbox.root());
    for arguments in [
        "--help",
        "--version",
        "schema",
        "completions bash",
        "man",
        "-q -f examples/existing/kasm-db.yaml validate",
        "-q -f examples/existing/kasm-db.yaml plan",
        "-q -f examples/existing/kasm-db.yaml plan --format json",
        "-q -f examples/existing/kasm-db.yaml apply -y",
    ] {
        let mut command = sandbox.command(PROGRAM);
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = command.args(arguments.split(' ')).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let state = if arguments.contains("apply") { "  = state: nothing changed\n" } else { "" };
        let wanted = format!("error: standard output: cannot write to it: no space left on device\n{state}");
        assert_eq!((output.status.code(), said), (Some(1), wanted), "{arguments}");
    }
    assert_eq!(sandbox.seen(sandbox.root()), before);
}

#[test]
fn files_that_are_applied_are_said_to_be_where_standard_output_fails_behind_them() {
    use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
    let sandbox = Sandbox::new(PROGRAM);
    let plan = sandbox.run("-q -f examples/existing/kasm-db.yaml apply -y --dry-run").expect(0).bytes;
    // A pipe that holds the plan and not a byte more.
    let (_reader, writer) = pipe_with(PipeFlags::NONBLOCK).unwrap();
    let size = fcntl_setpipe_size(&writer, 4096).unwrap();
    let mut writer = File::from(writer);
    writer.write_all(&vec![b'x'; size - plan.len()]).unwrap();
    let mut command = kasm_db(&sandbox, &APPLY);
    let child = command.stdout(writer).spawn().unwrap();
    drop(command);
    let (code, said) = ended(child);
    let wanted = "error: standard output: cannot write to it: resource temporarily unavailable\n  = state: files applied, stack not restarted\n";
    assert_eq!((code, &*said), (Some(9), wanted));
    assert!(is_applied(&sandbox.target("existing")));
}

fn is_applied(target: &Path) -> bool {
    std::fs::read_to_string(target.join("docker/docker-compose.yaml"))
        .unwrap()
        .contains("kasmweb/postgres:1.11.0")
}

/// A document of three targets, of which the second one cannot be applied.
fn three_targets(sandbox: &Sandbox) {
    let opt = sandbox.root().join("examples/existing/opt/kasm");
    for name in ["second", "third"] {
        testing::copy(&opt.join("1.11.0"), &opt.join(name));
    }
    let document = sandbox.document("existing");
    let targets = "    deployment: opt/kasm/current\n";
    let more = "  - name: second\n    deployment: opt/kasm/second\n  - name: third\n    deployment: opt/kasm/third\n";
    sandbox.edit(&document, targets, &format!("{targets}{more}"));
}

#[test]
fn a_lock_that_another_run_holds_keeps_all_targets_from_being_written() {
    let sandbox = Sandbox::new(PROGRAM);
    three_targets(&sandbox);
    let [second, third] =
        ["second", "third"].map(|name| sandbox.root().join("examples/existing/opt/kasm").join(name));
    let held = File::open(&second).unwrap();
    held.lock().unwrap();
    let run = sandbox.finish(&mut kasm_db(&sandbox, &APPLY)).expect(6);
    let table = "  second   failed\n  current  not started\n  third    not started\n\
                 3 targets: 1 failed, 2 not started\n";
    assert!(run.stdout.ends_with(&format!("\nTargets:\n{table}")), "{run}");
    assert!(
        !run.stderr.contains("partly applied") && run.stderr.ends_with("state: nothing changed\n"),
        "{run}"
    );
    assert!(!is_applied(&sandbox.target("existing")) && !is_applied(&second) && !is_applied(&third));
    let run = sandbox.finish(kasm_db(&sandbox, &APPLY).arg("--keep-going")).expect(10);
    let rows: Vec<_> = run.stdout.split("\nTargets:\n").nth(1).unwrap().lines().collect();
    assert_eq!(rows[0], "  second   failed", "{run}");
    assert!(
        rows[1].starts_with("  current  applied: ") && rows[2].starts_with("  third    applied: "),
        "{run}"
    );
    assert_eq!(rows[3..], ["3 targets: 1 failed, 2 applied"], "{run}");
    let targets = "  current: applied\n  second: failed\n  third: applied\n";
    let said =
        format!("\nerror: partly applied: 2 of 3 targets written\n{targets}  = help: fix the error above");
    assert!(run.stderr.contains(&said), "{run}");
    assert!(
        run.stderr.ends_with("  = state: partly applied: some targets are written, others are not\n"),
        "{run}"
    );
    held.unlock().unwrap();
    let run = sandbox.finish(&mut kasm_db(&sandbox, &APPLY)).expect(0);
    let table = run.stdout.split("\nTargets:\n").nth(1).unwrap();
    assert!(table.starts_with("  second   applied: "), "{run}");
    let same = "  current  no changes\n  third    no changes\n3 targets: 1 applied, 2 without changes\n";
    assert!(table.ends_with(same), "{run}");
}

#[test]
fn a_saved_plan_of_several_targets_continues_where_it_was_stopped() {
    let sandbox = Sandbox::new(PROGRAM);
    three_targets(&sandbox);
    sandbox.run("-q -f examples/existing/kasm-db.yaml plan --out plan.json").expect(0);
    let second = sandbox.root().join("examples/existing/opt/kasm/second");
    let held = File::open(&second).unwrap();
    held.lock().unwrap();
    sandbox.run("-q apply plan.json --keep-going").expect(10);
    held.unlock().unwrap();
    let run = sandbox.run("-q apply plan.json").expect(0);
    assert!(run.stdout.contains("opt/kasm/1.11.0: already applied"), "{run}");
    let same = "  current  no changes\n  third    no changes\n3 targets: 1 applied, 2 without changes\n";
    assert!(run.stdout.contains("  second   applied: ") && run.stdout.ends_with(same), "{run}");
    // One target that is not as it was keeps all of them from being written to.
    let sandbox = Sandbox::new(PROGRAM);
    three_targets(&sandbox);
    sandbox.run("-q -f examples/existing/kasm-db.yaml plan --out plan.json").expect(0);
    std::fs::write(sandbox.root().join("examples/existing/opt/kasm/third/docker/.env"), "A=b\n").unwrap();
    let before = sandbox.seen(sandbox.root());
    let run = sandbox.run("-q apply plan.json").expect(5);
    assert!(run.stderr.contains("docker/.env: appeared"), "{run}");
    assert_eq!(sandbox.seen(sandbox.root()), before);
}

#[test]
fn a_dry_run_ends_as_apply_would_and_writes_nothing() {
    let sandbox = Sandbox::new(PROGRAM);
    let before = sandbox.seen(sandbox.root());
    let dry = "-q -f examples/existing/kasm-db.yaml apply --dry-run";
    let plan = sandbox.run("-q -f examples/existing/kasm-db.yaml plan").expect(0);
    let run = sandbox.run(dry).expect(0);
    assert_eq!(run.stdout, plan.stdout);
    assert_eq!(run.stderr, "Dry run: nothing was written.\n");
    let held = File::open(sandbox.target("existing")).unwrap();
    held.lock().unwrap();
    sandbox.run(dry).expect(6);
    held.unlock().unwrap();
    assert_eq!(sandbox.seen(sandbox.root()), before);
    sandbox.edit(&sandbox.document("existing"), "postgres:1.11.0", "postgres:1.16.0");
    sandbox.run(dry).expect(4);
    sandbox.edit(&sandbox.document("existing"), "schema:", "shema:");
    sandbox.run(dry).expect(3);
}
