//! The commands of an upgrade, for trees of many shapes: a shell reads each of them, and what it names is there.
//!
//! They are run with programs that only say what they were called with. `tests/e2e/upgrade_path.rs` runs them for good.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use testing::Sandbox;

use crate::PROGRAM;
use crate::upgrade_plan::lay_out;

const SERVICE: &str = "services:\n  db:\n    container_name: kasm_db\n    image: postgres:12-alpine\n    volumes:\n      - VOLUME\n";
const KASM: &str = "  kasm_api:\n    image: kasmweb/api:1.15.0\n    user: \"${KASM_UID?}\"\n";
const EXTERNAL: &str = "volumes:\n  kasm_db_1.15.0:\n    external: true\n";

/// A tree and what is asked of it.
struct Shape {
    folder: &'static str,
    document: &'static str,
    text: String,
    compose: String,
    /// The override file beside it; empty for none.
    override_file: &'static str,
    arguments: &'static str,
    /// Whether the new tree is installed.
    is_installed: bool,
}

impl Shape {
    /// Returns a tree as Kasm's installer makes it, with a document beside it.
    fn usual() -> Self {
        Self {
            folder: "opt/kasm/1.15.0",
            document: "kasm-db.yaml",
            text:
                "image: kasmweb/postgres:1.15.0\npreload: {libraries: [pgaudit]}\naudit: {classes: [write]}\n"
                    .into(),
            compose: SERVICE.replace("VOLUME", "kasm_db_1.15.0:/var/lib/postgresql/data") + KASM + EXTERNAL,
            override_file: "",
            arguments: "--to 1.16.0",
            is_installed: false,
        }
    }

    fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut shape = Self::usual();
        change(&mut shape);
        shape
    }
}

/// What came of it.
struct Commands {
    sandbox: Sandbox,
    /// The commands of all steps, then those in the ways back and in the advice.
    lines: Vec<String>,
    /// How often each of the lines calls a program, and with what.
    calls: Vec<Vec<String>>,
    value: Value,
}

impl Commands {
    /// Asks for the path, and runs it with programs that only say what they were called with.
    #[track_caller]
    fn of(shape: &Shape) -> Self {
        let mut commands = Self::asked(shape);
        let bin = commands.stubs();
        for program in ["sudo", "docker", "kasm-db", "timeout", "sed", "grep", "id"] {
            let calls = commands.sandbox.root().join("calls");
            let text = format!("#!/bin/bash\nprintf '%s\\n' {program} \"$@\" >> '{}'\n", calls.display());
            fs::write(bin.join(program), text).unwrap();
            fs::set_permissions(bin.join(program), PermissionsExt::from_mode(0o755)).unwrap();
        }
        commands.calls = commands.lines.iter().map(|line| commands.call(line)).collect();
        commands
    }

    fn stubs(&self) -> PathBuf {
        let bin = self.sandbox.root().join("stubs");
        fs::create_dir_all(&bin).unwrap();
        bin
    }

    /// Asks for the path.
    #[track_caller]
    fn asked(shape: &Shape) -> Self {
        let sandbox = Sandbox::new(PROGRAM);
        let tree = sandbox.root().join(shape.folder);
        lay_out(&tree, &shape.compose);
        if !shape.override_file.is_empty() {
            fs::write(tree.join("docker/docker-compose.override.yaml"), shape.override_file).unwrap();
        }
        if shape.is_installed {
            lay_out(&tree.with_file_name("1.16.0"), &shape.compose.replace("1.15.0", "1.16.0"));
        }
        let document = sandbox.root().join(shape.document);
        fs::create_dir_all(document.parent().unwrap()).unwrap();
        let text = format!(
            "schema: kasm-db/v1\n{}targets: [{{name: a, deployment: {}}}]\n",
            shape.text,
            tree.display()
        );
        fs::write(&document, text).unwrap();
        let mut command = sandbox.command(PROGRAM);
        command.args(["upgrade-plan", "--format", "json"]).args(shape.arguments.split_whitespace());
        if shape.document != "kasm-db.yaml" {
            command.args(["-f", shape.document]);
        }
        let run = sandbox.finish(&mut command).expect(0);
        let value: Value = serde_json::from_slice(&run.bytes).unwrap();
        let lines = lines_of(&value["targets"][0]["steps"]);
        Self { sandbox, lines, calls: Vec::new(), value }
    }

