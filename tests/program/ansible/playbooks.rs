//! The collection, run by Ansible itself on this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testing::{Run, Sandbox, copy, repository};

use crate::PROGRAM;

/// A password of the example's deployment.
const SECRET: &str = "dummy-db-password";

/// Returns the folder that Ansible is in, which is fetched if it is not there.
pub(super) fn ansible() -> Option<PathBuf> {
    let output = Command::new(repository().join("scripts/get-ansible")).output().unwrap();
    if output.status.success() {
        return Some(String::from_utf8(output.stdout).unwrap().trim().into());
    }
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(std::env::var_os("CI").is_none(), "{why}");
    println!("not run, as Ansible cannot be had: {why}");
    None
}

/// The collection where Ansible finds it, and the example that it manages.
pub(super) struct Controller {
    pub(super) sandbox: Sandbox,
    ansible: PathBuf,
}

impl Controller {
    pub(super) fn new(ansible: PathBuf) -> Self {
        let sandbox = Sandbox::new(PROGRAM);
        let folder = sandbox.root().join("collections/ansible_collections/kasm");
        fs::create_dir_all(&folder).unwrap();
        copy(&repository().join("integrations/ansible"), &folder.join("db"));
        Self { sandbox, ansible }
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.sandbox.root().join(path)
    }

    fn collection(&self) -> PathBuf {
        self.at("collections/ansible_collections/kasm/db")
    }

    /// Runs a program of Ansible.
    pub(super) fn run(&self, folder: &Path, arguments: &str) -> Run {
        let mut words = arguments.split(' ');
        let mut command =
            self.sandbox.command(self.ansible.join("bin").join(words.next().unwrap()).to_str().unwrap());
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .args(words)
            .current_dir(folder)
            .env("PATH", format!("{}:{path}", self.ansible.join("bin").display()))
            .env("PYTHONPATH", &self.ansible)
            .env("HOME", self.sandbox.root())
            .env("LC_ALL", "C.UTF-8")
            .env("ANSIBLE_HOME", self.at("ansible"))
            .env("ANSIBLE_COLLECTIONS_PATH", self.at("collections"))
            .env("ANSIBLE_NOCOLOR", "1")
            // A connection that is kept for long would outlive the test.
            .env("ANSIBLE_SSH_ARGS", "-o ControlMaster=auto -o ControlPersist=5s");
        Run::of(&command.output().unwrap(), self.sandbox.root())
    }

    pub(super) fn play(&self, arguments: &str) -> Run {
        self.run(self.sandbox.root(), &format!("ansible-playbook -i inventory.yml {arguments}"))
    }

    /// Writes an inventory of this machine: the document with an image, and more variables.
    fn inventory(&self, image: &str, more: &str) {
        let text = format!(
            "all:\n  children:\n    kasm_db:\n      hosts:\n        here:\n          ansible_connection: local\n          \
             ansible_python_interpreter: '{{{{ ansible_playbook_python }}}}'\n          kasm_db_program: {PROGRAM}\n          \
             kasm_db_document:\n            schema: kasm-db/v1\n            image: {image}\n            \
             preload: {{libraries: [pgaudit]}}\n            audit: {{classes: [read, write, ddl]}}\n            \
             restart: {{policy: if_needed}}\n            verify: {{connect: none}}\n            \
             targets: [{{name: current, deployment: {target}}}]\n",
            target = self.sandbox.target("existing").display(),
        );
        let more: String = more.lines().map(|line| format!("          {line}\n")).collect();
        fs::write(self.at("inventory.yml"), text + &more).unwrap();
    }

    /// Writes commands that stop and start the example, and write that down.
    fn commands(&self) {
        for name in ["stop", "start"] {
            let path = self.sandbox.target("existing").join("bin").join(name);
            fs::write(path, format!("#!/bin/sh\necho {name} >> {}\n", self.at("log").display())).unwrap();
        }
    }
}

