//! Signals, and output that nobody reads or that nothing holds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod command;
#[path = "command/terminal.rs"]
mod terminal;

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use command::{Run, Sandbox};
use rustix::process::{Pid, Signal, kill_process};
use terminal::InTerminal;

const SIGNALS: [(Signal, &str); 3] =
    [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM"), (Signal::HUP, "SIGHUP")];

/// An end "at once" on a busy machine; what it is not is a lock's 60 seconds.
const SOON: Duration = Duration::from_secs(5);

const APPLY: [&str; 5] = ["-q", "-f", "examples/existing/kasm-db.yaml", "apply", "-y"];

fn kasm_db(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    // A job that a script runs in the background ignores SIGINT, and so would what it starts.
    let mut command = sandbox.command("env");
    command.args(["--default-signal=INT,HUP,TERM", env!("CARGO_BIN_EXE_kasm-db")]);
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
        let sandbox = Sandbox::new();
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
    let sandbox = Sandbox::new();
    let held = File::open(sandbox.target("existing")).unwrap();
    held.lock().unwrap();
    let script = format!(
        "trap '' HUP INT; exec {} --lock-timeout 60 {}",
        env!("CARGO_BIN_EXE_kasm-db"),
        APPLY.join(" ")
    );
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
        let sandbox = Sandbox::new();
        let target = sandbox.target("existing");
        let before = sandbox.seen(&target);
        let mut run = InTerminal::start(kasm_db(&sandbox, &APPLY[..4]));
        run.wait_for("Only `yes` goes on: ");
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
    let sandbox = Sandbox::new();
    let (reader, writer) = std::io::pipe().unwrap();
    // Both streams go where nobody reads, and more is written than a pipe holds.
    let arguments = ["-vv", "--context", "100000", "-f", "examples/existing/kasm-db.yaml", "plan"];
    let conf = sandbox.target("existing").join("conf/database/postgresql.conf");
    let mut text = std::fs::read(&conf).unwrap();
    text.extend("# a comment that is long enough to fill a pipe\n".repeat(5000).bytes());
    std::fs::write(&conf, text).unwrap();
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_kasm-db"));
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
fn at_call(sandbox: &Sandbox, call: &str, when: usize) -> Option<Run> {
    let log = sandbox.root().join("strace.log");
    let mut command = sandbox.command("strace");
    command.args(["-o", log.to_str().unwrap(), "-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:signal=TERM:when={when}")]);
    let run = sandbox.finish(command.arg(env!("CARGO_BIN_EXE_kasm-db")).args(APPLY));
    std::fs::read_to_string(log).unwrap().contains("--- SIGTERM").then_some(run)
}

#[test]
fn a_signal_while_files_are_written_leaves_all_or_none_and_says_which() {
    let sandbox = Sandbox::new();
    let all = |sandbox: &Sandbox| sandbox.contents(&sandbox.target("existing"));
    let old = all(&sandbox);
    sandbox.finish(&mut kasm_db(&sandbox, &APPLY)).expect(0);
    let new = all(&sandbox);
    let (mut kept, mut applied) = (0, 0);
    for call in ["fsync", "renameat2", "unlinkat", "fchmod", "flock", "write"] {
        for when in 1..=40 {
            let sandbox = Sandbox::new();
            let Some(run) = at_call(&sandbox, call, when) else { break };
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

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let sandbox = Sandbox::new();
    for arguments in
        ["--help", "schema", "completions bash", "man", "-q -f examples/existing/kasm-db.yaml plan"]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_kasm-db"));
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
    let sandbox = Sandbox::new();
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
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_kasm-db"));
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = command.args(arguments.split(' ')).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let wanted = "error: standard output: can not write to it: no space left on device\n  = state: nothing changed\n";
        assert_eq!((output.status.code(), &*said), (Some(1), wanted), "{arguments}");
    }
    assert_eq!(sandbox.seen(sandbox.root()), before);
}

#[test]
fn files_that_are_applied_are_said_to_be_where_standard_output_fails_behind_them() {
    use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
    let sandbox = Sandbox::new();
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
    let wanted = "error: standard output: can not write to it: resource temporarily unavailable\n  = state: files applied, stack not restarted\n";
    assert_eq!((code, &*said), (Some(9), wanted));
    assert!(is_applied(&sandbox.target("existing")));
}

fn is_applied(target: &Path) -> bool {
    std::fs::read_to_string(target.join("docker/docker-compose.yaml"))
        .unwrap()
        .contains("kasmweb/postgres:1.11.0")
}

/// A document of three targets, of which the second one can not be applied.
fn three_targets(sandbox: &Sandbox) {
    let opt = sandbox.root().join("examples/existing/opt/kasm");
    for name in ["second", "third"] {
        command::copy(&opt.join("1.11.0"), &opt.join(name));
    }
    let document = sandbox.document("existing");
    let targets = "    deployment: opt/kasm/current\n";
    let more = "  - name: second\n    deployment: opt/kasm/second\n  - name: third\n    deployment: opt/kasm/third\n";
    sandbox.edit(&document, targets, &format!("{targets}{more}"));
}

#[test]
fn a_failure_stops_before_the_next_target_and_the_report_says_which_are_done() {
    let sandbox = Sandbox::new();
    three_targets(&sandbox);
    let second = sandbox.root().join("examples/existing/opt/kasm/second");
    let third = sandbox.root().join("examples/existing/opt/kasm/third");
    let held = File::open(&second).unwrap();
    held.lock().unwrap();
    let run = sandbox.finish(&mut kasm_db(&sandbox, &APPLY)).expect(6);
    assert!(
        run.stdout.ends_with("\nTargets:\n  current: applied\n  second: failed\n  third: not started\n"),
        "{run}"
    );
    assert!(is_applied(&sandbox.target("existing")) && !is_applied(&second) && !is_applied(&third));
    held.unlock().unwrap();
    let run = sandbox.finish(&mut kasm_db(&sandbox, &APPLY)).expect(0);
    assert!(
        run.stdout.ends_with("\nTargets:\n  current: nothing to do\n  second: applied\n  third: applied\n"),
        "{run}"
    );
}

#[test]
fn a_saved_plan_of_several_targets_goes_on_where_it_was_stopped() {
    let sandbox = Sandbox::new();
    three_targets(&sandbox);
    sandbox.run("-q -f examples/existing/kasm-db.yaml plan --out plan.json").expect(0);
    let second = sandbox.root().join("examples/existing/opt/kasm/second");
    let held = File::open(&second).unwrap();
    held.lock().unwrap();
    sandbox.run("-q apply plan.json").expect(6);
    held.unlock().unwrap();
    let run = sandbox.run("-q apply plan.json").expect(0);
    assert!(run.stdout.contains("opt/kasm/1.11.0: already applied"), "{run}");
    assert!(run.stdout.ends_with("  current: nothing to do\n  second: applied\n  third: applied\n"), "{run}");
    // One target that is not as it was keeps all of them from being written to.
    let sandbox = Sandbox::new();
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
    let sandbox = Sandbox::new();
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
