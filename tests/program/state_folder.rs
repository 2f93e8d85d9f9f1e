//! What is kept of applies in `.kasm-db`: what everybody may see of it, who made what, and what is not believed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::{metadata, read, read_to_string, rename, write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use testing::{Run, Sandbox};

use crate::PROGRAM;

const TREE: &str = "--deployment examples/existing/opt/kasm/current";
const APPLY: &str = "-q apply -y -f examples/existing/kasm-db.yaml";

fn applied() -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.run(APPLY).expect(0);
    sandbox
}

fn state(sandbox: &Sandbox) -> PathBuf {
    sandbox.target("existing").join(".kasm-db")
}

/// Runs as somebody who can read what everybody can read.
fn as_nobody(sandbox: &Sandbox, program: &Path, arguments: &str) -> Run {
    let mut command = sandbox.command("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(program);
    sandbox.finish(command.args(arguments.split(' ')))
}

/// Makes of a finished apply one that was killed before its last file was exchanged.
fn kill(sandbox: &Sandbox, old: &[u8]) {
    let state = state(sandbox);
    rename(state.join("private/generations/1/manifest"), state.join("journal")).unwrap();
    rename(state.join("generations/1/manifest"), state.join("generations/1/manifest.new")).unwrap();
    let file = sandbox.target("existing").join("docker/docker-compose.yaml");
    std::fs::copy(&file, file.with_file_name(".docker-compose.yaml.kasm-db-new")).unwrap();
    write(&file, old).unwrap();
}

#[test]
fn who_can_read_the_target_plans_sees_the_history_and_is_told_of_an_interrupted_run() {
    let sandbox = Sandbox::new(PROGRAM);
    if metadata(sandbox.root()).unwrap().uid() != 0 {
        assert!(std::env::var_os("CI").is_none(), "this test takes root");
        return;
    }
    let program = sandbox.copied_program();
    testing::open_to_all(sandbox.root());
    let old = read(sandbox.target("existing").join("docker/docker-compose.yaml")).unwrap();
    let document = sandbox.document("existing");
    let text = read_to_string(&document).unwrap();
    write(&document, format!("{text}verify: {{connect: none}}\n")).unwrap();
    sandbox.run(APPLY).expect(0);
    let before = sandbox.seen(sandbox.root());
    let nobody = |arguments: &str| as_nobody(&sandbox, &program, arguments);
    nobody("plan --detailed-exitcode -f examples/existing/kasm-db.yaml").expect(0);
    nobody("status -f examples/existing/kasm-db.yaml").expect(0);
    let run = nobody(&format!("history -v {TREE}")).expect(0);
    assert!(run.stdout.contains("   1  ") && run.stdout.contains("by root (user 0)"), "{run}");
    nobody(&format!("rollback -y {TREE}")).expect(1);
    assert_eq!(sandbox.seen(sandbox.root()), before);
    kill(&sandbox, &old);
    for command in ["plan", "status"] {
        let run = nobody(&format!("{command} -f examples/existing/kasm-db.yaml")).expect(8);
        assert!(run.stderr.contains("an interrupted apply is here"), "{run}");
    }
    sandbox.run(&format!("recover {TREE}")).expect(0);
    nobody("plan --detailed-exitcode -f examples/existing/kasm-db.yaml").expect(0);
}

#[test]
fn history_names_who_made_a_generation_and_from_which_document() {
    let sandbox = Sandbox::new(PROGRAM);
    let mut command = sandbox.command(PROGRAM);
    command.env("SUDO_USER", "anna\x1b[2J").env("SUDO_UID", "1000").args(APPLY.split(' '));
    sandbox.finish(&mut command).expect(0);
    let run = sandbox.run(&format!("history -v {TREE}")).expect(0);
    assert!(run.stdout.contains(", through sudo by anna\\u{1b}[2J (user 1000)\n"), "{run}");
    assert!(run.stdout.contains("        from [ROOT]/examples/existing/kasm-db.yaml (SHA-256 "), "{run}");
    let manifest = read_to_string(state(&sandbox).join("generations/1/manifest")).unwrap();
    for what in ["kasmweb/postgres:1.11.0", "shared_preload_libraries", "pgaudit.log"] {
        assert!(manifest.contains(what), "{what} is not in {manifest}");
    }
    assert!(!manifest.contains("dummy"), "{manifest}");
}

#[test]
fn a_follow_up_of_another_generation_than_the_last_runs_nothing() {
    let sandbox = Sandbox::new(PROGRAM);
    let document = sandbox.document("existing");
    let more =
        "verify: {connect: none}\nrestart: {policy: if_needed, stop: [touch, STOPPED], start: [\"true\"]}\n";
    let text = read_to_string(&document).unwrap();
    let stopped = sandbox.root().join("stopped");
    write(&document, format!("{text}{}", more.replace("STOPPED", stopped.to_str().unwrap()))).unwrap();
    sandbox.run(&format!("{APPLY} --no-restart")).expect(9);
    let record = state(&sandbox).join("follow-up");
    let old = read(&record).unwrap();
    let text = String::from_utf8(old.clone()).unwrap();
    assert!(
        text.starts_with("kasm-db follow-up 2\n") && text.contains("\ngeneration 1\ndocument "),
        "{text}"
    );
    sandbox.run(&format!("recover {TREE}")).expect(0);
    assert!(stopped.exists());
    std::fs::remove_file(&stopped).unwrap();
    sandbox.edit(&document, "kasmweb/postgres:1.11.0", "kasmweb/postgres:1.12.0");
    sandbox.run(&format!("{APPLY} --files-only")).expect(0);
    write(&record, old).unwrap();
    for command in [&format!("recover {TREE}"), "apply -y -f examples/existing/kasm-db.yaml"] {
        let run = sandbox.run(command).expect(1);
        assert!(
            run.stderr.contains("/.kasm-db/follow-up: follows generation 1, but the last one is 2"),
            "{run}"
        );
    }
    assert!(!stopped.exists());
}

#[test]
fn an_old_state_folder_that_the_owner_of_its_folder_puts_back_runs_nothing() {
    let sandbox = Sandbox::new(PROGRAM);
    if metadata(sandbox.root()).unwrap().uid() != 0 {
        assert!(std::env::var_os("CI").is_none(), "this test takes root");
        return;
    }
    let document = sandbox.document("existing");
    let text = read_to_string(&document).unwrap();
    let more = |ran: &str| {
        let ran = sandbox.root().join(ran);
        format!(
            "{text}verify: {{connect: none}}\nrestart: {{policy: if_needed, stop: [touch, {}], start: [\"true\"]}}\n",
            ran.display()
        )
    };
    write(&document, more("old")).unwrap();
    std::os::unix::fs::lchown(sandbox.target("existing"), Some(65534), Some(65534)).unwrap();
    sandbox.run(&format!("{APPLY} --no-restart")).expect(9);
    let kept = state(&sandbox).with_file_name("kept");
    rename(state(&sandbox), &kept).unwrap();
    write(&document, more("new")).unwrap();
    sandbox.run(APPLY).expect(0);
    rename(&kept, state(&sandbox)).unwrap();
    let other = "recover -f examples/existing/kasm-db.yaml";
    for (command, says) in
        [(other, "was made from another document"), (&*format!("recover {TREE}"), "no document is named")]
    {
        let run = sandbox.run(command).expect(9);
        assert!(
            run.stderr.contains(says) && run.stderr.contains("who could have put an old one there"),
            "{run}"
        );
    }
    assert!(!sandbox.root().join("old").exists());
    // The document decides what is run.
    sandbox.run(APPLY).expect(0);
    assert!(!sandbox.root().join("old").exists() && sandbox.root().join("new").exists());
    // With the document that was applied, it is continued.
    write(&document, more("old").replace("1.11.0", "1.12.0")).unwrap();
    sandbox.run(&format!("{APPLY} --no-restart")).expect(9);
    sandbox.run(other).expect(0);
    assert!(sandbox.root().join("old").exists());
}

#[test]
fn what_is_left_to_be_done_is_left_after_an_apply_of_files_alone() {
    let sandbox = Sandbox::new(PROGRAM);
    let document = sandbox.document("existing");
    let text = read_to_string(&document).unwrap();
    let more = "verify: {connect: none}\nrestart: {policy: if_needed, stop: [\"true\"], start: [\"true\"]}\n";
    write(&document, format!("{text}{more}")).unwrap();
    sandbox.run(&format!("{APPLY} --no-restart")).expect(9);
    sandbox.edit(&document, "kasmweb/postgres:1.11.0", "kasmweb/postgres:1.12.0");
    sandbox.run(&format!("{APPLY} --files-only")).expect(0);
    let run = sandbox.run(&format!("recover {TREE}")).expect(0);
    assert!(run.stdout.contains("went on at its step `stop`"), "{run}");
}

#[test]
fn a_state_folder_that_cannot_be_looked_into_is_not_an_interrupted_run() {
    let link = |sandbox: &Sandbox| {
        let moved = state(sandbox).with_file_name("moved");
        rename(state(sandbox), &moved).unwrap();
        std::os::unix::fs::symlink("moved", state(sandbox)).unwrap();
    };
    let damaged = |sandbox: &Sandbox| write(state(sandbox).join("layout"), "two").unwrap();
    for wanted in ["/.kasm-db is a symbolic link", "/.kasm-db/layout is damaged"] {
        let sandbox = applied();
        if wanted.contains("link") {
            link(&sandbox);
        } else {
            damaged(&sandbox);
        }
        for command in [
            "plan -f examples/existing/kasm-db.yaml",
            "apply -y -f examples/existing/kasm-db.yaml",
            "status -f examples/existing/kasm-db.yaml",
            &format!("history {TREE}"),
            &format!("rollback -y {TREE}"),
            &format!("recover {TREE}"),
        ] {
            let run = sandbox.run(command).expect(1);
            assert!(run.stderr.contains(wanted) && !run.stderr.contains("kasm-db recover"), "{run}");
        }
    }
    // What the help says works.
    let sandbox = applied();
    damaged(&sandbox);
    std::fs::remove_file(state(&sandbox).join("layout")).unwrap();
    sandbox.run(&format!("rollback -y {TREE}")).expect(0);
    assert_eq!(read_to_string(state(&sandbox).join("layout")).unwrap(), "2\n");
}

#[test]
fn a_folder_of_a_later_version_is_refused_by_its_layout() {
    let sandbox = applied();
    write(state(&sandbox).join("layout"), "3\n").unwrap();
    for command in [
        "plan -f examples/existing/kasm-db.yaml",
        "apply -y -f examples/existing/kasm-db.yaml",
        &format!("history {TREE}"),
        &format!("rollback -y {TREE}"),
        &format!("recover {TREE}"),
    ] {
        let run = sandbox.run(command).expect(1);
        assert!(
            run.stderr.contains("/.kasm-db has the layout 3, and this program knows layouts up to 2"),
            "{run}"
        );
    }
}
