//! For each code that a running server can trigger, a server of PostgreSQL 15 with pgaudit that triggers it and no
//! other.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use model::Code;
use testing::postgres::{Client, Cluster, Installation};
use testing::{Memory, Run, Sandbox};

use crate::PROGRAM;
use crate::documents::on_disk::named;

const DOCUMENT: &str = "schema: kasm-db/v1
postgres_major: 15
preload: {libraries: [pgaudit]}
audit: {classes: [read]}
settings: {work_mem: 8MB}
verify: {connect: tcp, user: postgres, database: postgres}
targets:
  - name: here
    files: {postgresql_conf: server/conf/postgresql.conf}
";

const CONF: &str = "shared_preload_libraries = 'pgaudit'
pgaudit.log = 'read'
work_mem = 8MB
";

/// A server that is as the document says, but for one thing.
#[derive(Default)]
struct Case {
    /// What the document says instead of something.
    document: Option<(&'static str, &'static str)>,
    /// What the conf says at the start.
    before: Option<(&'static str, &'static str)>,
    /// What is added to the conf once the server runs, and whether it reads it.
    added: Option<(&'static str, bool)>,
    sql: &'static str,
    arguments: &'static [&'static str],
    /// The image of the container that the server is said to run in.
    container: Option<&'static str>,
    /// The folders that programs are looked for in.
    path: Option<&'static str>,
    /// What is run instead of `verify`, and how it ends.
    command: Option<(&'static str, i32)>,
}

/// A change that needs a restart of a server that must not be stopped.
fn stopped(verify: &'static str, sql: &'static str) -> Case {
    let from = "settings: {work_mem: 8MB}\nverify: {connect: tcp, user: postgres, ";
    Case { document: Some((from, verify)), sql, command: Some(("apply --yes", 4)), ..Case::default() }
}

/// What such a document says, for a superuser and for another user.
const STOPPED: [&str; 2] = [
    "settings: {max_connections: 50}\nrestart: {policy: if_needed, stop: [/bin/false], start: [/bin/false]}\n\
     verify: {connect: tcp, user: postgres, ",
    "settings: {max_connections: 50}\nrestart: {policy: if_needed, stop: [/bin/false], start: [/bin/false]}\n\
     verify: {connect: tcp, user: watcher, ",
];

/// What a document says whose database is started from a compose file, the user of which nobody knows.
const SETTINGS_AND_TARGETS: &str = "settings: {work_mem: 8MB}
verify: {connect: tcp, user: postgres, database: postgres}
targets:
  - name: here
    files: {";
const OPEN: &str = "settings: {max_connections: 50}
restart: {policy: if_needed, stop: [/bin/false], start: [/bin/false]}
verify: {connect: tcp, user: postgres, database: postgres}
targets:
  - name: here
    files: {compose: [compose.yaml], ";

/// What a document says whose change needs a reload, by a program that is not there.
const SETTINGS_AND_VERIFY: &str =
    "settings: {work_mem: 8MB}\nverify: {connect: tcp, user: postgres, database: postgres}";
const WITHOUT_DOCKER: &str =
    "settings: {work_mem: 16MB}\nrestart: {policy: if_needed, stop: [/bin/false], start: [/bin/false]}";
const COMPOSE: &str = "services:
  db:
    image: registry.example.com/own/postgres:15
    user: '${DB_USER}'
    command: postgres -c config_file=/conf/postgresql.conf
    volumes: ['./server/conf/postgresql.conf:/conf/postgresql.conf']
";

fn cases() -> Vec<(Code, Case)> {
    let document = |from, to| Case { document: Some((from, to)), ..Case::default() };
    let sql = |sql| Case { sql, ..Case::default() };
    vec![
        (Code::Unreachable, document("database: postgres", "database: nowhere")),
        (
            Code::ImageNotRunning,
            Case {
                container: Some("postgres:15-alpine"),
                ..document("connect: tcp, ", "container: kasm_db, ")
            },
        ),
        (Code::MajorNotRunning, document("postgres_major: 15", "postgres_major: 14")),
        (Code::ConfNotRead, document("server/conf/postgresql.conf", "other.conf")),
        (Code::ConfNotTaken, Case { added: Some(("max_wal_size = lots\n", false)), ..Case::default() }),
        (
            Code::LibraryNotLoaded,
            Case {
                added: Some(("shared_preload_libraries = 'pgaudit, auto_explain'\n", true)),
                ..document("[pgaudit]", "[pgaudit, auto_explain]")
            },
        ),
        (
            Code::NotEffective,
            Case {
                before: Some(("work_mem = 8MB\n", "")),
                added: Some(("work_mem = 8MB\n", false)),
                ..Case::default()
            },
        ),
        (
            Code::RestartPending,
            Case {
                added: Some(("max_connections = 50\n", true)),
                ..document("work_mem: 8MB", "max_connections: 50")
            },
        ),
        (Code::Overridden, sql("ALTER DATABASE postgres SET work_mem = '4MB'")),
        (Code::ExtensionMissing, sql("DROP EXTENSION pgaudit")),
        (
            Code::NotChecked,
            Case { sql: "CREATE ROLE monitor LOGIN", ..document("user: postgres", "user: monitor") },
        ),
        (
            Code::NextStartDiffers,
            Case {
                before: Some(("work_mem = 8MB\n", "max_connections = 50\n")),
                sql: "ALTER SYSTEM SET max_connections = 60",
                ..document("work_mem: 8MB", "max_connections: 50")
            },
        ),
        (
            Code::WouldNotStart,
            stopped(STOPPED[0], "ALTER SYSTEM SET shared_preload_libraries = 'pgaudit,pg_cron'"),
        ),
        (Code::NextStartUnknown, stopped(STOPPED[1], "CREATE ROLE watcher LOGIN")),
        (
            Code::StartNotChecked,
            Case {
                document: Some((SETTINGS_AND_TARGETS, OPEN)),
                command: Some(("apply --yes --dry-run", 0)),
                ..Case::default()
            },
        ),
        (
            Code::DockerMissing,
            Case {
                document: Some((SETTINGS_AND_VERIFY, WITHOUT_DOCKER)),
                command: Some(("apply --yes", 4)),
                path: Some(""),
                ..Case::default()
            },
        ),
        (Code::ClassNotLogged, Case { arguments: &["-c", "log_min_messages=panic"], ..Case::default() }),
    ]
}

/// What follows from the same cause: a library is not loaded as long as the preload list waits for a restart.
fn companion(code: Code) -> Option<Code> {
    (code == Code::LibraryNotLoaded).then_some(Code::RestartPending)
}

pub(crate) fn codes() -> BTreeSet<Code> {
    cases().into_iter().map(|(code, _)| code).collect()
}

/// Stands in for the engine: it says what the container is, and runs psql where the server is.
fn docker(sandbox: &Sandbox, image: &str, socket: &Path) -> PathBuf {
    let folder = sandbox.root().join("bin");
    std::fs::create_dir(&folder).unwrap();
    let socket = socket.display();
    let script = format!(
        "#!/bin/sh\ncase \"$1 $2\" in\n\
         'container inspect') printf '%s\\n' id running now 0 0 '' {image} sha256:1 ;;\n\
         'exec -i') while [ \"$1\" != -- ]; do shift; done; shift 2; PGHOST={socket} exec \"$@\" ;;\n\
         'image inspect') echo 'Error: No such image' >&2; exit 1 ;;\n\
         *) exit 1 ;;\nesac\n"
    );
    let program = folder.join("docker");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    folder
}

fn verified(origin: &Cluster, case: &Case) -> Run {
    let sandbox = Sandbox::new(PROGRAM);
    // The server runs as another user, who must get to its folder.
    std::fs::set_permissions(sandbox.root(), PermissionsExt::from_mode(0o755)).unwrap();
    let folder = sandbox.root().join("server");
    let cluster = origin.copy(&folder);
    let replaced = |text: &str, change: Option<(&str, &str)>| match change {
        Some((from, to)) => {
            assert!(text.contains(from), "{from:?} is not in\n{text}");
            text.replace(from, to)
        }
        None => text.to_string(),
    };
    let mut document = replaced(DOCUMENT, case.document);
    if case.container.is_some() {
        let image = format!("kasmweb/postgres:own@sha256:{}", "0".repeat(64));
        document.push_str(&format!("image: {image}\n"));
    }
    std::fs::write(sandbox.root().join("kasm-db.yaml"), document).unwrap();
    std::fs::write(sandbox.root().join("compose.yaml"), COMPOSE).unwrap();
    let conf = replaced(CONF, case.before);
    std::fs::write(sandbox.root().join("other.conf"), format!("{conf}# another file\n")).unwrap();
    cluster.stage(&Memory([("postgresql.conf".to_string(), conf.clone().into_bytes())].into()));
    let own = ["-c", "logging_collector=on"];
    let arguments: Vec<String> = own.iter().chain(case.arguments).map(ToString::to_string).collect();
    let mut server = cluster.start(&arguments).unwrap_or_else(|why| panic!("{why:#?}"));
    server.client().query("CREATE EXTENSION pgaudit").unwrap();
    if !case.sql.is_empty() {
        server.client().query(case.sql).unwrap();
    }
    if let Some((line, read)) = case.added {
        std::fs::write(cluster.conf().join("postgresql.conf"), conf + line).unwrap();
        if read {
            reload(server.client());
        }
    }
    let mut command = sandbox.command(PROGRAM);
    let (arguments, _) = case.command.unwrap_or(("verify", 9));
    command.args(arguments.split(' ')).env("PGHOST", &folder).env("PGSSLMODE", "disable");
    if let Some(path) = case.path {
        command.env("PATH", path);
    }
    if let Some(image) = case.container {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(docker(&sandbox, image, &folder)).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(folders).unwrap());
    }
    sandbox.finish(&mut command)
}

/// Lets the server read its files, and waits until this session has them.
fn reload(client: &mut Client) {
    let before = client.value("SELECT pg_conf_load_time()").unwrap();
    client.query("SELECT pg_reload_conf()").unwrap();
    while client.value("SELECT pg_conf_load_time()").unwrap() == before {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_server_triggers_the_code_that_it_is_made_for_and_no_other() {
    let Some(installation) = Installation::find(15) else {
        let missing = "PostgreSQL 15 is not installed";
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing}");
        eprintln!("{missing}: nothing was compared");
        return;
    };
    let temp = tempfile::Builder::new().prefix("kasm-db-documents-").tempdir().unwrap();
    std::fs::set_permissions(temp.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let origin = Cluster::create(&installation, &temp.path().join("server"));
    let well = verified(&origin, &Case::default()).expect(0);
    assert!(well.stdout.contains(" 0 FAIL, "), "{well}");
    let wrong = |(code, case): &(Code, Case)| {
        let run = verified(&origin, case);
        let expected: BTreeSet<_> = [*code].into_iter().chain(companion(*code)).collect();
        let code_of_exit = case.command.map_or(9, |(_, code)| code);
        let is_wrong = run.code != Some(code_of_exit) || named(&run) != expected;
        is_wrong.then(|| format!("{code} ({}): {:?}\n{run}", code.name(), named(&run)))
    };
    let cases = cases();
    let wrong: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = cases.iter().map(|case| scope.spawn(|| wrong(case))).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
