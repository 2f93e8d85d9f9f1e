//! Every error says where, what and why, and what holds for the files now.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use testing::{Run, Sandbox};

use crate::PROGRAM;

/// The sentences behind `state:`; programs may compare them.
const STATES: [&str; 6] = [
    "nothing changed",
    "rolled back: the files are as before",
    "recovery pending: run `kasm-db recover`",
    "files applied, stack not restarted",
    "files applied, and what follows is done",
    "partly applied: some targets are written, others are not",
];

const COMPOSE: &str = "docker/docker-compose.yaml";
const CONF: &str = "conf/database/postgresql.conf";
const OUT: &str = "plan --out examples/plan.json";

/// What is wrong, the command behind `-f DOCUMENT`, the exit code, and a part of the message.
type Row = (fn(&Sandbox), &'static str, i32, &'static str);

const ROWS: &[Row] = &[
    // The document.
    (
        |s| remove(&s.document("existing")),
        "plan",
        1,
        "error: examples/existing/kasm-db.yaml: cannot open the document: no such file or directory",
    ),
    (
        |s| {
            remove(&s.document("existing"));
            fs::create_dir(s.document("existing")).unwrap();
        },
        "validate",
        64,
        "examples/existing/kasm-db.yaml",
    ),
    (|s| fs::write(s.document("existing"), vec![b'a'; 2 << 20]).unwrap(), "plan", 3, "error[KDB"),
    (|s| fs::write(s.document("existing"), "schema: kasm-db/v1\nx: [").unwrap(), "plan", 3, "error[KDB001]"),
    (|s| fs::write(s.document("existing"), "").unwrap(), "apply -y", 3, "error[KDB003]"),
    (|s| s.edit(&s.document("existing"), "schema:", "shema:"), "apply -y", 3, "error[KDB009]"),
    // The targets.
    (
        |s| s.edit(&s.document("existing"), "opt/kasm/current", "opt/nothing"),
        "plan",
        1,
        "examples/existing/opt/nothing: cannot resolve the path: no such file or directory",
    ),
    (
        |s| s.edit(&s.document("existing"), "opt/kasm/current", "kasm-db.yaml"),
        "apply -y",
        1,
        "examples/existing/kasm-db.yaml is a file, not a folder",
    ),
    (nothing, "plan --target none", 64, "error: no target matches `none`"),
    (nothing, "plan --allow none", 64, "error: unknown blocker `none` for `--allow`"),
    (nothing, "plan --deployment examples", 1, "error[KDB302]"),
    // The files.
    (|s| link(s, COMPOSE), "apply -y", 1, "docker/docker-compose.yaml is a symbolic link"),
    (|s| link(s, "docker"), "apply -y", 1, "error[KDB601]: docker is a symbolic link"),
    (|s| link(s, "docker/.conf"), "plan", 1, "error[KDB601]: docker/.conf is a symbolic link"),
    (|s| link(s, "docker/.conf"), "apply -y", 1, "error[KDB601]: docker/.conf is a symbolic link"),
    (
        |s| link(s, "docker/.conf"),
        "import --deployment examples/existing/opt/kasm/current -o -",
        1,
        "docker/.conf is a symbolic link",
    ),
    (|s| link(s, CONF), "plan", 1, "conf/database/postgresql.conf is a symbolic link"),
    (|s| fifo(s, CONF), "plan", 1, "conf/database/postgresql.conf is a FIFO, not a regular file"),
    (|s| fifo(s, COMPOSE), "apply -y", 1, "docker/docker-compose.yaml is a FIFO, not a regular file"),
    (
        |s| {
            remove(&at(s, COMPOSE));
            fs::create_dir(at(s, COMPOSE)).unwrap();
        },
        "apply -y",
        1,
        "docker/docker-compose.yaml is a folder, not a regular file",
    ),
    (
        |s| fs::write(at(s, COMPOSE), vec![b'#'; 2 << 20]).unwrap(),
        "plan",
        1,
        "docker/docker-compose.yaml is larger than 1048576 bytes",
    ),
    (|s| fs::write(at(s, COMPOSE), "services: [\n").unwrap(), "apply -y", 4, "error[KDB301]"),
    (|s| fs::write(at(s, CONF), "port = '\n").unwrap(), "apply -y", 4, "error[KDB402]"),
    (|s| fs::write(at(s, CONF), "nothing = 1\n").unwrap(), "apply -y", 4, "error[KDB406]"),
    (|s| remove(&at(s, CONF)), "apply -y", 4, "error[KDB401]"),
    (
        |s| fs::hard_link(at(s, COMPOSE), at(s, "docker/other")).unwrap(),
        "apply -y",
        1,
        "docker/docker-compose.yaml has 2 hard links",
    ),
    (both_linked, "apply -y", 1, "docker/docker-compose.yaml has 2 hard links"),
    (both_linked, "apply -y", 1, "conf/database/postgresql.conf has 2 hard links"),
    (both_linked, "apply --dry-run", 1, "conf/database/postgresql.conf has 2 hard links"),
    (nothing, "rollback --dry-run", 1, "opt/kasm/1.11.0: nothing has been applied here yet"),
    (|s| mode(&at(s, COMPOSE), 0o666), "apply -y", 4, "error[KDB603]"),
    (
        |s| fs::create_dir(at(s, "docker/.docker-compose.yaml.kasm-db-new")).unwrap(),
        "apply -y",
        1,
        ".docker-compose.yaml.kasm-db-new: this name is needed to replace the file, but is taken by a folder",
    ),
    // The plan file, and others that are written.
    (nothing, "plan --out examples", 1, "error: examples is not a regular file"),
    (
        nothing,
        "plan --out nothing/plan.json",
        1,
        "error: nothing/plan.json: cannot create the file: no such file or directory",
    ),
    (
        nothing,
        "plan --format json=nothing/plan.json",
        1,
        "error: nothing/plan.json: cannot create the file: no such file or directory",
    ),
    (
        nothing,
        "plan --format human=/dev/full",
        1,
        "error: /dev/full: cannot write the file: no space left on device",
    ),
    (
        nothing,
        "man nothing",
        1,
        "error: nothing/kasm-db.1: cannot create the file: no such file or directory",
    ),
    (
        nothing,
        "show nothing.json",
        1,
        "error: nothing.json: cannot open the plan file: no such file or directory",
    ),
    (nothing, "apply examples", 1, "error: examples is not a regular file"),
    (
        nothing,
        "apply examples/README.md",
        1,
        "error: examples/README.md is not a plan file: line 1, column 1",
    ),
    // The command line.
    (nothing, "apply", 64, "error: cannot ask whether to apply: standard input is not a terminal"),
    (nothing, "apply --no-input", 64, "error: cannot ask whether to apply: `--no-input` is given"),
    (nothing, "explode", 64, "error: unknown command `explode`"),
    (nothing, "plan --format yaml", 64, "error: invalid value `yaml` for `--format`"),
    (nothing, "plan --lock-timeout soon", 64, "error: invalid value `soon` for `--lock-timeout`"),
    (nothing, "show", 64, "error: the argument `PLAN` of `kasm-db show` is missing"),
];

