//! The whole line on real Kasm trees, which `KASM_DB_CORPUS` brings: plan, patch, apply, and a real server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]

use std::path::Path;
use std::process::{Command, Stdio};

use testing::{Sandbox, copy, folder_from};

use crate::PROGRAM;

/// Copies a release's tree into the sandbox and writes a document beside it; `None` without a corpus.
fn tree(sandbox: &Sandbox, release: &str, image: &str) -> Option<()> {
    let Some(corpus) = folder_from("KASM_DB_CORPUS") else {
        eprintln!("KASM_DB_CORPUS is not set: the real trees are not looked at");
        return None;
    };
    for name in ["a", "b"] {
        copy(&corpus.join("kasm").join(release), &sandbox.root().join(name));
    }
    let allow_writing =
        Command::new("chmod").args(["-R", "u+w", "."]).current_dir(sandbox.root()).status().unwrap();
    assert!(allow_writing.success());
    let document = format!(
        "schema: kasm-db/v1\nimage: {image}\npreload:\n  libraries: [pgaudit]\naudit:\n  classes: [read, write, ddl]\n"
    );
    std::fs::write(sandbox.root().join("kasm-db.yaml"), document).unwrap();
    Some(())
}

/// Returns the lines in which two trees differ, as `path: line`.
fn changed(before: &Path, after: &Path) -> Vec<String> {
    let diff = Command::new("diff").args(["-r", "-U0"]).arg(before).arg(after).output().unwrap();
    let text = String::from_utf8_lossy(&diff.stdout).into_owned();
    let mut file = String::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("+++ ") {
            let path = rest.split('\t').next().unwrap();
            file = Path::new(path).strip_prefix(after).unwrap().display().to_string();
        } else if line.starts_with(['+', '-']) && !line.starts_with("---") {
            lines.push(format!("{file}: {line}"));
        }
    }
    lines
}

#[track_caller]
fn check(release: &str, image: &str, old: &str, conf_comment: &str) -> Option<Sandbox> {
    let sandbox = Sandbox::new(PROGRAM);
    tree(&sandbox, release, image)?;
    let corpus = folder_from("KASM_DB_CORPUS").unwrap().join("kasm").join(release);
    let (a, b) = (sandbox.root().join("a"), sandbox.root().join("b"));

    let patch = sandbox.run("plan --installer a --format patch");
    assert_eq!(patch.code, Some(0), "{}", patch.stderr);
    assert_eq!(changed(&corpus, &a), [""; 0], "a plan writes nothing");
    let mut git =
        sandbox.command("git").args(["apply", "-"]).current_dir(&a).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut git.stdin.take().unwrap(), &patch.bytes).unwrap();
    assert!(git.wait().unwrap().success());

    let apply = sandbox.run("apply --installer b -y");
    assert_eq!(apply.code, Some(0), "{}", apply.stderr);
    assert_eq!(changed(&a, &b), [""; 0], "git and apply make different trees");
    let mut expected = vec![
        format!("conf/database/postgresql.conf: -#shared_preload_libraries = ''{conf_comment}"),
        format!("conf/database/postgresql.conf: +shared_preload_libraries = 'pgaudit'{conf_comment}"),
        "conf/database/postgresql.conf: +pgaudit.log = 'read, write, ddl'".to_string(),
    ];
    for file in ["all", "db-redis", "db"] {
        expected.push(format!("docker/docker-compose-{file}.yaml: -    image: {old}"));
        expected.push(format!("docker/docker-compose-{file}.yaml: +    image: {image}"));
    }
    assert_eq!(changed(&corpus, &b), expected);

    let before = sandbox.seen(&b);
    let again = sandbox.run("apply --installer b -y");
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(again.stdout.contains("No changes"), "{}", again.stdout);
    assert_eq!(sandbox.seen(&b), before, "a second apply writes nothing, not even the same bytes");
    Some(sandbox)
}

#[test]
fn kasm_1_12_is_changed_in_three_image_lines_and_two_of_the_conf() {
    let Some(sandbox) =
        check("1.12.0", "kasmweb/postgres:1.11.0", "postgres:12-alpine", "\t# (change requires restart)")
    else {
        return;
    };
    let plan = sandbox.run("plan --installer b");
    assert!(plan.stderr.contains("duplicate keys: `restart`"), "{}", plan.stderr);
    server_reads(&sandbox.root().join("b/conf/database/postgresql.conf"));
}

#[test]
fn kasm_1_16_is_changed_in_three_image_lines_and_two_of_the_conf() {
    check("1.16.0", "kasmweb/postgres:1.16.0", "postgres:14-alpine", "  # (change requires restart)");
}

#[test]
fn kasm_1_9_is_refused_because_no_conf_is_mounted() {
    let sandbox = Sandbox::new(PROGRAM);
    if tree(&sandbox, "1.9.0", "kasmweb/postgres:1.11.0").is_none() {
        return;
    }
    let before = sandbox.seen(&sandbox.root().join("b"));
    let apply = sandbox.run("apply --installer b -y");
    assert_eq!(apply.code, Some(4), "{}", apply.stderr);
    assert!(apply.stderr.contains("no compose file mounts a postgresql.conf"), "{}", apply.stderr);
    assert_eq!(sandbox.seen(&sandbox.root().join("b")), before);
}

/// Asks a real PostgreSQL 15 what it reads in a conf.
fn server_reads(conf: &Path) {
    let bin = Path::new("/usr/lib/postgresql/15/bin/postgres");
    if !bin.exists() {
        assert!(std::env::var_os("CI").is_none(), "{} is missing; scripts/test installs it", bin.display());
        eprintln!("{} is missing: no server reads the conf", bin.display());
        return;
    }
    // The server refuses to run as root, also when it only reads.
    let folder = tempfile::Builder::new().prefix("kasm-db-server-").tempdir().unwrap();
    let copied = folder.path().join("postgresql.conf");
    // This host need not have the locale that the file names.
    let text = std::fs::read_to_string(conf).unwrap().replace("'en_US.utf8'", "'C'");
    std::fs::write(&copied, text).unwrap();
    std::fs::write(folder.path().join("PG_VERSION"), "15\n").unwrap();
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if is_root {
        let chown = Command::new("chown").args(["-R", "postgres"]).arg(folder.path()).status().unwrap();
        assert!(chown.success());
    }
    for (name, value) in [("shared_preload_libraries", "pgaudit"), ("pgaudit.log", "read, write, ddl")] {
        let mut command = Command::new(if is_root { "runuser" } else { "env" });
        if is_root {
            command.args(["-u", "postgres", "--"]);
        }
        let mode = Command::new("chmod").arg("700").arg(folder.path()).status().unwrap();
        assert!(mode.success());
        let output = command
            .arg(bin)
            .args(["-C", name, "-D"])
            .arg(folder.path())
            .arg("-c")
            .arg(format!("config_file={}", copied.display()))
            .current_dir("/")
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), value, "{name}: {error}");
    }
}