    /// Runs a line with programs in the way that say what they were called with.
    #[track_caller]
    fn call(&self, line: &str) -> Vec<String> {
        let calls = self.sandbox.root().join("calls");
        let _ = fs::remove_file(&calls);
        let mut command = self.sandbox.command("bash");
        let path = format!("{}:{}", self.stubs().display(), std::env::var("PATH").unwrap());
        let run = self.sandbox.finish(command.args(["-c", line]).env("PATH", path));
        // The only one that looks at the host itself.
        assert!(run.code == Some(0) || line.starts_with("test "), "{line}: {}", run.stderr);
        fs::read_to_string(&calls).unwrap_or_default().lines().map(String::from).collect()
    }

    /// Returns the calls of the lines that have this in them.
    fn with(&self, part: &str) -> Vec<&Vec<String>> {
        let of = |(line, calls): (&String, _)| line.contains(part).then_some(calls);
        self.lines.iter().zip(&self.calls).filter_map(of).collect()
    }

    /// Checks every line: a shell can read it, `shellcheck` has nothing against it, and the paths in it are there, or a step
    /// before makes them.
    #[track_caller]
    fn check(&self, name: &str, shape: &Shape) {
        assert!(self.lines.len() > 10, "{:?}", self.lines);
        let script = self.sandbox.root().join("path.sh");
        let text = self.lines.iter().fold("#!/bin/bash\n".to_string(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        });
        fs::write(&script, text).unwrap();
        // SC1003 takes a quote inside quotes for a mistake.
        for (program, arguments) in
            [("bash", &["-n"][..]), ("shellcheck", &["--severity=info", "--exclude=SC1003"])]
        {
            let run = self.sandbox.finish(self.sandbox.command(program).args(arguments).arg(&script));
            assert_eq!(run.code, Some(0), "{name}: {}{}", run.stdout, run.stderr);
        }
        let folder = self.sandbox.root().join(shape.folder);
        let base = folder.parent().unwrap();
        let made = ["backups", "current", "1.16.0", "2.4.1"].map(|name| base.join(name));
        for word in
            self.calls.iter().flatten().filter(|word| word.starts_with(self.sandbox.root().to_str().unwrap()))
        {
            let path = Path::new(word);
            let is_made = !shape.is_installed || !path.starts_with(base.join("1.16.0"));
            let is_made = is_made && made.iter().any(|made| path.starts_with(made));
            assert!(path.exists() || is_made, "{name}: {word} is not there");
        }
    }
}

fn lines_of(steps: &Value) -> Vec<String> {
    let steps = steps.as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_string();
    let of = |step: &Value| step["commands"].as_array().unwrap().iter().map(text).collect::<Vec<_>>();
    let mut lines: Vec<String> = steps.iter().flat_map(of).collect();
    for step in steps {
        let advice = step["risks"].as_array().unwrap().iter().map(|risk| text(&risk["help"]));
        for text in advice.chain([text(&step["back"])]) {
            let quoted = text.split('`').skip(1).step_by(2).map(String::from);
            lines.extend(quoted.filter(|line| line.starts_with("sudo ") || line.starts_with("kasm-db ")));
        }
    }
    lines
}

