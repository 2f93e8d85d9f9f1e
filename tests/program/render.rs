//! `kasm-db render` through the real program: the folder that is committed, and what `--check` says of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use insta::assert_snapshot;
use testing::{Run, Sandbox, copy};

use crate::PROGRAM;

/// What stands in the compose files as passwords.
const PASSWORDS: [&str; 2] = ["dummy-db-password", "dummy-redis-password"];

const EXISTING: &str = "examples/existing/kasm-db.yaml";

/// Compares with a file in `tests/snapshots`.
#[track_caller]
fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_omit_expression(true);
    settings.bind(|| assert_snapshot!(name, text));
}

/// Returns everything in a folder as one text.
fn folder(sandbox: &Sandbox, path: &str) -> String {
    let mut out = String::new();
    for (name, (_, content)) in sandbox.contents(&sandbox.root().join(path)) {
        if sandbox.root().join(path).join(&name).is_file() {
            let _ = writeln!(out, "===== {}\n{}", name.display(), String::from_utf8(content).unwrap());
        }
    }
    out
}

#[track_caller]
fn no_password(text: &str) {
    for password in PASSWORDS.iter().chain(&["hunter2"]) {
        assert!(!text.contains(password), "{password} in\n{text}");
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn the_folders_of_both_examples_show_the_effect_and_no_secret() {
    let sandbox = Sandbox::new(PROGRAM);
    for (example, files) in [("existing", 7), ("new", 6)] {
        let run = sandbox.run(&format!("-q render -f examples/{example}/kasm-db.yaml")).expect(0);
        let expected = format!("examples/{example}/rendered: {files} files, {files} written, 0 removed.\n");
        assert_eq!(run.stdout, expected);
        let text = folder(&sandbox, &format!("examples/{example}/rendered"));
        no_password(&text);
        snapshot(example, &text);
    }
}

#[test]
fn a_rendered_file_is_the_applied_one_but_for_what_is_hidden() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.run(&format!("-q render -f {EXISTING}")).expect(0);
    let before = folder(&sandbox, "examples/existing/rendered/current");
    sandbox.run(&format!("apply -y -f {EXISTING}")).expect(0);
    sandbox.run(&format!("-q render -f {EXISTING}")).expect(0);
    assert_eq!(folder(&sandbox, "examples/existing/rendered/current"), before);
    let applied = sandbox.target("existing").join("docker/docker-compose.yaml");
    let rendered = sandbox.root().join("examples/existing/rendered/current/docker/docker-compose.yaml");
    let lines =
        |path: &Path| std::fs::read_to_string(path).unwrap().lines().map(String::from).collect::<Vec<_>>();
    for (real, shown) in lines(&applied).iter().zip(lines(&rendered)) {
        assert!(real == &shown || shown.contains("<hidden>"), "{real}\n{shown}");
    }
    assert_eq!(lines(&applied).len(), lines(&rendered).len());
}

#[test]
fn the_same_comes_out_whatever_the_options_the_place_and_the_terminal() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.run(&format!("render -f {EXISTING} --out a")).expect(0);
    let first = folder(&sandbox, "a");
    sandbox.run(&format!("render -f {EXISTING} --out b --context 0 --color always -vv")).expect(0);
    assert_eq!(folder(&sandbox, "b"), first);
    copy(&sandbox.root().join("examples"), &sandbox.root().join("elsewhere"));
    sandbox.run("-q render -f elsewhere/existing/kasm-db.yaml --out c").expect(0);
    assert_eq!(folder(&sandbox, "c"), first);
    let inside = sandbox.finish(
        sandbox.command(PROGRAM).args(["-q", "render"]).current_dir(sandbox.root().join("examples/existing")),
    );
    assert_eq!(inside.expect(0).stdout, "rendered: 7 files, 7 written, 0 removed.\n");
    assert_eq!(folder(&sandbox, "examples/existing/rendered"), first);
}

