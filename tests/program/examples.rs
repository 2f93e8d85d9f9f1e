//! Both examples through the real program: everything that it prints, and everything that it writes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]

use std::io::Write as _;
use std::process::Stdio;

use insta::assert_snapshot;
use testing::{Run, Sandbox};

use crate::PROGRAM;

/// Both examples; each has one target.
const EXAMPLES: [&str; 2] = ["existing", "new"];

/// What stands in the compose files as passwords.
const PASSWORDS: [&str; 2] = ["dummy-db-password", "dummy-redis-password"];

/// Compares with a file in `tests/snapshots`.
#[track_caller]
fn snapshot(name: &str, run: &Run) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_omit_expression(true);
    settings.bind(|| assert_snapshot!(name, run.to_string()));
}

fn for_document(example: &str, arguments: &str) -> String {
    format!("-f examples/{example}/kasm-db.yaml {arguments}")
}

#[test]
fn validate_says_that_the_documents_are_valid() {
    let sandbox = Sandbox::new(PROGRAM);
    snapshot("existing-validate", &sandbox.run(&for_document("existing", "validate")));
    assert_snapshot!(sandbox.run(&for_document("new", "-q validate")), @r"
    exit: 0
    ----- stdout -----
    examples/new/kasm-db.yaml: valid, 1 warning
    ");
}

#[test]
fn plan_shows_changes_diffs_and_cost() {
    let sandbox = Sandbox::new(PROGRAM);
    for example in EXAMPLES {
        snapshot(&format!("{example}-plan"), &sandbox.run(&for_document(example, "plan")));
    }
}

#[test]
fn a_detailed_exit_code_tells_differences_from_none() {
    let sandbox = Sandbox::new(PROGRAM);
    for example in EXAMPLES {
        let plain = sandbox.run(&for_document(example, "plan")).expect(0);
        let detailed = sandbox.run(&for_document(example, "plan --detailed-exitcode")).expect(2);
        assert_eq!((plain.stdout, plain.stderr), (detailed.stdout, detailed.stderr));
        sandbox.run(&for_document(example, "apply -y")).expect(0);
        sandbox.run(&for_document(example, "plan --detailed-exitcode")).expect(0);
    }
}

#[test]
fn a_plan_writes_nothing() {
    let sandbox = Sandbox::new(PROGRAM);
    let before = sandbox.seen(sandbox.root());
    for example in EXAMPLES {
        for arguments in ["validate", "plan", "plan --format json", "plan --format patch"] {
            sandbox.run(&for_document(example, arguments)).expect(0);
        }
    }
    assert_eq!(sandbox.seen(sandbox.root()), before);
}

#[test]
fn apply_shows_the_plan_and_says_what_is_still_needed() {
    let sandbox = Sandbox::new(PROGRAM);
    for example in EXAMPLES {
        snapshot(&format!("{example}-apply"), &sandbox.run(&for_document(example, "-q apply -y")));
    }
}

#[test]
fn apply_asks_and_without_a_terminal_it_writes_nothing() {
    let sandbox = Sandbox::new(PROGRAM);
    let before = sandbox.seen(sandbox.root());
    let run = sandbox.run(&for_document("existing", "-q apply")).expect(64);
    assert_snapshot!(run.stderr, @r"
    error: cannot ask whether to apply: standard input is not a terminal
      = help: run `kasm-db apply --yes` to apply without a prompt
    ");
    assert_eq!(sandbox.seen(sandbox.root()), before);
}

#[test]
fn a_second_apply_has_nothing_to_do_and_touches_no_file() {
    let sandbox = Sandbox::new(PROGRAM);
    for example in EXAMPLES {
        sandbox.run(&for_document(example, "apply -y")).expect(0);
    }
    let before = sandbox.seen(sandbox.root());
    assert_snapshot!(sandbox.run(&for_document("existing", "-q apply -y")), @r"
    exit: 0
    ----- stdout -----
    current (deployment [ROOT]/examples/existing/opt/kasm/1.11.0)

    No changes. 5 files match the document.
    ");
    assert_snapshot!(sandbox.run(&for_document("new", "-q apply -y")), @r"
    exit: 0
    ----- stdout -----
    release (installer [ROOT]/examples/new/kasm_release)

    No changes. 4 files match the document.
    ");
    assert_eq!(sandbox.seen(sandbox.root()), before);
}

#[test]
fn an_installer_is_planned_where_its_release_is_installed_already() {
    let sandbox = Sandbox::new(PROGRAM);
    let installed = sandbox.root().join("host/opt/kasm/1.16.0/conf/database");
    std::fs::create_dir_all(&installed).unwrap();
    std::fs::write(installed.join("postgresql.conf"), "work_mem = 1MB\n").unwrap();
    let run = sandbox.run("plan -f examples/new/kasm-db.yaml --root host");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("It takes effect when this tree is installed."), "{}", run.stdout);
}

#[test]
fn findings_of_several_targets_say_whose_they_are() {
    let sandbox = Sandbox::new(PROGRAM);
    let document = sandbox.document("new");
    sandbox.edit(&document, "targets:\n", "targets:\n  - name: other\n    files: {compose: [kasm_release/docker/docker-compose-db.yaml], service: none}\n");
    let run = sandbox.run(&for_document("new", "plan")).expect(4);
    assert!(run.stderr.contains("other:\nerror[KDB303]: no service `none`"), "{}", run.stderr);
}

#[test]
fn a_host_path_below_a_prefix_is_the_same_target() {
    let sandbox = Sandbox::new(PROGRAM);
    let patch = |arguments: &str| sandbox.run(&for_document("existing", arguments)).expect(0).stdout;
    let own = patch("-q plan --format patch");
    let below = "-q --root examples/existing --deployment /opt/kasm/current";
    assert_eq!(patch(&format!("{below} plan --format patch")), own);
    sandbox.run(&for_document("existing", &format!("{below} apply -y"))).expect(0);
    assert_eq!(patch("-q plan --format patch"), "");
}

/// Plans and applies `existing` with a changed document; both must refuse and write nothing.
#[track_caller]
fn refused(name: &str, from: &str, to: &str) {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.edit(&sandbox.document("existing"), from, to);
    let before = sandbox.seen(sandbox.root());
    let plan = sandbox.run(&for_document("existing", "plan")).expect(4);
    snapshot(name, &plan);
    let apply = sandbox.run(&for_document("existing", "apply -y")).expect(4);
    // That the tag is mutable is for those who write documents, and only an apply could have changed something.
    let rest: String = plan.stderr.split_inclusive('\n').filter(|line| !line.contains("KDB221")).collect();
    assert_eq!((apply.stdout, apply.stderr), (plan.stdout, rest + "  = state: nothing changed\n"));
    assert_eq!(sandbox.seen(sandbox.root()), before);
}

#[test]
fn an_image_of_another_major_is_refused() {
    refused("refused-major", "kasmweb/postgres:1.11.0", "kasmweb/postgres:1.16.0");
}

#[test]
fn preloading_what_the_image_lacks_is_refused() {
    refused("refused-library", "kasmweb/postgres:1.11.0", "postgres:12-alpine");
}

#[test]
fn an_invalid_document_is_refused_before_the_target_is_read() {
    let sandbox = Sandbox::new(PROGRAM);
    let document = sandbox.document("existing");
    sandbox.edit(&document, "classes:", "clases:");
    sandbox.edit(&document, "deployment: opt/kasm/current", "deployment: opt/nothing");
    let run = sandbox.run(&for_document("existing", "plan")).expect(3);
    assert!(run.stderr.contains("unknown key `audit.clases`") && !run.stderr.contains("nothing"), "{run}");
}

#[test]
fn git_and_patch_make_of_the_patch_what_apply_makes() {
    for example in EXAMPLES {
        let applied = Sandbox::new(PROGRAM);
        applied.run(&for_document(example, "apply -y")).expect(0);
        let wanted = applied.contents(&applied.target(example));
        for program in ["git apply", "patch -p1 --batch"] {
            let sandbox = Sandbox::new(PROGRAM);
            assert_ne!(sandbox.contents(&sandbox.target(example)), wanted);
            let patch = sandbox.run(&for_document(example, "plan --format patch")).expect(0).bytes;
            let mut words = program.split(' ');
            let mut child = sandbox
                .command(words.next().unwrap())
                .args(words)
                .current_dir(sandbox.target(example))
                // Inside a repository `git apply` takes paths to be relative to its root.
                .env("GIT_CEILING_DIRECTORIES", sandbox.root())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(&patch).unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{program}: {output:?}");
            assert_eq!(sandbox.contents(&sandbox.target(example)), wanted, "{program} on {example}");
        }
    }
}

#[test]
fn no_output_holds_a_password() {
    let sandbox = Sandbox::new(PROGRAM);
    let commands = [
        "validate",
        "validate --format json",
        "plan",
        "-vv --context 500 plan",
        "--context 500 plan --format json",
        "--context 500 plan --format patch",
        "plan --format patch",
        "--context 500 -v apply -y",
        "--context 500 -v plan",
    ];
    for example in EXAMPLES {
        for arguments in commands {
            let run = sandbox.run(&for_document(example, arguments)).expect(0).to_string();
            for password in PASSWORDS {
                assert!(!run.contains(password), "{arguments} prints {password}:\n{run}");
            }
        }
    }
    // The passwords are there to be seen, or the above would prove nothing.
    let sandbox = Sandbox::new(PROGRAM);
    for example in EXAMPLES {
        let shown = sandbox.run(&for_document(example, "--show-secrets --context 500 plan")).expect(0).stdout;
        for password in PASSWORDS {
            assert!(shown.contains(password), "{shown}");
        }
    }
}

#[test]
fn the_same_document_and_the_same_bytes_give_the_same_plan() {
    let sandbox = Sandbox::new(PROGRAM);
    // Each process has its own hash seeds, so an order that depends on one shows itself.
    for example in ["existing", "new"] {
        for format in ["human", "json", "patch"] {
            let run = || {
                sandbox.run(&format!("-f examples/{example}/kasm-db.yaml plan --format {format}")).to_string()
            };
            let first = run();
            for _ in 0..8 {
                assert_eq!(run(), first);
            }
        }
    }
}