fn nothing(_: &Sandbox) {}

fn at(sandbox: &Sandbox, path: &str) -> std::path::PathBuf {
    sandbox.target("existing").join(path)
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Moves a file or folder, and links to it where it was.
fn link(sandbox: &Sandbox, path: &str) {
    let path = at(sandbox, path);
    let real = path.with_extension("real");
    fs::rename(&path, &real).unwrap();
    symlink(real.file_name().unwrap(), path).unwrap();
}

/// Returns both files that change a second name.
fn both_linked(sandbox: &Sandbox) {
    for path in [COMPOSE, CONF] {
        fs::hard_link(at(sandbox, path), at(sandbox, path).with_extension("other")).unwrap();
    }
}

fn fifo(sandbox: &Sandbox, path: &str) {
    let path = at(sandbox, path);
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Returns whether it is said what holds for the files: the command could have changed some.
fn tells_state(arguments: &str, run: &Run) -> bool {
    let can_write = ["apply", "rollback", "recover"].iter().any(|command| arguments.starts_with(command));
    can_write && run.code != Some(64)
}

/// Holds a run that failed to the contract.
#[track_caller]
fn in_form(what: &str, run: &Run, tells_state: bool) {
    let errors: Vec<_> = run.stderr.lines().filter(|line| line.starts_with("error")).collect();
    assert!(!errors.is_empty(), "{what}: no error\n{run}");
    for line in &errors {
        let rest = line.strip_prefix("error").unwrap();
        let rest = match rest.strip_prefix("[KDB") {
            Some(code) => {
                let (number, rest) = code.split_once(']').unwrap();
                assert!(number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit()), "{what}: {line}");
                rest
            }
            None => rest,
        };
        let message = rest.strip_prefix(": ").unwrap_or_else(|| panic!("{what}: {line}"));
        assert!(!message.trim().is_empty(), "{what}: {line}");
        assert!(!message.contains("Error {") && !message.contains("Err("), "{what}: {line}");
    }
    let states: Vec<_> = run.stderr.lines().filter_map(|line| line.strip_prefix("  = state: ")).collect();
    assert_eq!(states.is_empty(), !tells_state, "{what}: {states:?}\n{run}");
    assert!(states.iter().all(|state| STATES.contains(state)), "{what}: {states:?}");
    if !tells_state {
        return;
    }
    // It is the last word on the error.
    let last = run.stderr.rfind(errors.last().unwrap()).unwrap();
    let state = run.stderr.rfind("\n  = state: ").unwrap();
    assert!(last < state, "{what}:\n{run}");
}

#[test]
fn every_error_says_where_and_what_and_what_holds_now() {
    for (index, (change, arguments, code, says)) in ROWS.iter().enumerate() {
        let sandbox = Sandbox::new(PROGRAM);
        change(&sandbox);
        let before = sandbox.seen(sandbox.root());
        let run = sandbox.run(&format!("-q -f examples/existing/kasm-db.yaml {arguments}"));
        let what = format!("row {index}, {arguments}");
        assert_eq!(run.code, Some(*code), "{what}: {run}");
        assert!(run.stderr.contains(says), "{what}: {says:?} is not in\n{run}");
        in_form(&what, &run, tells_state(arguments, &run));
        assert_eq!(sandbox.seen(sandbox.root()), before, "{what}");
    }
}

#[test]
fn a_dry_run_says_what_an_apply_would() {
    for (index, (change, arguments, ..)) in ROWS.iter().enumerate() {
        if *arguments != "apply -y" {
            continue;
        }
        let sandbox = Sandbox::new(PROGRAM);
        change(&sandbox);
        let before = sandbox.seen(sandbox.root());
        let [dry, real] = ["--dry-run", "-y"]
            .map(|how| sandbox.run(&format!("-q -f examples/existing/kasm-db.yaml apply {how}")));
        assert_eq!((dry.code, dry.stderr), (real.code, real.stderr), "row {index}");
        assert_eq!(sandbox.seen(sandbox.root()), before, "row {index}");
    }
}

#[test]
fn a_run_that_meets_another_says_so() {
    let sandbox = Sandbox::new(PROGRAM);
    let held = File::open(sandbox.target("existing")).unwrap();
    held.lock().unwrap();
    let run = sandbox.run("-q -f examples/existing/kasm-db.yaml apply -y").expect(6);
    let by = |who: &str| run.stderr.contains(&format!("opt/kasm/1.11.0: {who} holds the lock"));
    // Where the kernel does not list locks, it is not known which.
    assert!(by(&format!("process {}", std::process::id())) || by("another process"), "{run}");
    in_form("locked", &run, true);
}

#[test]
fn a_stale_plan_says_so() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.run(&format!("-q -f examples/existing/kasm-db.yaml {OUT}")).expect(0);
    fs::write(at(&sandbox, "docker/.env"), "A=b\n").unwrap();
    in_form("stale", &sandbox.run("apply examples/plan.json").expect(5), true);
}

