//! Secrets behind links in every place of a repository, for every command that only reads, in every format.

use std::os::unix::fs::symlink;
use std::path::Path;

use testing::Sandbox;

use super::{SECRETS, leaks, repository};
use crate::PROGRAM;

const DOCUMENT: &str = "schema: kasm-db/v1\nsettings: {work_mem: 8MB}\nverify: {connect: none}\n";

/// Commands that write nothing but the folder of `render`; `DOCUMENT` is what the command line says of the document.
const COMMANDS: [&str; 12] = [
    "validate -v DOCUMENT",
    "plan --context 1000 -v --out saved.json DOCUMENT",
    "show saved.json DOCUMENT",
    "render DOCUMENT",
    "render --check DOCUMENT",
    "status DOCUMENT",
    "verify DOCUMENT",
    "history DOCUMENT",
    "audit DOCUMENT",
    "apply --dry-run --yes DOCUMENT",
    "import --compose compose.yaml --conf postgresql.conf --all-settings -o -",
    "explain audit",
];

/// A way to get a secret into a repository: its name, what it makes of a folder of the repository and a file outside of
/// that, and what the command line says.
type Place = (&'static str, fn(&Path, &Path), &'static str);

/// `rendered/plan.txt` and the like are links of the repository, and what is behind them is shown as a difference.
fn rendered(folder: &Path, secret: &Path) {
    document(folder, "targets: [{name: t, files: {postgresql_conf: postgresql.conf}}]\n");
    std::fs::write(folder.join("postgresql.conf"), "port = 5432\n").unwrap();
    let outside = secret.with_extension("rendered");
    std::fs::create_dir_all(outside.join("t")).unwrap();
    for name in ["plan.txt", "document.yaml", ".kasm-db-render", "t/postgresql.conf"] {
        std::fs::copy(secret, outside.join(name)).unwrap();
    }
    symlink(outside, folder.join("rendered")).unwrap();
}

fn rendered_file(folder: &Path, secret: &Path) {
    document(folder, "targets: [{name: t, files: {postgresql_conf: postgresql.conf}}]\n");
    std::fs::write(folder.join("postgresql.conf"), "port = 5432\n").unwrap();
    std::fs::create_dir_all(folder.join("rendered/t")).unwrap();
    for name in ["plan.txt", "document.yaml", ".kasm-db-render", "t/postgresql.conf"] {
        symlink(secret, folder.join("rendered").join(name)).unwrap();
    }
}

fn document(folder: &Path, rest: &str) {
    std::fs::write(folder.join("kasm-db.yaml"), format!("{DOCUMENT}{rest}")).unwrap();
}

const PLACES: [Place; 12] = [
    (
        "the document",
        |folder, secret| symlink(secret, folder.join("kasm-db.yaml")).unwrap(),
        "-f kasm-db.yaml",
    ),
    (
        "a document that is found",
        |folder, secret| {
            std::fs::create_dir(folder.join("sites")).unwrap();
            symlink(secret, folder.join("sites/eu.kasm-db.yaml")).unwrap();
        },
        "-f . -R",
    ),
    (
        "the folder of a document",
        |folder, secret| {
            let outside = secret.with_extension("document");
            std::fs::create_dir_all(&outside).unwrap();
            std::fs::copy(secret, outside.join("kasm-db.yaml")).unwrap();
            symlink(outside, folder.join("site")).unwrap();
        },
        "-f site/kasm-db.yaml",
    ),
    (
        "the folder of documents",
        |folder, secret| {
            let outside = secret.with_extension("documents");
            std::fs::create_dir_all(&outside).unwrap();
            std::fs::copy(secret, outside.join("kasm-db.yaml")).unwrap();
            symlink(outside, folder.join("site")).unwrap();
        },
        "-f site -R",
    ),
    (
        "a parent",
        |folder, secret| {
            document(folder, "extends: base.kasm-db.yaml\n");
            symlink(secret, folder.join("base.kasm-db.yaml")).unwrap();
        },
        "-f kasm-db.yaml",
    ),
    (
        "the folder of a parent",
        |folder, secret| {
            let outside = secret.with_extension("parent");
            std::fs::create_dir_all(&outside).unwrap();
            std::fs::copy(secret, outside.join("base.kasm-db.yaml")).unwrap();
            symlink(outside, folder.join("shared")).unwrap();
            document(folder, "extends: shared/base.kasm-db.yaml\n");
        },
        "-f kasm-db.yaml",
    ),
    ("the rendered folder", rendered, "-f kasm-db.yaml"),
    ("a rendered file", rendered_file, "-f kasm-db.yaml"),
    (
        "a compose file",
        |folder, secret| {
            symlink(secret, folder.join("compose.yaml")).unwrap();
            document(folder, "targets: [{name: t, files: {compose: [compose.yaml], service: db}}]\n");
        },
        "-f kasm-db.yaml",
    ),
    (
        "a postgresql.conf",
        |folder, secret| {
            symlink(secret, folder.join("postgresql.conf")).unwrap();
            document(folder, "targets: [{name: t, files: {postgresql_conf: postgresql.conf}}]\n");
        },
        "-f kasm-db.yaml",
    ),
    (
        "a log",
        |folder, secret| {
            let name = secret.file_name().unwrap().display();
            let text = format!(
                "logging_collector = on\nlog_directory = '{}'\nlog_filename = '{name}'\n",
                folder.display()
            );
            std::fs::write(folder.join("postgresql.conf"), text).unwrap();
            symlink(secret, folder.join(secret.file_name().unwrap())).unwrap();
            document(folder, "targets: [{name: t, files: {postgresql_conf: postgresql.conf}}]\n");
        },
        "-f kasm-db.yaml",
    ),
    (
        "what a postgresql.conf includes",
        |folder, secret| {
            let text = format!("include '{}'\ninclude_if_exists 'link.conf'\n", secret.display());
            std::fs::write(folder.join("postgresql.conf"), text).unwrap();
            symlink(secret, folder.join("link.conf")).unwrap();
            document(folder, "targets: [{name: t, files: {postgresql_conf: postgresql.conf}}]\n");
        },
        "-f kasm-db.yaml",
    ),
];

