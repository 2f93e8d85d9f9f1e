//! `kasm-db import` through the real program: what it writes, what it refuses, and the plan right after.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::os::unix::fs::symlink;

use insta::assert_snapshot;
use testing::{Run, Sandbox};

use crate::PROGRAM;

/// Compares with a file in `tests/snapshots`.
#[track_caller]
fn snapshot(name: &str, run: &Run) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_omit_expression(true);
    settings.bind(|| assert_snapshot!(name, run.to_string()));
}

const DEPLOYMENT: &str = "--deployment examples/existing/opt/kasm/current";
const INSTALLER: &str = "--installer examples/new/kasm_release";
const COMPOSE: &str = "examples/existing/opt/kasm/1.11.0/docker/docker-compose.yaml";
const CONF: &str = "examples/existing/opt/kasm/1.11.0/conf/database/postgresql.conf";

/// Asserts that a plan from the document changes nothing.
#[track_caller]
fn nothing_to_do(sandbox: &Sandbox, arguments: &str) {
    let plan = sandbox.run(&format!("plan --detailed-exitcode {arguments}")).expect(0);
    assert!(plan.stdout.contains("No changes"), "{plan}");
}

#[test]
fn a_stock_deployment_gives_its_image_and_says_what_auditing_takes() {
    snapshot("existing", &Sandbox::new(PROGRAM).run(&format!("import {DEPLOYMENT} -o -")));
}

#[test]
fn an_applied_tree_gives_everything_that_was_applied() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.run("apply -y -f examples/new/kasm-db.yaml").expect(0);
    snapshot("new-applied", &sandbox.run(&format!("import {INSTALLER} --all-settings -o -")));
}

#[test]
fn an_installer_that_is_named_as_a_deployment_is_refused_with_the_right_option_and_the_other_way_round() {
    let sandbox = Sandbox::new(PROGRAM);
    let run = sandbox.run("import --deployment examples/new/kasm_release -o -").expect(1);
    assert!(run.stderr.contains("for an unpacked installer, use `--installer`"), "{run}");
    let run = sandbox.run("import --installer examples/existing/opt/kasm/current -o -").expect(1);
    assert!(run.stderr.contains("for an installed tree, use `--deployment`"), "{run}");
}

#[test]
fn images_that_do_not_agree_are_left_out_and_listed() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.edit(&sandbox.root().join(COMPOSE), "postgres:12-alpine", "kasmweb/postgres:1.11.0");
    snapshot("images-differ", &sandbox.run(&format!("import {DEPLOYMENT} -o -")));
    sandbox.run(&format!("import {DEPLOYMENT}")).expect(0);
    nothing_to_do(&sandbox, "");
}

#[test]
fn the_plan_right_after_is_empty_wherever_the_document_stands() {
    let sandbox = Sandbox::new(PROGRAM);
    let folder = sandbox.root().join("a/b");
    std::fs::create_dir_all(&folder).unwrap();
    symlink(&folder, sandbox.root().join("link")).unwrap();
    let files = format!("--compose {COMPOSE} --conf {CONF} --service db");
    for what in [DEPLOYMENT, INSTALLER, &files] {
        for document in ["kasm-db.yaml", "a/b/x.yaml", "examples/existing/opt/kasm/y.yaml", "link/z.yaml"] {
            let before = sandbox.seen(&sandbox.root().join("examples/existing/opt/kasm/1.11.0"));
            let import = sandbox.run(&format!("import {what} -o {document}")).expect(0);
            assert!(import.stdout.starts_with(&format!("{document}: written, with image")), "{import}");
            sandbox.run(&format!("validate -f {document}")).expect(0);
            nothing_to_do(&sandbox, &format!("-f {document}"));
            assert_eq!(sandbox.seen(&sandbox.root().join("examples/existing/opt/kasm/1.11.0")), before);
            std::fs::remove_file(sandbox.root().join(document)).unwrap();
        }
    }
    // Without anything named it is the usual tree, here that of a copied host.
    sandbox.run("import --root examples/existing").expect(0);
    assert!(
        std::fs::read_to_string(sandbox.root().join("kasm-db.yaml")).unwrap().contains("/opt/kasm/current")
    );
    nothing_to_do(&sandbox, "--root examples/existing");
}

