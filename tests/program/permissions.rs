//! Files and folders that somebody else could change: who is told, and who is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};
use std::process::Command;

use testing::{Run, Sandbox};

use crate::PROGRAM;

const NOBODY: u32 = 65534;

const COMPOSE: &str = "docker/docker-compose.yaml";
const CONF: &str = "conf/database/postgresql.conf";

/// What a user is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// Nothing.
    Nothing,
    /// A warning, also when applying.
    Warned,
    /// A warning when planning; applying is refused.
    Refused,
}
use Told::{Nothing, Refused, Warned};

/// A path of the target, its mode, its owner and group, and what root and the user 65534 are told of it.
const ROWS: &[(&str, u32, u32, u32, Told, Told)] = &[
    // As Kasm installs it.
    (CONF, 0o600, 70, 70, Nothing, Nothing),
    (COMPOSE, 0o644, 1000, 1000, Nothing, Nothing),
    // For everybody.
    (COMPOSE, 0o646, 0, 0, Refused, Refused),
    (COMPOSE, 0o666, NOBODY, NOBODY, Refused, Refused),
    (CONF, 0o666, 70, 70, Refused, Refused),
    ("docker/.env", 0o646, 0, 0, Refused, Refused),
    ("docker", 0o757, 0, 0, Refused, Refused),
    ("conf/database", 0o777, 70, 70, Refused, Refused),
    ("", 0o777, 0, 0, Refused, Refused),
    // For everybody, but nobody can replace what is another's.
    ("docker", 0o1777, 0, 0, Nothing, Nothing),
    ("", 0o1777, 0, 0, Nothing, Nothing),
    // For a group: root's own, the user's own, and others.
    (COMPOSE, 0o664, 0, 0, Nothing, Nothing),
    (COMPOSE, 0o664, 1000, 0, Nothing, Nothing),
    (COMPOSE, 0o664, NOBODY, NOBODY, Refused, Nothing),
    ("docker", 0o2775, NOBODY, NOBODY, Refused, Nothing),
    (COMPOSE, 0o664, NOBODY, 1000, Refused, Warned),
    (COMPOSE, 0o664, 1000, 1000, Refused, Warned),
    (CONF, 0o660, 70, 1000, Refused, Warned),
    ("docker", 0o775, 1000, 1000, Refused, Warned),
    ("", 0o2775, 1000, 1000, Refused, Warned),
    // What was not read does not count.
    ("docker/other.txt", 0o666, 1000, 1000, Nothing, Nothing),
    ("docker/.conf/other", 0o777, 1000, 1000, Nothing, Nothing),
];

struct Tree {
    sandbox: Sandbox,
    binary: PathBuf,
}

/// The installed example: everything belongs to `uid`, and its files are writable for nobody else.
fn tree(uid: u32) -> Tree {
    let sandbox = Sandbox::new(PROGRAM);
    let target = sandbox.target("existing");
    std::fs::write(target.join("docker/.env"), "A=b\n").unwrap();
    std::fs::write(target.join("docker/other.txt"), "\n").unwrap();
    std::fs::create_dir(target.join("docker/.conf/other")).unwrap();
    // Another user cannot look into the folder that the program was built in.
    let binary = sandbox.copied_program();
    chmod(&target, 0o755);
    give(sandbox.root(), uid);
    Tree { sandbox, binary }
}

fn give(path: &Path, uid: u32) {
    lchown(path, Some(uid), Some(uid)).unwrap();
    if std::fs::symlink_metadata(path).unwrap().is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path(), uid));
    }
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