/// Returns each command with every format that it has.
fn rows() -> Vec<String> {
    let definition = kasm_db::parts::command_line();
    let mut rows = Vec::new();
    for row in COMMANDS {
        let name = row.split(' ').next().unwrap();
        let command = definition.find_subcommand(name).unwrap();
        let format = command.get_arguments().find(|argument| argument.get_long() == Some("format"));
        let formats = format.map(names).unwrap();
        assert!(!formats.is_empty(), "clap does not know the formats of `{name}`");
        rows.extend(formats.iter().map(|format| format!("{row} --format {format}")));
    }
    rows
}

fn names(argument: &clap::Arg) -> Vec<String> {
    argument.get_possible_values().iter().map(|value| value.get_name().to_string()).collect()
}

/// Runs a command in a folder, and returns all that it said and left there.
fn said(sandbox: &Sandbox, folder: &Path, arguments: &str) -> Vec<u8> {
    let mut command = sandbox.command(PROGRAM);
    command
        .current_dir(folder)
        .env("HOME", sandbox.root().join("home"))
        .env("CI_JOB_TOKEN", "Zq7environment");
    let output = command.args(arguments.split_whitespace()).output().unwrap();
    let mut text = output.stdout;
    text.extend(output.stderr);
    for entry in walk(folder) {
        text.extend(std::fs::read(entry).unwrap());
    }
    text
}

/// Returns the regular files below a folder, without following a link.
fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            all.extend(walk(&entry.path()));
        } else if kind.is_file() {
            all.push(entry.path());
        }
    }
    all
}

#[test]
fn no_command_in_no_format_shows_a_secret_behind_a_link() {
    let rows = rows();
    let secrets: Vec<&str> = SECRETS.iter().map(|(name, _)| *name).chain(["/proc/self/environ"]).collect();
    let found: Vec<(usize, Vec<String>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = secrets
            .chunks(secrets.len().div_ceil(4))
            .map(|part| scope.spawn(|| looked_at(part, &rows)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let runs: usize = found.iter().map(|(runs, _)| runs).sum();
    let leaks: Vec<_> = found.into_iter().flat_map(|(_, leaks)| leaks).collect();
    assert!(leaks.is_empty(), "{} leaks\n{leaks:#?}", leaks.len());
    println!("{} secrets in {} places, {runs} runs, 0 leaks", secrets.len(), PLACES.len());
}

fn looked_at(secrets: &[&str], rows: &[String]) -> (usize, Vec<String>) {
    let sandbox = repository(PROGRAM);
    let (mut runs, mut all) = (0, Vec::new());
    for secret in secrets {
        let path = sandbox.root().join("home").join(secret);
        for (index, (place, make, options)) in PLACES.iter().enumerate() {
            // What is copied to a folder outside cannot be the file of a process.
            if secret.starts_with('/') && place.contains("folder") {
                continue;
            }
            let folder = sandbox.root().join("repo").join(format!("{index}"));
            std::fs::create_dir(&folder).unwrap();
            make(&folder, &path);
            let outside = sandbox.contents(&sandbox.root().join("home"));
            for row in rows {
                let leaks = leaks(&said(&sandbox, &folder, &row.replace("DOCUMENT", options)));
                runs += 1;
                all.extend(leaks.into_iter().map(|leak| format!("{secret} as {place}: `{row}`: {leak}")));
            }
            assert!(
                sandbox.contents(&sandbox.root().join("home")) == outside,
                "{secret} as {place}: written to"
            );
            std::fs::remove_dir_all(&folder).unwrap();
        }
    }
    (runs, all)
}

#[test]
fn every_secret_would_be_seen() {
    for (name, text) in SECRETS {
        assert!(!leaks(text.as_bytes()).is_empty(), "{name}");
    }
    // What is not behind a link and is a document is quoted: the places are looked at.
    let sandbox = repository(PROGRAM);
    let folder = sandbox.root().join("repo");
    std::fs::write(folder.join("kasm-db.yaml"), "schema: kasm-db/v1\nimage: Zq7\n").unwrap();
    assert!(!leaks(&said(&sandbox, &folder, "validate")).is_empty());
}
