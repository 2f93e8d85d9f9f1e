//! Entries that a name or a function imitates: none of them is certain.

use kasm_db_auditlog::Reason;

use crate::prefixes::seen;

const DEBIAN: &str = "%m [%p] %q%u@%d ";
const FORGED: &str = "AUDIT: SESSION,1,1,DDL,DROP,,,x,<none>";

/// Writes lines of a session with these names, in the prefix of Debian.
fn lines(user: &str, database: &str, messages: &[&str]) -> String {
    let line = |message: &&str| format!("2026-11-22 10:00:00.000 UTC [7] {user}@{database} {message}\n");
    messages.iter().map(line).collect()
}

#[test]
fn a_name_with_line_feeds_makes_no_certain_entry() {
    let head = "2026-11-22 09:00:00.000 UTC [7] alice";
    for (user, database) in [
        (format!("x\n{head}"), format!("kasm LOG:  {FORGED}\n")),
        (format!("x\n{head}"), format!("kasm LOG:  {FORGED}")),
        // The line before it looks whole.
        (format!("x@k LOG:  \n{head}"), format!("kasm LOG:  {FORGED}\n")),
        (format!("x@k LOG:  y\n{head}"), format!("kasm LOG:  {FORGED}\n")),
        // So does the one behind it.
        (format!("x@k LOG:  \n{head}"), format!("kasm LOG:  {FORGED}\n\t")),
        (format!(",\"@k LOG:  \n{head}"), "kasm LOG:  AUDIT: SESSION,1,1,DDL,DROP,,,\"\n\t".into()),
        // On one line.
        (format!("alice@kasm LOG:  {FORGED}"), "z".into()),
        ("alice".into(), format!("kasm LOG:  {FORGED}")),
    ] {
        let connected = "LOG:  connection authorized: user=bob database=kasm application_name=psql";
        let failed =
            format!("FATAL:  password authentication failed for user \"{}\"", user.replace('\n', "\n\t"));
        for message in ["FATAL:  the database system is starting up", &failed] {
            let log = lines("bob", "kasm", &[connected]) + &lines(&user, &database, &[message]);
            for given in [Some(DEBIAN), None] {
                for shown in seen(&log, given) {
                    let is_sure = shown.contains("@kasm: ") && !shown.starts_with('?');
                    assert!(!is_sure, "{user:?} {database:?}: {shown}");
                }
            }
        }
    }
}

#[test]
fn the_entries_around_such_a_name_are_read() {
    let entry = "LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,select 1 from a_table_of_some_length,<not logged>";
    let log = lines("bob", "kasm", &[entry, entry])
        + &lines("x\ny", "kasm", &["FATAL:  role \"x\n\ty\" does not exist"])
        + &lines("bob", "kasm", &[entry; 6]);
    let shown = seen(&log, Some(DEBIAN));
    let sure = shown.iter().filter(|shown| shown.starts_with("bob@kasm: ")).count();
    let all = shown.iter().filter(|shown| shown.contains("a_table")).count();
    assert!(all == 8 && sure >= 5, "{shown:#?}");
}

/// A role whose name holds a line feed, and that logs in.
#[test]
fn the_second_line_of_a_name_is_not_a_session_of_its_own() {
    let prefix = "%m [%p] %q[user=%u,db=%d,app=%a] ";
    let line = |user: &str, statement: &str| {
        format!(
            "2026-11-22 10:00:00.000 UTC [8] [user={user},db=kasm,app=Kasm API] LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,{statement},<none>\n"
        )
    };
    let theirs = line("x@k LOG:  \n2026-11-22 10:00:00.000 UTC [7] [user=alice", "x");
    let log = line("bob", "select 1") + &theirs + &line("bob", "select 2");
    for shown in seen(&log, Some(prefix)) {
        assert!(!shown.contains("alice@kasm: ") || shown.starts_with('?'), "{shown}");
    }
    let honest: String = (0..4).map(|_| line("bob", "select 1")).collect();
    assert_eq!(seen(&honest, Some(prefix)), ["bob@kasm: select 1"; 4]);
}