#[test]
fn a_second_render_writes_nothing_and_check_agrees() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.run(&format!("-q render -f {EXISTING}")).expect(0);
    let before = sandbox.seen(sandbox.root());
    let again = sandbox.run(&format!("-q render -f {EXISTING}")).expect(0);
    assert_eq!(again.stdout, "examples/existing/rendered: 7 files, 0 written, 0 removed.\n");
    let check = sandbox.run(&format!("-q render --check -f {EXISTING}")).expect(0);
    assert_eq!(check.stdout, "examples/existing/rendered: 7 files as they should be.\n");
    assert_eq!(sandbox.seen(sandbox.root()), before);
}

/// Two targets, so that one can be applied before the other.
fn two_targets() -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    let site = "examples/existing/opt/kasm";
    copy(&sandbox.target("existing"), &sandbox.root().join(site).join("other"));
    let document = sandbox.document("existing");
    let mut text = std::fs::read_to_string(&document).unwrap();
    text.push_str("  - name: other\n    deployment: opt/kasm/other\n");
    std::fs::write(&document, text).unwrap();
    sandbox
}

#[test]
fn a_plan_that_was_reviewed_and_applied_is_not_a_difference() {
    let sandbox = two_targets();
    let check = |code: i32| sandbox.run(&format!("-q render --check -f {EXISTING}")).expect(code);
    sandbox.run(&format!("-q render -f {EXISTING}")).expect(0);
    let reviewed = folder(&sandbox, "examples/existing/rendered");
    for step in ["--target current", "--target other", ""] {
        sandbox.run(&format!("apply -y -f {EXISTING} {step}")).expect(0);
        check(0);
    }
    sandbox.run(&format!("-q render -f {EXISTING}")).expect(0);
    assert_eq!(folder(&sandbox, "examples/existing/rendered"), reviewed, "what was reviewed stays");

    // What nobody reviewed is a difference.
    let conf = sandbox.target("existing").join("conf/database/postgresql.conf");
    let applied = std::fs::read(&conf).unwrap();
    sandbox.edit(&conf, "pgaudit.log = 'read, write, ddl'", "pgaudit.log = 'read'");
    assert!(check(2).stdout.contains("changed  plan.txt"));
    std::fs::write(&conf, &applied).unwrap();
    check(0);
    // Back to the start is what was reviewed once more.
    let release = sandbox.target("existing").display().to_string();
    sandbox.run(&format!("rollback -y --deployment {release}")).expect(0);
    check(0);
    sandbox.run(&format!("apply -y -f {EXISTING}")).expect(0);

    // Who wants the plan of now removes the old one.
    std::fs::remove_file(sandbox.root().join("examples/existing/rendered/plan.txt")).unwrap();
    sandbox.run(&format!("-q render -f {EXISTING}")).expect(0);
    let now = std::fs::read_to_string(sandbox.root().join("examples/existing/rendered/plan.txt")).unwrap();
    assert_eq!(now.matches("No changes").count(), 2, "{now}");
    check(0);
}

#[test]
fn a_folder_of_another_version_is_named_as_such_and_not_compared() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.run(&format!("render -f {EXISTING}")).expect(0);
    let rendered = sandbox.root().join("examples/existing/rendered");
    let list = rendered.join(".kasm-db-render");
    let text = std::fs::read_to_string(&list).unwrap();
    assert!(text.contains("\n# form: 2\n"), "{text}");
    for (form, by, json) in [
        ("", "an earlier version of kasm-db: render again", "earlier"),
        ("# form: 1\n", "an earlier version of kasm-db: render again", "earlier"),
        ("# form: 3\n", "a later version of kasm-db: use that one", "later"),
    ] {
        write(&list, &text.replace("# form: 2\n", form));
        // A later form of the same list: the files differ, too.
        sandbox.edit(
            &rendered.join("current/docker/docker-compose.yaml"),
            "restart: always",
            "restart: <hidden>",
        );
        let run = sandbox.run(&format!("render --check -f {EXISTING}")).expect(2);
        assert_eq!(run.stdout, format!("examples/existing/rendered: rendered by {by}.\n"));
        let run = sandbox.run(&format!("render --check --format json -f {EXISTING}")).expect(2);
        assert!(run.stdout.contains(&format!("\"rendered_by\": \"{json}\"")), "{run}");
        assert!(run.stdout.contains("\"differences\": []"), "{run}");
        sandbox.run(&format!("render -f {EXISTING}")).expect(0);
        assert_eq!(std::fs::read_to_string(&list).unwrap(), text);
        sandbox.run(&format!("render --check -f {EXISTING}")).expect(0);
    }
}

