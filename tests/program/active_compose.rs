//! The active compose file of a deployment decides whether it has a database. Copies under docker/.conf never do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use testing::Sandbox;

use crate::PROGRAM;

/// Expects that nothing is planned, applied or imported, and that it is said why.
#[track_caller]
fn refuses(sandbox: &Sandbox, code: i32, says: &str) {
    let before = sandbox.seen(&sandbox.target("existing"));
    for command in ["plan", "apply -y"] {
        let run = sandbox.run(&format!("-f examples/existing/kasm-db.yaml {command}")).expect(code);
        assert!(run.stderr.contains(says) && run.stdout.contains("Refused"), "{command}: {run}");
    }
    let run =
        sandbox.run("--deployment examples/existing/opt/kasm/current import -o imported.yaml").expect(code);
    assert!(run.stderr.contains(says) && !sandbox.root().join("imported.yaml").exists(), "{run}");
    assert!(sandbox.seen(&sandbox.target("existing")) == before);
}

#[test]
fn a_database_service_that_was_renamed_in_the_active_file_is_not_looked_for_in_the_copies() {
    let sandbox = Sandbox::new(PROGRAM);
    let compose = sandbox.target("existing").join("docker/docker-compose.yaml");
    sandbox.edit(&compose, "  db:", "  database:");
    sandbox.edit(&compose, "container_name: kasm_db", "container_name: kasm_database");
    refuses(&sandbox, 4, "no database container here: Compose runs docker/docker-compose.yaml");
}

#[test]
fn a_host_of_the_role_app_has_no_database() {
    let sandbox = Sandbox::new(PROGRAM);
    let tree = sandbox.target("existing");
    std::fs::copy(tree.join("docker/.conf/docker-compose-app.yaml"), tree.join("docker/docker-compose.yaml"))
        .unwrap();
    refuses(&sandbox, 4, "hosts with the app, agent or proxy role have none");
    std::fs::remove_file(tree.join("conf/database/postgresql.conf")).unwrap();
    refuses(&sandbox, 4, "no database container here");
}

#[test]
fn copies_without_an_active_compose_file_are_not_a_deployment() {
    let sandbox = Sandbox::new(PROGRAM);
    std::fs::remove_file(sandbox.target("existing").join("docker/docker-compose.yaml")).unwrap();
    refuses(&sandbox, 1, "no docker/docker-compose.yaml below the deployment");
}

#[test]
fn a_database_that_only_the_override_file_brings_is_one() {
    let sandbox = Sandbox::new(PROGRAM);
    let tree = sandbox.target("existing");
    let whole = tree.join("docker/docker-compose.yaml");
    let app = std::fs::read(tree.join("docker/.conf/docker-compose-app.yaml")).unwrap();
    std::fs::rename(&whole, tree.join("docker/docker-compose.override.yaml")).unwrap();
    std::fs::write(whole, app).unwrap();
    let run = sandbox.run("-f examples/existing/kasm-db.yaml plan").expect(0);
    assert!(run.stdout.contains("docker/docker-compose.override.yaml"), "{run}");
}
