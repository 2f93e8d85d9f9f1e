//! Settings that wait for a restart of a real server, and that were once taken for faults of its files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a test says what it could not look at")]

use std::fs::{read_to_string, set_permissions, write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use testing::postgres::{Cluster, Installation, Server};
use testing::{Memory, Run, Sandbox};

use crate::PROGRAM;
use crate::found::on;

const MAJOR: u16 = 15;

/// A server whose conf the document of the sandbox manages.
struct Bed {
    sandbox: Sandbox,
    cluster: Cluster,
}

impl Bed {
    /// Makes it with this conf and document; `None` if there is no PostgreSQL.
    fn new(conf: &str, document: &str) -> Option<Self> {
        let Some(installation) = Installation::find(MAJOR) else {
            let missing = "PostgreSQL 15 with pgaudit is not installed";
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing}");
            eprintln!("{missing}");
            return None;
        };
        let sandbox = Sandbox::new(PROGRAM);
        // The server runs as another user, who must get to its folder.
        set_permissions(sandbox.root(), PermissionsExt::from_mode(0o755)).unwrap();
        let cluster = Cluster::create(&installation, &sandbox.root().join("server"));
        cluster.stage(&Memory([("postgresql.conf".to_string(), conf.as_bytes().to_vec())].into()));
        write(sandbox.root().join("kasm-db.yaml"), document).unwrap();
        Some(Self { sandbox, cluster })
    }

    fn start(&self) -> Server<'_> {
        let arguments = ["-c", "logging_collector=on"].map(String::from);
        let mut server = self.cluster.start(&arguments).unwrap_or_else(|why| panic!("{why:#?}"));
        server.client().query("CREATE EXTENSION IF NOT EXISTS pgaudit").unwrap();
        server
    }

    fn conf(&self) -> String {
        read_to_string(self.cluster.conf().join("postgresql.conf")).unwrap()
    }

    /// Changes the conf in place, as an editor does that keeps the inode.
    fn edit(&self, from: &str, to: &str) {
        let conf = self.conf();
        assert!(conf.contains(from), "{from:?} is not in\n{conf}");
        write(self.cluster.conf().join("postgresql.conf"), conf.replace(from, to)).unwrap();
    }

    fn run(&self, arguments: &str) -> Run {
        let mut command = self.sandbox.command(PROGRAM);
        command.args(arguments.split_whitespace());
        command.env("PGHOST", self.sandbox.root().join("server")).env("PGSSLMODE", "disable");
        self.sandbox.finish(&mut command)
    }

    /// Expects that a restart is pending for this setting, and that nothing else is wrong.
    #[track_caller]
    fn waits(&self, setting: &str) {
        let run = self.run("verify --no-probe").expect(9);
        assert!(run.stdout.contains("[KDB708]") && run.stdout.contains(setting), "{run}");
        assert!(!run.stdout.contains("[KDB705]") && !run.stdout.contains("pg_reload_conf"), "{run}");
    }
}

/// Lets the server read its files, and waits until this session has them.
fn reload(server: &mut Server<'_>) {
    let client = server.client();
    let before = client.value("SELECT pg_conf_load_time()").unwrap();
    client.query("SELECT pg_reload_conf()").unwrap();
    while client.value("SELECT pg_conf_load_time()").unwrap() == before {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Reads a file of a folder, for a server of the test's own.
fn adapted(folder: &Path, name: &str) -> String {
    let text = read_to_string(folder.join(name)).unwrap();
    let lines = text.lines().filter(|line| {
        !line.contains("/srv/live") && !line.starts_with("port") && !line.starts_with("listen_addresses")
    });
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_setting_that_is_unset_waits_for_a_restart() {
    on("verify-unset-restart", |folder| {
        let document = read_to_string(folder.join("kasm-db.yaml")).unwrap();
        let document = document
            .replace("      compose: [docker-compose.yaml]\n", "")
            .replace("conf/postgresql.conf", "server/conf/postgresql.conf")
            .replace("/srv/live/pgstop", "/bin/true")
            .replace("/srv/live/pgstart", "/bin/true")
            .replace("{connect: tcp}", "{connect: tcp, user: postgres, database: postgres}");
        let unset = "unset: [max_connections]\n";
        assert!(document.contains(unset));
        let conf = adapted(folder, "postgresql.conf").replace("#max_connections", "max_connections");
        let Some(bed) = Bed::new(&conf, &document.replace(unset, "")) else { return };
        let mut server = bed.start();
        bed.run("verify --no-probe").expect(0);
        write(bed.sandbox.root().join("kasm-db.yaml"), &document).unwrap();
        bed.run("apply --yes --no-restart").expect(9);
        assert!(bed.conf().contains("#max_connections = 130"), "{}", bed.conf());
        for _ in ["before a reload", "after a reload"] {
            bed.waits("max_connections");
            reload(&mut server);
        }
        drop(server);
        let server = bed.start();
        bed.run("verify --no-probe").expect(0);
        drop(server);
    });
}

#[test]
fn a_setting_that_another_admin_changed_waits_for_a_restart() {
    on("operator-f4", |folder| {
        let script = read_to_string(folder.join("repro.sh")).unwrap();
        let (line, comment) = ("shared_buffers = 200MB", "#shared_buffers = 200MB");
        assert!(script.contains(line));
        let conf = format!("shared_preload_libraries = 'pgaudit'\npgaudit.log = 'read'\n{line}\n");
        let document = "schema: kasm-db/v1\npostgres_major: 15\npreload: {libraries: [pgaudit]}\naudit: {classes: [read]}\n\
                        verify: {connect: tcp, user: postgres, database: postgres}\n\
                        targets: [{name: here, files: {postgresql_conf: server/conf/postgresql.conf}}]\n";
        let Some(bed) = Bed::new(&conf, document) else { return };
        for (from, to) in [(line, comment), (comment, line)] {
            let mut server = bed.start();
            bed.run("verify --no-probe").expect(0);
            bed.edit(from, to);
            for _ in ["before a reload", "after a reload"] {
                bed.waits("shared_buffers");
                reload(&mut server);
            }
        }
    });
}
