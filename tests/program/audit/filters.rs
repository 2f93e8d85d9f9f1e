//! Filters: each picks entries out and leaves entries out, and nothing is hidden without being told.

use testing::{Run, Sandbox};

use super::{csv, piped};
use crate::PROGRAM;

/// What an entry says besides its number.
struct Entry {
    user: &'static str,
    database: &'static str,
    session: &'static str,
    app: &'static str,
    message: &'static str,
}

/// Two entries that differ in everything that a filter is about.
const ENTRIES: [Entry; 2] = [
    Entry {
        user: "alice",
        database: "kasm",
        session: "6b0370cb.46",
        app: "psql",
        message: "SESSION,1,1,READ,SELECT,TABLE,public.users,select 1 from users,<none>",
    },
    Entry {
        user: "bob",
        database: "other",
        session: "6b0370cb.47",
        app: "kasm-db",
        message: "OBJECT,2,1,DDL,CREATE INDEX,INDEX,public.names,create index names,<none>",
    },
];

fn csvlog() -> String {
    let line = |(index, entry): (usize, &Entry)| {
        let Entry { user, database, session, app, message } = entry;
        format!(
            "2026-11-22 22:46:35.752 UTC,\"{user}\",\"{database}\",7{index},\"[local]\",{session},1,\"SELECT\",2026-11-22 \
             22:46:35 UTC,3/2,0,LOG,00000,\"AUDIT: {message}\",,,,,,,,,\"{app}\",\"client backend\",,0\n"
        )
    };
    ENTRIES.iter().enumerate().map(line).collect()
}

fn jsonlog() -> String {
    let line = |(index, entry): (usize, &Entry)| {
        let Entry { user, database, session, app, message } = entry;
        format!(
            "{{\"timestamp\":\"2026-11-22 22:46:35.752 UTC\",\"user\":\"{user}\",\"dbname\":\"{database}\",\"pid\":7{index},\
             \"session_id\":\"{session}\",\"error_severity\":\"LOG\",\"message\":\"AUDIT: {message}\",\
             \"application_name\":\"{app}\",\"backend_type\":\"client backend\"}}\n"
        )
    };
    ENTRIES.iter().enumerate().map(line).collect()
}

fn stderr() -> String {
    let line = |(index, entry): (usize, &Entry)| {
        let Entry { user, database, session, app, message } = entry;
        format!(
            "2026-11-22 22:46:35.752 UTC [7{index}] {session} {user}@{database} {app}: LOG:  AUDIT: {message}\n"
        )
    };
    ENTRIES.iter().enumerate().map(line).collect()
}

/// Returns the numbers of the entries that are shown.
fn shown(run: &Run) -> Vec<u64> {
    let number = |line: &str| {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        entry.get("statement_id").and_then(serde_json::Value::as_u64)
    };
    run.stdout.lines().filter_map(number).collect()
}

fn audit(sandbox: &Sandbox, log: &str, filter: &[&str]) -> Run {
    let prefix = ["--log-line-prefix", "%m [%p] %c %u@%d %a: ", "--format", "json"];
    piped(sandbox, &[&prefix[..], filter].concat(), log.as_bytes())
}

#[test]
fn each_filter_picks_out_what_its_opposite_leaves_out() {
    let sandbox = Sandbox::new(PROGRAM);
    let of_the_first = [
        ("class", "read"),
        ("command", "sel*"),
        ("object", "public.u*"),
        ("object-type", "table"),
        ("user", "al?ce"),
        ("database", "kasm"),
        ("app", "ps*"),
        ("session", "6b0370cb.46"),
        ("session", "70"),
        ("type", "session"),
        ("grep", "from users"),
    ];
    for (name, log) in [("csvlog", csvlog()), ("jsonlog", jsonlog()), ("stderr", stderr())] {
        assert_eq!(shown(&audit(&sandbox, &log, &[]).expect(0)), [1, 2], "{name}");
        for (filter, value) in of_the_first {
            let only = audit(&sandbox, &log, &[&format!("--{filter}"), value]).expect(0);
            assert_eq!(shown(&only), [1], "{name}: --{filter}");
            let not = audit(&sandbox, &log, &[&format!("--not-{filter}"), value]).expect(0);
            assert_eq!(shown(&not), [2], "{name}: --not-{filter}");
            let both = [format!("--{filter}"), format!("--not-{filter}")];
            let both = audit(&sandbox, &log, &[&both[0], value, &both[1], value]).expect(0);
            assert_eq!(shown(&both), [0; 0], "{name}: {filter}");
        }
    }
}

