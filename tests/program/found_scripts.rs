//! The scripts of the folders with what was once done wrongly: each is run, and says what is right now.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::{copy, create_dir, metadata, read_to_string, set_permissions, write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::Path;

use testing::{Run, Sandbox, folder_from, repository};

use crate::PROGRAM;
use crate::found::on;

const DEPLOYMENT: &str = "examples/existing/opt/kasm/1.11.0";

/// Runs the script of a folder in the sandbox, with the program on its path.
fn script(sandbox: &Sandbox, folder: &Path, variables: &[(&str, &Path)]) -> Run {
    let script = ["repro.sh", "run.sh"].map(|name| folder.join(name)).into_iter().find(|path| path.exists());
    let temporary = sandbox.root().join("temporary");
    create_dir(&temporary).unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let programs = Path::new(PROGRAM).parent().map(Path::to_path_buf);
    let path = std::env::join_paths(programs.into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut command = sandbox.command("bash");
    command.arg(script.unwrap()).arg(repository()).env("PATH", path).env("TMPDIR", &temporary);
    for (name, value) in variables {
        command.env(name, value);
    }
    sandbox.finish(&mut command)
}

/// Runs the script of a folder that needs nothing else, and returns everything that it says.
fn said(name: &str, check: impl FnOnce(&str)) {
    on(name, |folder| {
        let sandbox = Sandbox::new(PROGRAM);
        let run = script(&sandbox, folder, &[]);
        check(&format!("{}{}", run.stdout, run.stderr));
    });
}

/// The same, for a script that reads trees of Kasm.
fn said_of_corpus(name: &str, check: impl FnOnce(&str)) {
    on(name, |folder| {
        let corpus = folder_from("KASM_DB_CORPUS").expect("KASM_DB_CORPUS is set beside KASM_DB_FOUND");
        let sandbox = Sandbox::new(PROGRAM);
        let run = script(&sandbox, folder, &[("KASM_DB_CORPUS", &corpus)]);
        check(&format!("{}{}", run.stdout, run.stderr));
    });
}

/// Expects these parts in a text, in this order.
#[track_caller]
fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => panic!("no {part:?} in what follows:\n{rest}\n\nof\n{text}"),
        }
    }
}

#[test]
fn an_active_compose_file_without_the_database() {
    said("active-compose-without-db", |text| {
        in_order(
            text,
            &[
                "no database container here",
                "the app, agent or proxy role",
                "exit 4",
                "image: postgres:12-alpine",
            ],
        );
    });
}

#[test]
fn a_host_of_the_role_app() {
    said("app-role-import", |text| {
        in_order(
            text,
            &["import: exit 1", "plan: exit 4", "no database container here", "No document was written"],
        );
        assert!(!text.contains("KDB401"), "{text}");
    });
    said_of_corpus("app-role-tree", |text| {
        in_order(text, &["no database container here"]);
        assert!(!text.contains("KDB401"), "{text}");
    });
}

#[test]
fn a_target_that_is_missing_keeps_the_other_from_being_written() {
    said("apply-exit1-after-write", |text| {
        in_order(text, &["exit 1", "image: postgres:12-alpine"]);
        assert!(!text.contains("Applied"), "{text}");
    });
}

#[test]
fn a_word_that_is_not_a_class_of_pgaudit_gets_the_fix_that_keeps_its_meaning() {
    on("class-dml", |folder| {
        let text = read_to_string(folder.join("repro.sh")).unwrap();
        let sandbox = Sandbox::new(PROGRAM);
        let (_, words) = text.split_once("for w in ").unwrap();
        let (words, _) = words.split_once(';').unwrap();
        let mut fixes = Vec::new();
        for word in words.split_whitespace() {
            let document = format!("schema: kasm-db/v1\naudit: {{classes: [{word}]}}\n");
            write(sandbox.root().join("kasm-db.yaml"), document).unwrap();
            let run = sandbox.run("validate --format json").expect(3);
            let value: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
            let fix = replacement(&value);
            fixes.push((word.to_string(), fix));
        }
        let expected = [
            ("dml", Some("write")),
            ("dcl", Some("role")),
            ("select", Some("read")),
            ("ddm", None),
            ("grant", Some("role")),
        ];
        let expected: Vec<_> =
            expected.map(|(word, fix)| (word.to_string(), fix.map(String::from))).into_iter().collect();
        assert_eq!(fixes, expected);
    });
}

/// Returns the first replacement that stands anywhere in a result.
fn replacement(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Object(map) => match map.get("replacement") {
            Some(text) => text.as_str().map(String::from),
            None => map.values().find_map(replacement),
        },
        serde_json::Value::Array(items) => items.iter().find_map(replacement),
        _ => None,
    }
}

#[test]
fn a_rollback_of_an_installer_asks_for_no_restart() {
    said("installer-rollback-message", |text| {
        in_order(text, &["Applied: 4 files", "Rolled back: 4 files"]);
        assert!(!text.contains("Still needed"), "{text}");
    });
}

