//! The module of Ansible: the options of a task in, one JSON object out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]

mod hosts;
mod playbooks;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use insta::assert_snapshot;
use serde_json::{Value, json};
use testing::{Sandbox, Seen};

use crate::PROGRAM;
use crate::recovery::Case;

const COMPOSE: &str = "services:\n  db:\n    container_name: kasm_db\n    image: postgres:14-alpine\n    environment:\n      \
                       POSTGRES_PASSWORD: hunter2\n";
const CONF: &str = "# hunter2\nwork_mem = 4MB\nprimary_conninfo = 'password=hunter2'\n";

/// A small target, the file with the options of a task beside it.
struct Host(Sandbox);

impl Host {
    fn new() -> Self {
        let sandbox = Sandbox::new(PROGRAM);
        let folder = sandbox.root().join("kasm");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("compose.yaml"), COMPOSE).unwrap();
        fs::write(folder.join("postgresql.conf"), CONF).unwrap();
        Self(sandbox)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.root().join(path)
    }

    /// Returns a document for the target.
    fn document(&self) -> Value {
        json!({
            "schema": "kasm-db/v1",
            "image": "postgres:14.5",
            "settings": {"work_mem": "8MB"},
            "ignore": ["mutable-tag", "no-digest"],
            "targets": [{
                "name": "a",
                "files": {"compose": [self.at("kasm/compose.yaml")], "postgresql_conf": self.at("kasm/postgresql.conf"), "service": "db"},
            }],
        })
    }

    /// Returns the document with commands that stop and start the database and write that down.
    fn restarting(&self, stop: &str, start: &str) -> Value {
        let mut document = self.document();
        for (name, script) in [("stop", stop), ("start", start)] {
            let text = format!("#!/bin/sh\necho {name} >> {}\n{script}\n", self.at("log").display());
            fs::write(self.at(name), text).unwrap();
            fs::set_permissions(self.at(name), Permissions::from_mode(0o755)).unwrap();
        }
        document["restart"] =
            json!({"policy": "if_needed", "stop": [self.at("stop")], "start": [self.at("start")]});
        document["verify"] = json!({"connect": "none"});
        document
    }

    fn run(&self, options: &Value) -> Value {
        self.run_with(options, &[])
    }

    /// Runs a task. The sandbox checks the reply by its schema, and the exit code.
    fn run_with(&self, options: &Value, environment: &[(&str, &str)]) -> Value {
        fs::write(self.at("options.json"), options.to_string()).unwrap();
        let mut command = self.0.command(PROGRAM);
        let run = self.0.finish(command.args(["ansible", "options.json"]).envs(environment.iter().copied()));
        // Ansible may read both streams as one.
        assert_eq!((run.stderr.as_str(), run.stdout.matches('\n').count()), ("", 1), "{run}");
        serde_json::from_str(&run.stdout).unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.at("log")).unwrap_or_default()
    }

    fn seen(&self) -> BTreeMap<PathBuf, Seen> {
        self.0.seen(&self.at("kasm"))
    }
}

#[track_caller]
fn members(reply: &Value, wanted: &Value) {
    let found: Value =
        wanted.as_object().unwrap().keys().map(|name| (name.clone(), reply[name].clone())).collect();
    assert_eq!(found, *wanted, "{reply:#}");
}

fn pretty(reply: &Value) -> String {
    serde_json::to_string_pretty(reply).unwrap()
}

#[test]
fn check_mode_replies_what_a_real_run_does_and_writes_nothing() {
    let host = Host::new();
    let before = host.seen();
    let options = json!({"document": host.document(), "_ansible_check_mode": true, "_ansible_diff": true});
    let checked = host.run(&options);
    assert_eq!(host.seen(), before);
    assert_snapshot!("ansible-check", pretty(&checked));
    let applied = host.run(&json!({"document": host.document(), "message": "why", "_ansible_diff": true}));
    assert_snapshot!("ansible-present", pretty(&applied));
    for name in ["changed", "failed", "diff", "needs", "plan"] {
        assert_eq!(checked[name], applied[name], "{name}");
    }
    // Without `--diff` there is no diff, and the second run changes nothing.
    let before = host.seen();
    for check in [true, false] {
        let again = host.run(&json!({"document": host.document(), "_ansible_check_mode": check}));
        members(
            &again,
            &json!({"changed": false, "failed": false, "needs": "none", "diff": null, "exit_code": 0}),
        );
    }
    assert_eq!(host.seen(), before);
    let history = host.0.run(&format!("history -v --deployment {}", host.at("kasm").display())).expect(0);
    assert!(history.stdout.contains("why\n") && history.stdout.contains("from <document>"), "{history}");
}