#[test]
fn what_is_hidden_by_application_is_counted_by_user_and_not_taken_for_all() {
    let sandbox = Sandbox::new(PROGRAM);
    let log = format!("{}{}{}", csvlog(), csvlog(), csv(3, "READ", "x"));
    let run = audit(&sandbox, &log, &["--not-app", "kasm-db", "--not-app", "ps*"]).expect(0);
    assert_eq!(shown(&run), [0; 0]);
    assert!(run.stderr.contains("`--not-app` hid 5 entries: bob (3), alice (2)"), "{run}");
    assert!(run.stdout.contains("\"hidden\":5"), "{run}");
    // What another filter leaves out is not hidden by this one, also where entries are only counted.
    for view in ["--count=user", "--summary"] {
        let run = piped(&sandbox, &["--not-app", "kasm-db", "--not-user", "alice", view], log.as_bytes());
        assert!(run.expect(0).stderr.contains("`--not-app` hid 2 entries: bob (2)"));
    }
    let run = piped(&sandbox, &["--not-app", "nobody"], log.as_bytes()).expect(0);
    assert!(!run.stderr.contains("hid"), "{run}");
    let run = piped(&sandbox, &["--not-app", "kasm-db", "--strict"], log.as_bytes()).expect(64);
    assert!(run.stderr.contains("a client may call itself anything"), "{run}");
    assert_eq!(run.stdout, "");
}

#[test]
fn a_log_without_the_name_that_is_asked_for_is_not_taken_for_one_without_entries() {
    let sandbox = Sandbox::new(PROGRAM);
    let log = "2026-11-22 22:46:35.752 UTC [7] LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>\n";
    for filter in ["--app", "--user", "--database"] {
        let run = piped(&sandbox, &[filter, "x"], log.as_bytes()).expect(0);
        assert!(
            run.stderr.contains("the log does not have the names of 1 entry by which you filter"),
            "{run}"
        );
        piped(&sandbox, &[filter, "x", "--strict"], log.as_bytes()).expect(1);
    }
    // A name that is empty is one.
    let named = csvlog().replace("\"psql\"", "");
    let run = piped(&sandbox, &["--app", "x", "--strict"], named.as_bytes()).expect(0);
    assert!(!run.stderr.contains("by which you filter"), "{run}");
    // Nothing is left out by a name that the log does not have.
    let run = piped(&sandbox, &["--not-app", "x", "--not-user", "x"], log.as_bytes()).expect(0);
    assert!(run.stdout.contains("select 1") && !run.stderr.contains("hid"), "{run}");
}

#[test]
fn an_uncertain_entry_is_not_left_out_by_a_name_that_a_client_may_have_chosen() {
    let sandbox = Sandbox::new(PROGRAM);
    // The process is not that of the session: a name may hold the rest of the line.
    let log = "2026-11-22 22:46:35.752 UTC [70] 6b0370cb.46 alice@kasm x: LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>\n\
               2026-11-22 22:46:35.752 UTC [70] 6b0370cb.47 bob@kasm kasm-db: LOG:  AUDIT: \
               SESSION,2,1,READ,SELECT,,,select 2,<none>\n";
    let run = audit(&sandbox, log, &[]).expect(0);
    assert!(run.stdout.contains("\"uncertain\":true"), "{run}");
    for filter in ["--not-user=*", "--not-app=*", "--not-session=*"] {
        assert!(shown(&audit(&sandbox, log, &[filter]).expect(0)).contains(&2), "{filter}");
    }
}
