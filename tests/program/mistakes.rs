//! What people get wrong most, and the form of what they are told: the code, the full path of the key, the place, and
//! the next step.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use testing::{Run, Sandbox};

use crate::PROGRAM;

/// What is special about a document, the code, where, and what the message says of it.
type Row = (&'static str, &'static str, &'static str, &'static str);

/// Documents, behind a first line with the schema.
const DOCUMENTS: &[Row] = &[
    ("audti: {classes: [read]}", "KDB101", "2:1", "unknown key `audti`; did you mean `audit`?"),
    ("audit: {clases: [read]}", "KDB101", "2:9", "unknown key `audit.clases`; did you mean `audit.classes`?"),
    (
        "preload: {librarys: [pgaudit]}",
        "KDB101",
        "2:11",
        "unknown key `preload.librarys`; did you mean `preload.libraries`?",
    ),
    (
        "targets: [{name: a, deploymnt: /opt}]",
        "KDB101",
        "2:21",
        "unknown key `targets[0].deploymnt`; did you mean `targets[0].deployment`?",
    ),
    (
        "audit: {classes: [reads]}",
        "KDB104",
        "2:19",
        "invalid value `reads` for `audit.classes[0]`; did you mean `read`?",
    ),
    (
        "audit: {classes: [READ]}",
        "KDB104",
        "2:19",
        "invalid value `READ` for `audit.classes[0]`; did you mean `read`?",
    ),
    (
        "audit: {classes: [dml]}",
        "KDB104",
        "2:19",
        "invalid value `dml` for `audit.classes[0]`; did you mean `write`?",
    ),
    ("audit:\n  classes: read, write", "KDB103", "3:12", "`audit.classes` must be a list, not text"),
    ("audit: {classes: \"read,write\"}", "KDB103", "2:18", "`audit.classes` must be a list, not text"),
    ("preload: {libraries: pgaudit}", "KDB103", "2:22", "`preload.libraries` must be a list, not text"),
    ("image: kasmweb/postgres", "KDB201", "2:8", "`image` has no tag"),
    (
        "image: a/b@sha256:0000000000000000000000000000000000000000000000000000000000000000",
        "KDB201",
        "2:8",
        "`image` has no tag",
    ),
    ("image: 1.16", "KDB103", "2:8", "`image` must be text, not a number"),
    ("image: Kasmweb/Postgres:1.16.0", "KDB201", "2:", "invalid value for `image`"),
    ("image: kasmweb/postgres: 1.16.0", "KDB001", "2:24", "a value cannot contain `: `"),
    ("image: {repository: a, tag: b}", "KDB103", "2:8", "`image` must be text, not a mapping"),
    ("audit:\n\tclasses: [read]", "KDB001", "3:2", "a tab is used for indentation"),
    ("preload:\n  libraries: [pgaudit\naudit: {}", "KDB001", "3:14", "the bracket `[` is not closed"),
    ("audit: {classes: [read]\nunset: [a]", "KDB001", "2:8", "the bracket `{` is not closed"),
    (
        "audit:\n    classes: [read]\n  log_rows: true",
        "KDB001",
        "4:3",
        "the indentation does not match the keys above",
    ),
    ("image: \"a/b:1", "KDB001", "2:8", "the quote is not closed"),
    ("image:a/b:1\nunset: [a]", "KDB001", "2:1", "a space is missing after the colon"),
    (
        "audit: {log_rows: true, log_rows: true}",
        "KDB005",
        "2:25",
        "duplicate key `audit.log_rows` (first on line 2)",
    ),
    (
        "settings: {work_men: 8MB}",
        "KDB212",
        "2:12",
        "`settings.work_men` is not a setting of PostgreSQL; did you mean `work_mem`?",
    ),
    (
        "settings: {max_connections: many}",
        "KDB212",
        "2:29",
        "invalid value for `settings.max_connections`: not a number",
    ),
    (
        "settings: {shared_preload_libraries: a}",
        "KDB205",
        "2:12",
        "`settings.shared_preload_libraries` is managed by `preload.libraries`",
    ),
    (
        "settings: {work_mem: 8MB}\nunset: [work_mem]",
        "KDB206",
        "3:9",
        "`settings.work_mem` is set, and `unset[0]` comments it out",
    ),
    ("restart: {policy: always}", "KDB104", "2:19", "invalid value `always` for `restart.policy`"),
    ("restart: {timeout: 5 minutes}", "KDB104", "2:20", "invalid value `5 minutes` for `restart.timeout`"),
    ("verify: {connect: ssh}", "KDB104", "2:19", "invalid value `ssh` for `verify.connect`"),
    ("verify: {password: x}", "KDB101", "2:10", "unknown key `verify.password`"),
    ("preload: {mode: only, libraries: [a]}", "KDB104", "2:17", "invalid value `only` for `preload.mode`"),
    ("audit: {log_catalog: yes}", "KDB103", "2:22", "`audit.log_catalog` must be true or false, not text"),
    ("audit:\n  classes:", "KDB103", "3:3", "`audit.classes` is null"),
    (
        "postgres_major: 14\naudit: {log_parameter_max_size: 8}",
        "KDB204",
        "3:9",
        "`audit.log_parameter_max_size` needs PostgreSQL 16 or later",
    ),
    (
        "targets: [{name: a, deployment: /a}, {name: a, deployment: /b}]",
        "KDB207",
        "2:45",
        "`targets[1].name` is the name of another target: `a`",
    ),
    (
        "targets: [{name: Prod EU, deployment: /a}]",
        "KDB104",
        "2:18",
        "invalid value `Prod EU` for `targets[0].name`",
    ),
];