#[test]
fn a_plan_is_a_change_and_writes_nothing_whatever_the_mode() {
    let host = Host::new();
    let before = host.seen();
    for check in [true, false] {
        let options = json!({"document": host.document(), "state": "planned", "_ansible_check_mode": check});
        let reply = host.run(&options);
        members(&reply, &json!({"changed": true, "failed": false, "outcome": "differences", "exit_code": 2}));
        assert_eq!(reply["plan"][0]["managed"].as_array().unwrap().len(), 2);
    }
    assert_eq!(host.seen(), before);
}

#[test]
fn everything_that_is_wrong_with_the_options_is_said_at_once() {
    let host = Host::new();
    let reply = host.run(&json!({
        "config": "kasm-db.yaml", "document": {"extends": "x"}, "targets": "a", "target": 5, "root": "rel", "state": "absent",
        "allow": ["major-chang", "nonsense"], "restart": true, "message": " ", "show_secrets": "yes", "_ansible_of_later": 1,
    }));
    members(
        &reply,
        &json!({"changed": false, "failed": true, "outcome": "usage", "exit_code": 64, "plan": []}),
    );
    assert_snapshot!(reply["msg"].as_str().unwrap());
    let reply = host.run(&json!({"_ansible_diff": true}));
    assert!(
        reply["msg"].as_str().unwrap().starts_with("one of the options `config` and `document` is required")
    );
    let unknown = json!({"document": host.document(), "later": 1, "_ansible_ignore_unknown_opts": true, "show_secrets": false});
    members(&host.run(&unknown), &json!({"failed": false}));
}

#[test]
fn a_file_that_is_not_from_ansible_is_not_quoted() {
    let host = Host::new();
    for text in ["hunter2", "[\"hunter2\"]", "{\"hunter2", ""] {
        fs::write(host.at("other.json"), text).unwrap();
        let run = host.0.run("ansible other.json").expect(64);
        assert!(run.stdout.contains("not a JSON object") && !run.stdout.contains("hunter2"), "{run}");
    }
    let run = host.0.run("ansible nowhere.json").expect(1);
    assert!(
        run.stdout.contains("nowhere.json: cannot read the arguments of the module: no such file"),
        "{run}"
    );
    host.0.run("ansible").expect(64);
    host.0.run("ansible other.json --show-secrets").expect(64);
    host.0.run("ansible other.json --allow major-change").expect(64);
}

#[test]
fn what_the_environment_says_of_documents_and_targets_does_not_hold() {
    let host = Host::new();
    let environment = [
        ("KASM_DB_FILE", "/nowhere"),
        ("KASM_DB_TARGET", "nobody"),
        ("KASM_DB_ROOT", "/nowhere"),
        ("KASM_DB_FORMAT", "patch"),
        ("KASM_DB_COLOR", "always"),
    ];
    let reply = host.run_with(&json!({"document": host.document(), "target": "a"}), &environment);
    members(&reply, &json!({"changed": true, "failed": false}));
}

#[test]
fn a_failure_tells_what_is_wrong_what_to_do_and_what_holds() {
    let host = Host::new();
    let before = host.seen();
    let stories = |document: &dyn Fn(&mut Value)| {
        let mut changed = host.document();
        document(&mut changed);
        let reply = host.run(&json!({"document": changed, "_ansible_diff": true}));
        assert_eq!((&reply["failed"], &reply["changed"]), (&json!(true), &json!(false)), "{reply:#}");
        reply["msg"].as_str().unwrap().to_string()
    };
    let mut all = vec![
        stories(&|document| document["image"] = json!("postgres:15.2")),
        stories(&|document| document["settings"] = json!({"work_mem": "8XB", "wrk_mem": 1})),
        stories(&|document| document["targets"][0]["files"]["compose"] = json!([host.at("kasm/gone.yaml")])),
    ];
    let config = host.run(&json!({"config": host.at("gone.yaml")}));
    all.push(config["msg"].as_str().unwrap().to_string());
    let held = fs::File::open(host.at("kasm")).unwrap();
    held.lock().unwrap();
    let mine = std::process::id().to_string();
    all.push(stories(&|_| {}).replace(&mine, "[PID]"));
    drop(held);
    assert_eq!(host.seen(), before);
    assert_snapshot!(all.join("\n--\n"));
}

