//! Problems as annotations of GitHub Actions and as a Code Quality report of GitLab.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;

use testing::Sandbox;

use crate::PROGRAM;

/// A document with so many errors and warnings.
fn sandbox(errors: usize) -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    let wrong: String = (0..errors).map(|number| format!("key_{number}: 1\n")).collect();
    let text = format!("schema: kasm-db/v1\nimage: kasmweb/postgres:1.16.0\n{wrong}");
    fs::write(sandbox.root().join("kasm-db.yaml"), text).unwrap();
    sandbox
}

#[test]
fn github_gets_a_command_for_each_problem_the_worst_first() {
    let sandbox = sandbox(0);
    let text = "schema: kasm-db/v1\nimage: kasmweb/postgres:1.16.0\npostgres_major: 12\n";
    fs::write(sandbox.root().join("kasm-db.yaml"), text).unwrap();
    let run = sandbox.run("validate --format github").expect(3);
    let lines: Vec<_> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{run}");
    let error = "::error file=kasm-db.yaml,line=3,col=17,title=KDB203 declared-major-mismatch::`postgres_major` is 12";
    assert!(lines[0].starts_with(error) && lines[0].contains("%0A"), "{run}");
    assert!(
        lines[1].starts_with("::warning file=kasm-db.yaml,line=2,col=8,title=KDB221 no-digest::"),
        "{run}"
    );
}

#[test]
fn github_gets_at_most_ten_of_a_kind_and_the_number_of_the_rest() {
    let run = sandbox(99).run("validate --format github").expect(3);
    let errors: Vec<_> = run.stdout.lines().filter(|line| line.starts_with("::error ")).collect();
    assert_eq!(errors.len(), 10, "{run}");
    assert_eq!(errors[9], "::error title=kasm-db::and 90 more");
    // Documents have at most 100 each.
    let many = sandbox(100);
    fs::copy(many.root().join("kasm-db.yaml"), many.root().join("other.kasm-db.yaml")).unwrap();
    let run = many.run("validate --format github -f . -R").expect(3);
    assert_eq!(run.stdout.matches("::error ").count(), 10, "{run}");
    assert!(run.stdout.contains("::error title=kasm-db::and 191 more\n"), "{run}");
    let few = sandbox(10).run("validate --format github").expect(3);
    assert_eq!(few.stdout.matches("::error ").count(), 10);
    assert!(!few.stdout.contains("more"), "{few}");
}

#[test]
fn what_is_outside_the_repository_has_the_line_that_asks_for_it() {
    let sandbox = Sandbox::new(PROGRAM);
    sandbox.edit(&sandbox.document("existing"), "postgres:1.11.0", "postgres:1.16.0");
    let inside = sandbox.run("plan -f examples/existing/kasm-db.yaml --format github").expect(4);
    let folder = "examples/existing/opt/kasm/1.11.0";
    let place =
        format!("::error file={folder}/docker/docker-compose.yaml,line=5,col=12,title=KDB501 major-change::");
    assert!(inside.stdout.contains(&place), "{inside}");
    // Started elsewhere, the files are not in the repository.
    let mut command = sandbox.command(PROGRAM);
    command.current_dir(sandbox.root().join("examples/new"));
    command.args(["plan", "-f", "../existing/kasm-db.yaml", "--format", "github"]);
    let outside = sandbox.finish(&mut command).expect(4);
    assert!(outside.stdout.contains("::error title=KDB501 major-change::"), "{outside}");
}

#[test]
fn nothing_in_a_message_starts_another_command() {
    let sandbox = sandbox(0);
    let text = "schema: kasm-db/v1\nimage: \"a\\n::error::b%0A,c\"\n";
    fs::write(sandbox.root().join("kasm-db.yaml"), text).unwrap();
    let run = sandbox.run("validate --format github").expect(3);
    assert!(run.stdout.lines().all(|line| line.starts_with("::error file=kasm-db.yaml,line=2")), "{run}");
    let missing = sandbox.run("plan -f nowhere/kasm-db.yaml --format github").expect(1);
    assert!(missing.stdout.starts_with("::error title=kasm-db::nowhere/kasm-db.yaml"), "{missing}");
}