#[test]
fn a_plan_that_render_did_not_write_for_these_files_is_a_difference_also_after_the_apply() {
    let sandbox = Sandbox::new(PROGRAM);
    let rendered = sandbox.root().join("examples/existing/rendered");
    let check = |code: i32| sandbox.run(&format!("-q render --check -f {EXISTING}")).expect(code);
    sandbox.run(&format!("-q render -f {EXISTING}")).expect(0);
    let read = |name: &str| std::fs::read_to_string(rendered.join(name)).unwrap();
    let (plan, list) = (read("plan.txt"), read(".kasm-db-render"));
    // The plan of another document, with its list.
    sandbox.edit(&sandbox.document("existing"), "[read, write, ddl]", "[all]");
    sandbox.run("-q render -f examples/existing/kasm-db.yaml --out other").expect(0);
    sandbox.edit(&sandbox.document("existing"), "[all]", "[read, write, ddl]");
    let other = |name: &str| std::fs::read_to_string(sandbox.root().join("other").join(name)).unwrap();
    let (other_plan, other_list) = (other("plan.txt"), other(".kasm-db-render"));
    sandbox.run(&format!("apply -y -f {EXISTING}")).expect(0);
    check(0);
    let edited = plan.replace("-> pgaudit", "-> nothing");
    let sealed = list.lines().find(|line| line.starts_with("# sha256:")).unwrap();
    for (plan, list, what) in [
        (edited.as_str(), list.as_str(), "an edit by hand"),
        (&format!("{plan}\n"), &list, "a line at the end"),
        ("", &list, "no text"),
        (&other_plan, &list, "another plan"),
        (&other_plan, &other_list, "another plan with its list"),
        (&plan, &other_list, "the list of another plan"),
        (&plan, &list.replace(&format!("{sealed}\n"), ""), "no digest"),
    ] {
        write(&rendered.join("plan.txt"), plan);
        write(&rendered.join(".kasm-db-render"), list);
        let run = check(2);
        assert!(run.stdout.contains("changed  plan.txt"), "{what}\n{run}");
    }
    sandbox.run(&format!("-q render -f {EXISTING}")).expect(0);
    check(0);
    assert!(read("plan.txt").contains("No changes"), "{}", read("plan.txt"));
}

#[test]
fn a_blocker_after_the_apply_is_a_difference() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.run(&format!("-q render -f {EXISTING}")).expect(0);
    sandbox.run(&format!("apply -y -f {EXISTING}")).expect(0);
    sandbox.run(&format!("-q render --check -f {EXISTING}")).expect(0);
    let compose = sandbox.target("existing").join("docker/docker-compose.yaml");
    sandbox.edit(
        &compose,
        "services:",
        "services:\n  other: {image: \"postgres:12\", container_name: kasm_db}",
    );
    sandbox.run(&format!("-q render --check -f {EXISTING}")).expect(2);
}

