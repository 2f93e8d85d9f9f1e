//! `kasm-db build`: contexts, what `--check` and `--write` make of them, and the arguments that builders get.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;
use testing::{Sandbox, repository};

use crate::PROGRAM;

/// What `sha256` of a document is here.
const SUM: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Compares with a file in `tests/program/snapshots`.
#[track_caller]
fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_omit_expression(true);
    settings.bind(|| assert_snapshot!(name, text));
}

/// A document that builds on a base.
fn document(base: &str) -> String {
    format!(
        "schema: kasm-db/v1\nimage: registry.example.com/kasm/postgres:1.2\npreload:\n  libraries: [pgaudit]\n\
         audit:\n  classes: [read, write]\nbuild:\n  base: {base} # the base\n  extensions:\n    - name: pgaudit\n"
    )
}

fn sandbox(document: &str) -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    fs::write(sandbox.root().join("kasm-db.yaml"), document).unwrap();
    sandbox
}

/// Returns a file of the sandbox.
#[track_caller]
fn text(sandbox: &Sandbox, path: &str) -> String {
    fs::read_to_string(sandbox.root().join(path)).unwrap()
}

/// Puts a program into the sandbox, and returns the folder that it is in.
fn program(sandbox: &Sandbox, name: &str, script: &str) -> String {
    let folder = sandbox.root().join("bin");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), format!("#!/bin/sh\n{script}")).unwrap();
    fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    folder.display().to_string()
}

#[test]
fn every_major_has_a_context_on_debian_and_on_alpine() {
    let mut all = String::new();
    for major in 12..=18 {
        for system in ["bookworm", "alpine"] {
            let base = format!("postgres:{major}-{system}");
            let sandbox = sandbox(&document(&base));
            sandbox.run("build").expect(0);
            let _ = write!(all, "===== {base}\n{}\n", text(&sandbox, "build/Dockerfile"));
        }
    }
    snapshot("build_majors", &all);
}