/// Runs `apply` with an error injected at a system call.
fn injected(sandbox: &Sandbox, inject: &str) -> Run {
    let mut command = sandbox.command("strace");
    command.args(["-o", "/dev/null", "-e", &format!("inject={inject}"), PROGRAM]);
    sandbox.finish(command.args(["-q", "-f", "examples/existing/kasm-db.yaml", "apply", "-y"]))
}

#[test]
fn what_the_system_refuses_is_said_with_its_path_and_its_own_words() {
    for (inject, words, code) in [
        ("fsync:error=EIO:when=1", "Input/output error", 1),
        ("fsync:error=ENOSPC:when=2", "No space left on device", 1),
        ("renameat2:error=EPERM:when=1", "Operation not permitted", 1),
        ("renameat2:error=EROFS:when=2", "Read-only file system", 7),
        ("renameat2:error=EDQUOT:when=3", "quota exceeded", 7),
        ("flock:error=EIO:when=1", "Input/output error", 1),
    ] {
        let sandbox = Sandbox::new(PROGRAM);
        let target = sandbox.target("existing");
        let before = sandbox.contents(&target);
        let run = injected(&sandbox, inject);
        let said = run.stderr.to_lowercase();
        assert!(said.contains(&words.to_lowercase()), "{inject}: {run}");
        assert!(said.contains("error: [root]/examples/existing/opt/kasm/1.11.0"), "{inject}: {run}");
        assert_eq!(run.code, Some(code), "{inject}: {run}");
        let state = if code == 7 { STATES[1] } else { STATES[0] };
        assert!(run.stderr.contains(&format!("  = state: {state}\n")), "{inject}: {run}");
        in_form(inject, &run, true);
        let after = sandbox.contents(&target);
        let ours = |path: &Path| path.starts_with("docker") || path.starts_with("conf");
        let of = |all: &std::collections::BTreeMap<std::path::PathBuf, (u32, Vec<u8>)>| -> Vec<_> {
            all.iter()
                .filter(|(path, _)| ours(path))
                .map(|(path, seen)| (path.clone(), seen.clone()))
                .collect()
        };
        assert_eq!(of(&after), of(&before), "{inject}");
    }
}

