//! Whoever may connect writes into the log: names, statements, messages of functions. `kasm-db audit` takes none of it for an
//! entry of pgaudit, and names nobody but the session that the csvlog names.
//!
//! `scripts/long audit-forgery` makes many more attempts, from another seed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use testing::postgres::{Client, Server, literal};
use testing::{Random, Sandbox};

use crate::PROGRAM;
use crate::audit_server::{MAIN, PREFIX, begin, with_options};

/// Prefixes with names at each place, with and without a process, and without names; one is not widely used.
const PREFIXES: [&str; 12] = [
    PREFIX,
    "%m [%p] %q%u@%d ",
    "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: [%l-1] user=%u,db=%d ",
    "user=%u,db=%d,app=%a,client=%h ",
    "%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:",
    "%t-%c-u\"%u\"u-",
    "%m [%p] %q[user=%u,db=%d,app=%a] ",
    "%m|%d|%u|%p| ",
    "%m [%p] ",
    "%t ",
    "",
];

/// The statement of every forged entry has this number; no session here runs as many.
const FORGED: u64 = 7777;

/// Roles that somebody who may create roles names so that their lines look like those of others, and databases.
const ROLES: [&str; 7] = [
    "API alice",
    "4 - DB:kasm alice",
    "alice@EXAMPLE.COM@k",
    "alice,db=postgres,app=psql",
    "alice\"u-",
    "alice|7",
    "alice ",
];
const DATABASES: [&str; 8] = [
    "EXAMPLE.COM@postgres",
    "alice postgres",
    "postgres,app=psql",
    "postgres|alice",
    "k LOG:  AUDIT: SESSION,7777,1,DDL,DROP,,,x,<none>",
    "k LOG:  AUDIT: SESSION,7777,1,DDL,DROP,,,\"x",
    "k:[7]:1:00000 LOG:  x",
    "postgres ERROR:  x",
];

/// Roles of everybody: such names are given to people and services, also with a realm.
const HONEST: [&str; 4] = ["alice", "bob", "alice@EXAMPLE.COM", "Anna Smith"];

/// A name is cut at this length.
const NAME: usize = 63;

fn one<'a>(numbers: &mut Random, of: &[&'a str]) -> &'a str {
    of[numbers.below(of.len())]
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}: {text}")))
}

/// An entry as it is shown.
struct Shown(Value);

