//! What kasm-db leaves in the audit log of a server that it reaches by a connection of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a test says what it could not look at")]

use std::fs::{read_to_string, set_permissions, write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use testing::postgres::{Cluster, Installation};
use testing::{Memory, Sandbox};

use crate::PROGRAM;

const CONF: &str = "shared_preload_libraries = 'pgaudit'
pgaudit.log = 'all'
pgaudit.log_catalog = on
pgaudit.log_relation = off
datestyle = 'iso, ymd'
log_filename = 'pg.log'
log_line_prefix = '%m [%p] %u@%d %a '
";

const DOCUMENT: &str = "schema: kasm-db/v1
postgres_major: 15
preload: {libraries: [pgaudit]}
audit: {classes: [all], log_catalog: true, log_relation: false}
settings: {datestyle: 'iso, ymd'}
verify: {connect: tcp, user: postgres, database: postgres}
targets: [{name: here, files: {postgresql_conf: server/conf/postgresql.conf}}]
";

#[test]
fn over_tcp_it_is_no_more_than_through_the_container_whatever_pgappname_says() {
    let Some(installation) = Installation::find(15) else {
        let missing = "PostgreSQL 15 with pgaudit is not installed";
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing}");
        eprintln!("{missing}");
        return;
    };
    let sandbox = Sandbox::new(PROGRAM);
    // The server runs as another user, who must get to its folder.
    set_permissions(sandbox.root(), PermissionsExt::from_mode(0o755)).unwrap();
    let folder = sandbox.root().join("server");
    let cluster = Cluster::create(&installation, &folder).with_own_prefix();
    cluster.stage(&Memory([("postgresql.conf".to_string(), CONF.as_bytes().to_vec())].into()));
    let mut server = cluster.start(&["-c", "logging_collector=on"].map(String::from)).unwrap();
    server.client().query("CREATE EXTENSION pgaudit").unwrap();
    let own = server.client().value("SELECT pg_backend_pid()").unwrap();
    let log = PathBuf::from(server.client().value("SHOW data_directory").unwrap()).join("log/pg.log");
    write(sandbox.root().join("kasm-db.yaml"), DOCUMENT).unwrap();
    for arguments in [vec!["status"], vec!["verify", "--no-probe"], vec!["verify"]] {
        let before = read_to_string(&log).unwrap().len();
        let mut command = sandbox.command(PROGRAM);
        command.args(&arguments).env("PGHOST", &folder).env("PGSSLMODE", "disable").env("PGAPPNAME", "mine");
        let run = sandbox.finish(&mut command).expect(0);
        // The log has a process of its own: what comes last shows that the rest is there.
        let mark = format!("SELECT 'behind {arguments:?}'");
        server.client().query(&mark).unwrap();
        let text = loop {
            let text = read_to_string(&log).unwrap()[before..].to_string();
            if text.contains("behind") {
                break text;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        };
        let pid = |line: &str| line.split(['[', ']']).nth(1).unwrap_or_default().to_string();
        let probe: Vec<_> = text.lines().filter(|line| line.contains("kasm-db probe")).map(pid).collect();
        let is_entry = |line: &&str| line.contains("AUDIT: SESSION") && pid(line) != own;
        let entries: Vec<_> = text.lines().filter(is_entry).collect();
        assert!(entries.iter().all(|line| line.contains("postgres@postgres kasm-db ")), "{entries:#?}");
        let others: Vec<_> = entries.iter().filter(|line| !probe.contains(&pid(line))).collect();
        // That the server is asked what it makes of a text is one of them.
        assert_eq!(others.len(), if probe.is_empty() { 3 } else { 4 }, "{arguments:?}: {others:#?}\n{run}");
    }
}