#[test]
fn a_user_without_the_right_is_told_what_to_do() {
    let sandbox = Sandbox::new(PROGRAM);
    if fs::metadata(sandbox.root()).unwrap().uid() != 0 {
        assert!(std::env::var_os("CI").is_none(), "this test takes root");
        return;
    }
    let binary = sandbox.copied_program();
    mode(sandbox.root(), 0o755);
    let run = |arguments: &str| {
        let mut command = sandbox.command("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&binary);
        sandbox
            .finish(command.args(["-q", "-f", "examples/existing/kasm-db.yaml"]).args(arguments.split(' ')))
    };
    let refused = run("apply -y").expect(1);
    assert!(refused.stderr.contains("permission denied"), "{refused}");
    assert!(refused.stderr.contains("= help: run as root or with `sudo`"), "{refused}");
    in_form("apply", &refused, true);
    mode(&at(&sandbox, "docker/.conf"), 0o711);
    let unlisted = run("plan").expect(1);
    assert!(
        unlisted.stderr.contains("docker/.conf: cannot open the folder: permission denied"),
        "{unlisted}"
    );
    mode(&at(&sandbox, "docker/.conf"), 0o755);
    fs::write(at(&sandbox, "docker/.env"), "A=b\n").unwrap();
    mode(&at(&sandbox, "docker/.env"), 0o600);
    let plan = run("plan --format json").expect(0);
    assert!(plan.stdout.contains("docker/.env: cannot open the file: permission denied"), "{plan}");
    mode(&at(&sandbox, CONF), 0o600);
    let unreadable = run("plan").expect(1);
    assert!(
        unreadable.stderr.contains("conf/database/postgresql.conf: cannot open the file: permission denied"),
        "{unreadable}"
    );
    in_form("plan", &unreadable, false);
    mode(&sandbox.document("existing"), 0o600);
    let document = run("plan").expect(1);
    assert!(
        document.stderr.contains("kasm-db.yaml: cannot open the document: permission denied"),
        "{document}"
    );
    in_form("document", &document, false);
}

#[test]
fn help_has_one_line_for_each_option() {
    let sandbox = Sandbox::new(PROGRAM);
    for command in ["validate", "plan", "show", "recover", "history", "rollback", "import", "schema", "man"] {
        let [long, short] = ["--help", "-h"].map(|help| sandbox.run(&format!("{command} {help}")).expect(0));
        let words: Vec<_> = long.stdout.split_whitespace().collect();
        assert!(words.join(" ").contains("[possible values: auto, always, never]"), "{long}");
        assert_eq!(long.stdout, short.stdout, "{command}");
    }
}