#[test]
fn gitlab_gets_a_report_whose_fingerprints_do_not_move_with_the_lines() {
    let report = |sandbox: &Sandbox| -> Vec<serde_json::Value> {
        let run = sandbox.run("validate --format gitlab");
        serde_json::from_slice(&run.bytes).unwrap()
    };
    let sandbox = sandbox(30);
    let first = report(&sandbox);
    assert_eq!(first.len(), 30);
    let fingerprints = |all: &[serde_json::Value]| -> BTreeSet<String> {
        all.iter().map(|one| one["fingerprint"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(fingerprints(&first).len(), 30, "each has its own");
    for one in &first {
        let members: Vec<_> = one.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["description", "check_name", "fingerprint", "severity", "location"]);
        assert_eq!(one["location"]["path"], "kasm-db.yaml");
        assert!(one["location"]["lines"]["begin"].as_u64().unwrap() > 1);
    }
    assert_eq!(first[0]["severity"], "critical");
    let document = sandbox.root().join("kasm-db.yaml");
    let text = fs::read_to_string(&document).unwrap();
    fs::write(document, format!("# a line more\n{text}")).unwrap();
    let second = report(&sandbox);
    assert_eq!(fingerprints(&first), fingerprints(&second));
    assert_ne!(first[0]["location"], second[0]["location"]);
}

#[test]
fn a_document_without_problems_makes_an_empty_report() {
    let sandbox = sandbox(0);
    let text = "schema: kasm-db/v1\npostgres_major: 14\n";
    fs::write(sandbox.root().join("kasm-db.yaml"), text).unwrap();
    assert_eq!(sandbox.run("validate --format gitlab").expect(0).stdout, "[]\n");
    assert_eq!(sandbox.run("validate --format github").expect(0).stdout, "");
}

#[test]
fn what_others_read_shows_no_secrets() {
    let sandbox = sandbox(0);
    for (format, command) in [
        ("markdown", "plan"),
        ("github", "plan"),
        ("gitlab", "plan"),
        ("sarif", "plan"),
        ("html", "plan"),
        ("junit", "verify"),
    ] {
        let run = sandbox.run(&format!("{command} --show-secrets --format {format}")).expect(64);
        let said = format!("`--show-secrets` cannot be used with the format `{format}`, which others read");
        assert!(run.stderr.contains(&said), "{run}");
    }
}

/// Counts what Python's parser of XML finds: it is not ours.
fn parsed(text: &str) -> (usize, usize, usize) {
    let script = "import sys, xml.etree.ElementTree as tree\nroot = tree.fromstring(sys.stdin.buffer.read())\n\
                  print(*[len(list(root.iter(name))) for name in ('testcase', 'failure', 'error')])";
    let mut child = std::process::Command::new("python3")
        .args(["-c", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let out = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let counts: Vec<usize> = out.split_whitespace().map(|number| number.parse().unwrap()).collect();
    (counts[0], counts[1], counts[2])
}

#[test]
fn junit_has_a_case_for_each_error_and_parses_whatever_the_messages_hold() {
    let sandbox = sandbox(3);
    fs::write(sandbox.root().join("good.kasm-db.yaml"), "schema: kasm-db/v1\npostgres_major: 14\n").unwrap();
    fs::write(sandbox.root().join("odd.kasm-db.yaml"), "schema: kasm-db/v1\n\"a<&>\\u0001'\": 1\n").unwrap();
    let files = "good.kasm-db.yaml odd.kasm-db.yaml kasm-db.yaml nowhere.kasm-db.yaml";
    let run = sandbox.run(&format!("validate --format junit {files}"));
    assert_eq!(parsed(&run.stdout), (6, 4, 1), "{run}");
    let head = "<testsuites name=\"kasm-db validate\" tests=\"6\" failures=\"4\" errors=\"1\" skipped=\"0\">";
    assert!(run.stdout.contains(head), "{run}");
    assert!(run.stdout.contains("<testcase classname=\"good.kasm-db.yaml\" name=\"valid\"/>"), "{run}");
    // What keeps a server from being asked is not a report without cases.
    let verify = sandbox.run("verify --format junit").expect(3);
    assert_eq!(parsed(&verify.stdout), (3, 3, 0), "{verify}");
}