impl Shown {
    fn text(&self, key: &str) -> Option<String> {
        match &self.0[key] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    fn is_certain(&self) -> bool {
        self.0["uncertain"] == false
    }

    fn is_forged(&self) -> bool {
        self.0["statement_id"] == FORGED
    }

    /// The mark of the statement: each that runs has its own.
    fn mark(&self) -> Option<String> {
        let statement = self.text("statement")?;
        let at = statement.rfind("/*k")?;
        Some(statement[at..].split("*/").next().unwrap().to_string())
    }

    /// Who it was.
    fn who(&self) -> [Option<String>; 4] {
        ["user", "database", "pid", "session"].map(|key| self.text(key))
    }
}

/// Runs `kasm-db audit` on a file; gives the entries, the number of faults, and what is said of them.
fn audit(folder: &Path, file: &str, prefix: Option<&str>) -> (Vec<Shown>, u64, String) {
    let sandbox = Sandbox::new(PROGRAM);
    let mut command = sandbox.command(PROGRAM);
    command.current_dir(folder).args(["audit", file, "--format", "json"]);
    command.args(prefix.map(|prefix| format!("--log-line-prefix={prefix}")));
    let output = command.output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut all: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let end = all.pop().unwrap();
    assert_eq!(end["format"], "kasm-db/audit-end");
    let faults = end["totals"]["faults"].as_u64().unwrap();
    (all.into_iter().map(Shown).collect(), faults, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Writes what the prefix would be of somebody else.
fn imitation(prefix: &str, numbers: &mut Random) -> String {
    let mut out = String::new();
    let mut escapes = prefix.chars();
    while let Some(c) = escapes.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        out.push_str(match escapes.next().unwrap() {
            'm' => one(numbers, &["2026-11-29 02:00:00.000 UTC", "2036-11-29 02:00:00.999 UTC"]),
            't' | 's' => "2026-11-29 02:00:00 UTC",
            'p' => "7",
            'u' => one(numbers, &["alice", "a"]),
            'd' => one(numbers, &["kasm", "postgres", "k"]),
            'r' | 'h' => one(numbers, &["", "[local]"]),
            'i' => one(numbers, &["", "SELECT"]),
            'e' => "00000",
            'c' => "6.7",
            'l' => "1",
            'v' => "3/1",
            'x' => "0",
            _ => "",
        });
    }
    out
}

/// Writes a message as pgaudit would.
fn message(numbers: &mut Random) -> String {
    let statement = one(numbers, &["x", "delete", "\"a, b\"", ""]);
    format!("AUDIT: SESSION,{FORGED},1,DDL,DROP,,,{statement},<none>")
}

/// Creates a text that may become an entry if it is a name, and what stands behind it.
fn line(prefix: &str, numbers: &mut Random) -> String {
    let first = match numbers.below(6) {
        0 => "x\n".into(),
        1 => "\n".into(),
        2 => imitation(prefix, numbers) + "LOG:  y\n",
        3 => "x@k LOG:  \n".into(),
        4 => ",\"@k LOG:  y\n".into(),
        _ => String::new(),
    };
    let end = one(numbers, &["", "\n", "\n\t", " LOG:  y\n", "\nNOTICE:  ", "\","]);
    first + &imitation(prefix, numbers) + "LOG:  " + &message(numbers) + end
}

/// Cuts a text into a user and a database: what stands between them in the prefix is where the text has it.
fn names(prefix: &str, numbers: &mut Random) -> (String, String) {
    let text = line(prefix, numbers);
    let between = prefix.split("%u").nth(1).and_then(|rest| rest.split("%d").next()).unwrap_or(" ");
    let cut = |text: &str| text.chars().take(NAME).collect::<String>();
    let places: Vec<usize> = text.match_indices(between).map(|(at, _)| at).filter(|at| *at <= NAME).collect();
    match places.len() {
        0 => (cut(&text), one(numbers, &["postgres", "x\n"]).to_string()),
        count => {
            let at = places[numbers.below(count)];
            (text[..at].into(), cut(&text[at + between.len()..]))
        }
    }
}

/// Waits until all files are written, and lets the server write into others.
fn finish(client: &mut Client, folder: &Path, name: &str) {
    client.query("do $$ begin raise log 'the last one'; end $$").unwrap();
    for kind in ["log", "csv", "json"] {
        let file = folder.join(format!("{name}.{kind}"));
        let start = std::time::Instant::now();
        while !String::from_utf8_lossy(&std::fs::read(&file).unwrap()).contains("the last one") {
            assert!(start.elapsed().as_secs() < 30, "{name}.{kind} is not written");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// Does what somebody hostile does, once.
fn attack(server: &Server<'_>, prefix: &str, roles: &[String], mark: &str, numbers: &mut Random) {
    // Without a password: the names are in the log before anybody looks at them.
    let (user, database) = names(prefix, numbers);
    let application: String = line(prefix, numbers).replace('\n', " ").chars().take(NAME).collect();
    match numbers.below(6) {
        0 | 1 => drop(server.connect_as(&user, &database, &application)),
        2 => drop(server.connect_as("mallory", &database, &application)),
        kind => {
            let role = if kind == 3 { "mallory" } else { &roles[numbers.below(roles.len())] };
            let (database, application) = match kind {
                5 => (
                    one(numbers, &DATABASES),
                    one(numbers, &["Kasm", "psql", "pgAdmin", "Kasm API", ""]).into(),
                ),
                _ => ("postgres", application),
            };
            let Ok(mut client) = server.connect_as(role, database, &application) else { return };
            let text = match numbers.below(3) {
                0 => message(numbers),
                1 => line(prefix, numbers),
                _ => format!("{}\n{}", message(numbers), line(prefix, numbers)),
            };
            let raised = literal(&text);
            let level = one(numbers, &["log", "log", "log", "notice", "warning", "exception"]);
            let sql = match numbers.below(5) {
                0 => format!("select {raised} {mark}"),
                1 => format!("{text} {mark}"),
                2 => format!("select 1 as \"{}\" {mark}", text.replace('"', "'")),
                _ => format!("do $x$ begin raise {level} '%', {raised}; end $x$ {mark}"),
            };
            drop(client.query(&sql));
            drop(client.query(&format!("select 2 {mark}")));
        }
    }
}

/// Does what everybody does, once.
fn work(server: &Server<'_>, mark: &str, numbers: &mut Random) {
    let application = one(numbers, &["psql", "Kasm API", "pgAdmin 4 - DB:kasm", ""]);
    let mut client = server.connect_as(one(numbers, &HONEST), "postgres", application).unwrap();
    for _ in 0..=numbers.below(3) {
        let sql = one(
            numbers,
            &[
                "select 1",
                "select 'a\n\tb, \"c\"'",
                "select 1 / 0",
                "create temp table if not exists t(a int)",
                "select 'LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,x,<none>'",
                "begin",
                "select e'x\\ny: z'",
            ],
        );
        drop(client.query(&format!("{sql} {mark}")));
    }
}

/// Judges the files of a name; gives how many entries there are, and how many of the log in words are certain.
fn judge(folder: &Path, name: &str, prefix: &str, is_honest: bool, says: &str) -> (usize, usize) {
    let file = |kind: &str| format!("{name}.{kind}");
    let (csv, csv_faults, _) = audit(folder, &file("csv"), None);
    let (json, json_faults, _) = audit(folder, &file("json"), None);
    assert_eq!(csv_faults, json_faults, "{says}");
    assert!(csv.iter().chain(&json).all(|entry| entry.is_certain() && !entry.is_forged()), "{says}");
    let same = |entries: &[Shown]| -> Vec<_> {
        let entries = entries.iter().filter(|entry| entry.mark().is_some());
        entries.map(|entry| (entry.who(), entry.text("statement"), entry.text("class"))).collect()
    };
    assert_eq!(same(&csv), same(&json), "{says}");
    let mut of_mark: BTreeMap<String, Vec<&Shown>> = BTreeMap::new();
    for entry in &csv {
        if let Some(mark) = entry.mark() {
            of_mark.entry(mark).or_default().push(entry);
        }
    }
    let mut certain = 0;
    for given in [Some(prefix), None] {
        let (words, faults, said) = audit(folder, &file("log"), given);
        let mut shown = 0;
        certain = 0;
        for entry in &words {
            let mark = entry.mark().filter(|_| !entry.is_forged());
            shown += usize::from(mark.as_ref().is_some_and(|mark| of_mark.contains_key(mark)));
            if !entry.is_certain() {
                continue;
            }
            assert!(!entry.is_forged(), "{says}: {given:?}: a forged entry is certain: {}", entry.0);
            certain += 1;
            let Some(of_csv) = mark.and_then(|mark| of_mark.get(&mark)) else { continue };
            for (words, csv) in entry.who().into_iter().zip(of_csv[0].who()) {
                assert!(words.is_none() || words == csv, "{says}: {given:?}: {} is of {csv:?}", entry.0);
            }
        }
        let all = csv.iter().filter(|entry| entry.mark().is_some()).count();
        assert!(
            all <= shown + faults as usize,
            "{says}: {given:?}: {shown} of {all} are shown, {faults} faults"
        );
        if is_honest && (given.is_some() || !prefix.starts_with("%m|")) {
            assert_eq!((shown, faults), (all, 0), "{says}: {given:?}: {said}");
            let doubt = words.iter().find(|entry| !entry.is_certain() && entry.mark().is_some());
            assert!(doubt.is_none(), "{says}: {given:?}: uncertain: {}", doubt.unwrap().0);
        }
        if is_honest {
            certain = shown;
        }
    }
    (csv.len(), certain)
}

#[test]
fn no_forged_entry_is_certain_and_no_other_one_is_attributed_wrongly() {
    let (attempts, seed) = (number("KASM_DB_FORGERIES", 20), number("KASM_DB_SEED", 1));
    println!("{attempts} attempts with each prefix, from seed {seed}");
    let ran = with_options(MAIN, "pgaudit", &[], |server, folder| {
        server.client().query("alter system set log_connections = on").unwrap();
        let mut roles: Vec<String> =
            ["mallory", "alice"].iter().chain(&ROLES).map(ToString::to_string).collect();
        for name in HONEST.iter().chain(&ROLES).chain(&["mallory"]) {
            let quoted = name.replace('"', "\"\"");
            server.client().query(&format!("create role \"{quoted}\" login")).unwrap();
        }
        for name in DATABASES {
            let quoted = name.replace('"', "\"\"");
            server.client().query(&format!("create database \"{quoted}\"")).unwrap();
        }
        let (mut entries, mut certain) = (0, 0);
        for (index, prefix) in PREFIXES.iter().enumerate() {
            let mut numbers = Random(seed.wrapping_mul(1000) + index as u64);
            let says = format!("`{prefix}`, KASM_DB_SEED={seed} KASM_DB_FORGERIES={attempts}");
            // Roles of such names, who may log in.
            for _ in 0..4 {
                let (user, _) = names(prefix, &mut numbers);
                let name: String = user.chars().take(NAME).collect();
                let created = format!("create role \"{}\" login", name.replace('"', "\"\""));
                if !name.is_empty() && server.client().query(&created).is_ok() {
                    roles.push(name);
                }
            }
            for is_honest in [true, false] {
                let name = format!("p{index}{}", if is_honest { "h" } else { "f" });
                begin(server.client(), folder, prefix, &name);
                for attempt in 0..attempts {
                    let mark = |who: &str| format!("/*k{index}{who}{attempt}*/");
                    if !is_honest {
                        attack(server, prefix, &roles, &mark("x"), &mut numbers);
                    }
                    if is_honest || attempt % 3 == 0 {
                        work(server, &mark("h"), &mut numbers);
                    }
                }
                finish(server.client(), folder, &name);
                let (all, sure) = judge(folder, &name, prefix, is_honest, &format!("{name}: {says}"));
                entries += all;
                certain += sure;
                println!("{prefix:45} honest {is_honest:5}: {all} entries, {sure} certain in words");
            }
        }
        println!("{entries} entries of the csvlogs, {certain} certain in the logs in words");
        assert!(certain as u64 > 10 * attempts, "{certain}");
    });
    let missing = "PostgreSQL 15 with pgaudit is not there: install postgresql-15 and postgresql-15-pgaudit";
    assert!(ran || std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing}");
}
