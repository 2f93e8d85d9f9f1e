//! Logs of other kinds than a server writes by itself.

use kasm_db_auditlog::{LIMIT, Reason};

use crate::event::{Event, read};

/// Returns the lines and statements of the entries, and the faults.
fn shown(log: &[u8]) -> Vec<String> {
    let whole = read(log, log.len().max(1), None);
    for chunk in [1, 7, 50_000] {
        if log.len() / chunk < 3_000 {
            assert!(read(log, chunk, None) == whole, "pieces of {chunk} bytes differ");
        }
    }
    let show = |event: Event| match event {
        Event::Entry(entry) if entry.cut => format!("{}: cut at {}", entry.line, entry.fields[4].len()),
        Event::Entry(entry) => format!("{}: {} {}", entry.line, entry.head[1], entry.fields[4]),
        Event::Fault(line, reason) => format!("{line}: {reason:?}"),
    };
    whole.into_iter().map(show).collect()
}

fn csv(message: &str) -> String {
    let message = message.replace('"', "\"\"");
    format!(
        "2026-11-22 22:46:35.752 UTC,\"bob\",\"kasm\",7,\"[local]\",6b.7,1,\"SELECT\",2026-11-22 22:46:35 UTC,3/2,0,\
         LOG,00000,\"{message}\",,,,,,,,,\"psql\",\"client backend\",,0\n"
    )
}

fn audit(statement: &str) -> String {
    format!("AUDIT: SESSION,1,1,READ,SELECT,,,{statement},<none>")
}

fn stderr(message: &str) -> String {
    format!("2026-11-22 22:46:35.752 UTC [7] bob@kasm {message}\n")
}

#[test]
fn a_log_may_start_and_end_within_an_entry() {
    let (one, two) = (csv(&audit("\"a\nb, c\"")), csv(&audit("two")));
    let log = format!("{}{two}{}", &one[160..], &one[..130]);
    assert_eq!(shown(log.as_bytes()), ["1: Start", "2: bob two", "3: End"]);
    let (one, two) =
        (stderr(&format!("LOG:  {}", audit("\"a\n\tb, c\""))), stderr(&format!("LOG:  {}", audit("two"))));
    let log = format!("{}{two}{}", &one[70..], &one[..70]);
    assert_eq!(shown(log.as_bytes()), ["1: Start", "3: bob two", "4: End"]);
    let line = "{\"user\":\"bob\",\"message\":\"AUDIT: SESSION,1,1,READ,SELECT,,,x,<none>\",\"y\":1}\n";
    let log = format!("{}{line}{}", &line[20..], &line[..60]);
    assert_eq!(shown(log.as_bytes()), ["1: Start", "2: bob x", "3: End"]);
}

#[test]
fn behind_a_crash_the_next_record_is_found() {
    let (one, two) = (csv(&audit("\"select \"\"x\"\"\"")), csv(&audit("two")));
    for cut in 1..one.len() - 1 {
        let log = format!("{two}{}\n{two}{two}", &one[..cut]);
        let shown = shown(log.as_bytes());
        assert_eq!(shown[0], "1: bob two");
        // A field that is cut inside of quotes takes the next line with it, at most.
        assert_eq!(shown.last().unwrap(), "4: bob two", "cut at {cut}: {shown:?}");
        let entries = shown.iter().filter(|event| event.contains("bob two")).count();
        assert_eq!(entries, 3, "cut at {cut}: {shown:?}");
    }
}

#[test]
fn carriage_returns_at_line_ends_are_no_part_of_an_entry() {
    let message = audit("\"a\nb\"");
    let log = csv(&message).replace('\n', "\r\n");
    assert_eq!(shown(log.as_bytes()), [r"1: bob a\r\nb"]);
    let log = stderr(&format!("LOG:  {}", message.replace('\n', "\n\t"))).replace('\n', "\r\n");
    assert_eq!(shown(log.repeat(2).as_bytes()), [r"1: bob a\nb", r"3: bob a\nb"]);
    let log = "{\"user\":\"bob\",\"message\":\"AUDIT: SESSION,1,1,READ,SELECT,,,x,<none>\"}\r\n";
    assert_eq!(shown(log.as_bytes()), ["1: bob x"]);
}

