//! No secret leaves its file: planted in every place that may hold one, and looked for in everything that the
//! program writes.
//!
//! Commands and formats come from the command line's own definition, so that a new one is run here as well.
//! One that needs more than a document and a target gets its arguments from [`rows`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the command line is the program's, and serves here to be listed"
)]

mod places;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use testing::Sandbox;

use crate::PROGRAM;

/// Part of every canary, and of nothing else.
const CANARY: &str = "Zq7";

thread_local! {
    /// What a test has found; each runs on a thread of its own.
    static LEAKS: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// Fails with everything that was found, rather than with the first of it.
#[track_caller]
fn nothing_leaked() {
    LEAKS.with_borrow(|leaks| assert!(leaks.is_empty(), "{} leaks\n{leaks:#?}", leaks.len()));
}

/// What is said of a run.
struct Said {
    arguments: String,
    code: Option<i32>,
    text: String,
}

/// A deployment with a canary in every place, and a document that changes it.
struct Trap {
    sandbox: Sandbox,
}

impl Trap {
    fn new() -> Self {
        let sandbox = Sandbox::new(PROGRAM);
        let target = sandbox.target("existing");
        for (path, text) in places::FILES {
            let path = target.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        std::fs::write(sandbox.document("existing"), places::DOCUMENT).unwrap();
        for (name, options) in places::TASKS {
            let options = options.replace("ROOT", sandbox.root().to_str().unwrap());
            std::fs::write(sandbox.root().join(name), options).unwrap();
        }
        let trap = Self { sandbox };
        trap.children();
        trap
    }

    /// Puts programs in the way which write down what they are given.
    fn children(&self) {
        let folder = self.sandbox.root().join("bin");
        std::fs::create_dir(&folder).unwrap();
        let log = self.sandbox.root().join("children.log");
        for name in ["docker", "docker-compose", "podman", "psql", "pg_ctl", "systemctl"] {
            let script = format!(
                "#!/bin/sh\n{{ echo {name}; tr '\\0' '\\n' < /proc/$$/cmdline; tr '\\0' '\\n' < /proc/$$/environ; }} >> {}\nexit 1\n",
                log.display()
            );
            std::fs::write(folder.join(name), script).unwrap();
            std::fs::set_permissions(folder.join(name), PermissionsExt::from_mode(0o755)).unwrap();
        }
    }

    fn run(&self, arguments: &str, environment: &[(&str, &str)]) -> Said {
        let path = format!(
            "{}:{}",
            self.sandbox.root().join("bin").display(),
            std::env::var("PATH").unwrap_or_default()
        );
        let mut command = self.sandbox.command(PROGRAM);
        command.env("PATH", path).envs(environment.iter().copied()).stdin(Stdio::null());
        let output = command.args(arguments.split_whitespace()).output().unwrap();
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        // Whatever it wrote beside the target, and what its children were told.
        for entry in std::fs::read_dir(self.sandbox.root()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                text.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
            }
        }
        let rendered = self.sandbox.root().join("rendered");
        if rendered.exists() {
            for (_, content) in self.sandbox.contents(&rendered).into_values() {
                text.push_str(&String::from_utf8_lossy(&content));
            }
        }
        Said { arguments: arguments.to_string(), code: output.status.code(), text }
    }

    #[track_caller]
    fn holds(&self, what: &str, arguments: &str, environment: &[(&str, &str)]) -> Said {
        let said = self.run(arguments, environment);
        // A setting of PostgreSQL that holds no password is what was asked for there.
        let is_wanted = |line: &&str| {
            let has_it = line.trim_start().starts_with("application_name: ")
                // For programs the document is one line.
                || line.matches("Zq7").count() == line.matches("  application_name: Zq7").count();
            arguments.contains("--all-settings") && has_it
        };
        let mut lines = said.text.lines().filter(|line| !is_wanted(line));
        let leak = lines.find(|line| line.to_ascii_lowercase().contains("zq7"));
        if let Some(leak) = leak {
            LEAKS.with_borrow_mut(|leaks| {
                leaks.insert(format!("{what}: `kasm-db {arguments}` tells {leak:?}"))
            });
        }
        said
    }
}

/// Returns the arguments of each command, with every format that it has.
///
/// A command that is not named here is run with its bare name, `--yes` where it has that, and a plan file in
/// place of each argument that it requires.
fn rows() -> Vec<String> {
    let definition = kasm_db::parts::command_line();
    let mut rows = Vec::new();
    for command in definition.get_subcommands() {
        let name = command.get_name();
        let has = |long: &str| command.get_arguments().any(|argument| argument.get_long() == Some(long));
        let required: Vec<_> =
            command.get_positionals().filter(|argument| argument.is_required_set()).collect();
        let mut bases = match name {
            "completions" => vec!["completions bash".to_string()],
            "man" => vec!["man".into(), "man .".into()],
            "plan" => vec!["plan".into(), "plan --out plan.json".into()],
            "apply" => {
                ["--dry-run", "-y", "-y", "plan.json", "examples/existing/opt/kasm/current/docker/.env"]
                    .map(|rest| format!("apply {rest}"))
                    .to_vec()
            }
            "import" => ["", " --all-settings -o -"]
                .map(|rest| format!("import --deployment examples/existing/opt/kasm/current{rest}"))
                .to_vec(),
            "render" => ["", " --check"].map(|rest| format!("render --out rendered{rest}")).to_vec(),
            "explain" => vec!["explain KDB402".into()],
            "upgrade-plan" => vec!["upgrade-plan --to 1.16.0".into()],
            "ansible" => places::TASKS.iter().map(|(task, _)| format!("ansible {task}")).collect(),
            _ => {
                let values = required.iter().map(|_| " plan.json").collect::<String>();
                let yes = if has("yes") { " --yes" } else { "" };
                vec![format!("{name}{values}{yes}")]
            }
        };
        if let Some(format) = command.get_arguments().find(|argument| argument.get_long() == Some("format")) {
            let formats = format.get_possible_values();
            assert!(!formats.is_empty(), "clap does not know the formats of `{name}`");
            for base in bases.clone() {
                for format in &formats {
                    bases.push(format!("{base} --format {}", format.get_name()));
                }
            }
        }
        rows.extend(bases);
    }
    // Before `apply` has written, and in an order that makes the plan file first.
    rows.sort_by_key(|row| {
        let order = ["plan --out", "plan", "validate", "show", "import", "apply --dry-run", "apply -y"];
        order.iter().position(|start| row.starts_with(start)).unwrap_or(order.len())
    });
    rows
}

const VERBOSITY: [&str; 4] = ["", "-q", "-v --context 1000", "-vv --context 1000 --color always"];

#[test]
fn every_place_is_planted_and_would_be_seen() {
    let trap = Trap::new();
    let shown = trap.run("--show-secrets --context 1000 -f examples/existing/kasm-db.yaml plan", &[]);
    assert_eq!(shown.code, Some(0), "{}", shown.text);
    let mut places = BTreeSet::new();
    for (path, text) in places::FILES {
        for (at, _) in text.match_indices(CANARY) {
            let name: String = text[at..].chars().take_while(char::is_ascii_alphanumeric).collect();
            // A secret that is known is planted again where what is no secret is shown.
            let is_new = places.insert(name.clone()) || name.starts_with("Zq7known");
            assert!(is_new, "{name} is planted twice, in {path}");
            // What stands in a file that changes can be shown by a diff.
            let is_changed = path.ends_with("docker-compose.yaml") || path.ends_with("postgresql.conf");
            assert!(
                !is_changed || shown.text.contains(&name),
                "{name} of {path} cannot be seen\n{}",
                shown.text
            );
        }
    }
    println!("{} canaries", places.len());
    assert!(places.len() >= 80, "{places:?}");
}

#[test]
fn no_command_in_no_format_reveals_a_secret() {
    let mut runs = 0;
    let mut codes = BTreeSet::new();
    let rows = rows();
    for verbosity in VERBOSITY {
        let trap = Trap::new();
        for row in &rows {
            let said =
                trap.holds("as it is", &format!("{verbosity} -f examples/existing/kasm-db.yaml {row}"), &[]);
            // A row that is no more than a wrong command line looks at nothing.
            let is_usage = said.code == Some(64) && !row.ends_with(".env");
            assert!(!is_usage, "give `{row}` its arguments\n{}", said.text);
            codes.insert(said.code);
            runs += 1;
        }
    }
    println!("{} commands and formats, {runs} runs, exit codes {codes:?}", rows.len());
    assert!(rows.len() >= 20 && codes.contains(&Some(0)) && codes.contains(&Some(1)));
    nothing_leaked();
}

#[test]
fn no_error_reveals_a_secret() {
    let mut runs = 0;
    let mut codes = BTreeSet::new();
    for (what, path, from, to) in places::FAULTS {
        let trap = Trap::new();
        let path = trap.sandbox.target("existing").join(path);
        trap.sandbox.edit(&path, from, to);
        for row in [
            "plan",
            "-vv plan --format json",
            "plan --format patch --context 1000",
            "plan --out plan.json",
            "show plan.json",
            "import --deployment examples/existing/opt/kasm/current",
            "apply -y",
            "ansible check.task",
            "ansible present.task",
        ] {
            let said = trap.holds(what, &format!("-f examples/existing/kasm-db.yaml {row}"), &[]);
            codes.insert(said.code);
            runs += 1;
        }
    }
    println!("{} faults, {runs} runs, exit codes {codes:?}", places::FAULTS.len());
    assert!(codes.contains(&Some(0)) && codes.contains(&Some(1)) && codes.contains(&Some(4)), "{codes:?}");
    nothing_leaked();
}

/// Cut short anywhere, a file is most of the ways in which it can be wrong.
#[test]
fn no_file_that_is_cut_short_reveals_a_secret() {
    for (path, text) in places::FILES {
        let trap = Trap::new();
        let path = trap.sandbox.target("existing").join(path);
        for end in text.match_indices(CANARY).flat_map(|(at, _)| [at, at + 5]) {
            std::fs::write(&path, &text[..end]).unwrap();
            for row in
                ["plan", "-vv plan --format json", "import --deployment examples/existing/opt/kasm/current"]
            {
                trap.holds("cut short", &format!("-f examples/existing/kasm-db.yaml {row}"), &[]);
            }
        }
    }
    nothing_leaked();
}

#[test]
fn a_file_with_secrets_in_place_of_another_reveals_none() {
    let target = "examples/existing/opt/kasm/current";
    for (path, _) in places::FILES {
        let trap = Trap::new();
        for row in [
            format!("-f {target}/{path} validate"),
            format!("-f {target}/{path} validate --format json"),
            format!("-vv -f {target}/{path} plan"),
            format!("-f {target}/{path} plan --format json"),
            format!("apply {target}/{path}"),
            format!("show {target}/{path}"),
            format!("-f {target}/{path} apply -y"),
        ] {
            trap.holds("in place of another", &row, &[]);
        }
    }
    nothing_leaked();
}

#[test]
fn the_environment_and_a_panic_reveal_nothing() {
    let trap = Trap::new();
    for name in ["POSTGRES_PASSWORD", "PGPASSWORD", "KASM_DB_SECRET"] {
        for row in ["plan", "-vv plan --format json", "apply -y"] {
            let row = format!("-f examples/existing/kasm-db.yaml {row}");
            let said = trap.run(&row, &[(name, "Zq7environment")]);
            // A child may be given the password that its caller has set; nobody else is.
            assert!(
                !said.text.contains("Zq7environment") || name == "PGPASSWORD",
                "{name} {row}: {}",
                said.text
            );
        }
    }
    for backtrace in ["0", "1", "full"] {
        let environment = [("KASM_DB_TEST_PANIC", "Zq7panic"), ("RUST_BACKTRACE", backtrace)];
        let said = trap.holds("a panic", "-f examples/existing/kasm-db.yaml plan", &environment);
        assert_eq!(said.code, Some(1), "{}", said.text);
        let wanted = "error: kasm-db broke: this is a bug in it (crates/cli/src/lib.rs:";
        assert!(said.text.contains(wanted), "{}", said.text);
    }
    nothing_leaked();
}

#[test]
fn a_patch_that_would_reveal_a_secret_is_refused() {
    let trap = Trap::new();
    let said = trap.holds("a patch", "-f examples/existing/kasm-db.yaml plan --format patch", &[]);
    assert_eq!(said.code, Some(1), "{}", said.text);
    assert!(said.text.contains("error: "), "{}", said.text);
    assert!(!Path::new("plan.patch").exists());
    nothing_leaked();
}

#[test]
fn a_server_does_not_repeat_the_secrets_of_a_target_before_it() {
    let sandbox = Sandbox::new(PROGRAM);
    let tree = sandbox.target("existing");
    let mut targets = String::new();
    for name in ["one", "two"] {
        testing::copy(&tree, &sandbox.root().join(name));
        targets.push_str(&format!("  - {{name: {name}, deployment: {name}}}\n"));
    }
    sandbox.edit(
        &sandbox.root().join("one/docker/docker-compose.yaml"),
        "dummy-db-password",
        "of-the-first-one",
    );
    let text = format!("schema: kasm-db/v1\nimage: kasmweb/postgres:1.11.0\ntargets:\n{targets}");
    std::fs::write(sandbox.root().join("kasm-db.yaml"), text).unwrap();
    let docker = sandbox.root().join("bin/docker");
    std::fs::create_dir(sandbox.root().join("bin")).unwrap();
    std::fs::write(&docker, "#!/bin/sh\necho of-the-first-one or dummy-db-password is wrong >&2\nexit 1\n")
        .unwrap();
    std::fs::set_permissions(&docker, std::fs::Permissions::from_mode(0o755)).unwrap();
    for arguments in ["status", "status --format json", "verify", "verify --format json"] {
        let mut command = sandbox.command(PROGRAM);
        command.args(arguments.split(' ')).env("PATH", sandbox.root().join("bin"));
        let run = sandbox.finish(&mut command).expect(9);
        assert_eq!(run.stdout.matches("<hidden> or <hidden> is wrong").count(), 2, "{run}");
    }
}