#[test]
fn what_is_allowed_does_not_block() {
    let host = Host::new();
    let mut document = host.document();
    document["image"] = json!("postgres:15.2");
    let reply =
        host.run(&json!({"document": document, "allow": "major-change", "_ansible_check_mode": true}));
    members(&reply, &json!({"changed": true, "failed": false, "needs": "recreate"}));
}

#[test]
fn a_restart_that_is_left_is_pending_and_a_later_task_continues_with_it() {
    let host = Host::new();
    let document = host.restarting("", "");
    let reply = host.run(&json!({"document": document, "restart": "never"}));
    members(
        &reply,
        &json!({"changed": true, "failed": false, "needs": "recreate", "pending": "stop", "exit_code": 9}),
    );
    assert_eq!(host.log(), "");
    // Nobody restarts, so nothing changes; a task that may restart would.
    let left = host.run(&json!({"document": document, "restart": "never"}));
    members(&left, &json!({"changed": false, "failed": false, "needs": "restart", "pending": "stop"}));
    for (restart, changed) in [("never", false), ("if_needed", true)] {
        let options = json!({"document": document, "restart": restart, "_ansible_check_mode": true});
        members(&host.run(&options), &json!({"changed": changed, "failed": false, "pending": "stop"}));
    }
    assert_eq!(host.log(), "");
    let reply = host.run(&json!({"document": document}));
    members(
        &reply,
        &json!({"changed": true, "failed": false, "needs": "none", "pending": null, "exit_code": 0}),
    );
    assert_eq!(reply["apply"][0]["followed"], json!(["stop", "start"]));
    assert_eq!(host.log(), "stop\nstart\n");
    members(&host.run(&json!({"document": document})), &json!({"changed": false, "pending": null}));
}

#[test]
fn the_task_decides_on_a_restart_before_the_document_does() {
    let host = Host::new();
    let mut document = host.restarting("", "");
    document["restart"]["policy"] = json!("never");
    let reply = host.run(&json!({"document": document}));
    members(&reply, &json!({"changed": true, "failed": false, "needs": "recreate", "pending": null}));
    assert_eq!(host.log(), "");
    let host = Host::new();
    let mut document = host.restarting("", "");
    document["restart"]["policy"] = json!("never");
    let reply = host.run(&json!({"document": document, "restart": "if_needed"}));
    members(&reply, &json!({"changed": true, "failed": false, "needs": "none", "pending": null}));
    assert_eq!(host.log(), "stop\nstart\n");
}

#[test]
fn a_step_that_fails_after_the_files_is_a_failure_that_says_so() {
    let host = Host::new();
    let mut document = host.restarting("echo hunter2 is wrong; exit 3", "");
    // The password of the database stands in the document, too, where it is not taken for one.
    document["settings"]["application_name"] = json!("hunter2");
    let reply = host.run(&json!({"document": document, "_ansible_diff": true}));
    assert!(reply["plan"][0]["changes"].to_string().contains("application_name"), "{reply:#}");
    assert!(!reply.to_string().contains("hunter2"), "{reply:#}");
    members(
        &reply,
        &json!({"changed": true, "failed": true, "needs": "recreate", "pending": "stop", "outcome": "unfinished"}),
    );
    let told = reply["msg"].as_str().unwrap();
    assert!(told.ends_with("files applied, what follows is not done") && told.contains("stop"), "{told}");
    // The document is fixed, and the next task continues.
    let document = host.restarting("", "");
    let reply = host.run(&json!({"document": document}));
    members(&reply, &json!({"changed": true, "failed": false, "pending": null}));
}

