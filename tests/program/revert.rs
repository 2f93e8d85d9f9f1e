//! Reverting a commit: what is no longer declared is restored to what stood there before.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use testing::{Run, Sandbox};

use crate::PROGRAM;

const DOCUMENT: &str = "examples/existing/kasm-db.yaml";
const CONF: &str = "conf/database/postgresql.conf";
const BARE: &str = "schema: kasm-db/v1\ntargets:\n  - {name: current, deployment: opt/kasm/current}\n";

/// A team's repository with a deployment beside the document.
struct Case {
    sandbox: Sandbox,
    before: BTreeMap<PathBuf, (u32, Vec<u8>)>,
}

impl Case {
    /// Commits a document that declares nothing, and then the example's.
    fn new() -> Self {
        let sandbox = Sandbox::new(PROGRAM);
        let audit = fs::read_to_string(sandbox.document("existing")).unwrap();
        let before = sandbox.contents(&sandbox.target("existing"));
        let case = Self { sandbox, before };
        case.git(&["init", "-q"]);
        case.commit(BARE);
        case.commit(&audit);
        case
    }

    fn git(&self, arguments: &[&str]) -> Run {
        let mut command = self.sandbox.command("git");
        command.args(["-C", "examples", "-c", "user.name=anna", "-c", "user.email=anna@example.com"]);
        self.sandbox.finish(command.args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null")).expect(0)
    }

    fn commit(&self, document: &str) {
        fs::write(self.sandbox.document("existing"), document).unwrap();
        self.git(&["add", "existing/kasm-db.yaml"]);
        self.git(&["commit", "-q", "-m", "change"]);
    }

    fn run(&self, arguments: &str) -> Run {
        let (command, rest) = arguments.split_once(' ').unwrap_or((arguments, ""));
        self.sandbox.run(&format!("{command} -f {DOCUMENT} {rest}"))
    }

    fn contents(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        self.sandbox.contents(&self.sandbox.target("existing"))
    }

    fn conf(&self) -> PathBuf {
        self.sandbox.target("existing").join(CONF)
    }
}

#[test]
fn apply_revert_apply_gives_the_bytes_from_before() {
    let case = Case::new();
    case.run("apply -y").expect(0);
    assert_ne!(case.contents(), case.before);
    case.git(&["revert", "--no-edit", "HEAD"]);
    let plan = case.run("plan --detailed-exitcode").expect(2);
    for part in [
        "kasmweb/postgres:1.11.0 -> postgres:12-alpine",
        "- pgaudit.log               read, write, ddl -> (not set)",
        "no longer declared, set by generation 1",
        "0 to add, 4 to change, 2 to remove in 5 files",
    ] {
        assert!(plan.stdout.contains(part), "{part}: {plan}");
    }
    assert!(plan.stderr.contains("run `DROP EXTENSION pgaudit;` in each database that has it"), "{plan}");
    case.run("apply -y").expect(0);
    assert_eq!(case.contents(), case.before);
    let plan = case.run("plan --detailed-exitcode").expect(0);
    assert!(plan.stdout.contains("No changes."), "{plan}");
    // The commit comes back, and goes again.
    case.git(&["revert", "--no-edit", "HEAD"]);
    case.run("apply -y").expect(0);
    case.git(&["revert", "--no-edit", "HEAD"]);
    case.run("apply -y").expect(0);
    assert_eq!(case.contents(), case.before);
}

#[test]
fn more_applies_than_generations_are_kept_do_not_lose_what_stood_there_first() {
    let case = Case::new();
    for size in 8..24 {
        case.commit(&format!("{BARE}settings: {{work_mem: {size}MB}}\n"));
        case.run("apply -y").expect(0);
    }
    case.commit(BARE);
    case.run("apply -y").expect(0);
    assert_eq!(case.contents(), case.before);
}

#[test]
fn a_value_that_was_edited_by_hand_stays_and_is_reported() {
    let case = Case::new();
    case.run("apply -y").expect(0);
    case.sandbox.edit(&case.conf(), "'read, write, ddl'", "'all'");
    case.git(&["revert", "--no-edit", "HEAD"]);
    let apply = case.run("apply -y").expect(0);
    let said = "`pgaudit.log` is no longer declared and stays: generation 1 set it, and it was changed since";
    assert!(apply.stderr.contains(said), "{apply}");
    let conf = fs::read_to_string(case.conf()).unwrap();
    assert!(conf.contains("pgaudit.log = 'all'\n") && conf.contains("#shared_preload_libraries = ''"));
    // It is nobody's now.
    let plan = case.run("plan").expect(0);
    assert!(!plan.stderr.contains("KDB509"), "{plan}");
}

#[test]
fn keep_leaves_what_is_no_longer_declared_until_a_document_says_restore() {
    let case = Case::new();
    let audit = fs::read_to_string(case.sandbox.document("existing")).unwrap();
    case.commit(&format!("{audit}on_removal: keep\n"));
    case.run("apply -y").expect(0);
    let applied = case.contents();
    case.commit(BARE);
    let apply = case.run("apply -y").expect(0);
    assert!(apply.stdout.contains("No changes."), "{apply}");
    assert_eq!(apply.stderr.matches("warning[KDB509]").count(), 3, "{apply}");
    assert!(apply.stderr.contains("generation 1 set it, and `on_removal` is `keep`"), "{apply}");
    assert_eq!(case.contents(), applied);
    let ignored = case.run("plan --ignore no-longer-declared").expect(0);
    assert!(ignored.stdout.contains("no-longer-declared ("), "{ignored}");
    case.commit(&format!("{BARE}on_removal: restore\n"));
    case.run("apply -y").expect(0);
    assert_eq!(case.contents(), case.before);
}

#[test]
fn a_rollback_and_a_revert_agree_on_what_is_left() {
    let case = Case::new();
    case.run("apply -y").expect(0);
    case.run("rollback -y").expect(0);
    assert_eq!(case.contents(), case.before);
    case.git(&["revert", "--no-edit", "HEAD"]);
    let plan = case.run("plan").expect(0);
    assert!(plan.stdout.contains("No changes.") && !plan.stderr.contains("KDB509"), "{plan}");
}

#[test]
fn a_saved_plan_of_a_copy_is_stale_if_the_host_has_something_to_restore() {
    let case = Case::new();
    case.run("apply -y").expect(0);
    case.git(&["revert", "--no-edit", "HEAD"]);
    // A pipeline has a copy of the files, and not of what kasm-db keeps beside them.
    let kept = case.sandbox.target("existing").join(".kasm-db");
    let away = case.sandbox.root().join("away");
    fs::rename(&kept, &away).unwrap();
    case.run("plan --out plan.json").expect(0);
    fs::rename(&away, &kept).unwrap();
    let stale = case.sandbox.run("apply plan.json").expect(5);
    assert!(stale.stderr.contains(".kasm-db/managed: the values to restore are"), "{stale}");
    case.run("plan --out plan.json").expect(0);
    case.sandbox.run("apply plan.json").expect(0);
    assert_eq!(case.contents(), case.before);
}

#[test]
fn an_empty_exact_list_preloads_nothing() {
    let case = Case::new();
    case.run("apply -y").expect(0);
    let nothing = "image: kasmweb/postgres:1.11.0\npreload: {mode: exact, libraries: []}\n";
    case.commit(&format!("{BARE}{nothing}"));
    let refused = case.run("apply -y").expect(4);
    assert!(refused.stderr.contains("`--allow preload-removed`"), "{refused}");
    case.run("apply -y --allow preload-removed").expect(0);
    let conf = fs::read_to_string(case.conf()).unwrap();
    assert!(conf.contains("\nshared_preload_libraries = ''\t# (change requires restart)"), "{conf}");
    case.commit(BARE);
    case.run("apply -y").expect(0);
    assert_eq!(case.contents(), case.before);
}

#[test]
fn what_is_kept_of_secret_files_only_its_owner_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let case = Case::new();
    let mode = || {
        let kept = case.sandbox.target("existing").join(".kasm-db/managed");
        fs::metadata(kept).unwrap().permissions().mode() & 0o777
    };
    case.run("apply -y").expect(0);
    assert_eq!(mode(), 0o644);
    fs::set_permissions(case.conf(), fs::Permissions::from_mode(0o600)).unwrap();
    case.sandbox.edit(&case.sandbox.document("existing"), "[read, write, ddl]", "[read]");
    case.run("apply -y").expect(0);
    assert_eq!(mode(), 0o600);
}

#[test]
fn a_saved_plan_is_stale_if_the_record_cannot_be_read_any_longer() {
    for text in ["", "garbage"] {
        let case = Case::new();
        case.run("apply -y").expect(0);
        case.commit(BARE);
        case.run("plan --out plan.json").expect(0);
        let managed = case.sandbox.target("existing").join(".kasm-db/managed");
        fs::write(&managed, text).unwrap();
        let before = case.contents();
        for command in ["show plan.json", "apply plan.json"] {
            let run = case.run(command).expect(5);
            assert!(run.stderr.contains(".kasm-db/managed: cannot be read any longer"), "{run}");
            assert!(!run.stderr.contains("was edited"), "{run}");
        }
        assert_eq!(case.contents(), before);
    }
}