#[test]
fn a_file_that_is_there_is_never_overwritten() {
    let sandbox = Sandbox::new(PROGRAM);
    let path = sandbox.root().join("kasm-db.yaml");
    std::fs::write(&path, "mine\n").unwrap();
    symlink("nowhere", sandbox.root().join("dangling.yaml")).unwrap();
    let before = sandbox.seen(sandbox.root());
    for output in ["", "-o kasm-db.yaml", "-f kasm-db.yaml", "-o examples", "-o dangling.yaml"] {
        let run = sandbox.run(&format!("import {DEPLOYMENT} {output}")).expect(1);
        assert!(run.stderr.contains("already exists and was not overwritten"), "{run}");
        assert!(run.stdout.is_empty(), "{run}");
    }
    sandbox.run(&format!("import {DEPLOYMENT} -o no/such/folder.yaml")).expect(1);
    assert_eq!(sandbox.seen(sandbox.root()), before);
}

#[test]
fn what_cannot_be_read_writes_nothing() {
    let sandbox = Sandbox::new(PROGRAM);
    let before = sandbox.seen(sandbox.root());
    for (arguments, code, message) in [
        ("--deployment examples/new", 1, "no docker/docker-compose.yaml"),
        ("--deployment no/such", 1, "no/such"),
        ("", 1, "/opt/kasm/current"),
        (
            "--compose examples/existing/opt/kasm/1.11.0/docker/.conf/docker-compose-agent.yaml",
            4,
            "no database service",
        ),
        ("--compose nowhere.yaml", 1, "nowhere.yaml does not exist"),
        ("--conf nowhere.conf", 1, "nowhere.conf does not exist"),
        ("--deployment a --compose b", 64, "`--deployment` cannot be used together with `--compose`"),
        ("--service db", 64, "--compose"),
        ("--target x", 64, "--target"),
    ] {
        let run = sandbox.run(&format!("import {arguments}")).expect(code);
        assert!(run.stderr.contains(message), "{message}\n{run}");
    }
    assert_eq!(sandbox.seen(sandbox.root()), before);
    sandbox.edit(&sandbox.root().join(CONF), "listen_addresses =", "listen addresses =");
    let run = sandbox.run(&format!("import {DEPLOYMENT}")).expect(4);
    assert!(run.stderr.contains("KDB402") && run.stderr.contains("No document was written"), "{run}");
    assert!(!sandbox.root().join("kasm-db.yaml").exists());
}

#[test]
fn a_tree_without_a_conf_gives_its_image_alone() {
    let sandbox = Sandbox::new(PROGRAM);
    std::fs::remove_file(sandbox.root().join(CONF)).unwrap();
    let run = sandbox.run(&format!("import {DEPLOYMENT} -o -")).expect(0);
    assert!(
        run.stdout.contains("image: postgres:12-alpine\n\n# There is no conf/database/postgresql.conf here"),
        "{run}"
    );
    sandbox.run(&format!("import {DEPLOYMENT}")).expect(0);
    nothing_to_do(&sandbox, "");
}

#[test]
fn a_blocker_that_is_there_by_itself_is_said_and_stays_the_only_one() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.edit(
        &sandbox.root().join(CONF),
        "#shared_preload_libraries = ''",
        "shared_preload_libraries = 'pgaudit'",
    );
    let run = sandbox.run(&format!("import {DEPLOYMENT}")).expect(0);
    assert!(run.stderr.contains("postgres:12-alpine has no pgaudit"), "{run}");
    assert!(run.stderr.contains("The document does not cause it"), "{run}");
    let written = std::fs::read_to_string(sandbox.root().join("kasm-db.yaml")).unwrap();
    assert!(written.contains("`kasm-db plan` refuses what is wrong there."), "{written}");
    let plan = sandbox.run("plan").expect(4);
    assert!(plan.stdout.contains("Refused: library-missing. Nothing was written."), "{plan}");
}

#[test]
fn no_secret_gets_into_a_document() {
    let sandbox = Sandbox::new(PROGRAM);
    let conf = sandbox.root().join(CONF);
    sandbox.edit(&conf, "#shared_preload_libraries = ''", "primary_conninfo = 'host=x password=hunter2'\nmy.token = 'hunter2'\narchive_command = 'curl -u me:hunter2 x' # hunter2\nwork_mem = 8MB # hunter2");
    let run = sandbox.run(&format!("import {DEPLOYMENT} --all-settings -o -")).expect(0);
    for secret in ["hunter2", "dummy-db-password", "dummy-redis-password"] {
        assert!(!run.to_string().contains(secret), "{run}");
    }
    assert!(run.stdout.contains("work_mem: 8MB"), "{run}");
    for name in ["primary_conninfo", "my.token", "archive_command"] {
        assert!(run.stdout.contains(&format!("# `{name}` is left out: its value may be secret")), "{run}");
    }
}