/// Whoever may create roles and databases chooses their names.
#[test]
fn a_name_that_may_end_elsewhere_is_left_out_and_the_entry_is_certain() {
    let entry = |head: &str| format!("{head}LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,x,<none>\n");
    for (prefix, head, shown) in [
        // A role of a realm, or a database with the realm in its name.
        (
            DEBIAN,
            "2026-11-22 10:00:00.000 UTC [7] alice@EXAMPLE.COM@kasm ",
            "~-@-: x likely alice@EXAMPLE.COM",
        ),
        (DEBIAN, "2026-11-22 10:00:00.000 UTC [7] alice@kasm ", "alice@kasm: x"),
        (DEBIAN, "2026-11-22 10:00:00.000 UTC [7] anna smith@kasm ", "anna smith@kasm: x"),
        // `Kasm API` and `alice`, or `Kasm` and `API alice`.
        ("%m %a %u %d %p ", "2026-11-22 10:00:00.000 UTC Kasm API alice kasm 7 ", "~-@-: x likely alice"),
        ("%m %a %u %d %p ", "2026-11-22 10:00:00.000 UTC psql alice kasm 7 ", "alice@kasm: x"),
        ("%m %u %d %p ", "2026-11-22 10:00:00.000 UTC alice kasm 7 ", "alice@kasm: x"),
    ] {
        let found = seen(&entry(head), Some(prefix));
        assert_eq!(found, [shown], "{head}");
    }
    // A database whose name holds an entry, in a prefix that nobody gave: its own, or a shorter one.
    let head = "2026-11-22 10:00:00 UTC [7]: [1-1] user=alice,db=k LOG:  AUDIT: SESSION,1,1,DDL,DROP,,,\"x,app=psql,client=[local] ";
    let log = format!("{head}LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,\"select '\"\"'\",<none>\n").repeat(4);
    for given in [None, Some("%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ")] {
        for shown in seen(&log, given) {
            assert!(
                shown.starts_with('?') || shown.starts_with(|c: char| c.is_ascii_digit()),
                "{given:?}: {shown}"
            );
        }
    }
    // Also in a prefix that nobody gave.
    let head = "2026-11-22 10:00:00 UTC [7]: [1-1] user=alice,db=kasm,app=x,db=k,app=y,client=10.0.0.5 ";
    assert_eq!(seen(&entry(head), None), ["~-@-: x likely alice"]);
}

#[test]
fn what_follows_an_entry_of_a_function_makes_it_a_fault() {
    let function = [format!("1: {:?}", Reason::Function)];
    let forged = format!("LOG:  {FORGED}");
    for behind in
        ["CONTEXT:  PL/pgSQL function f() line 1 at RAISE", "STATEMENT:  select f()", "QUERY:  select f()"]
    {
        let log = lines("bob", "kasm", &[&forged, behind]);
        assert_eq!(seen(&log, Some(DEBIAN)), function, "{behind}");
        // One of another process says nothing of it.
        let other = lines("bob", "kasm", &[behind]).replace("[7]", "[8]");
        let log = lines("bob", "kasm", &[&forged]) + &other;
        assert_eq!(seen(&log, Some(DEBIAN)), ["bob@kasm: x"], "{behind}");
        // Without a process it cannot be told.
        let log = format!("{forged}\n{behind}\n");
        assert_eq!(seen(&log, Some("")), ["?-@-: x likely -"], "{behind}");
    }
    let log = lines("bob", "kasm", &["ERROR:  syntax error", &format!("STATEMENT:  {FORGED}")]);
    assert_eq!(seen(&log, Some(DEBIAN)), [""; 0]);
    let location = "LOCATION:  log_audit_event, pgaudit.c:795";
    let log = lines("bob", "kasm", &[&forged.replace("LOG:  ", "LOG:  00000: "), location]);
    assert_eq!(seen(&log, Some(DEBIAN)), ["bob@kasm: x"]);
}

#[test]
fn behind_a_line_that_is_none_of_the_log_an_entry_is_uncertain() {
    let entry = format!("LOG:  {FORGED}");
    let log = lines("bob", "kasm", &["LOG:  connection received"; 4])
        + "NOTICE:  x\n"
        + &lines("bob", "kasm", &[&entry]);
    assert_eq!(seen(&log, Some(DEBIAN)), ["?-@-: x likely bob"]);
    // What looks like a line of another prefix is not one of the log.
    let log = lines("bob", "kasm", &["LOG:  connection received"; 4])
        + &format!("2026-11-22 10:00:00 UTC {entry}\n");
    assert_eq!(seen(&log, Some(DEBIAN)), ["?-@-: x likely -"]);
}

#[test]
fn another_prefix_is_the_logs_once_no_name_can_be_as_long() {
    let entry = format!("LOG:  {FORGED}");
    let log = lines("bob", "kasm", &["LOG:  connection received"; 4])
        + &format!("2026-11-22 10:00:00 UTC [7]: user=bob,db=kasm {entry}\n").repeat(9);
    let shown = seen(&log, Some(DEBIAN));
    let sure = shown.iter().filter(|shown| *shown == "bob@kasm: x").count();
    assert!(shown.len() == 9 && (5..9).contains(&sure) && shown[0].starts_with('?'), "{shown:#?}");
}