fn shapes() -> Vec<(&'static str, Shape)> {
    vec![
        ("usual", Shape::usual()),
        ("installed already", Shape::with(|shape| shape.is_installed = true)),
        ("a folder with a space and a quote", Shape::with(|shape| shape.folder = "srv/kasm's place/1.15.0")),
        (
            "the same, installed already",
            Shape::with(|shape| (shape.folder, shape.is_installed) = ("srv/kasm's place/1.15.0", true)),
        ),
        ("a document elsewhere", Shape::with(|shape| shape.document = "my documents/db.yaml")),
        ("the database alone", Shape::with(|shape| shape.compose = shape.compose.replace(KASM, ""))),
        ("no image in the document", Shape::with(|shape| shape.text = "settings: {work_mem: 8MB}\n".into())),
        ("an unknown release", Shape::with(|shape| shape.arguments = "--to 2.4.1")),
        ("another major", Shape::with(another_major)),
        (
            "another major in a folder with a space",
            Shape::with(|shape| {
                another_major(shape);
                shape.folder = "srv/kasm's place/1.15.0";
            }),
        ),
        (
            "another user and database",
            Shape::with(|shape| shape.text += "verify: {user: \"k'user\", database: \"my;db$x\"}\n"),
        ),
        (
            "another volume in an override file",
            Shape::with(|shape| {
                another_major(shape);
                shape.override_file = "services: {db: {volumes: ['other:/var/lib/postgresql/data']}}\nvolumes: {other: {external: true, name: kasm_other}}\n";
            }),
        ),
        (
            "a volume of Compose's own",
            Shape::with(|shape| {
                another_major(shape);
                shape.compose = shape.compose.replace(EXTERNAL, "volumes:\n  kasm_db_1.15.0: {}\n");
            }),
        ),
        (
            "a folder of the host with the data",
            Shape::with(|shape| {
                another_major(shape);
                shape.compose =
                    shape.compose.replace("kasm_db_1.15.0:/var", "/srv/data:/var").replace(EXTERNAL, "");
            }),
        ),
    ]
}

fn another_major(shape: &mut Shape) {
    shape.text = shape
        .text
        .replace("kasmweb/postgres:1.15.0", "postgres:15-alpine")
        .replace("[pgaudit]", "[auto_explain]");
    shape.text = shape.text.replace("audit: {classes: [write]}\n", "");
    shape.arguments = "";
}

#[test]
fn a_shell_reads_every_command_and_every_path_in_it_is_there() {
    for (name, shape) in shapes() {
        Commands::of(&shape).check(name, &shape);
    }
}

#[test]
fn kasm_is_stopped_before_its_script_opens_the_data_and_starts_again_after_it_was_restored() {
    for (name, shape) in shapes() {
        let commands = Commands::asked(&shape);
        let steps = commands.value["targets"][0]["steps"].as_array().unwrap();
        let all: Vec<&str> = steps
            .iter()
            .flat_map(|step| step["commands"].as_array().unwrap())
            .map(|c| c.as_str().unwrap())
            .collect();
        let place = |part: &str| all.iter().position(|line| line.contains(part));
        let (roles, stop) = (place("pg_dumpall"), place("/bin/stop"));
        assert!(roles < stop && stop < place("db_backup"), "{name}: {all:?}");
        // The container is gone then.
        let exec = all[stop.unwrap()..].iter().position(|line| line.contains("docker exec"));
        let up = all[stop.unwrap()..].iter().position(|line| line.contains("compose up"));
        assert!(exec.is_none() || up.is_some_and(|up| up < exec.unwrap()), "{name}: {all:?}");
        if let Some(restore) = place("db_restore") {
            assert!(all[restore..].iter().any(|line| line.contains("/bin/start")), "{name}: {all:?}");
            assert!(place("psql --username").unwrap() < restore, "{name}: {all:?}");
        }
        assert!(!all.iter().any(|line| line.to_lowercase().contains("password")), "{name}: {all:?}");
    }
}

#[test]
fn a_host_with_the_database_alone_upgrades_its_role() {
    let shape = Shape::with(|shape| shape.compose = shape.compose.replace(KASM, ""));
    let calls = Commands::of(&shape);
    assert_eq!(calls.with("upgrade.sh")[0][..], ["sudo", "bash", "kasm_release/upgrade.sh", "--role", "db"]);
    let calls = Commands::of(&Shape::usual());
    assert_eq!(calls.with("upgrade.sh")[0][..], ["sudo", "bash", "kasm_release/upgrade.sh"]);
}

