//! Advice that fits what is there: the image of the release, and keys that a target of this kind has.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::{create_dir_all, read_dir, read_to_string, write};
use std::path::PathBuf;

use testing::{Run, Sandbox};

use crate::PROGRAM;

const DEPLOYMENT: &str = "examples/existing/opt/kasm/1.11.0";

/// Writes a document with one target.
fn declare(sandbox: &Sandbox, document: &str, target: &str) {
    let text = format!("schema: kasm-db/v1\n{document}targets: [{{name: a, {target}}}]\n");
    write(sandbox.root().join("kasm-db.yaml"), text).unwrap();
}

fn compose_files(sandbox: &Sandbox) -> Vec<PathBuf> {
    let docker = sandbox.root().join(DEPLOYMENT).join("docker");
    let copies = read_dir(docker.join(".conf")).unwrap().map(|entry| entry.unwrap().path());
    copies.chain([docker.join("docker-compose.yaml")]).collect()
}

/// Creates the deployment one of another Kasm release, with another stock image.
fn release(sandbox: &Sandbox, tag: &str, image: &str) {
    for path in compose_files(sandbox) {
        let text = read_to_string(&path).unwrap();
        let text = text.replace(":1.11.0\"", &format!(":{tag}\"")).replace("postgres:12-alpine", image);
        write(path, text).unwrap();
    }
}

/// A release, the stock image, and the image with pgaudit that is advised.
const RELEASES: [(&str, &str, &str); 6] = [
    ("1.11.0", "postgres:12-alpine", "kasmweb/postgres:1.11.0"),
    ("1.16.1", "postgres:14-alpine", "kasmweb/postgres:1.16.1"),
    ("1.19.0-rolling", "postgres:16-alpine", "kasmweb/postgres:1.19.0-rolling"),
    // The image of the release could not open the data.
    ("1.16.0", "postgres:12-alpine", "kasmweb/postgres"),
    // No image was made for it.
    ("1.9.0", "postgres:9.5-alpine", "kasmweb/postgres"),
    ("latest", "postgres:14-alpine", "kasmweb/postgres"),
];

#[test]
fn the_image_with_pgaudit_is_the_one_of_the_release_that_is_there() {
    for (tag, stock, advised) in RELEASES {
        let sandbox = Sandbox::new(PROGRAM);
        release(&sandbox, tag, stock);
        let target = format!("deployment: {DEPLOYMENT}");
        for document in [
            "preload: {libraries: [pgaudit]}\n".to_string(),
            format!("image: {stock}\npreload: {{libraries: [pgaudit]}}\n"),
        ] {
            declare(&sandbox, &document, &target);
            let run = sandbox.run("plan").expect(4);
            let help =
                format!("includes pgaudit, such as {advised}, or remove pgaudit from `preload.libraries`");
            assert!(
                run.stderr.contains("error[KDB502]") && run.stderr.contains(&help),
                "{tag} {document}: {run}"
            );
        }
        let run = sandbox.run(&format!("import --deployment {DEPLOYMENT} -o -")).expect(0);
        let such_as = if advised.contains(':') { format!(", such as {advised}:\n") } else { ":\n".into() };
        let hint = format!("# To audit, use an image that includes pgaudit{such_as}# preload:\n");
        assert!(run.stdout.contains(&hint), "{tag}: no {hint:?} in {run}");
    }
}

#[test]
fn a_host_with_the_database_alone_gets_the_release_of_the_copies() {
    let sandbox = Sandbox::new(PROGRAM);
    let docker = sandbox.root().join(DEPLOYMENT).join("docker");
    std::fs::copy(docker.join(".conf/docker-compose-db.yaml"), docker.join("docker-compose.yaml")).unwrap();
    declare(&sandbox, "preload: {libraries: [pgaudit]}\n", &format!("deployment: {DEPLOYMENT}"));
    let run = sandbox.run("plan").expect(4);
    assert!(run.stderr.contains("such as kasmweb/postgres:1.11.0, or"), "{run}");
}

#[test]
fn an_image_that_includes_pgaudit_needs_no_other() {
    let sandbox = Sandbox::new(PROGRAM);
    release(&sandbox, "1.11.0", "kasmweb/postgres:1.11.0");
    let run = sandbox.run(&format!("import --deployment {DEPLOYMENT} -o -")).expect(0);
    assert!(run.stdout.contains("so nothing is audited. To audit:\n# preload:\n"), "{run}");
}

/// Compose files that do not tell which service is the database, or name another one, and the code that says so.
const SERVICES: [(&str, &str); 3] = [
    (
        "services:\n  one: {image: \"postgres:14\", container_name: kasm_db}\n  two: {image: \"postgres:14\", container_name: kasm_db}\n",
        "KDB304",
    ),
    ("services:\n  db: {image: \"mysql:8\"}\n", "KDB308"),
    ("services:\n  db: {provider: {type: awesome}}\n", "comes from a provider"),
];