#[test]
fn check_shows_what_a_change_does_and_writes_nothing() {
    let sandbox = Sandbox::new(PROGRAM);
    let missing = sandbox.run(&format!("-q render --check -f {EXISTING}")).expect(2);
    assert!(missing.stdout.contains("8 missing, 0 changed, 0 extra"), "{missing}");
    sandbox.run(&format!("-q render -f {EXISTING}")).expect(0);
    let rendered = sandbox.root().join("examples/existing/rendered");
    sandbox.edit(&sandbox.document("existing"), "[read, write, ddl]", "[all]");
    sandbox.edit(&sandbox.document("existing"), "name: current", "name: eu");
    std::fs::remove_file(rendered.join("document.yaml")).unwrap();
    let before = sandbox.seen(sandbox.root());
    let check = sandbox.run(&format!("-q render --check --context 1 -f {EXISTING}")).expect(2);
    snapshot("check", &check.to_string());
    assert_eq!(sandbox.seen(sandbox.root()), before);
    sandbox.run(&format!("-q render -f {EXISTING}")).expect(0);
    sandbox.run(&format!("-q render --check -f {EXISTING}")).expect(0);
    assert!(!rendered.join("current").exists(), "the folder of a target that has gone is gone");
}

#[test]
fn a_file_that_somebody_copied_is_compared_without_its_secrets() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.run(&format!("-q render -f {EXISTING}")).expect(0);
    let conf = sandbox.target("existing").join("conf/database/postgresql.conf");
    sandbox.edit(&conf, "listen_addresses = '*'", "primary_conninfo = 'password=hunter2' # hunter2");
    for path in ["docker/docker-compose.yaml", "conf/database/postgresql.conf"] {
        let rendered = sandbox.root().join("examples/existing/rendered/current").join(path);
        std::fs::copy(sandbox.target("existing").join(path), rendered).unwrap();
    }
    let check = sandbox.run(&format!("render --check -f {EXISTING}")).expect(2);
    no_password(&check.to_string());
    assert!(
        check.stdout.contains("-    image: postgres:12-alpine\n+    image: kasmweb/postgres:1.11.0"),
        "{check}"
    );
    assert!(check.stdout.contains("-#shared_preload_libraries = ''"), "{check}");
}

#[test]
fn files_of_somebody_else_are_neither_replaced_nor_removed() {
    let sandbox = Sandbox::new(PROGRAM);
    let out = sandbox.root().join("out");
    write(&out.join("README.md"), "ours\n");
    write(&out.join("current/notes"), "ours\n");
    sandbox.run(&format!("-q render -f {EXISTING} --out out")).expect(0);
    sandbox.run(&format!("-q render -f {EXISTING} --out out --check")).expect(0);
    sandbox.edit(&sandbox.document("existing"), "name: current", "name: eu");
    sandbox.run(&format!("-q render -f {EXISTING} --out out")).expect(0);
    assert_eq!(std::fs::read_to_string(out.join("current/notes")).unwrap(), "ours\n");
    assert_eq!(std::fs::read_dir(out.join("current")).unwrap().count(), 1);
    assert!(out.join("README.md").exists());

    write(&sandbox.root().join("taken/plan.txt"), "ours\n");
    symlink("/", sandbox.root().join("taken/eu")).unwrap();
    let before = sandbox.seen(&sandbox.root().join("taken"));
    let refused = sandbox.run(&format!("-q render -f {EXISTING} --out taken")).expect(1);
    assert!(refused.stderr.contains("taken/eu: not a folder"), "{refused}");
    std::fs::remove_file(sandbox.root().join("taken/eu")).unwrap();
    let refused = sandbox.run(&format!("-q render -f {EXISTING} --out taken")).expect(1);
    assert!(
        refused.stderr.contains("taken/plan.txt already exists, and `render` did not write it"),
        "{refused}"
    );
    let after = sandbox.seen(&sandbox.root().join("taken"));
    assert_eq!(after[Path::new("plan.txt")], before[Path::new("plan.txt")]);
    assert_eq!(after.len(), 2, "nothing is written before the refusal");
}