#[test]
fn names_that_a_shell_would_split_reach_the_programs_whole() {
    let shape = Shape::with(|shape| {
        shape.folder = "srv/kasm's place/1.15.0";
        shape.document = "my documents/db.yaml";
        shape.text += "verify: {user: \"k'user\", database: \"my;db$x\"}\n";
    });
    let commands = Commands::of(&shape);
    let tree = commands.sandbox.root().join(shape.folder);
    let backup = &commands.with("utils/db_backup")[0][2..];
    let dump = tree.with_file_name("backups/kasm-db-before-upgrade.tar");
    let text = |path: &PathBuf| path.to_str().unwrap().to_string();
    let expected = [
        &text(&tree.join("bin/utils/db_backup")),
        "-f",
        &text(&dump),
        "-p",
        &text(&tree),
        "-c",
        "k'user",
        "-j",
        "my;db$x",
    ];
    assert_eq!(backup, expected);
    assert_eq!(
        commands.with("kasm-db status")[0][1..],
        ["kasm-db", "status", "-f", "my documents/db.yaml", "--deployment", &text(&tree)]
    );
    // What a second shell gets is a command again.
    let inner = commands.with("pg_dumpall")[0].last().unwrap().clone();
    let calls = commands.call(&inner.replace("> ", "> /dev/null "));
    assert_eq!(calls[..5], ["docker", "exec", "kasm_db", "pg_dumpall", "--username=k'user"]);
}

#[test]
fn the_command_for_the_document_changes_the_image_alone() {
    let change = |line: &str| {
        let shape = Shape::with(|shape| shape.text = format!("{line}\npostgres_major: 12\n"));
        let commands = Commands::asked(&shape);
        for command in
            commands.lines.iter().filter(|line| line.starts_with("sed ") || line.starts_with("grep "))
        {
            commands.sandbox.finish(commands.sandbox.command("bash").args(["-c", command])).expect(0);
        }
        fs::read_to_string(commands.sandbox.root().join("kasm-db.yaml"))
            .unwrap()
            .lines()
            .nth(1)
            .unwrap()
            .to_string()
    };
    assert_eq!(change("image: kasmweb/postgres:1.15.0"), "image: kasmweb/postgres:1.16.0");
    assert_eq!(
        change("image: 'example.org:5000/kasmweb/postgres:1.15.0-rolling'   # by Renovate"),
        "image: example.org:5000/kasmweb/postgres:1.16.0-rolling   # by Renovate"
    );
    let pinned = format!("image: kasmweb/postgres:1.15.0@sha256:{}", "1".repeat(64));
    assert_eq!(change(&pinned), "image: kasmweb/postgres:1.16.0");
}

#[test]
fn the_volume_is_the_one_that_has_the_data() {
    let volume =
        |shape: &Shape| Commands::of(shape).with("docker volume create").first().map(|call| call[4].clone());
    let (_, shape) = shapes().into_iter().find(|(name, _)| name.starts_with("another volume")).unwrap();
    assert_eq!(volume(&shape).unwrap(), "kasm_other_pg15");
    let shape = Shape::with(|shape| {
        another_major(shape);
        shape.compose = shape.compose.replace("    volumes:\n", "    volumes:\n      - certs:/certs\n")
            + "  certs:\n    external: true\n";
    });
    assert_eq!(volume(&shape).unwrap(), "kasm_db_1.15.0_pg15");
    for name in ["a volume of Compose's own", "a folder of the host with the data"] {
        let (_, shape) = shapes().into_iter().find(|(other, _)| *other == name).unwrap();
        assert_eq!(volume(&shape), None, "{name}");
        let commands = Commands::asked(&shape);
        let steps = &commands.value["targets"][0]["steps"];
        let titles: Vec<&str> =
            steps.as_array().unwrap().iter().map(|step| step["title"].as_str().unwrap()).collect();
        assert!(
            titles.contains(&"Give the database a new place for its data, by hand"),
            "{name}: {titles:?}"
        );
    }
}
