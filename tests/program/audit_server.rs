//! Real servers log, and `kasm-db audit` reads what they wrote.
//!
//! PostgreSQL 15 with pgaudit writes all three formats at once, and counts its own csvlog in SQL. Other majors join
//! in where `KASM_DB_POSTGRES` names a folder that has them as `<major>/bin`; pgaudit need not be there for them, as
//! a function logs the messages.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use testing::postgres::{Client, Cluster, Installation, Server, literal};
use testing::{Memory, Sandbox};

use crate::PROGRAM;

/// The major with pgaudit.
pub(crate) const MAIN: u16 = 15;

/// What Kasm's own configuration has.
pub(crate) const PREFIX: &str = "< %m %a %u %d %r %p %i %e %s %c:>";

/// A server whose collector writes all formats that it knows.
fn with_logs(major: u16, preload: &str, test: impl FnOnce(&mut Server<'_>, &Path)) -> bool {
    with_options(major, preload, &["log_filename=pg.log", &format!("log_line_prefix={PREFIX}")], test)
}

pub(crate) fn with_options(
    major: u16,
    preload: &str,
    more: &[&str],
    test: impl FnOnce(&mut Server<'_>, &Path),
) -> bool {
    let Some(installation) = Installation::find(major) else { return false };
    let temp = tempfile::Builder::new().prefix("kasm-db-audit-").tempdir().unwrap();
    std::fs::set_permissions(temp.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let cluster = Cluster::create(&installation, &temp.path().join("server"));
    let cluster = if more.is_empty() { cluster.with_own_prefix() } else { cluster };
    let mut conf = Memory::default();
    conf.0.insert("postgresql.conf".into(), format!("shared_preload_libraries = '{preload}'\n").into_bytes());
    cluster.stage(&conf);
    let destinations = if major >= 15 { "stderr,csvlog,jsonlog" } else { "stderr,csvlog" };
    let options = [
        "logging_collector=on",
        &format!("log_destination={destinations}"),
        "log_directory=log",
        "log_timezone=UTC",
        "pgaudit.log=all",
        "pgaudit.log_parameter=on",
        "pgaudit.log_relation=on",
        "pgaudit.role=auditor",
    ];
    let options: Vec<String> =
        options.iter().chain(more).flat_map(|option| ["-c".to_string(), option.to_string()]).collect();
    let mut server = cluster.start(&options).unwrap_or_else(|why| panic!("{major}: {why:#?}"));
    let folder = PathBuf::from(server.client().value("show data_directory").unwrap()).join("log");
    test(&mut server, &folder);
    true
}

/// Statements of every kind, with everything that some format must quote; some of them fail.
fn script() -> Vec<String> {
    let mut all: Vec<String> = [
        "create extension pgaudit",
        "create role auditor",
        "create role alice login password 'hunter2'",
        "alter role alice password 'hunter3'",
        "create table acct(id int, name text, note text)",
        "grant select (name) on acct to auditor",
        "insert into acct select i, 'n' || i, 'x' from generate_series(1, 10) i",
        "select *\nfrom acct\n\twhere name like '%a\"b%'\r\n and note <> E'tab\\there'",
        "prepare p(int, text) as select * from acct where id = $1 and name = $2",
        "execute p(3, 'it''s, \"quoted\"\n\nnewline')",
        "set pgaudit.log_rows = on",
        "select name from acct",
        "execute p(3, 'ü€😀')",
        "set pgaudit.log_rows = off",
        "do $$ begin perform count(*) from acct; insert into acct values (99, 'z', 'z'); end $$",
        "create function f(a int) returns int language sql as 'select a + 1'",
        "select f(1)",
        "create table \"we\"\"ird, täb\"(a int)",
        "drop table \"we\"\"ird, täb\"",
        "select 1 / 0",
        "LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,fake,<none>",
        "select E'\\u202e' as x, '{\"message\":\"AUDIT: SESSION,1,1,READ,SELECT,,,fake,<none>\"}'",
        "select '\n2026-11-22 22:46:35.752 UTC,\"bob\",\"kasm\",7,\"[local]\",6b.7,1,\"SELECT\",,3/2,0,LOG,00000,\"AUDIT: SESSION,1,1,READ,SELECT,,,fake,<none>\",'",
        "set application_name = 'a b, \"c\"'",
        "select 'by another name'",
        "set application_name = 'x'",
        "set pgaudit.log_statement = off",
        "select 5",
        "set pgaudit.log_statement = on",
        "set pgaudit.log_statement_once = on",
        "select * from acct a join acct b using (id)",
        "set pgaudit.log_statement_once = off",
        "vacuum acct",
        "begin; savepoint s; delete from acct where id = 1; rollback to s; commit",
        "copy acct to '/dev/null'",
        "select \u{1}",
    ]
    .map(String::from)
    .into();
    all.push(format!("select '{}'", "long \"\",\n\t".repeat(20_000)));
    all
}

/// Runs `kasm-db audit` on a file.
fn audit(file: &Path, rest: &str) -> String {
    let sandbox = Sandbox::new(PROGRAM);
    let mut command = sandbox.command(PROGRAM);
    command.arg("audit").arg(file).args(rest.split_whitespace());
    sandbox.finish(&mut command).expect(0).stdout
}

/// The entries of a file, without where they stand. Names that may end elsewhere are the most likely ones.
fn entries(file: &Path) -> Vec<String> {
    let lines = audit(file, "--format json");
    let entries = lines.lines().filter(|line| line.contains("kasm-db/audit-entry"));
    let entry = |line| {
        let mut entry: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Some(likely) = entry["likely"].take().as_object() {
            likely.iter().for_each(|(key, name)| entry[key] = name.clone());
        }
        (entry["file"], entry["line"]) = Default::default();
        entry.to_string()
    };
    entries.map(entry).collect()
}

/// Waits until the collector has written what was logged.
fn settle(client: &mut Client, folder: &Path) {
    client.query("do $$ begin raise log 'the last one'; end $$").unwrap();
    for name in ["pg.log", "pg.csv", "pg.json"] {
        let file = folder.join(name);
        if !file.exists() {
            continue;
        }
        let start = std::time::Instant::now();
        while !String::from_utf8_lossy(&std::fs::read(&file).unwrap()).contains("the last one") {
            assert!(start.elapsed().as_secs() < 30, "{name} is not written");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// Loads a csvlog as the documentation of PostgreSQL does, and counts its entries by an expression.
fn counts_in_sql(client: &mut Client, folder: &Path, major: u16, by: &str) -> Vec<(String, u64)> {
    // The columns that later majors added stand at the end.
    let more = match major {
        ..13 => "",
        13 => ", backend_type text",
        14.. => ", backend_type text, leader_pid int, query_id bigint",
    };
    let table = format!(
        "drop table if exists log; create table log (log_time timestamp(3) with time zone, user_name text, \
         database_name text, process_id int, connection_from text, session_id text, session_line_num bigint, \
         command_tag text, session_start_time timestamp with time zone, virtual_transaction_id text, \
         transaction_id bigint, error_severity text, sql_state_code text, message text, detail text, hint text, \
         internal_query text, internal_query_pos int, context text, query text, query_pos int, location text, \
         application_name text{more}); copy log from {} with csv",
        literal(folder.join("frozen.csv").to_str().unwrap())
    );
    client.query(&table).unwrap();
    let rows = client.query(&format!(
        "select {by}, count(*) from log where message ~ '^AUDIT: (SESSION|OBJECT),' group by 1"
    ));
    let text = |value: &Option<Vec<u8>>| String::from_utf8(value.clone().unwrap_or_default()).unwrap();
    let mut counts: Vec<_> =
        rows.unwrap().iter().map(|row| (text(&row[0]), text(&row[1]).parse().unwrap())).collect();
    counts.sort();
    counts
}

/// The same by this program.
fn counts(file: &Path, by: &str) -> Vec<(String, u64)> {
    let out = audit(file, &format!("--count {by} --format json"));
    let out: serde_json::Value = serde_json::from_str(&out).unwrap();
    let rows = out["counts"].as_array().unwrap().iter();
    let mut counts = std::collections::BTreeMap::new();
    for row in rows {
        // A name that may end elsewhere has a row of its own.
        *counts.entry(row["key"].as_str().unwrap().to_string()).or_default() +=
            row["count"].as_u64().unwrap();
    }
    counts.into_iter().collect()
}

const SQL: [(&str, &str); 5] = [
    ("class", "lower(substring(message from '^AUDIT: [A-Z]+,[0-9]+,[0-9]+,([A-Z_]+),'))"),
    ("command", "substring(message from '^AUDIT: [A-Z]+,[0-9]+,[0-9]+,[A-Z_]+,([^,]*),')"),
    ("user", "user_name"),
    ("database", "database_name"),
    ("hour", "to_char(log_time at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:00:00\"Z\"')"),
];

#[test]
fn three_formats_of_one_server_hold_the_same_entries_and_sql_counts_them_alike() {
    let ran = with_logs(MAIN, "pgaudit", |server, folder| {
        let mut failed = 0;
        for statement in script() {
            failed += usize::from(server.client().query(&statement).is_err());
        }
        assert_eq!(failed, 3, "two divide or are no SQL, one has a control character");
        settle(server.client(), folder);
        let [words, csv, json] = ["pg.log", "pg.csv", "pg.json"].map(|name| entries(&folder.join(name)));
        assert!(csv.len() > 45, "{csv:#?}");
        assert_eq!(csv, json);
        assert_eq!(csv, words);
        let all = csv.join("\n");
        for part in [
            "password <REDACTED>",
            "<previously logged>",
            "\"statement\":null",
            "\"rows\":10",
            "\"type\":\"object\"",
            "public.\\\"we\\\"\\\"ird, täb\\\"",
            "it's, \\\"\\\"quoted\\\"\\\"\\n\\nnewline",
            "\\r\\n and note",
            "a b, \\\"c\\\"",
            "ü€😀",
            "\"class\":\"function\"",
        ] {
            assert!(all.contains(part), "{part}\n{all}");
        }
        assert!(!all.contains("hunter"), "{all}");
        let fake = csv.iter().filter(|entry| entry.contains("\"statement\":\"fake\"")).count();
        assert_eq!(fake, 0, "{all}");

        // What SQL does is logged too: it counts a copy.
        std::fs::copy(folder.join("pg.csv"), folder.join("frozen.csv")).unwrap();
        std::fs::set_permissions(folder.join("frozen.csv"), PermissionsExt::from_mode(0o644)).unwrap();
        for (field, by) in SQL {
            let wanted = counts_in_sql(server.client(), folder, MAIN, by);
            assert_eq!(counts(&folder.join("frozen.csv"), field), wanted, "{field}");
        }
        // Large enough to be counted in pieces.
        let one = std::fs::read(folder.join("frozen.csv")).unwrap();
        let many = one.repeat(1 + (12 << 20) / one.len());
        std::fs::write(folder.join("frozen.csv"), many).unwrap();
        for (field, by) in SQL {
            let wanted = counts_in_sql(server.client(), folder, MAIN, by);
            assert_eq!(counts(&folder.join("frozen.csv"), field), wanted, "{field}, many times");
        }
    });
    let missing = "PostgreSQL 15 with pgaudit is not there: install postgresql-15 and postgresql-15-pgaudit";
    assert!(ran || std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing}");
    if !ran {
        eprintln!("{missing}; no server's log is read");
    }
}

#[test]
fn every_other_major_that_is_there_writes_what_is_read() {
    let messages = [
        "AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>",
        "AUDIT: SESSION,2,1,WRITE,INSERT,TABLE,public.t,\"insert \"\"x\"\",\n\ty\",\"1,\"\"a\"\"\"",
        "AUDIT: OBJECT,3,1,DDL,CREATE TABLE,TABLE,\"public.\"\"ü,\"\"\",x,<not logged>,7",
    ];
    let mut majors = Vec::new();
    for major in model::postgres::MAJORS.filter(|major| *major != MAIN) {
        let ran = with_logs(major, "", |server, folder| {
            for message in messages {
                let sql = format!("do $x$ begin raise log '%', {}; end $x$", literal(message));
                server.client().query(&sql).unwrap();
            }
            settle(server.client(), folder);
            let csv = entries(&folder.join("pg.csv"));
            assert_eq!(csv.len(), 3, "{major}: {csv:#?}");
            assert_eq!(entries(&folder.join("pg.log")), csv, "{major}");
            if major >= 15 {
                assert_eq!(entries(&folder.join("pg.json")), csv, "{major}");
            }
            std::fs::copy(folder.join("pg.csv"), folder.join("frozen.csv")).unwrap();
            std::fs::set_permissions(folder.join("frozen.csv"), PermissionsExt::from_mode(0o644)).unwrap();
            for (field, by) in SQL {
                let wanted = counts_in_sql(server.client(), folder, major, by);
                assert_eq!(counts(&folder.join("frozen.csv"), field), wanted, "{major}: {field}");
            }
        });
        if ran {
            majors.push(major);
        }
    }
    println!("read the logs of PostgreSQL {majors:?}");
}

/// Starts files of their own with a prefix.
pub(crate) fn begin(client: &mut Client, folder: &Path, prefix: &str, name: &str) {
    // One after the other, so that no line of these files has another prefix.
    for (setting, value) in [("log_line_prefix", prefix), ("log_filename", &format!("{name}.log"))] {
        client.query(&format!("alter system set {setting} = {}", literal(value))).unwrap();
        client.query("select pg_reload_conf()").unwrap();
        let start = std::time::Instant::now();
        while client.value(&format!("show {setting}")).ok().as_deref() != Some(value) {
            assert!(start.elapsed().as_secs() < 30, "{setting} is not read");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        // Other processes may not have read it yet.
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let start = std::time::Instant::now();
    while ["log", "csv", "json"].iter().any(|kind| !folder.join(format!("{name}.{kind}")).exists()) {
        assert!(start.elapsed().as_secs() < 30, "{name} is not written");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// The prefixes that pgBadger, hosted services, Debian, PostgreSQL and Kasm publish, and whether they name who it was.
const PREFIXES: [(&str, bool); 24] = [
    (PREFIX, true),
    ("%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ", true),
    ("%m [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ", true),
    ("%t [%p]: user=%u,db=%d,app=%a,client=%h ", true),
    ("%t [%p]: db=%d,user=%u,app=%a,client=%h ", true),
    ("%t [%p]: [%l-1] user=%u,db=%d ", true),
    ("%m [%p]: [%l-1] db=%d,user=%u ", true),
    ("%t [%p]: [%l-1] ", false),
    ("%t [%p]: ", false),
    ("%t [%p] [%l-1] user=%u,db=%d,app=%a,client=%h ", true),
    ("user=%u,db=%d,app=%a,client=%h ", true),
    ("%t:%r:%u@%d:[%p]:", true),
    ("%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:", true),
    ("%t-%c-", false),
    ("%t-%c-u\"%u\"u-", false),
    ("%t-%c-user=%u,db=%d,app=%a,client=%h ", true),
    ("%m [%p] %q[user=%u,db=%d,app=%a] ", true),
    ("pid=%p,user=%u,db=%d,app=%a,client=%h ", true),
    ("%m [%p] %q%u@%d ", true),
    ("%t [%p-%l] %q%u@%d ", true),
    ("%m [%p] ", false),
    ("< %m >", false),
    ("%t ", false),
    ("", false),
];

#[test]
fn every_published_prefix_is_known_and_gives_what_the_csvlog_does() {
    let ran = with_options(MAIN, "pgaudit", &[], |server, folder| {
        let client = server.client();
        for (index, (prefix, names_who)) in PREFIXES.iter().enumerate() {
            let name = format!("p{index}.log");
            begin(client, folder, prefix, &format!("p{index}"));
            let start = std::time::Instant::now();
            for sql in [
                "select 1, 2",
                "select 'a\n\tb' /* ]: [1-1] */",
                "set application_name = 'Kasm API'",
                "select 'LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,x,<none>'",
                "reset application_name",
                "do $$ begin raise log 'the last one'; end $$",
            ] {
                client.query(sql).unwrap();
            }
            while !std::fs::read_to_string(folder.join(&name)).unwrap().contains(":  the last one") {
                assert!(start.elapsed().as_secs() < 30, "{prefix}: nothing is written");
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
            let sandbox = Sandbox::new(PROGRAM);
            let count = |file: &str, by: &str| {
                let mut command = sandbox.command(PROGRAM);
                command.current_dir(folder).args(["audit", file, "--strict", "--count", by]);
                sandbox.finish(&mut command).expect(0).stdout
            };
            let csv = format!("p{index}.csv");
            // The server begins its two files one after the other: a `show` of the loop above may be in one of them alone.
            let commands = |file: &str| -> Vec<String> {
                let text = count(file, "command");
                text.lines().filter(|line| !line.starts_with("SHOW")).map(String::from).collect()
            };
            let names = |file: &str, by: &str| -> Vec<String> {
                let text = count(file, by);
                let names = text.lines().filter_map(|line| line.split_whitespace().next());
                let mut names: Vec<String> = names.map(|name| name.trim_end_matches('?').into()).collect();
                names.sort();
                names.dedup();
                names
            };
            assert_eq!(commands(&name), commands(&csv), "{prefix}");
            if *names_who {
                assert_eq!(names(&name, "user"), names(&csv, "user"), "{prefix}");
                assert_eq!(names(&name, "database"), names(&csv, "database"), "{prefix}");
            }
        }
    });
    assert!(ran || std::env::var_os("CI").is_none_or(|ci| ci != "true"), "no server");
}
