//! The commands that stop and start the database: what they leave running, and how long they may take.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use testing::{Run, Sandbox};

use crate::PROGRAM;

/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A deployment whose commands are these scripts; nobody asks its server.
fn deployment(stop: &str, start: &str, restart: &str) -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    for (name, script) in [("stop", stop), ("start", start)] {
        let path = sandbox.target("existing").join("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    restart_is(&sandbox, restart);
    sandbox
}

fn restart_is(sandbox: &Sandbox, restart: &str) {
    let document = sandbox.document("existing");
    let text = std::fs::read_to_string(&document).unwrap();
    let text = text.split("restart:").next().unwrap();
    let more = format!("restart: {{policy: if_needed, {restart}}}\nverify: {{connect: none}}\n");
    std::fs::write(&document, format!("{text}{more}")).unwrap();
}

fn run(sandbox: &Sandbox, command: &str) -> Run {
    sandbox.run(&format!("-f examples/existing/kasm-db.yaml {command}"))
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap_or_default().lines().count()
}

#[test]
fn what_a_command_leaves_running_writes_on_after_the_program_has_ended() {
    let ticks = "while echo tick && echo tock >&2; do echo >> ticks; sleep 0.05; done";
    let start = format!("({ticks}) &\necho $! > pid");
    let sandbox = deployment("exit 0", &start, "timeout: 60s");
    run(&sandbox, "apply --yes").expect(0);
    let root = sandbox.root();
    let (pid, file) = (std::fs::read_to_string(root.join("pid")).unwrap(), root.join("ticks"));
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    let (before, started) = (lines(&file), Instant::now());
    // Without a reader the next line that it writes would be its last.
    while lines(&file) < before + 20 && started.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(20));
    }
    let alive = test_kill_process(pid).is_ok();
    let _ = kill_process(pid, Signal::KILL);
    assert!(alive && lines(&file) >= before + 20, "it ended after {} lines", lines(&file));
}

#[test]
fn each_command_has_a_time_of_its_own_and_the_next_run_takes_a_new_one_from_the_document() {
    let sandbox = deployment("touch runs; exec sleep 600", "exit 0", "timeout: 600s, stop_timeout: 1s");
    let late = "did not end within 1 second, and was ended";
    let more = |key: &str| {
        format!("to give it more time, set `restart: {{{key}: …}}` in the document and run `kasm-db apply`")
    };
    let stopped = run(&sandbox, "apply --yes").expect(9);
    assert!(stopped.stderr.contains("bin/stop` ") && stopped.stderr.contains(late), "{stopped}");
    assert!(stopped.stderr.contains(&more("stop_timeout")), "{stopped}");

    // What the message says is enough.
    let stop = sandbox.target("existing").join("bin/stop");
    std::fs::write(&stop, "#!/bin/sh\nexec sleep 3\n").unwrap();
    restart_is(&sandbox, "timeout: 1s, stop_timeout: 600s");
    let start = sandbox.target("existing").join("bin/start");
    std::fs::write(&start, "#!/bin/sh\nexec sleep 600\n").unwrap();
    let started = run(&sandbox, "apply --yes").expect(9);
    assert!(started.stderr.contains("bin/start` ") && started.stderr.contains(late), "{started}");
    assert!(started.stderr.contains(&more("timeout")), "{started}");

    std::fs::write(&start, "#!/bin/sh\nexec sleep 3\n").unwrap();
    restart_is(&sandbox, "timeout: 600s");
    run(&sandbox, "apply --yes").expect(0);
}
