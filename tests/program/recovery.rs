//! Interrupted applies, what is kept of applies, and the way back, through the real program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;
use testing::{Run, Sandbox};

use crate::PROGRAM;

const APPLY: &str = "-q apply -y -f examples/existing/kasm-db.yaml";
const TREE: &str = "--deployment examples/existing/opt/kasm/current";

/// The files that the example changes, in the order in which a commit takes them.
const FILES: [&str; 5] = [
    "conf/database/postgresql.conf",
    "docker/.conf/docker-compose-all.yaml",
    "docker/.conf/docker-compose-db-redis.yaml",
    "docker/.conf/docker-compose-db.yaml",
    "docker/docker-compose.yaml",
];

fn contents(sandbox: &Sandbox) -> BTreeMap<&'static str, Vec<u8>> {
    let read = |path: &&'static str| (*path, std::fs::read(sandbox.target("existing").join(path)).unwrap());
    FILES.iter().map(read).collect()
}

/// A sandbox with the contents before an apply and after it.
pub(crate) struct Case {
    pub(crate) sandbox: Sandbox,
    old: BTreeMap<&'static str, Vec<u8>>,
    new: BTreeMap<&'static str, Vec<u8>>,
}

impl Case {
    fn applied() -> Self {
        let sandbox = Sandbox::new(PROGRAM);
        let old = contents(&sandbox);
        sandbox.run(APPLY).expect(0);
        let new = contents(&sandbox);
        assert_ne!(old, new);
        Self { sandbox, old, new }
    }

    /// Makes of a finished apply one that was killed after it had exchanged `done` files: the journal is what the
    /// manifest becomes, and beside a file that has its old content waits the new one.
    pub(crate) fn killed(done: usize) -> Self {
        let case = Self::applied();
        let state = case.state();
        std::fs::rename(state.join("private/generations/1/manifest"), state.join("journal")).unwrap();
        let public = state.join("generations/1");
        std::fs::rename(public.join("manifest"), public.join("manifest.new")).unwrap();
        for path in &FILES[done..] {
            let file = case.at(path);
            let name = format!(".{}.kasm-db-new", file.file_name().unwrap().display());
            std::fs::copy(&file, file.with_file_name(name)).unwrap();
            std::fs::write(&file, &case.old[path]).unwrap();
        }
        case
    }

    fn state(&self) -> PathBuf {
        self.sandbox.target("existing").join(".kasm-db")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.sandbox.target("existing").join(path)
    }

    fn run(&self, arguments: &str) -> Run {
        self.sandbox.run(arguments)
    }

    /// Nothing is left of an interrupted run.
    fn is_clean(&self) -> bool {
        let all = self.sandbox.seen(&self.sandbox.target("existing"));
        !all.keys()
            .any(|path| path.ends_with("journal") || path.display().to_string().ends_with("kasm-db-new"))
    }
}

#[test]
fn recover_needs_no_document_and_finishes_what_was_begun() {
    for done in 0..FILES.len() {
        let case = Case::killed(done);
        std::fs::remove_file(case.sandbox.document("existing")).unwrap();
        let said = |text: &str| {
            format!("exit: 0\n----- stdout -----\n{text} below [ROOT]/examples/existing/opt/kasm/1.11.0.\n")
        };
        let run = case.run(&format!("recover {TREE}"));
        let finished = "Recovered: an interrupted apply was finished, and 5 files have their new content";
        assert_eq!(run.to_string(), said(finished));
        assert_eq!(contents(&case.sandbox), case.new);
        assert!(case.is_clean());
        assert_eq!(case.run(&format!("recover {TREE}")).to_string(), said("Nothing to recover"));
    }
}

#[test]
fn what_cannot_be_finished_is_taken_back() {
    let case = Case::killed(2);
    std::fs::remove_file(case.at("docker/.conf/.docker-compose-db.yaml.kasm-db-new")).unwrap();
    let run = case.run(&format!("recover {TREE}")).expect(0);
    assert!(run.stdout.contains("was reverted, and 5 files are as before"), "{run}");
    assert_eq!(contents(&case.sandbox), case.old);
    assert!(case.is_clean());
}

