//! The path of an upgrade, for the trees of the examples and of real installers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a test says what it looked at")]

use std::fs;
use std::path::Path;

use serde_json::Value;
use testing::Sandbox;

use crate::PROGRAM;

const DOCUMENT: &str = "schema: kasm-db/v1\nimage: kasmweb/postgres:1.15.0\npreload: {libraries: [pgaudit]}\n\
                        audit: {classes: [read, write]}\ntargets: [{name: a, deployment: opt/kasm/1.15.0}]\n";

/// Returns a sandbox with a deployment of a release.
fn tree(release: &str, image: &str) -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    let from = sandbox.target("existing").join("docker/docker-compose.yaml");
    let text =
        fs::read_to_string(from).unwrap().replace("1.11.0", release).replace("postgres:12-alpine", image);
    let tree = sandbox.root().join("opt/kasm").join(release);
    lay_out(&tree, &text);
    fs::write(sandbox.root().join("kasm-db.yaml"), DOCUMENT.replace("1.15.0", release)).unwrap();
    sandbox
}

/// Lays out a deployment with this compose file, and with the scripts that the path calls.
pub(crate) fn lay_out(tree: &Path, compose: &str) {
    for folder in ["docker", "conf/database", "bin/utils"] {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    fs::write(tree.join("docker/docker-compose.yaml"), compose).unwrap();
    fs::write(tree.join("conf/database/postgresql.conf"), "#shared_preload_libraries = ''\n").unwrap();
    for script in ["start", "stop", "utils/db_backup", "utils/db_restore", "utils/db_upgrade"] {
        fs::write(tree.join("bin").join(script), "#!/bin/bash\n").unwrap();
    }
}

#[test]
fn the_path_to_a_release_applies_the_document_to_the_installer_before_the_dump_is_restored() {
    let sandbox = tree("1.15.0", "postgres:12-alpine");
    let before = sandbox.contents(sandbox.root());
    insta::assert_snapshot!("upgrade_plan_release", sandbox.run("upgrade-plan --to 1.16.0").expect(0).stdout);
    assert_eq!(sandbox.contents(sandbox.root()), before, "it writes nothing");
    let run = sandbox.run("upgrade-plan --to 1.16.0 --format json").expect(0);
    let value: Value = serde_json::from_slice(&run.bytes).unwrap();
    let target = &value["targets"][0];
    assert_eq!(
        (&target["upgrades"], &target["to"]["postgres_major"]),
        (&"kasm_release".into(), &"14".into())
    );
    let titles = target["steps"].as_array().unwrap().iter().map(|step| step["title"].as_str().unwrap());
    let place = |text: &str| titles.clone().position(|title| title.starts_with(text)).unwrap();
    assert!(place("Apply the document") < place("Upgrade with"));
    assert_eq!(place("Verify"), titles.clone().count() - 1);
    assert!(!run.stdout.contains("dummy-db-password"));
}

#[test]
fn a_tree_that_is_installed_already_gets_its_files_before_its_database_is_restored() {
    let sandbox = tree("1.15.0", "postgres:12-alpine");
    lay_out(&sandbox.root().join("opt/kasm/1.16.0"), "services: {}\n");
    insta::assert_snapshot!(
        "upgrade_plan_installed",
        sandbox.run("upgrade-plan --format markdown").expect(0).stdout
    );
}

#[test]
fn the_path_to_a_postgresql_major_makes_a_volume_and_keeps_the_old_one() {
    let sandbox = tree("1.15.0", "postgres:12-alpine");
    sandbox.edit(&sandbox.root().join("kasm-db.yaml"), "kasmweb/postgres:1.15.0", "postgres:16-alpine");
    insta::assert_snapshot!("upgrade_plan_major", sandbox.run("upgrade-plan").expect(0).stdout);
}

#[test]
fn nothing_to_upgrade_to_and_targets_that_cannot_be_upgraded_are_errors() {
    let sandbox = tree("1.15.0", "postgres:12-alpine");
    let says = |arguments: &str, text: &str| {
        let run = sandbox.run(arguments).expect(64);
        assert!(run.stderr.contains(text), "{}", run.stderr);
    };
    says("upgrade-plan", "the document asks for no upgrade");
    says("upgrade-plan --to 1.15.0", "is Kasm 1.15.0 already");
    for to in ["a/b", "latest", "1.16", "1.16.0-rolling"] {
        says(&format!("upgrade-plan --to {to}"), "not a Kasm release");
    }
    says("upgrade-plan --to 1.14.0", "is Kasm 1.15.0, which is later than 1.14.0");
    let document = fs::File::open(sandbox.root().join("kasm-db.yaml")).unwrap();
    let mut command = sandbox.command(PROGRAM);
    let run = sandbox
        .finish(command.args(["upgrade-plan", "-f", "-", "--to", "1.16.0"]).stdin(document))
        .expect(64);
    assert!(run.stderr.contains("the document is standard input"), "{}", run.stderr);
    says("upgrade-plan --installer opt/kasm/1.15.0 --to 1.16.0", "only a deployment can be upgraded");
}

#[test]
fn a_rolling_image_of_the_same_release_is_no_upgrade() {
    let sandbox = tree("1.15.0", "kasmweb/postgres:1.15.0");
    sandbox.edit(&sandbox.root().join("kasm-db.yaml"), "postgres:1.15.0", "postgres:1.15.0-rolling");
    let run = sandbox.run("upgrade-plan").expect(64);
    assert!(run.stderr.contains("the document asks for no upgrade"), "{}", run.stderr);
}

#[test]
fn a_tree_without_the_scripts_of_the_path_has_none() {
    let sandbox = tree("1.15.0", "postgres:12-alpine");
    let root = sandbox.root().join("opt/kasm");
    fs::remove_file(root.join("1.15.0/bin/utils/db_backup")).unwrap();
    let run = sandbox.run("upgrade-plan --to 1.16.0").expect(1);
    assert!(run.stderr.contains("1.15.0: bin/utils/db_backup is not there"), "{}", run.stderr);
    fs::rename(root.join("1.15.0"), root.join("kasm")).unwrap();
    let run = sandbox.run("upgrade-plan --to 1.16.0 --deployment opt/kasm/kasm").expect(1);
    assert!(run.stderr.contains("kasm is not named by its release"), "{}", run.stderr);
    fs::write(
        root.join("kasm/docker/docker-compose.yaml"),
        "services: {kasm_api: {image: 'kasmweb/api:1.15.0'}}\n",
    )
    .unwrap();
    let run = sandbox.run("upgrade-plan --to 1.16.0 --deployment opt/kasm/kasm").expect(1);
    assert!(run.stderr.contains("no compose file has a database service"), "{}", run.stderr);
}

#[test]
fn a_copy_of_a_hosts_files_gets_the_paths_of_the_host() {
    let sandbox = tree("1.15.0", "postgres:12-alpine");
    let root = sandbox.root().display();
    let run = sandbox
        .run(&format!("upgrade-plan --root {root} --deployment /opt/kasm/1.15.0 --to 1.16.0"))
        .expect(0);
    assert!(run.stdout.contains("sudo /opt/kasm/1.15.0/bin/stop\n"), "{}", run.stdout);
    assert!(!run.stdout.contains("[ROOT]"), "{}", run.stdout);
}

#[test]
fn the_trees_of_real_releases_have_a_path() {
    let Some(corpus) = testing::folder_from("KASM_DB_CORPUS") else {
        eprintln!("KASM_DB_CORPUS is not set: no real trees");
        return;
    };
    for (release, to, majors) in [("1.12.0", "1.16.0", ("12", "14")), ("1.16.0", "1.19.0", ("14", "16"))] {
        let sandbox = Sandbox::new(PROGRAM);
        let tree = sandbox.root().join("opt/kasm").join(release);
        let from = corpus.join("kasm").join(release);
        lay_out(&tree, &fs::read_to_string(from.join("docker/docker-compose-all.yaml")).unwrap());
        let document = DOCUMENT.replace("1.15.0", release);
        fs::write(sandbox.root().join("kasm-db.yaml"), document).unwrap();
        let run = sandbox.run(&format!("upgrade-plan --to {to} --format json")).expect(0);
        let value: Value = serde_json::from_slice(&run.bytes).unwrap();
        let target = &value["targets"][0];
        assert_eq!(target["from"]["kasm_release"], release, "{value}");
        let major = |side: &str| target[side]["postgres_major"].as_str().unwrap().to_string();
        assert_eq!((major("from").as_str(), major("to").as_str()), majors);
        assert!(run.stdout.contains("docker exec kasm_db pg_dumpall"), "{}", run.stdout);
        assert!(run.stdout.contains(&format!("kasm_db_{release}")), "{}", run.stdout);
    }
}
