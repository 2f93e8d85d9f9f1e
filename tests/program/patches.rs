//! Patches of several targets, and what a patch may show.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::{create_dir_all, read_to_string, write};

use testing::Sandbox;

use crate::PROGRAM;

/// Writes a document in `folder` with two targets of these folders, each with a `postgresql.conf`.
fn two(folder: &str, targets: [&str; 2]) -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    let mut document = "schema: kasm-db/v1\nsettings: {work_mem: 8MB}\ntargets:\n".to_string();
    for (name, target) in ["a", "b"].iter().zip(targets) {
        let conf = sandbox.root().join(target).join("conf/database");
        create_dir_all(&conf).unwrap();
        write(conf.join("postgresql.conf"), "work_mem = 4MB\n").unwrap();
        let compose = sandbox.root().join(target).join("docker");
        create_dir_all(&compose).unwrap();
        write(compose.join("docker-compose.yaml"), "services: {db: {image: \"postgres:14\"}}\n").unwrap();
        let path = sandbox.root().join(target).display().to_string();
        document.push_str(&format!("  - {{name: {name}, deployment: {path}}}\n"));
    }
    create_dir_all(sandbox.root().join(folder)).unwrap();
    write(sandbox.root().join(folder).join("kasm-db.yaml"), document).unwrap();
    sandbox
}

#[test]
fn one_patch_of_several_targets_is_applied_in_the_folder_of_the_document() {
    let sandbox = two("repo", ["repo/hosts/a", "repo/hosts/b"]);
    let run = sandbox.run("-q -f repo/kasm-db.yaml --allow conf-elsewhere plan --format patch").expect(0);
    for name in ["a", "b"] {
        assert!(run.stdout.contains(&format!("+++ b/hosts/{name}/conf/database/postgresql.conf\n")), "{run}");
    }
    write(sandbox.root().join("repo/changes.patch"), &run.bytes).unwrap();
    let mut git = sandbox.command("git");
    sandbox.finish(git.current_dir(sandbox.root().join("repo")).args(["apply", "changes.patch"])).expect(0);
    for name in ["a", "b"] {
        let conf = sandbox.root().join(format!("repo/hosts/{name}/conf/database/postgresql.conf"));
        assert_eq!(read_to_string(conf).unwrap(), "work_mem = 8MB\n");
    }
    // Alone, each has a patch for its own folder.
    let sandbox = two("repo", ["repo/hosts/a", "repo/hosts/b"]);
    let run = sandbox
        .run("-q -f repo/kasm-db.yaml --target a --allow conf-elsewhere plan --format patch")
        .expect(0);
    assert!(run.stdout.contains("+++ b/conf/database/postgresql.conf\n"), "{run}");
}

#[test]
fn targets_that_no_folder_has_together_are_named() {
    let sandbox = two("repo", ["repo/hosts/a", "elsewhere/b"]);
    let run = sandbox.run("-q -f repo/kasm-db.yaml --allow conf-elsewhere plan --format patch").expect(1);
    assert!(run.stderr.contains("2 targets change, and one patch cannot be applied to all of them"), "{run}");
    assert!(run.stderr.contains("choose one with `--target`: a, b"), "{run}");
    assert_eq!(run.stdout, "");
}

#[test]
fn the_version_beside_a_pinned_image_is_not_a_secret() {
    let sandbox = Sandbox::new(PROGRAM);
    let digest = "a".repeat(64);
    for (comment, code) in [("# 16.7", 0), ("# v16.7.1", 0), ("# hunter2", 1), ("# 12345678", 1)] {
        let compose = format!(
            "services:\n  db:\n    image: postgres@sha256:{digest} {comment}\n    environment:\n      POSTGRES_PASSWORD: x\n"
        );
        write(sandbox.root().join("compose.yaml"), compose).unwrap();
        let document = "schema: kasm-db/v1\nimage: postgres:16.8\ntargets: [{name: t, files: {compose: [compose.yaml], service: db}}]\n";
        write(sandbox.root().join("kasm-db.yaml"), document).unwrap();
        let run = sandbox.run("-q plan --format patch").expect(code);
        assert_eq!(run.stdout.contains(comment), code == 0, "{run}");
    }
}
