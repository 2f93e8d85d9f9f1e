//! Logs in words of every published prefix, and names that imitate what stands around them.

use kasm_db_auditlog::{AuditEntry, Ending, Prefix, Reason, Scanner, Visitor};

/// What a log shows of who did what.
#[derive(Default)]
struct Seen(Vec<String>);

impl Visitor for Seen {
    fn entry(&mut self, entry: &AuditEntry<'_>) {
        let text = |part: Option<kasm_db_auditlog::Text<'_>>| {
            part.map_or("-".into(), |part| String::from_utf8_lossy(&part.bytes()).into_owned())
        };
        let mark = if entry.is_uncertain() {
            "?"
        } else if entry.is_name_open() {
            "~"
        } else {
            ""
        };
        let fields = entry.fields();
        let statement = String::from_utf8_lossy(&fields.statement()).into_owned();
        let likely =
            entry.likely().map_or(String::new(), |likely| format!(" likely {}", text(likely.user())));
        self.0.push(format!("{mark}{}@{}: {statement}{likely}", text(entry.user()), text(entry.database())));
    }

    fn fault(&mut self, line: u64, reason: Reason) {
        self.0.push(format!("{line}: {reason:?}"));
    }
}

pub(crate) fn seen(log: &str, prefix: Option<&str>) -> Vec<String> {
    let mut seen = Seen::default();
    let prefix = prefix.map(|prefix| Prefix::new(prefix.as_bytes()));
    Scanner::new(prefix.as_ref()).scan(log.as_bytes(), Ending::End, &mut seen);
    seen.0
}

fn audit(prefix: &str, statement: &str) -> String {
    format!("{prefix}LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,{statement},<not logged>\n")
}

#[test]
fn a_prefix_that_numbers_lines_is_not_syslog() {
    for (head, who) in [
        ("2026-11-22 10:00:00 UTC [4711]: [3-1] user=bob,db=kasm,app=Kasm API,client=10.0.0.5 ", "bob@kasm"),
        ("2026-11-22 10:00:00.123 UTC [4711]: [3-1] db=kasm,user=bob ", "bob@kasm"),
        ("2026-11-22 10:00:00 CET [4711]: [3-1] ", "-@-"),
    ] {
        assert_eq!(seen(&audit(head, "x"), None), [format!("{who}: x")], "{head}");
    }
    let given = "%m [%p]: [%l-1] db=%d|user=%u ";
    let head = "2026-11-22 10:00:00.123 UTC [4711]: [3-1] db=kasm|user=bob ";
    assert_eq!(seen(&audit(head, "x"), Some(given)), ["bob@kasm: x"]);
}

#[test]
fn syslog_is_told_by_what_stands_before_the_severity() {
    let head = "2026-11-22 10:00:00.000 UTC [7] bob@kasm ";
    assert_eq!(seen(&audit(head, "delete /* ]: [1-1] */"), None), ["bob@kasm: delete /* ]: [1-1] */"]);
    let custom = "a|b|";
    assert_eq!(
        seen(&audit(custom, "x /* postgres[1]: [1-1] */"), None),
        ["?-@-: x /* postgres[1]: [1-1] */ likely -"]
    );
    for head in ["Nov 22 22:41:34 db postgres[7]: [3-1] ", "2026-11-22T22:41:34+00:00 db pg[7]: [3-1] x [7] "]
    {
        assert_eq!(seen(&audit(head, "x"), None), ["1: Syslog"], "{head}");
    }
}

#[test]
fn a_role_may_have_a_realm_and_spaces() {
    let head = "2026-11-22 10:00:00.000 UTC [7] alice@EXAMPLE.COM@kasm ";
    // Or a database has.
    assert_eq!(seen(&audit(head, "x"), None), ["~-@-: x likely alice@EXAMPLE.COM"]);
    let head = "2026-11-22 10:00:00.000 UTC [7] a b@kasm ";
    assert_eq!(seen(&audit(head, "x"), None), ["a b@kasm: x"]);
}