#[test]
fn a_run_that_stops_between_two_targets_says_which_are_written() {
    let host = Host::new();
    let second = host.at("second");
    fs::create_dir(&second).unwrap();
    fs::write(second.join("postgresql.conf"), CONF).unwrap();
    let mut document = host.restarting("exit 3", "");
    document["targets"].as_array_mut().unwrap().push(json!({
        "name": "b", "files": {"postgresql_conf": second.join("postgresql.conf")},
    }));
    let reply = host.run(&json!({"document": document}));
    members(&reply, &json!({"changed": true, "failed": true, "outcome": "partly_applied", "exit_code": 10}));
    let ends: Vec<_> =
        reply["apply"].as_array().unwrap().iter().map(|row| row["end"].as_str().unwrap()).collect();
    assert_eq!(ends, ["applied", "not_started"]);
    let told = reply["msg"].as_str().unwrap();
    assert!(told.ends_with("partly applied: some targets are written, others are not"), "{told}");
    assert_eq!(fs::read_to_string(second.join("postgresql.conf")).unwrap(), CONF);
}

#[test]
fn an_interrupted_apply_is_recovered_by_a_real_run_alone() {
    let case = Case::killed(2);
    let sandbox = &case.sandbox;
    let options = |check: bool| {
        let options = json!({"config": sandbox.document("existing"), "_ansible_check_mode": check});
        fs::write(sandbox.root().join("options.json"), options.to_string()).unwrap();
        let run = sandbox.run("ansible options.json");
        serde_json::from_str::<Value>(&run.stdout).unwrap()
    };
    let before = sandbox.seen(&sandbox.target("existing"));
    let checked = options(true);
    members(&checked, &json!({"changed": false, "failed": true, "outcome": "recovery_pending"}));
    assert!(checked["msg"].as_str().unwrap().contains("an interrupted apply is here"), "{checked:#}");
    assert_eq!(sandbox.seen(&sandbox.target("existing")), before);
    let real = options(false);
    members(&real, &json!({"changed": true, "failed": false, "outcome": "done"}));
    assert_eq!(real["apply"][0]["recovered"], "finished");
    members(&options(false), &json!({"changed": false, "failed": false}));
}

#[test]
fn a_server_that_is_not_as_declared_is_a_failure() {
    let host = Host::new();
    let docker = host.at("bin/docker");
    fs::create_dir(host.at("bin")).unwrap();
    fs::write(&docker, "#!/bin/sh\necho changed failed hunter2 is wrong >&2\nexit 1\n").unwrap();
    fs::set_permissions(&docker, Permissions::from_mode(0o755)).unwrap();
    // Names of members and of states must stay what they are, whatever the password is.
    let compose = COMPOSE.replace("hunter2", "failed");
    fs::write(host.at("kasm/compose.yaml"), compose).unwrap();
    let path = format!("{}:/usr/bin:/bin", host.at("bin").display());
    for check in [false, true] {
        let options = json!({"document": host.document(), "state": "verified", "_ansible_check_mode": check});
        let reply = host.run_with(&options, &[("PATH", &path)]);
        members(&reply, &json!({"changed": false, "failed": true, "outcome": "unfinished", "exit_code": 9}));
        assert!(reply["msg"].as_str().unwrap().contains("changed <hidden> hunter2 is wrong"), "{reply:#}");
        assert_eq!(reply["verify"][0]["checks"][0]["result"], "fail");
    }
    let mut nobody = host.document();
    nobody["verify"] = json!({"connect": "none"});
    let reply = host.run(&json!({"document": nobody, "state": "verified"}));
    members(&reply, &json!({"changed": false, "failed": false, "exit_code": 0}));
}

#[test]
fn a_program_that_breaks_still_replies() {
    let host = Host::new();
    let reply = host.run_with(&json!({"document": host.document()}), &[("KASM_DB_TEST_PANIC", "hunter2")]);
    members(&reply, &json!({"changed": false, "failed": true, "outcome": "failed", "exit_code": 1}));
    let told = reply["msg"].as_str().unwrap();
    assert!(told.starts_with("kasm-db broke: this is a bug in it") && !told.contains("hunter2"), "{told}");
}