#[test]
fn a_blocked_target_is_rendered_as_it_is_with_its_blockers() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.edit(&sandbox.document("existing"), "kasmweb/postgres:1.11.0", "kasmweb/postgres:1.16.0");
    let run = sandbox.run(&format!("-q render -f {EXISTING}")).expect(0);
    assert!(run.stderr.contains("KDB501"), "{run}");
    let text = folder(&sandbox, "examples/existing/rendered");
    assert!(text.contains("Refused: major-change. Nothing was written."), "{text}");
    assert!(text.contains("error[KDB501]: kasmweb/postgres:1.16.0 is PostgreSQL 14"), "{text}");
    let files = folder(&sandbox, "examples/existing/rendered/current");
    assert!(
        files.contains("    image: postgres:12-alpine\n") && !files.contains("postgres:1.16.0"),
        "{files}"
    );
    sandbox.run(&format!("-q render --check -f {EXISTING}")).expect(0);
    // Who overrules it sees the effect.
    sandbox.run(&format!("-q render --check --allow major-change -f {EXISTING}")).expect(2);
    sandbox.run(&format!("-q render --allow major-change -f {EXISTING}")).expect(0);
    assert!(
        folder(&sandbox, "examples/existing/rendered/current")
            .contains("    image: kasmweb/postgres:1.16.0\n")
    );
}

#[test]
fn targets_of_the_command_line_and_files_by_name_have_folders_too() {
    let sandbox = Sandbox::new(PROGRAM);
    let run =
        sandbox.run("-q render -f examples/new/kasm-db.yaml --installer examples/new/kasm_release --out out");
    assert_eq!(run.expect(0).stdout, "out: 6 files, 6 written, 0 removed.\n");
    assert!(sandbox.root().join("out/kasm_release/docker/docker-compose-all.yaml").exists());
    write(
        &sandbox.root().join("stack/compose.yaml"),
        "services:\r\n  db:\r\n    image: postgres:14\r\n    # hunter2\r\n",
    );
    write(&sandbox.root().join("conf/postgresql.conf"), "include 'more.conf'\nwork_mem = 4MB");
    write(&sandbox.root().join("conf/more.conf"), "my.token = 'hunter2'\n");
    write(
        &sandbox.root().join("doc/kasm-db.yaml"),
        "schema: kasm-db/v1\nimage: kasmweb/postgres:1.16.0\nsettings: {work_mem: 8MB}\ntargets:\n  - name: stack\n    \
         files: {compose: [../stack/compose.yaml], postgresql_conf: ../conf/postgresql.conf}\n",
    );
    sandbox.run("-q render -f doc/kasm-db.yaml").expect(0);
    snapshot("files", &folder(&sandbox, "doc/rendered"));
}

#[test]
fn every_document_of_a_folder_has_a_folder_beside_it() {
    let sandbox = Sandbox::new(PROGRAM);
    // Its documents share a folder, and so would what is rendered of them.
    std::fs::remove_dir_all(sandbox.root().join("examples/fleet")).unwrap();
    write(&sandbox.root().join("examples/base.kasm-db.yaml"), "schema: kasm-db/v1\n");
    let run = sandbox.run("-q render -f examples -R").expect(0);
    let line =
        |example, files| format!("examples/{example}/rendered: {files} files, {files} written, 0 removed.\n");
    assert_eq!(run.stdout, line("existing", 7) + &line("new", 6));
    sandbox.run("-q render -f examples -R --check").expect(0);
    let out = sandbox.run("-q render -f examples -R --out out").expect(64);
    assert!(out.stderr.contains("only one is allowed here"), "{out}");
    std::fs::copy(sandbox.document("new"), sandbox.root().join("examples/new/other.kasm-db.yaml")).unwrap();
    let both =
        sandbox.run("-q render -f examples/new/kasm-db.yaml -f examples/new/other.kasm-db.yaml").expect(64);
    assert!(both.stderr.contains("examples/new/rendered is the folder of two documents"), "{both}");
    // The first one is rendered, and the second one is said to be in its way.
    let alone = sandbox.run("render -f examples/new/kasm-db.yaml").expect(0);
    let both =
        sandbox.run("render -f examples/new/kasm-db.yaml -f examples/new/other.kasm-db.yaml").expect(64);
    let said = both.stderr.strip_prefix(&alone.stderr).unwrap();
    assert!(said.contains("error: examples/new/rendered is the folder of two documents"), "{both}");
    // One without targets is there for others to extend, and is not rendered.
    write(&sandbox.root().join("fleet/a.kasm-db.yaml"), "schema: kasm-db/v1\n");
    std::fs::rename(sandbox.document("new"), sandbox.root().join("fleet/b.kasm-db.yaml")).unwrap();
    let run = sandbox.run("-q render -R -f fleet");
    assert!(!run.stderr.contains("is the folder of two documents"), "{run}");
}