#[test]
fn a_relative_root() {
    said_of_corpus("relative-root", |text| {
        assert_eq!(text.matches("Plan: 0 to add, 1 to change").count(), 3, "{text}");
        assert!(text.contains("/copy/opt/kasm/1.16.0") && !text.contains("error"), "{text}");
    });
}

#[test]
fn a_rollback_whose_file_was_removed() {
    said_of_corpus("rollback-blocked-by-removed-file", |text| {
        in_order(text, &["Applied: 5 files", "--allow file-gone", "the others are restored"]);
    });
}

#[test]
fn a_rollback_costs_what_the_change_did() {
    said("rollback-cost", |text| {
        let is_inode = |line: &&str| line.starts_with(|c: char| c.is_ascii_digit());
        let inodes: Vec<_> =
            text.lines().filter(is_inode).filter(|line| line.ends_with("postgresql.conf")).collect();
        assert_eq!(inodes.len(), 4, "{text}");
        assert!(inodes.iter().all(|line| *line == inodes[0]), "{text}");
        assert!(text.contains("reload") && !text.contains("restart the database"), "{text}");
    });
    on("operator-f8", |folder| {
        let sandbox = Sandbox::new(PROGRAM);
        let conf = sandbox.root().join(DEPLOYMENT).join("conf/database/postgresql.conf");
        for classes in ["read, write, ddl, role", "ddl"] {
            let document = format!(
                "schema: kasm-db/v1\nimage: kasmweb/postgres:1.11.0\npreload: {{libraries: [pgaudit]}}\n\
                 audit: {{classes: [{classes}]}}\ntargets: [{{name: a, deployment: {DEPLOYMENT}}}]\n"
            );
            write(sandbox.root().join("kasm-db.yaml"), document).unwrap();
            sandbox.run("-q apply --yes").expect(0);
        }
        let inode = || metadata(&conf).unwrap().ino();
        let before = inode();
        let run = script(&sandbox, folder, &[]).expect(0);
        assert!(run.stdout.contains("must reload its configuration"), "{run}");
        assert!(!run.stdout.contains("restart the database") && inode() == before, "{run}");
        assert!(read_to_string(&conf).unwrap().contains("pgaudit.log = 'read, write, ddl, role'"));
    });
}

#[test]
fn an_absolute_link_below_a_root() {
    if !rustix::process::geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "a mount namespace needs root");
        return;
    }
    said_of_corpus("root-escapes-by-absolute-symlink", |text| {
        in_order(text, &["exit 0", "live: 0 (0 wanted), copy: 1 (1 wanted)"]);
    });
}

#[test]
fn an_image_of_a_major_that_is_not_known() {
    said("unknown-new-major", |text| in_order(text, &["Refused: major-unknown", "error[KDB508]", "exit 4"]));
}

#[test]
fn logs_by_an_earlier_name_are_left_out_aloud() {
    on("operator-f11", |folder| {
        let sandbox = Sandbox::new(PROGRAM);
        let root = sandbox.root().join(DEPLOYMENT);
        let logs = root.join("log/postgres");
        let text = read_to_string(logs.join("postgresql-11-22.log")).unwrap();
        write(logs.join("postgresql-11-29.log"), text.replace("2026-11-22 08:", "2026-11-29 03:")).unwrap();
        let document = format!(
            "schema: kasm-db/v1\nsettings: {{log_filename: \"postgresql-%m-%d-%H%M.log\"}}\n\
             targets: [{{name: a, deployment: {DEPLOYMENT}}}]\n"
        );
        write(sandbox.root().join("kasm-db.yaml"), document).unwrap();
        sandbox.run("-q apply --yes").expect(0);
        copy(logs.join("postgresql-11-22.log"), logs.join("postgresql-11-29-0400.log")).unwrap();
        let run = script(&sandbox, folder, &[("D", &root)]);
        assert!(run.stdout.contains("rc=1\n"), "{run}");
        in_order(
            &run.stderr,
            &["names do not match log_filename", "postgresql-11-22.log", "postgresql-11-29.log"],
        );
    });
}

#[test]
fn secrets_with_the_escapes_of_env_files_are_not_shown() {
    on("compose-env-escape-leak", |folder| {
        let sandbox = Sandbox::new(PROGRAM);
        let case = sandbox.root().join("case");
        testing::copy(folder, &case);
        for name in ["start", "stop"] {
            set_permissions(case.join("kasm/bin").join(name), PermissionsExt::from_mode(0o755)).unwrap();
        }
        let run = sandbox.run("apply --yes -f case/kasm-db.yaml").expect(9);
        assert!(!run.stdout.contains("hunter2") && !run.stderr.contains("hunter2"), "{run}");
        assert_eq!(run.stderr.matches("  | S <hidden>").count(), 13, "{run}");
    });
}
