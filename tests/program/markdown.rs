//! Plans as comments on merge requests.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use testing::{Run, Sandbox};

use crate::PROGRAM;

const FILE: &str = "-f examples/existing/kasm-db.yaml";

/// Runs a plan, and checks what holds for every comment.
#[track_caller]
fn comment(sandbox: &Sandbox, arguments: &str) -> Run {
    let run = sandbox.run(&format!("plan --format markdown {arguments}"));
    assert!(run.stdout.starts_with("<!-- kasm-db plan -->\n### kasm-db plan: "), "{run}");
    assert!(run.stdout.chars().count() <= 60_000, "{}", run.stdout.len());
    let count = |part: &str| run.stdout.matches(part).count();
    assert_eq!(count("<details>"), count("</details>"), "{run}");
    assert_eq!(count("\n```"), 2 * count("\n```diff\n"), "{run}");
    run
}

#[test]
fn a_blocked_plan_says_so_and_one_without_changes_keeps_its_warnings() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.edit(&sandbox.document("existing"), "postgres:1.11.0", "postgres:1.16.0");
    let blocked = comment(&sandbox, FILE).expect(4).stdout;
    for part in [
        "### kasm-db plan: 1 of 1 target blocked\n",
        "| `current` | blocked: major-change | stays as it is |\n",
        "- **error** KDB501 `major-change` `docker/docker-compose.yaml:5`: ",
    ] {
        assert!(blocked.contains(part), "{part}: {blocked}");
    }
    sandbox.edit(&sandbox.document("existing"), "postgres:1.16.0", "postgres:1.11.0");
    sandbox.run(&format!("apply -y {FILE}")).expect(0);
    let same = comment(&sandbox, FILE).expect(0).stdout;
    for part in [
        "### kasm-db plan: no changes in 1 target\n\n- warning KDB221 `no-digest` ",
        "|---|---|---|\n| `current` | no changes | stays as it is |\n",
        "<summary>current: no changes</summary>\n\n- warning KDB310 `duplicate-compose-key` ",
    ] {
        assert!(same.contains(part), "{part}: {same}");
    }
}

#[test]
fn an_invalid_document_and_a_missing_target_are_reported_in_the_comment() {
    let sandbox = Sandbox::new(PROGRAM);
    let document = sandbox.document("existing");
    sandbox.edit(&document, "[read, write, ddl]", "[raed, <b>@anna</b>]");
    let invalid = comment(&sandbox, FILE).expect(3).stdout;
    assert!(invalid.contains("### kasm-db plan: failed\n"), "{invalid}");
    assert!(
        invalid.contains("- **error** KDB104 `wrong-value` `examples/existing/kasm-db.yaml:11`: "),
        "{invalid}"
    );
    assert!(!invalid.contains("<b>") || invalid.contains("`<b>@anna</b>`"), "{invalid}");
    sandbox.edit(&document, "[raed, <b>@anna</b>]", "[read]");
    sandbox.edit(&document, "opt/kasm/current", "opt/kasm/nowhere");
    let missing = comment(&sandbox, FILE).expect(1).stdout;
    assert!(missing.contains("- **error**: ") && missing.contains("opt/kasm/nowhere"), "{missing}");
}

#[test]
fn many_targets_fit_into_a_comment_the_worst_first() {
    let sandbox = Sandbox::new(PROGRAM);
    let mut document =
        String::from("schema: kasm-db/v1\npostgres_major: 14\nsettings: {work_mem: 8MB}\ntargets:\n");
    for number in 0..300 {
        let folder = sandbox.root().join(format!("t{number}"));
        fs::create_dir(&folder).unwrap();
        // A line that is shown, as it is one of PostgreSQL's own.
        let rest = format!("#{}\n", "-".repeat(78)).repeat(60);
        let conf = if number == 299 {
            format!("work_mem =\n{rest}")
        } else {
            format!("{rest}work_mem = 4MB\n{rest}")
        };
        fs::write(folder.join("p.conf"), conf).unwrap();
        document
            .push_str(&format!("  - {{name: t{number}, files: {{postgresql_conf: t{number}/p.conf}}}}\n"));
    }
    fs::write(sandbox.root().join("kasm-db.yaml"), document).unwrap();
    let run = sandbox.run("plan --format markdown --context 60");
    let diff = sandbox.run("plan --context 60").stdout.len();
    assert!(diff > 2_000_000, "{diff}");
    let text = &run.stdout;
    assert!(text.chars().count() <= 60_000, "{}", text.chars().count());
    assert!(text.contains("### kasm-db plan: 1 of 300 targets blocked\n"), "{}", &text[..200]);
    assert!(text.contains("|---|---|---|\n| `t299` | blocked: conf-syntax |"), "{}", &text[..400]);
    assert!(text.contains("\nand 200 more targets\n") && text.contains("left out here: run `kasm-db plan`"));
}

#[test]
fn a_comment_goes_to_a_file_beside_another_format() {
    let sandbox = Sandbox::new(PROGRAM);
    let run = sandbox.run(&format!("plan {FILE} --format json --format markdown=comment.md")).expect(0);
    assert!(run.stdout.starts_with('{'), "{run}");
    let text = fs::read_to_string(sandbox.root().join("comment.md")).unwrap();
    assert!(
        text.starts_with("<!-- kasm-db plan -->\n### kasm-db plan: 1 of 1 target would change\n"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'));
}