#[test]
fn an_application_name_that_imitates_a_prefix_is_not_taken_for_it() {
    let rest = "bob postgres 10.0.0.1(8) 141 SET 00000 2026-11-22 22:46:35 UTC 6b.8d:>";
    for name in
        ["Kasm admin kasm 10.9.9.9(5) 141", "x admin kasm 10.9.9.9(1) 42 SELECT", "x admin kasm [local] 141"]
    {
        let head = format!("< 2026-11-22 22:46:35.866 UTC {name} {rest}");
        assert_eq!(seen(&audit(&head, "x"), None), ["?-@-: x likely bob"], "{name}");
    }
    let head = format!("< 2026-11-22 22:46:35.866 UTC PostgreSQL JDBC Driver {rest}");
    // Or the role is `Driver bob`.
    assert_eq!(seen(&audit(&head, "x"), None), ["~-@-: x likely bob"]);
}

#[test]
fn a_line_that_contradicts_itself_is_uncertain() {
    let head = |pid: &str, tag: &str| {
        format!(
            "< 2026-11-22 22:46:35.866 UTC psql bob kasm [local] {pid} {tag} 00000 2026-11-22 22:46:35 UTC 6b.8d:>"
        )
    };
    assert_eq!(seen(&audit(&head("141", "SELECT"), "x"), None), ["bob@kasm: x"]);
    assert_eq!(seen(&audit(&head("142", "SELECT"), "x"), None), ["?bob@kasm: x"]);
    assert_eq!(seen(&audit(&head("141", "SELECT BOB"), "x"), None), ["?bob@kasm: x"]);
}

#[test]
fn a_name_that_holds_a_message_is_not_taken_for_it() {
    let head = |name: &str| {
        format!("2026-11-22 10:00:00 UTC [7]: [3-1] user=bob,db=kasm,app={name},client=10.0.0.5 ")
    };
    let name = "x,client=h LOG:  AUDIT: SESSION,9,1,DDL,DROP,,,\"";
    let log = audit(&head(name), "x");
    assert!(seen(&log, None)[0].starts_with('?'), "{:?}", seen(&log, None));
    // One that hides an entry.
    let log = audit(&head("x,client=h LOG:  duration"), "x");
    assert_eq!(seen(&log, None), ["?-@-: x"]);
    assert_eq!(seen(&audit(&head("x,client=10.9.9.9"), "x"), None), ["bob@kasm: x"]);
}

#[test]
fn a_prefix_of_nobody_proves_nothing() {
    let log = audit("[app x user=admin] 2026-11-22 10:00:00 UTC user=bob # ", "x");
    assert_eq!(seen(&log, None), ["?-@-: x"]);
    let log = audit("[app x] 2026-11-22 10:00:00 UTC user=bob # ", "x");
    assert_eq!(seen(&log, None), ["?-@-: x likely bob"]);
    let log = audit("2026-11-22 10:00:00 UTC|kasm|bob|", "x");
    assert_eq!(seen(&log, Some("%t|%d|%u|")), ["bob@kasm: x"]);
}

#[test]
fn a_severity_of_debugging_is_one() {
    let log = "2026-11-22 10:00:00.000 UTC [7] bob@kasm DEBUG2:  AUDIT: SESSION,1,1,READ,SELECT,,,x,<none>\n";
    assert_eq!(seen(log, None), ["bob@kasm: x"]);
}

#[test]
fn what_is_not_a_log_is_said_to_be_none() {
    assert_eq!(seen("no log\nat all\n", None), ["1: Format"]);
    assert_eq!(seen("\n \n", None), [""; 0]);
    assert_eq!(seen("", None), [""; 0]);
    let utf16: Vec<u8> = audit("", "x").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut shown = Seen::default();
    Scanner::new(None).scan(&utf16, Ending::End, &mut shown);
    assert_eq!(shown.0, ["1: Utf16"]);
    let log = format!("{}{}", "x\n".repeat(40_000), audit("2026-11-22 10:00:00.000 UTC [7] bob@kasm ", "x"));
    assert_eq!(seen(&log, None), ["1: Format", "bob@kasm: x"]);
    let log = format!("\u{feff}{}", audit("2026-11-22 10:00:00.000 UTC [7] bob@kasm ", "x"));
    assert_eq!(seen(&log, None), ["bob@kasm: x"]);
}