/// Returns a number of the recap of a host: `changed=3`.
#[track_caller]
pub(super) fn recap(run: &Run, host: &str, name: &str) -> usize {
    let line =
        run.stdout.lines().rev().find(|line| line.starts_with(host)).unwrap_or_else(|| panic!("{run}"));
    let number = line.split(&format!("{name}=")).nth(1).unwrap_or_else(|| panic!("{run}"));
    number.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn playbooks_plan_apply_restart_once_and_fail_on_drift() {
    let Some(ansible) = ansible() else { return };
    let controller = Controller::new(ansible);
    controller.commands();
    let sandbox = &controller.sandbox;
    let target = sandbox.target("existing");
    controller.inventory(
        "kasmweb/postgres:1.11.0",
        &format!(
            "kasm_db_config: {}\nkasm_db_message: a ticket\n",
            controller.at("etc/kasm-db.yaml").display()
        ),
    );

    let before = sandbox.seen(&target);
    let plan = controller.play("kasm.db.plan -vvv").expect(0);
    let is_shown = |run: &Run| {
        let lines = [
            "-    image: postgres:12-alpine",
            "+    image: kasmweb/postgres:1.11.0",
            "+pgaudit.log = 'read, write, ddl'",
        ];
        lines.iter().all(|line| run.stdout.contains(line)) && run.stdout.contains("<hidden>")
    };
    assert!(is_shown(&plan) && recap(&plan, "here", "failed") == 0, "{plan}");
    assert_eq!(sandbox.seen(&target), before, "{plan}");
    assert!(!controller.at("etc").exists() && !controller.at("log").exists(), "{plan}");

    let apply = controller.play("kasm.db.apply --diff -vvv").expect(0);
    assert!(is_shown(&apply), "{apply}");
    for run in [&plan, &apply] {
        assert!(!run.to_string().contains(SECRET), "{run}");
    }
    let log = || fs::read_to_string(controller.at("log")).unwrap();
    assert_eq!(log(), "stop\nstart\n", "{apply}");
    let history =
        sandbox.run(&format!("history -v -f {}", controller.at("etc/kasm-db.yaml").display())).expect(0);
    assert!(history.stdout.contains("a ticket"), "{history}");

    let again = controller.play("kasm.db.apply").expect(0);
    assert_eq!((recap(&again, "here", "changed"), recap(&again, "here", "failed")), (0, 0), "{again}");
    assert_eq!(log(), "stop\nstart\n", "{again}");

    let conf = target.join("conf/database/postgresql.conf");
    sandbox.edit(&conf, "pgaudit.log = 'read, write, ddl'", "pgaudit.log = 'none'");
    let before = sandbox.seen(&target);
    let drift = controller.play("kasm.db.drift").expect(2);
    assert!(drift.stdout.contains("-pgaudit.log = 'none'\n+pgaudit.log = 'read, write, ddl'\n"), "{drift}");
    let told =
        "here differs from its document: 1 file would be written; the database must reload its configuration";
    assert!(drift.to_string().contains(told), "{drift}");
    assert_eq!(sandbox.seen(&target), before);
}

#[test]
fn kasm_is_upgraded_with_the_declared_image_and_only_once() {
    let Some(ansible) = ansible() else { return };
    let controller = Controller::new(ansible);
    controller.commands();
    let sandbox = &controller.sandbox;
    let (installer, upgraded) = (sandbox.target("new"), controller.at("upgraded"));
    let conf = installer.join("conf/database/postgresql.conf");
    // The upgrade takes what is in the installer by then.
    let upgrade = format!("[/bin/cp, {}, {}]", conf.display(), upgraded.display());
    controller.inventory(
        "kasmweb/postgres:1.11.0",
        &format!(
            "kasm_db_config: {}\nkasm_db_installer: {}\nkasm_db_upgrade: {upgrade}\nkasm_db_upgrade_creates: {}\n\
             kasm_db_allow: [major-change]\n",
            controller.at("etc/kasm-db.yaml").display(),
            installer.display(),
            upgraded.display(),
        ),
    );
    let first = controller.play("kasm.db.upgrade").expect(0);
    assert!(fs::read_to_string(&upgraded).unwrap().contains("\npgaudit.log = 'read, write, ddl'"), "{first}");
    assert!(
        fs::read_to_string(sandbox.target("existing").join("conf/database/postgresql.conf"))
            .unwrap()
            .contains("pgaudit.log = ")
    );
    let again = controller.play("kasm.db.upgrade").expect(0);
    assert_eq!(recap(&again, "here", "changed"), 0, "{again}");
}

#[test]
fn the_collection_is_documented_and_passes_its_linter() {
    let Some(ansible) = ansible() else { return };
    let controller = Controller::new(ansible);
    let lint = controller.run(&controller.collection(), "ansible-lint --offline --nocolor");
    assert!(lint.code == Some(0) && lint.stderr.contains("Passed: 0 failure(s), 0 warning(s)"), "{lint}");
    assert!(lint.stderr.contains("Profile 'production' was required, and it passed"), "{lint}");

    let doc = controller.run(controller.sandbox.root(), "ansible-doc --json kasm.db.kasm_db").expect(0);
    let doc: Value = serde_json::from_str(&doc.stdout).unwrap();
    let doc = &doc["kasm.db.kasm_db"];
    let keys = |value: &Value| {
        let mut keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    // The program lists its options if there is one that it does not know.
    fs::write(controller.at("options.json"), r#"{"zzzzzzzz": 1}"#).unwrap();
    let reply: Value = serde_json::from_str(&controller.sandbox.run("ansible options.json").stdout).unwrap();
    let help = reply["errors"][0]["help"].as_str().unwrap();
    let mut options: Vec<_> = help.strip_prefix("use one of: ").unwrap().split(", ").collect();
    options.sort_unstable();
    assert_eq!(keys(&doc["doc"]["options"]), options);
    for mode in ["check_mode", "diff_mode"] {
        assert_eq!(doc["doc"]["attributes"][mode]["support"], "full");
    }
    // Whatever is documented is in the reply, and what Ansible does not know by itself is documented.
    let own = ["changed", "failed", "diff", "format", "format_version", "kasm_db_version"];
    let reply: Vec<_> = keys(&reply).into_iter().filter(|key| !own.contains(&key.as_str())).collect();
    assert_eq!(keys(&doc["return"]), reply);
}

#[test]
fn the_module_finds_the_program_or_says_that_it_is_missing() {
    let sandbox = Sandbox::new(PROGRAM);
    fs::write(sandbox.root().join("options.json"), "{}").unwrap();
    let module = repository().join("integrations/ansible/plugins/modules/kasm_db");
    let run = |program: &str| {
        let mut command = sandbox.command("/bin/sh");
        let output =
            command.arg(&module).arg("options.json").env("KASM_DB_PROGRAM", program).output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert_eq!(run(PROGRAM)["exit_code"], 64);
    let missing = run("/nowhere/kasm-db");
    assert_eq!(missing["failed"], true);
    assert!(missing["msg"].as_str().unwrap().contains("KASM_DB_PROGRAM"));
}