#[test]
fn an_entry_beyond_the_limit_is_cut_and_the_next_one_is_read() {
    let long = format!("\"{}\"", "x\n".repeat(LIMIT / 2));
    let cut = |log: &str| {
        let shown = shown(log.as_bytes());
        assert!(
            shown[0].starts_with("1: cut at ") && shown[1].ends_with(": bob two"),
            "{:.80} {:?}",
            shown[0],
            &shown[1..]
        );
        assert_eq!(shown.len(), 2);
    };
    cut(&format!("{}{}", csv(&audit(&long)), csv(&audit("two"))));
    let lines = audit(&long).replace('\n', "\n\t");
    cut(&format!("{}{}", stderr(&format!("LOG:  {lines}")), stderr(&format!("LOG:  {}", audit("two")))));
    let json = |statement: &str| {
        let message = audit(statement).replace('"', "\\\"").replace('\n', "\\n");
        format!("{{\"user\":\"bob\",\"message\":\"{message}\"}}\n")
    };
    cut(&format!("{}{}", json(&long), json("two")));
}

#[test]
fn records_are_read_between_any_number_of_lines_that_are_none() {
    for lines in [0, 1, 7, 300, 5000] {
        let log = format!("{}{}{}", csv(&audit("one")), "a\n".repeat(lines), csv(&audit("two")));
        let broken = format!("{}{}{}", csv(&audit("one")), csv("AUDIT: x").repeat(lines), csv(&audit("two")));
        for log in [log, broken] {
            let events = read(log.as_bytes(), log.len(), None);
            assert_eq!(events.len(), lines + 2);
            assert!(matches!((&events[0], &events[lines + 1]), (Event::Entry(_), Event::Entry(_))));
        }
    }
}

#[test]
fn severities_of_every_language_are_taken() {
    for severity in ["LOG", "PROTOKOLL", "JOURNAL", "СООБЩЕНИЕ", "ログ", "NOTICE"] {
        let log = stderr(&format!("{severity}:  {}", audit("x")));
        assert_eq!(shown(log.as_bytes()), ["1: bob x"], "{severity}");
    }
}

#[test]
fn what_a_client_sends_forges_no_entry_and_is_not_dropped() {
    let forged = audit("forged");
    // A syntax error shows the statement; nothing marks it as one in every language.
    let log = stderr(&format!("STATEMENT:  LOG:  {forged}"));
    assert_eq!(shown(log.as_bytes()), ["1: Prefix"]);
    let log = stderr(&format!("LOG:  x\n\tLOG:  {forged}"));
    assert_eq!(shown(log.as_bytes()), [""; 0]);
    let log = csv(&format!("syntax error at or near \"{forged}\""));
    assert_eq!(shown(log.as_bytes()), [""; 0]);
    let log = csv("x").replace("\"psql\"", &format!("\"{forged}\""));
    assert_eq!(shown(log.as_bytes()), [""; 0]);
    let log = format!("{{\"message\":\"x\",\"application_name\":\"{forged}\"}}\n");
    assert_eq!(shown(log.as_bytes()), [""; 0]);
}

#[test]
fn malformed_entries_are_reported() {
    let log = [
        csv("AUDIT: SESSION,1,1,READ,SELECT,,,x"),
        csv(&audit("\"a\"b")),
        csv("AUDIT: NONE,1,1,READ,SELECT,,,x,<none>"),
        csv(&audit("x,<none>,many").replace(",<none>,many,<none>", ",<none>,many")),
        "no record\n".into(),
        csv(&audit("x")),
    ]
    .concat();
    assert_eq!(
        shown(log.as_bytes()),
        ["1: Fields(8)", "2: Quotes", "3: Type", "4: Rows", "5: Csv", "6: bob x"]
    );
    let log = format!("{{\"message\":\"{}\"\n{{\"log\":\"AUDIT: \"}}\n", audit("x"));
    assert_eq!(shown(log.as_bytes()), ["1: Json", "2: NoMessage"]);
}

#[test]
fn lines_of_syslog_are_recognised() {
    let log = format!(
        "Nov 22 22:41:34 db postgres[7]: [3-1] LOG:  {}\nNov 22 22:41:34 db postgres[7]: [3-2] #011x\n",
        audit("\"x")
    );
    assert_eq!(shown(log.as_bytes()), ["1: Syslog"]);
}

#[test]
fn bytes_that_are_no_text_are_kept() {
    let mut log = stderr(&format!("LOG:  {}", audit("_"))).into_bytes();
    let at = log.iter().position(|b| *b == b'_').filter(|at| *at > 60).unwrap();
    log.splice(at..=at, *b"\xff\x01\xe9");
    assert_eq!(shown(&log), [r"1: bob \xff\x01\xe9"]);
    let broken = Event::Fault(1, Reason::Csv);
    assert_eq!(broken.clone().on_line(1), broken);
}