/// What libraries say of an error, and we do not.
const OF_LIBRARIES: &[&str] = &[
    "while parsing",
    "did not find",
    "indicator",
    "simple key",
    "invalid digit",
    "os error",
    "ParseIntError",
    "expected value at line",
    "EOF",
    "in this context",
];

/// The words that a next step begins with.
const STEPS: &[&str] = &[
    "add ",
    "check ",
    "close ",
    "compare ",
    "copy ",
    "correct ",
    "declare ",
    "give ",
    "indent ",
    "install ",
    "let ",
    "list ",
    "move ",
    "name ",
    "pass ",
    "put ",
    "remove ",
    "rename ",
    "run ",
    "save ",
    "separate ",
    "split ",
    "start ",
    "use ",
    "wait ",
    "write ",
    "append ",
    "change ",
    "create ",
    "dump ",
    "upgrade ",
];

/// Holds what a run says to the form; `what` names the row.
#[track_caller]
fn in_form(what: &str, run: &Run, error: &str, place: &str) {
    assert!(run.stderr.contains(error), "{what}: no {error:?} in\n{run}");
    assert!(run.stderr.contains(place), "{what}: no {place:?} in\n{run}");
    for words in OF_LIBRARIES {
        assert!(!run.stderr.contains(words), "{what}: {words:?} in\n{run}");
    }
    let helps: Vec<_> =
        run.stderr.lines().filter_map(|line| line.trim_start().strip_prefix("= help: ")).collect();
    assert!(!helps.is_empty(), "{what}: no help in\n{run}");
    for help in helps {
        assert!(
            STEPS.iter().any(|step| help.starts_with(step)),
            "{what}: {help:?} is not an imperative\n{run}"
        );
    }
}

#[test]
fn every_mistake_in_a_document_has_its_code_key_place_and_next_step() {
    let sandbox = Sandbox::new(PROGRAM);
    for (text, code, place, message) in DOCUMENTS {
        fs::write(sandbox.root().join("kasm-db.yaml"), format!("schema: kasm-db/v1\n{text}\n")).unwrap();
        let run = sandbox.run("validate").expect(3);
        in_form(text, &run, &format!("error[{code}]: {message}"), &format!("--> kasm-db.yaml:{place}"));
    }
}