#[test]
fn what_must_not_or_cannot_be_rendered_ends_without_a_write() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.edit(&sandbox.document("new"), "postgres:1.16.0", "postgres");
    write(
        &sandbox.root().join("two.yaml"),
        "schema: kasm-db/v1\ntargets:\n  - {name: a, deployment: examples/existing/opt/kasm/current}\n  - {name: b, deployment: nowhere}\n",
    );
    write(
        &sandbox.root().join("name.yaml"),
        "schema: kasm-db/v1\ntargets:\n  - {name: plan.txt, deployment: examples/existing/opt/kasm/current}\n",
    );
    write(&sandbox.root().join("file"), "x");
    let before = sandbox.seen(sandbox.root());
    for (arguments, code, message) in [
        ("-f examples/existing/kasm-db.yaml --show-secrets", 64, "--show-secrets"),
        ("-f examples/existing/kasm-db.yaml --target current", 64, "--target"),
        ("-f examples/existing/kasm-db.yaml --out file", 1, "file"),
        ("-f examples/new/kasm-db.yaml", 3, "has no tag"),
        ("-f nowhere.yaml", 1, "no such file"),
        ("-f two.yaml", 1, "nowhere"),
        ("-f two.yaml --deployment examples/new", 1, "no docker/docker-compose.yaml"),
        ("-f name.yaml", 1, "leaves no place"),
    ] {
        for check in ["", " --check"] {
            let run: Run = sandbox.run(&format!("render {arguments}{check}")).expect(code);
            assert!(run.stderr.contains(message), "{message}\n{run}");
            assert!(run.stdout.is_empty(), "{run}");
        }
    }
    assert_eq!(sandbox.seen(sandbox.root()), before);
}

#[test]
fn the_list_is_not_changed_where_only_the_plan_is_missing_or_changed() {
    let sandbox = Sandbox::new(PROGRAM);
    let run = |more: &str| sandbox.run(&format!("-q render -f {EXISTING} {more}"));
    run("").expect(0);
    let plan = sandbox.root().join("examples/existing/rendered/plan.txt");
    let text = std::fs::read_to_string(&plan).unwrap();
    std::fs::remove_file(&plan).unwrap();
    let said = run("--check").expect(2).stdout;
    assert!(
        said.starts_with("  missing  plan.txt\n\n") && said.contains("1 missing, 0 changed, 0 extra"),
        "{said}"
    );
    std::fs::write(&plan, text + "more\n").unwrap();
    let said = run("--check").expect(2).stdout;
    assert!(
        said.starts_with("  changed  plan.txt\n\n") && said.contains("0 missing, 1 changed, 0 extra"),
        "{said}"
    );
}

#[test]
fn what_is_wrong_with_the_folder_comes_after_the_findings() {
    let findings = |run: &Run| run.stderr.split("error: ").next().unwrap().to_string();
    for file in ["current/conf/database/postgresql.conf", "plan.txt"] {
        let sandbox = Sandbox::new(PROGRAM);
        let first = sandbox.run(&format!("render -f {EXISTING}")).expect(0);
        let path = sandbox.root().join("examples/existing/rendered").join(file);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        for more in ["", "--check"] {
            let run = sandbox.run(&format!("render -f {EXISTING} {more}")).expect(1);
            assert_eq!(findings(&run), first.stderr, "{run}");
            assert!(run.stderr.contains(&format!("rendered/{file}: not a file")), "{run}");
        }
    }
}