#[test]
fn an_interrupted_apply_is_reported_while_somebody_holds_the_lock() {
    let case = Case::killed(2);
    let held = std::fs::File::open(case.sandbox.target("existing")).unwrap();
    held.lock().unwrap();
    for command in [APPLY.to_string(), format!("recover {TREE}"), format!("rollback -y {TREE}")] {
        let run = case.run(&format!("{command} --lock-timeout 0")).expect(6);
        let (holder, told) =
            (format!("process {}", std::process::id()), "files of an apply are half written");
        assert!(run.stderr.contains(&holder) && run.stderr.contains(told), "{run}");
    }
    for command in ["plan", "status"] {
        let run = case.run(&format!("{command} -f examples/existing/kasm-db.yaml")).expect(8);
        assert!(run.stderr.contains("an interrupted apply is here"), "{run}");
    }
}

#[test]
fn apply_recovers_first_and_says_so() {
    let case = Case::killed(2);
    assert_snapshot!(case.run(APPLY), @r"
    exit: 0
    ----- stdout -----
    current (deployment [ROOT]/examples/existing/opt/kasm/1.11.0)

    No changes. 5 files match the document.
    ----- stderr -----
    Recovered: an interrupted apply was finished, and 5 files have their new content below [ROOT]/examples/existing/opt/kasm/1.11.0.
    ");
    assert_eq!(contents(&case.sandbox), case.new);
}

#[test]
fn plan_status_history_and_a_dry_run_say_that_an_interrupted_apply_is_there_and_write_nothing() {
    let case = Case::killed(2);
    let before = case.sandbox.seen(case.sandbox.root());
    for arguments in [
        "plan -f examples/existing/kasm-db.yaml",
        "plan --format json -f examples/existing/kasm-db.yaml",
        "status -f examples/existing/kasm-db.yaml",
        "apply --dry-run -f examples/existing/kasm-db.yaml",
        &format!("rollback --dry-run {TREE}"),
        &format!("history {TREE}"),
    ] {
        let run = case.run(arguments).expect(8);
        let said = "error: [ROOT]/examples/existing/opt/kasm/1.11.0: an interrupted apply is here\n  \
            = help: run `kasm-db recover`; `apply` and `rollback` do it by themselves\n  \
            = state: recovery pending: run `kasm-db recover`\n";
        assert!(run.stderr.contains(said), "{run}");
    }
    assert_eq!(case.sandbox.seen(case.sandbox.root()), before);
}

#[test]
fn a_file_that_somebody_edited_meanwhile_is_named_and_kept() {
    let case = Case::killed(2);
    let edited = case.at("docker/docker-compose.yaml");
    std::fs::write(&edited, "edited\n").unwrap();
    let before = contents(&case.sandbox);
    for arguments in [&format!("recover {TREE}"), APPLY, &format!("rollback -y {TREE}")] {
        let run = case.run(arguments).expect(8);
        insta::allow_duplicates!(assert_snapshot!(run.stderr, @r"
        error: [ROOT]/examples/existing/opt/kasm/1.11.0/docker/docker-compose.yaml has neither its old nor its new content; the interrupted commit cannot be recovered
          = help: put its old content back, which is in the last folder of `.kasm-db/private/generations`, or remove `.kasm-db/journal` if all files are as they should be; then recover again
          = state: recovery pending: run `kasm-db recover`
        "));
    }
    assert_eq!(contents(&case.sandbox), before);
}

#[test]
fn a_damaged_journal_is_refused() {
    let case = Case::killed(2);
    std::fs::write(case.state().join("journal"), "kasm-db journal 1\n").unwrap();
    let run = case.run(&format!("recover {TREE}")).expect(8);
    assert!(run.stderr.contains(".kasm-db/journal is damaged: its checksum is missing or wrong"), "{run}");
}

/// The example with a tag that a second apply brings.
fn twice() -> Case {
    let case = Case::applied();
    case.sandbox.edit(
        &case.sandbox.document("existing"),
        "kasmweb/postgres:1.11.0",
        "kasmweb/postgres:1.12.0",
    );
    case.run(APPLY).expect(0);
    case
}

#[test]
fn history_lists_what_was_applied() {
    let case = twice();
    let run = case.run(&format!("history -v {TREE}")).expect(0);
    let times = |line: &str| {
        let start = line.find("  20").filter(|_| line.contains('Z'));
        let line = start.map_or(line.to_owned(), |at| format!("{}  [TIME]{}", &line[..at], &line[at + 22..]));
        let cut = ["        by ", "(SHA-256 "].iter().find_map(|part| Some(line.find(part)? + part.len()));
        cut.map_or(line.clone(), |at| format!("{}…", &line[..at]))
    };
    let text: Vec<_> = run.stdout.lines().map(times).collect();
    assert_snapshot!(text.join("\n").replace(env!("CARGO_PKG_VERSION"), "[VERSION]"), @r"
    examples/existing/opt/kasm/current ([ROOT]/examples/existing/opt/kasm/1.11.0)

         2  [TIME]   4 files  apply (kasm-db [VERSION])
            by …
            from [ROOT]/examples/existing/kasm-db.yaml (SHA-256 …
            services.db.image: kasmweb/postgres:1.11.0 -> kasmweb/postgres:1.12.0 (4 files)
            docker/.conf/docker-compose-all.yaml
            docker/.conf/docker-compose-db-redis.yaml
            docker/.conf/docker-compose-db.yaml
            docker/docker-compose.yaml
         1  [TIME]   5 files  apply (kasm-db [VERSION])
            by …
            from [ROOT]/examples/existing/kasm-db.yaml (SHA-256 …
            services.db.image: postgres:12-alpine -> kasmweb/postgres:1.11.0 (4 files)
            shared_preload_libraries: not set -> pgaudit
            pgaudit.log: not set -> read, write, ddl
            conf/database/postgresql.conf
            docker/.conf/docker-compose-all.yaml
            docker/.conf/docker-compose-db-redis.yaml
            docker/.conf/docker-compose-db.yaml
            docker/docker-compose.yaml

    `kasm-db rollback N` restores the files of generation N. The oldest to restore is 0.
    ");
    let json = case.run(&format!("history --format json {TREE}")).expect(0);
    let json: serde_json::Value = serde_json::from_slice(&json.bytes).unwrap();
    assert_eq!(json["format"], "kasm-db/history");
    let generations = json["targets"][0]["generations"].as_array().unwrap();
    assert_eq!(generations.len(), 2);
    assert_eq!(generations[1]["generation"], 2);
    assert_eq!(generations[1]["files"].as_array().unwrap().len(), 4);
    assert_eq!(generations[1]["files"][0]["in_place"], false);
}

#[test]
fn rollback_shows_a_diff_and_goes_back_by_a_commit_of_its_own() {
    let case = twice();
    let newest = contents(&case.sandbox);
    assert_snapshot!("rollback", case.run(&format!("rollback -y {TREE}")));
    assert_eq!(contents(&case.sandbox), case.new);
    case.run(&format!("rollback 0 -y {TREE}")).expect(0);
    assert_eq!(contents(&case.sandbox), case.old);
    // The rollback itself can be taken back.
    case.run(&format!("rollback 2 -y {TREE}")).expect(0);
    assert_eq!(contents(&case.sandbox), newest);
    let run = case.run(&format!("history {TREE}")).expect(0);
    for what in
        ["apply (kasm-db", "rollback to 1 (kasm-db", "rollback to 0 (kasm-db", "rollback to 2 (kasm-db"]
    {
        assert!(run.stdout.contains(what), "{run}");
    }
    let run = case.run(&format!("rollback 5 -y {TREE}")).expect(0);
    assert!(run.stdout.contains("No changes. The files below"), "{run}");
}

#[test]
fn rollback_asks_and_without_a_terminal_it_writes_nothing() {
    let case = Case::applied();
    let before = case.sandbox.seen(case.sandbox.root());
    let run = case.run(&format!("-q rollback {TREE}")).expect(64);
    assert_snapshot!(run.stderr, @r"
    error: cannot ask whether to roll back: standard input is not a terminal
      = help: run `kasm-db rollback --yes` to roll back without a prompt
    ");
    case.run(&format!("rollback --dry-run {TREE}")).expect(0);
    assert_eq!(case.sandbox.seen(case.sandbox.root()), before);
}

#[test]
fn rollback_refuses_to_lose_an_edit_unless_it_is_told_to() {
    let case = Case::applied();
    let conf = case.at("conf/database/postgresql.conf");
    let edited =
        [&*case.new["conf/database/postgresql.conf"], b"primary_conninfo = 'password=hunter2'\n"].concat();
    std::fs::write(&conf, &edited).unwrap();
    let run = case.run(&format!("rollback -y {TREE}")).expect(4);
    assert!(
        run.stderr.contains("error[KDB604]: conf/database/postgresql.conf was edited since the last apply"),
        "{run}"
    );
    assert!(run.stdout.contains("-primary_conninfo = <hidden>"), "{run}");
    assert!(!run.to_string().contains("hunter2"), "{run}");
    assert_eq!(std::fs::read(&conf).unwrap(), edited);
    case.run(&format!("rollback -y --allow edited-since {TREE}")).expect(0);
    assert_eq!(contents(&case.sandbox), case.old);
}

#[test]
fn there_is_no_way_back_to_what_is_not_kept() {
    let sandbox = Sandbox::new(PROGRAM);
    let run = sandbox.run(&format!("rollback -y {TREE}")).expect(1);
    assert_snapshot!(run.stderr, @r"
    error: [ROOT]/examples/existing/opt/kasm/1.11.0: nothing has been applied here yet
      = help: check that this is the right folder: there is nothing to roll back to
      = state: nothing changed
    ");
    let case = Case::applied();
    let run = case.run(&format!("rollback 7 -y {TREE}")).expect(1);
    assert!(run.stderr.contains("there is no generation 7; available: 0 and 1"), "{run}");
}

#[test]
fn in_place_the_inodes_stay() {
    let sandbox = Sandbox::new(PROGRAM);
    let inodes = |sandbox: &Sandbox| {
        FILES.map(|path| std::fs::metadata(sandbox.target("existing").join(path)).unwrap().ino())
    };
    let (before, old) = (inodes(&sandbox), contents(&sandbox));
    sandbox.run(&format!("{APPLY} --in-place")).expect(0);
    assert_eq!(inodes(&sandbox), before);
    assert_eq!(contents(&sandbox), Case::applied().new);
    sandbox.run(&format!("rollback -y --in-place {TREE}")).expect(0);
    assert_eq!(inodes(&sandbox), before);
    assert_eq!(contents(&sandbox), old);
}

#[test]
fn where_nothing_is_to_do_no_state_is_kept() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.run(APPLY).expect(0);
    let state = sandbox.target("existing").join(".kasm-db");
    std::fs::remove_dir_all(&state).unwrap();
    sandbox.run(APPLY).expect(0);
    sandbox.run("plan -f examples/existing/kasm-db.yaml").expect(0);
    sandbox.run(&format!("recover {TREE}")).expect(0);
    sandbox.run(&format!("history {TREE}")).expect(0);
    assert!(!state.exists());
}

#[test]
fn git_does_not_see_what_is_kept() {
    let case = Case::applied();
    let git = |arguments: &[&str]| {
        let mut command = case.sandbox.command("git");
        command.current_dir(case.sandbox.root()).args(["-c", "safe.directory=*"]).args(arguments);
        case.sandbox.finish(&mut command).expect(0).stdout
    };
    git(&["init", "-q"]);
    let listed = git(&["status", "--porcelain", "--untracked-files=all"]);
    assert!(listed.contains("docker-compose.yaml") && !listed.contains(".kasm-db/"), "{listed}");
    assert!(Path::new(&case.state().join("generations/1/manifest")).exists());
}