/// A change of the example, the arguments, the exit code, the beginning of the error, and a place in the document.
type PlanRow = (fn(&Sandbox), &'static str, i32, &'static str, &'static str);

const PLANS: &[PlanRow] = &[
    (
        |s| s.edit(&s.document("existing"), "opt/kasm/current", "opt/kasm/curent"),
        "plan",
        1,
        "examples/existing/opt/kasm/curent: cannot resolve the path: no such file or directory (target `current`)",
        "`targets[0].deployment` at examples/existing/kasm-db.yaml:",
    ),
    (
        |s| s.edit(&s.document("existing"), "opt/kasm/current", "opt/kasm/current/docker"),
        "plan",
        1,
        "error[KDB302]: ",
        "::: examples/existing/kasm-db.yaml:",
    ),
    (
        |s| s.edit(&s.document("existing"), "opt/kasm/current", "kasm-db.yaml"),
        "plan",
        1,
        "examples/existing/kasm-db.yaml: cannot open the directory: not a directory (target `current`)",
        "`targets[0].deployment` at examples/existing/kasm-db.yaml:",
    ),
    (
        |s| s.edit(&s.document("existing"), "kasmweb/postgres:1.11.0", "postgres:12-alpine"),
        "plan",
        4,
        "error[KDB502]: ",
        "::: examples/existing/kasm-db.yaml:",
    ),
    (
        |s| s.edit(&s.document("existing"), "kasmweb/postgres:1.11.0", "kasmweb/postgres:1.16.0"),
        "plan",
        4,
        "error[KDB501]: ",
        "::: examples/existing/kasm-db.yaml:",
    ),
    (
        |s| s.edit(&s.document("existing"), "kasmweb/postgres:1.11.0", "example.com/own/postgres:7"),
        "plan",
        4,
        "warning[KDB410]: ",
        "::: examples/existing/kasm-db.yaml:",
    ),
    (
        |s| s.edit(&s.document("existing"), "preload:", "x-preload:"),
        "plan",
        4,
        "error[KDB210]: ",
        "::: examples/existing/kasm-db.yaml:",
    ),
    (
        |s| fs::remove_file(s.target("existing").join("conf/database/postgresql.conf")).unwrap(),
        "plan",
        4,
        "error[KDB401]: ",
        "::: examples/existing/kasm-db.yaml:",
    ),
    (
        |s| {
            let file = s.target("existing").join("docker/docker-compose.yaml");
            fs::set_permissions(file, fs::Permissions::from_mode(0o666)).unwrap();
        },
        "apply -y",
        4,
        "error[KDB603]: ",
        "::: examples/existing/kasm-db.yaml:",
    ),
    (
        |s| {
            fs::write(
                s.target("existing").join("docker/docker-compose.yaml"),
                "services:\n  db: {image: a\nx: y\n",
            )
            .unwrap();
        },
        "plan",
        4,
        "error[KDB301]: the bracket `{` is not closed",
        "--> docker/docker-compose.yaml:2:7",
    ),
];

#[test]
fn what_a_declared_value_leads_to_names_the_line_that_declares_it() {
    for (change, arguments, code, error, place) in PLANS {
        let sandbox = Sandbox::new(PROGRAM);
        change(&sandbox);
        let run = sandbox.run(&format!("-f examples/existing/kasm-db.yaml {arguments}")).expect(*code);
        assert!(run.stderr.contains(error), "no {error:?} in\n{run}");
        assert!(run.stderr.contains(place), "{error}: no {place:?} in\n{run}");
        for words in OF_LIBRARIES {
            assert!(!run.stderr.contains(words), "{error}: {words:?} in\n{run}");
        }
        // Behind the error itself: warnings about other things may come first.
        let behind = &run.stderr[run.stderr.find(error).unwrap()..];
        let help = behind.lines().find_map(|line| line.trim_start().strip_prefix("= help: ")).expect(error);
        assert!(
            STEPS.iter().any(|step| help.starts_with(step)),
            "{error}: {help:?} is not an imperative\n{run}"
        );
    }
}

#[test]
fn numbers_on_the_command_line_are_asked_for_in_words() {
    let sandbox = Sandbox::new(PROGRAM);
    for arguments in
        ["rollback x", "plan --context x", "plan --lock-timeout x", "plan --jobs 0", "plan --jobs x"]
    {
        let run = sandbox.run(arguments).expect(64);
        assert!(run.stderr.contains(": use a whole number"), "{run}");
        assert!(!OF_LIBRARIES.iter().any(|words| run.stderr.contains(words)), "{run}");
    }
}

#[test]
fn a_missing_right_is_named_with_the_file_and_what_to_do() {
    let sandbox = Sandbox::new(PROGRAM);
    if !is_made_by_root(sandbox.root()) {
        assert!(std::env::var_os("CI").is_none(), "this test takes root");
        return;
    }
    let binary = sandbox.copied_program();
    fs::set_permissions(sandbox.root(), fs::Permissions::from_mode(0o755)).unwrap();
    for (path, arguments) in [
        ("examples/existing/kasm-db.yaml", "plan"),
        ("examples/existing/opt/kasm/1.11.0/conf/database/postgresql.conf", "plan"),
        ("examples/existing/opt/kasm/1.11.0/docker/docker-compose.yaml", "plan"),
    ] {
        let file = sandbox.root().join(path);
        let mode = fs::metadata(&file).unwrap().permissions();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let mut command = sandbox.command("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&binary);
        let run =
            sandbox.finish(command.args(["-q", "-f", "examples/existing/kasm-db.yaml", arguments])).expect(1);
        let name = file.file_name().unwrap().to_str().unwrap();
        let is_named = |line: &str| {
            line.starts_with("error") && line.contains(name) && line.ends_with("permission denied")
        };
        assert!(run.stderr.lines().any(is_named), "{run}");
        assert!(run.stderr.contains("= help: run as root or with `sudo`\n"), "{run}");
        fs::set_permissions(&file, mode).unwrap();
    }
}

fn is_made_by_root(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).unwrap().uid() == 0
}