#[test]
fn a_context_holds_everything_that_the_document_names() {
    let document = format!(
        "schema: kasm-db/v1\nimage: registry.example.com/kasm/postgres:16-1\npreload:\n  \
         libraries: [pg_stat_statements, pgaudit, pg_cron]\nbuild:\n  \
         base: mirror.example.com/library/postgres:16.4-bookworm@sha256:{SUM}\n  extensions:\n    - name: pgaudit\n    \
         - name: pg_stat_statements\n    - name: pg_cron\n      package: postgresql-16-cron=1.6.4-1\n    \
         - name: vector\n      source: {{url: \"https://registry.example.com/vector.tar.gz\", sha256: {SUM}}}\n  \
         labels: {{org.opencontainers.image.vendor: 'A \"B\" $C'}}\n  platforms: [linux/amd64]\n  ca_certificates: [certs/ca.pem]\n"
    );
    let sandbox = sandbox(&document);
    fs::create_dir(sandbox.root().join("certs")).unwrap();
    fs::write(
        sandbox.root().join("certs/ca.pem"),
        "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    sandbox.run("build").expect(0);
    let mut all = String::new();
    for (path, (_, content)) in sandbox.contents(&sandbox.root().join("build")) {
        let is_script = path.extension().is_some_and(|extension| extension == "sh");
        if sandbox.root().join("build").join(&path).is_file() && !is_script {
            let _ = write!(all, "===== {}\n{}\n", path.display(), String::from_utf8(content).unwrap());
        }
    }
    snapshot("build_everything", &all);
}

#[test]
fn the_same_document_gives_the_same_bytes_and_a_second_run_writes_nothing() {
    let (one, two) = (sandbox(&document("postgres:16-alpine")), sandbox(&document("postgres:16-alpine")));
    one.run("build").expect(0);
    two.run("build --out elsewhere/context").expect(0);
    let of = |sandbox: &Sandbox, folder: &str| {
        let contents = sandbox.contents(&sandbox.root().join(folder));
        contents.into_iter().map(|(path, (_, content))| (path, content)).collect::<Vec<_>>()
    };
    assert_eq!(of(&one, "build"), of(&two, "elsewhere/context"));
    let before = one.seen(&one.root().join("build"));
    let again = one.run("build").expect(0);
    assert!(again.stdout.contains("0 written, 0 removed"), "{again}");
    assert_eq!(one.seen(&one.root().join("build")), before);
}

#[test]
fn a_check_shows_the_base_of_a_bot_and_write_declares_it() {
    let sandbox = sandbox(&document("'postgres:16.3-bookworm'"));
    let run = sandbox.run("build --check").expect(2);
    assert!(run.stdout.contains("missing  Dockerfile"), "{run}");
    assert!(!sandbox.root().join("build").exists(), "a check writes nothing");
    sandbox.run("build").expect(0);
    sandbox.run("build --check").expect(0);
    let pinned = format!("postgres:16.4-bookworm@sha256:{SUM}");
    sandbox.edit(
        &sandbox.root().join("build/Dockerfile"),
        "postgres:16.3-bookworm AS",
        &format!("{pinned} AS"),
    );
    let run = sandbox.run("build --check").expect(2);
    assert!(run.stdout.contains(&format!("its Dockerfile names the base {pinned}")), "{run}");
    assert!(run.stdout.contains("+FROM postgres:16.3-bookworm AS base"), "{run}");
    sandbox.run("build --write").expect(0);
    let expected = document(&format!("'{pinned}'"));
    assert_eq!(text(&sandbox, "kasm-db.yaml"), expected, "nothing but the value changes");
    let dockerfile = text(&sandbox, "build/Dockerfile");
    assert!(
        dockerfile.contains(&format!("LABEL org.opencontainers.image.base.digest=\"sha256:{SUM}\"")),
        "{dockerfile}"
    );
    sandbox.run("build --check").expect(0);
}

#[test]
fn the_document_keeps_its_readers_and_a_link_is_not_replaced() {
    let sandbox = sandbox(&document("postgres:16.3-bookworm"));
    let path = sandbox.root().join("kasm-db.yaml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let update = |from: &str, to: &str| {
        sandbox.run("build").expect(0);
        sandbox.edit(&sandbox.root().join("build/Dockerfile"), &format!("{from} AS"), &format!("{to} AS"));
    };
    update("postgres:16.3-bookworm", "postgres:16.4-bookworm");
    sandbox.run("build --write").expect(0);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(text(&sandbox, "kasm-db.yaml"), document("postgres:16.4-bookworm"));
    fs::rename(&path, sandbox.root().join("real.kasm-db.yaml")).unwrap();
    symlink("real.kasm-db.yaml", &path).unwrap();
    update("postgres:16.4-bookworm", "postgres:16.5-bookworm");
    let run = sandbox.run("build --write").expect(1);
    assert!(run.stderr.contains("kasm-db.yaml is not a regular file"), "{run}");
    assert_eq!(text(&sandbox, "real.kasm-db.yaml"), document("postgres:16.4-bookworm"));
}

#[test]
fn a_base_that_the_document_could_not_have_is_not_written() {
    let sandbox = sandbox(&document("postgres:16-bookworm"));
    sandbox.run("build").expect(0);
    for base in ["postgres:11-bookworm", "registry.example.com/other:1"] {
        sandbox.run("build").expect(0);
        sandbox.edit(
            &sandbox.root().join("build/Dockerfile"),
            "postgres:16-bookworm AS",
            &format!("{base} AS"),
        );
        let run = sandbox.run("build --write").expect(1);
        assert!(
            run.stderr.contains(&format!("the document would not be valid with the base {base}")),
            "{run}"
        );
        assert_eq!(text(&sandbox, "kasm-db.yaml"), document("postgres:16-bookworm"));
    }
    // What is no reference is not taken for one.
    sandbox.run("build").expect(0);
    sandbox.edit(&sandbox.root().join("build/Dockerfile"), "postgres:16-bookworm AS", "postgres:16 x: y AS");
    sandbox.run("build --write").expect(0);
    assert_eq!(text(&sandbox, "kasm-db.yaml"), document("postgres:16-bookworm"));
}

#[test]
fn a_base_of_a_parent_is_changed_there_alone() {
    let sandbox = sandbox("extends: base.kasm-db.yaml\n");
    fs::write(sandbox.root().join("base.kasm-db.yaml"), document("postgres:16-bookworm")).unwrap();
    sandbox.run("build").expect(0);
    sandbox.edit(
        &sandbox.root().join("build/Dockerfile"),
        "postgres:16-bookworm AS",
        "postgres:16.4-bookworm AS",
    );
    let run = sandbox.run("build --write").expect(1);
    assert!(run.stderr.contains("`build.base` is declared in base.kasm-db.yaml"), "{run}");
    assert_eq!(text(&sandbox, "base.kasm-db.yaml"), document("postgres:16-bookworm"));
}

#[test]
fn certificates_are_certificates_of_the_repository() {
    let sandbox = sandbox(&format!("{}  ca_certificates: [ca.pem]\n", document("postgres:16-alpine")));
    let ca = sandbox.root().join("ca.pem");
    let run = sandbox.run("build").expect(1);
    assert!(run.stderr.contains("ca.pem: cannot read: no such file"), "{run}");
    for (content, says) in [
        ("-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nhunter2\n", "it holds a private key"),
        ("hunter2\n", "it holds no certificate in PEM"),
    ] {
        fs::write(&ca, content).unwrap();
        let run = sandbox.run("build").expect(1);
        assert!(run.stderr.contains(says) && !run.to_string().contains("hunter2"), "{run}");
    }
    fs::remove_file(&ca).unwrap();
    symlink("/etc/hostname", &ca).unwrap();
    let run = sandbox.run("build").expect(1);
    assert!(run.stderr.contains("ca.pem: cannot read the certificates: it leads out of"), "{run}");
    assert!(!sandbox.root().join("build").exists());
}

#[test]
fn files_of_somebody_else_stay() {
    let sandbox = sandbox(&document("postgres:16-alpine"));
    fs::create_dir(sandbox.root().join("build")).unwrap();
    fs::write(sandbox.root().join("build/Dockerfile"), "FROM scratch\n").unwrap();
    let run = sandbox.run("build").expect(1);
    assert!(run.stderr.contains("build/Dockerfile already exists, and `build` did not write it"), "{run}");
    assert_eq!(text(&sandbox, "build/Dockerfile"), "FROM scratch\n");
    fs::remove_file(sandbox.root().join("build/Dockerfile")).unwrap();
    fs::write(sandbox.root().join("build/NOTES"), "ours").unwrap();
    sandbox.run("build").expect(0);
    // What another base does not need is removed, and nothing else.
    sandbox.edit(&sandbox.root().join("kasm-db.yaml"), "16-alpine", "16-bookworm");
    let run = sandbox.run("build").expect(0);
    assert!(run.stdout.contains("2 removed"), "{run}");
    assert!(!sandbox.root().join("build/compile.sh").exists());
    assert_eq!(text(&sandbox, "build/NOTES"), "ours");
}

#[test]
fn a_document_without_build_or_image_says_so() {
    let one = sandbox("schema: kasm-db/v1\n");
    let run = one.run("build").expect(1);
    assert!(run.stderr.contains("does not say what the image is built from"), "{run}");
    let two = sandbox(
        &document("postgres:16-alpine").replace("image: registry.example.com/kasm/postgres:1.2\n", ""),
    );
    two.run("build").expect(0);
    let run = two.run("build --run").expect(1);
    assert!(run.stderr.contains("does not name the image that is built"), "{run}");
}

#[test]
fn each_builder_gets_its_arguments_and_its_output_is_shown_without_secrets() {
    let mut all = String::new();
    for builder in ["docker", "podman", "buildah"] {
        let sandbox = sandbox(&document(&format!("postgres:16-bookworm@sha256:{SUM}")));
        let script = "echo \"$(basename \"$0\") $*\" >> log\necho password=hunter2 >&2\n\
                      for word; do case $word in *.part*) touch image.tar.part ;; esac; done\n";
        let path = format!("{}:/usr/bin:/bin", program(&sandbox, builder, script));
        let run = |arguments: &str| {
            let mut command = sandbox.command(PROGRAM);
            command.args(arguments.split(' ')).env("PATH", &path).arg("--builder").arg(builder);
            sandbox.finish(&mut command).expect(0)
        };
        let built = run("build --run --save image.tar --network host --platform linux/arm64");
        assert!(
            built.stderr.contains("password=<hidden>") && !built.to_string().contains("hunter2"),
            "{built}"
        );
        assert!(built.stdout.contains("image.tar: "), "{built}");
        assert!(sandbox.root().join("image.tar").exists() && !sandbox.root().join("image.tar.part").exists());
        run("build --load image.tar");
        run("build --run --no-cache --timestamp 1700000000");
        all.push_str(&text(&sandbox, "log"));
    }
    snapshot("build_builders", &all);
}

#[test]
fn a_health_check_that_is_lost_with_the_form_of_the_image_is_said() {
    for (builder, has, lost) in [
        ("podman", "{[CMD-SHELL pg_isready] 0s 5s 0s 0}", true),
        ("buildah", "{[CMD-SHELL pg_isready] 5s 0s 0s 0}", true),
        ("podman", "<nil>", false),
        ("docker", "{[CMD-SHELL pg_isready] 0s 5s 0s 0}", false),
    ] {
        let sandbox = sandbox(&document("postgres:16-bookworm"));
        let script = format!("case $* in *inspect*postgres:16-bookworm) echo '{has}' ;; esac\n");
        let path = format!("{}:/usr/bin:/bin", program(&sandbox, builder, &script));
        for (arguments, is_said) in [("build --run --timestamp 0", lost), ("build --run", false)] {
            let mut command = sandbox.command(PROGRAM);
            command.args(arguments.split(' ')).args(["--builder", builder]).env("PATH", &path);
            let run = sandbox.finish(&mut command).expect(0);
            let says = "warning: postgres:16-bookworm has a health check, and registry.example.com/kasm/postgres:1.2 has none";
            assert_eq!(run.stderr.contains(says), is_said, "{builder}: {run}");
        }
    }
}

#[test]
fn a_builder_that_fails_or_is_missing_ends_the_run() {
    let sandbox = sandbox(&document("postgres:16-bookworm"));
    let bin = program(&sandbox, "docker", "echo 'kasm-db: a statement left no AUDIT line' >&2\nexit 7\n");
    let run = |path: &str, arguments: &str| {
        let mut command = sandbox.command(PROGRAM);
        command.args(arguments.split(' ')).env("PATH", path);
        sandbox.finish(&mut command).expect(1)
    };
    let failed = run(&bin, "build --run --save image.tar");
    assert!(failed.stderr.contains("ended with 7: kasm-db: a statement left no AUDIT line"), "{failed}");
    assert!(!sandbox.root().join("image.tar").exists());
    let missing = run("/nowhere", "build --run");
    assert!(missing.stderr.contains("neither docker, podman nor buildah was found"), "{missing}");
}

#[test]
fn several_platforms_are_built_one_by_one() {
    let sandbox =
        sandbox(&format!("{}  platforms: [linux/amd64, linux/arm64]\n", document("postgres:16-bookworm")));
    let run = sandbox.run("build --run").expect(64);
    assert!(run.stderr.contains("one platform is built at a time: linux/amd64, linux/arm64"), "{run}");
}

#[test]
fn linters_have_nothing_against_a_context() {
    let hadolint = Command::new(repository().join("scripts/get-hadolint")).output().unwrap();
    let hadolint = String::from_utf8(hadolint.stdout).unwrap().trim().to_string();
    assert!(!hadolint.is_empty(), "scripts/get-hadolint gives no program");
    for base in ["postgres:16-alpine", "postgres:12-bookworm"] {
        let source = format!(
            "    - name: x\n      source: {{url: \"https://example.org/x.tar.gz\", sha256: {SUM}}}\n"
        );
        let sandbox = sandbox(&format!("{}{source}  ca_certificates: [ca.pem]\n", document(base)));
        fs::write(sandbox.root().join("ca.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
        sandbox.run("build").expect(0);
        sandbox.finish(sandbox.command(&hadolint).arg("build/Dockerfile")).expect(0);
        for script in ["compile.sh", "prove.sh", "certificates.sh"] {
            sandbox.finish(sandbox.command("shellcheck").arg(format!("build/{script}"))).expect(0);
        }
    }
    let install = repository().join("crates/ops/src/build/install.sh");
    assert!(Command::new("shellcheck").arg(install).status().unwrap().success());
}

/// Runs the script that proves an image, on a server of this machine, and returns what it wrote.
fn proof(sandbox: &Sandbox, arguments: &[&str]) -> Result<String, String> {
    let file = sandbox.root().join("proof");
    let script = repository().join("crates/ops/src/build/prove.sh");
    let at = sandbox.root().join("prove.sh");
    fs::copy(script, &at).unwrap();
    // The server refuses to run as root.
    let mut command = match rustix::process::geteuid().is_root() {
        true => {
            fs::set_permissions(sandbox.root(), fs::Permissions::from_mode(0o777)).unwrap();
            let mut command = sandbox.command("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh"]);
            command
        }
        false => sandbox.command("sh"),
    };
    let output = command.env("TMPDIR", "/tmp").arg(at).arg(&file).args(arguments).output().unwrap();
    match output.status.success() {
        true => Ok(fs::read_to_string(Path::new(&file)).unwrap()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn the_proof_of_an_image_starts_its_server_and_finds_entries_of_the_classes() {
    let sandbox = Sandbox::new(PROGRAM);
    let everything = "READ WRITE FUNCTION ROLE DDL MISC";
    let found = proof(
        &sandbox,
        &["15", "pg_stat_statements,pgaudit", "pgaudit pg_stat_statements", "all", everything],
    );
    let found = found.unwrap();
    assert!(
        found.contains("shared_preload_libraries: pg_stat_statements,pgaudit\nextension: pgaudit 1.7"),
        "{found}"
    );
    assert!(found.ends_with("audited: ROLE\naudited: DDL\naudited: MISC\n"), "{found}");
    for (arguments, says) in [
        (&["15", "pgaudit,absent", "pgaudit", "all", "READ"][..], "the server does not start with"),
        (&["15", "pgaudit", "absent", "all", "READ"], "the extension absent cannot be created"),
        (&["15", "pgaudit", "pgaudit", "read", "READ WRITE"], "the class WRITE left no AUDIT line"),
        (&["14", "pgaudit", "pgaudit", "all", "READ"], "the base holds another PostgreSQL than 14"),
    ] {
        let sandbox = Sandbox::new(PROGRAM);
        let arguments: Vec<_> = arguments.to_vec();
        let error = proof(&sandbox, &arguments).unwrap_err();
        assert!(error.contains(says), "{arguments:?}\n{error}");
        assert!(!sandbox.root().join("proof").exists());
    }
}
