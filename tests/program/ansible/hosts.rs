//! Three hosts of our own, which Ansible reaches by SSH: `scripts/long ansible` runs these tests.
//!
//! Each has a network namespace and, for each connection, a mount namespace, in which the same path is another folder. There is
//! no server that listens: the way to a host is a command that runs `sshd -i`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use testing::{Run, copy, repository};

use super::playbooks::{Controller, ansible, recap};
use crate::PROGRAM;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// The files of a host that a playbook changes.
const CONF: &str = "opt/kasm/1.11.0/conf/database/postgresql.conf";

/// The hosts; their namespaces go when it is dropped.
struct Hosts {
    controller: Controller,
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for name in NAMES {
            let _ = Command::new("ip").args(["netns", "delete", &namespace(name)]).status();
        }
    }
}

fn namespace(name: &str) -> String {
    format!("kasm-db-{}-{name}", std::process::id())
}

#[track_caller]
fn run(command: &str, arguments: &[&str]) {
    let status =
        Command::new(command).args(arguments).status().unwrap_or_else(|why| panic!("{command}: {why}"));
    assert!(status.success(), "{command} {arguments:?}");
}

impl Hosts {
    /// Starts the hosts, as root and with `sshd`.
    fn new(controller: Controller) -> Self {
        let hosts = Self { controller };
        let root = hosts.controller.sandbox.root().display().to_string();
        for key in ["host_key", "user_key"] {
            run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &format!("{root}/{key}")]);
        }
        let config = format!(
            "HostKey {root}/host_key\nAuthorizedKeysFile {root}/user_key.pub\nStrictModes no\nUsePAM no\nPidFile none\n\
             PermitRootLogin yes\nSubsystem sftp internal-sftp\n"
        );
        fs::write(hosts.controller.at("sshd_config"), config).unwrap();
        fs::create_dir(hosts.controller.at("host")).unwrap();
        let mut inventory = format!(
            "all:\n  vars:\n    ansible_user: root\n    ansible_python_interpreter: {python}\n    ansible_remote_tmp: {root}/host/tmp\n    \
             kasm_db_config: {root}/host/etc/kasm-db.yaml\n    kasm_db_program: {PROGRAM}\n    kasm_db_document:\n      \
             schema: kasm-db/v1\n      image: kasmweb/postgres:1.11.0\n      preload: {{libraries: [pgaudit]}}\n      \
             audit: {{classes: [read, write, ddl]}}\n      targets: [{{name: current, deployment: {root}/host/opt/kasm/current}}]\n  \
             children:\n    kasm_db:\n      hosts:\n",
            python = hosts.python(),
        );
        for name in NAMES {
            copy(&repository().join("examples/existing"), &hosts.controller.at(name));
            run("ip", &["netns", "add", &namespace(name)]);
            let script = format!(
                "#!/bin/sh\nexec ip netns exec {namespace} unshare -m --propagation private sh -c '\n\
                 mount --bind {root}/{name} {root}/host && mount -t tmpfs none /run && mkdir -m 755 /run/sshd && \
                 exec /usr/sbin/sshd -i -f {root}/sshd_config'\n",
                namespace = namespace(name),
            );
            let path = hosts.controller.at(&format!("to-{name}"));
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            inventory.push_str(&format!(
                "        {name}:\n          ansible_ssh_common_args: >-\n            -F /dev/null -i {root}/user_key -o BatchMode=yes \
                 -o StrictHostKeyChecking=no\n            -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ProxyCommand={root}/to-{name}\n"
            ));
        }
        // One of them gets the program from the controller.
        inventory = inventory.replacen(
            "        c:\n",
            &format!(
                "        c:\n          kasm_db_binary: {PROGRAM}\n          kasm_db_program: {root}/host/bin/kasm-db\n"
            ),
            1,
        );
        fs::create_dir(hosts.controller.at("c/bin")).unwrap();
        fs::write(hosts.controller.at("inventory.yml"), inventory).unwrap();
        hosts
    }

    /// Returns the Python that Ansible itself runs with.
    fn python(&self) -> String {
        let found = self.controller.run(self.controller.sandbox.root(), "ansible --version").expect(0);
        let line = found.stdout.lines().find(|line| line.contains("python version")).unwrap();
        line.rsplit('(').next().unwrap().trim_end_matches(')').to_string()
    }

    fn conf(&self, name: &str) -> String {
        fs::read_to_string(self.controller.at(name).join(CONF)).unwrap()
    }

    fn is_applied(&self, name: &str) -> bool {
        self.conf(name).contains("\npgaudit.log = 'read, write, ddl'")
    }
}

/// Returns how many tasks of each host changed something, and how many failed.
#[track_caller]
fn recaps(run: &Run) -> [(bool, usize); 3] {
    NAMES.map(|name| {
        (recap(run, &format!("{name} "), "changed") > 0, recap(run, &format!("{name} "), "failed"))
    })
}

#[test]
fn of_three_hosts_the_broken_one_fails_and_the_others_are_done() {
    if std::env::var_os("KASM_DB_ANSIBLE_HOSTS").is_none() {
        println!("not run: `scripts/long ansible` runs it, as root");
        return;
    }
    let hosts = Hosts::new(Controller::new(ansible().expect("Ansible is needed")));
    let play = |arguments: &str| hosts.controller.play(arguments);
    let applied = || NAMES.map(|name| hosts.is_applied(name));

    let plan = play("kasm.db.plan --forks 3").expect(0);
    assert_eq!(plan.stdout.matches("+pgaudit.log = 'read, write, ddl'").count(), 2, "{plan}");
    // Nothing can be planned where the program is not there yet.
    assert!(plan.stdout.contains("host/bin/kasm-db would be installed now"), "{plan}");
    assert_eq!(applied(), [false; 3]);

    // The data of this one are of another major than the declared image.
    let compose = hosts.controller.at("b/opt/kasm/1.11.0/docker/docker-compose.yaml");
    hosts.controller.sandbox.edit(&compose, "postgres:12-alpine", "postgres:14-alpine");
    // One after the other, and it ends at the first that fails.
    let stopped = play("kasm.db.apply").expect(2);
    assert_eq!(applied(), [true, false, false], "{stopped}");
    assert!(stopped.stdout.contains("[KDB501]") && stopped.stdout.contains("nothing changed"), "{stopped}");
    assert!(!stopped.stdout.lines().any(|line| line.starts_with("c ")), "{stopped}");
    let rolled = play("kasm.db.apply -e kasm_db_serial=2 -e kasm_db_max_fail_percentage=60").expect(2);
    assert_eq!(recaps(&rolled), [(false, 0), (false, 1), (true, 0)], "{rolled}");
    assert_eq!(applied(), [true, false, true], "{rolled}");

    hosts.controller.sandbox.edit(&compose, "postgres:14-alpine", "postgres:12-alpine");
    let fixed = play("kasm.db.apply -e kasm_db_serial=3").expect(0);
    assert_eq!(recaps(&fixed), [(false, 0), (true, 0), (false, 0)], "{fixed}");
    let again = play("kasm.db.apply -e kasm_db_serial=3").expect(0);
    assert_eq!(recaps(&again), [(false, 0); 3], "{again}");

    hosts.controller.sandbox.edit(&hosts.controller.at("a").join(CONF), "'read, write, ddl'", "'none'");
    let drift = play("kasm.db.drift").expect(2);
    assert_eq!(recaps(&drift), [(true, 1), (false, 0), (false, 0)], "{drift}");
    assert!(drift.stdout.contains("-pgaudit.log = 'none'\n+pgaudit.log = 'read, write, ddl'\n"), "{drift}");
}