impl Tree {
    /// Runs `kasm-db` as a user who can read everything: the rows are about who can write.
    fn run(&self, uid: u32, arguments: &str) -> Run {
        let mut command = self.sandbox.command("setpriv");
        let id = uid.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
        command.args(["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]);
        command.arg(&self.binary).args(["-f", "examples/existing/kasm-db.yaml"]);
        self.sandbox.finish(command.args(arguments.split(' ')))
    }
}

/// Giving files away takes root; where tests have to run, they run as root.
fn is_root(sandbox: &Sandbox) -> bool {
    let is_root = std::fs::metadata(sandbox.root()).unwrap().uid() == 0;
    assert!(is_root || std::env::var_os("CI").is_none(), "this test takes root");
    is_root
}

#[test]
fn a_matrix_of_modes_owners_and_users() {
    if !is_root(&Sandbox::new(PROGRAM)) {
        return;
    }
    for &(path, mode, owner, group, root, nobody) in ROWS {
        for (uid, told) in [(0, root), (NOBODY, nobody)] {
            let tree = tree(uid);
            let target = tree.sandbox.target("existing");
            let at = if path.is_empty() { target } else { target.join(path) };
            lchown(&at, Some(owner), Some(group)).unwrap();
            chmod(&at, mode);
            let row = format!("{path:?} mode {mode:04o} of {owner}:{group}, run by {uid}");
            let plan = tree.run(uid, "plan").expect(0).stderr;
            let dry = tree.run(uid, "apply -y --dry-run");
            let name = at.display().to_string().replace(tree.sandbox.root().to_str().unwrap(), "[ROOT]");
            let message =
                format!("[KDB603]: users other than the owner can write to {name} (mode {mode:04o})");
            let warning = format!("warning{message}");
            match told {
                Nothing => {
                    assert!(!plan.contains("KDB603"), "{row}: {plan}");
                    assert!(!dry.stderr.contains("KDB603"), "{row}: {dry}");
                }
                Warned => {
                    assert!(plan.contains(&warning), "{row}: {plan}");
                    assert!(!plan.contains("`apply` refuses this"), "{row}: {plan}");
                    // Who is not the owner of a folder cannot write to it either.
                    let may_write = uid == 0 || owner == uid || !at.is_dir();
                    assert_eq!(dry.code, Some(i32::from(!may_write)), "{row}: {dry}");
                    assert!(may_write || dry.stderr.contains("permission denied"), "{row}: {dry}");
                }
                Refused => {
                    assert!(
                        plan.contains(&warning) && plan.contains("`apply` refuses this"),
                        "{row}: {plan}"
                    );
                    assert_eq!(dry.code, Some(4), "{row}: {dry}");
                    assert!(dry.stderr.contains(&format!("error{message}")), "{row}: {dry}");
                    assert!(dry.stderr.contains("= help: run `chmod go-w "), "{row}: {dry}");
                }
            }
        }
    }
}

#[test]
fn apply_refuses_and_writes_nothing_until_the_mode_is_mended_or_the_risk_is_taken() {
    let sandbox = Sandbox::new(PROGRAM);
    let target = sandbox.target("existing");
    chmod(&target.join(COMPOSE), 0o666);
    chmod(&target.join("docker"), 0o777);
    let before = sandbox.seen(&target);
    let apply = "-q -f examples/existing/kasm-db.yaml apply -y";
    let run = sandbox.run(apply).expect(4);
    assert!(run.stdout.contains("Refused: insecure-permissions. Nothing was written."), "{run}");
    assert!(run.stderr.contains("`--allow insecure-permissions` proceeds anyway"), "{run}");
    assert_eq!(sandbox.seen(&target), before);
    // What the message says to do fixes it.
    let help = run.stderr.lines().find_map(|line| line.trim().strip_prefix("= help: run `")).unwrap();
    let command = help.split('`').next().unwrap().replace("[ROOT]", sandbox.root().to_str().unwrap());
    let fixed = Command::new("sh").args(["-c", &command]).status().unwrap();
    assert!(fixed.success(), "{command}");
    sandbox.run(apply).expect(0);

    let sandbox = Sandbox::new(PROGRAM);
    chmod(&sandbox.target("existing").join(COMPOSE), 0o666);
    sandbox.run(&format!("{apply} --allow insecure-permissions")).expect(0);
    // What was there is kept, the mode too: it is not this program's to decide.
    let mode = std::fs::metadata(sandbox.target("existing").join(COMPOSE)).unwrap().mode() & 0o7777;
    assert_eq!(mode, 0o666);
    // Nothing to do is nothing to refuse.
    sandbox.run(apply).expect(0);
}

#[test]
fn a_saved_plan_is_refused_for_what_became_insecure_since() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.run("-q -f examples/existing/kasm-db.yaml plan --out plan.json").expect(0);
    chmod(&sandbox.target("existing").join(CONF), 0o602);
    let run = sandbox.run("apply plan.json").expect(4);
    assert!(run.stderr.contains("error[KDB603]"), "{run}");
    chmod(&sandbox.target("existing").join(CONF), 0o600);
    sandbox.run("apply plan.json").expect(0);
}

#[test]
fn a_tree_that_everybody_can_write_to_is_one_finding() {
    let sandbox = Sandbox::new(PROGRAM);
    let target = sandbox.target("existing");
    for path in sandbox.seen(&target).into_keys() {
        let at = target.join(path);
        chmod(&at, if at.is_dir() { 0o777 } else { 0o666 });
    }
    let run = sandbox.run("-f examples/existing/kasm-db.yaml plan").expect(0);
    assert_eq!(run.stderr.matches("KDB603").count(), 1, "{run}");
    assert!(run.stderr.contains(" and 7 more") && run.stderr.contains("chmod -R go-w [ROOT]"), "{run}");
}