fn planned(compose: &str, target: &str) -> Run {
    let sandbox = Sandbox::new(PROGRAM);
    create_dir_all(sandbox.root().join("tree/docker")).unwrap();
    write(sandbox.root().join("tree/docker/docker-compose.yaml"), compose).unwrap();
    declare(&sandbox, "image: postgres:14.1\n", target);
    sandbox.run("plan").expect(4)
}

#[test]
fn only_a_target_of_files_is_told_to_name_its_service() {
    let by_name = "name the database's service with `service:` under `files`";
    let by_container = "give `container_name: kasm_db` to the service that runs PostgreSQL, and to no other";
    for (compose, says) in SERVICES {
        for (target, advice, never) in [
            ("deployment: tree", by_container, "service:`"),
            ("files: {compose: [tree/docker/docker-compose.yaml]}", by_name, "container_name: kasm_db` to"),
        ] {
            let run = planned(compose, target);
            assert!(run.stderr.contains(says) && run.stderr.contains(advice), "{target}: {run}");
            assert!(!run.stderr.contains(never), "{target}: {run}");
        }
    }
}

#[test]
fn a_conf_elsewhere_is_not_answered_with_a_service() {
    let sandbox = Sandbox::new(PROGRAM);
    let tree = sandbox.root().join(DEPLOYMENT);
    write(tree.join("conf/database/own.conf"), "work_mem = 4MB\n").unwrap();
    sandbox.edit(
        &tree.join("docker/docker-compose.yaml"),
        "/conf/database/postgresql.conf:",
        "/conf/database/own.conf:",
    );
    declare(&sandbox, "settings: {work_mem: 8MB}\n", &format!("deployment: {DEPLOYMENT}"));
    let run = sandbox.run("plan").expect(4);
    assert!(run.stderr.contains("error[KDB408]") && !run.stderr.contains("service:"), "{run}");
}

#[test]
fn a_key_that_is_there_is_completed_and_not_proposed_again() {
    let target = format!("deployment: {DEPLOYMENT}");
    for (document, help) in [
        ("audit: {classes: [read]}\n", "add `preload: {libraries: [pgaudit]}` to the document"),
        (
            "preload: {libraries: [pg_prewarm]}\naudit: {classes: [read]}\n",
            "add `pgaudit` to `preload.libraries`",
        ),
        (
            "preload: {mode: exact, libraries: [pg_prewarm]}\naudit: {classes: [read]}\n",
            "add `pgaudit` to `preload.libraries`",
        ),
    ] {
        let sandbox = Sandbox::new(PROGRAM);
        declare(&sandbox, document, &target);
        let run = sandbox.run("plan");
        assert!(run.stderr.contains("error[KDB210]") && run.stderr.contains(help), "{document}: {run}");
        assert_eq!(run.stderr.matches("add `p").count(), 1, "{document}: {run}");
    }
}

#[test]
fn an_image_is_not_changed_by_a_fix_into_another_one() {
    let sandbox = Sandbox::new(PROGRAM);
    write(sandbox.root().join("kasm-db.yaml"), "schema: kasm-db/v1\nimage: 1.16\n").unwrap();
    let run = sandbox.run("validate --format json").expect(3);
    assert!(run.stdout.contains("KDB103") && !run.stdout.contains("\"replacement\""), "{run}");
    let digest = "0".repeat(64);
    write(sandbox.root().join("kasm-db.yaml"), format!("schema: kasm-db/v1\nimage: a/b@sha256:{digest}\n"))
        .unwrap();
    let run = sandbox.run("validate").expect(3);
    assert!(
        run.stderr.contains("add the tag before the digest, as in `") && !run.stderr.contains("latest"),
        "{run}"
    );
}

#[test]
fn a_mode_of_tls_that_does_not_exist_is_an_invalid_value() {
    let sandbox = Sandbox::new(PROGRAM);
    declare(
        &sandbox,
        "image: kasmweb/postgres:1.11.0\nverify: {connect: tcp}\n",
        &format!("deployment: {DEPLOYMENT}"),
    );
    for (value, says) in [
        ("foo", "invalid value `foo` for PGSSLMODE"),
        ("verify_full", "invalid value `verify_full` for PGSSLMODE"),
        ("prefer", "PGSSLMODE is `prefer`, which lets anybody on the way switch off TLS"),
        ("allow", "PGSSLMODE is `allow`, which lets anybody on the way switch off TLS"),
    ] {
        let mut command = sandbox.command(PROGRAM);
        command.arg("verify").env("PGHOST", "127.0.0.1").env("PGSSLMODE", value);
        let run = sandbox.finish(&mut command).expect(9);
        assert!(run.stdout.contains(says), "{value}: {run}");
        assert!(
            run.stdout.contains("use one of: disable, require, verify-ca, verify-full"),
            "{value}: {run}"
        );
    }
}
