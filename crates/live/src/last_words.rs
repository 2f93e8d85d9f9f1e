//! Why a server ended or does not start, by the lines that it wrote.

/// What a client that is not let in leaves in the log: it says nothing of the server's own end. As PostgreSQL 12 to 18 have it.
const OF_CLIENTS: &[&str] = &[
    "authentication failed",
    "no pg_hba.conf entry",
    "pg_hba.conf rejects",
    "terminating connection",
    "terminating walreceiver",
    "terminating background worker",
    "the database system is ",
    "too many clients",
    "too many connections",
    "connection slots",
    "is not permitted to log in",
    "no PostgreSQL user name specified",
    "unsupported frontend protocol",
    "expected password response",
    "connection requires a valid client certificate",
];

/// What the server says on its way up and down: it is not a reason.
const NOTICES: &[&str] = &[
    "starting PostgreSQL",
    "listening on",
    "redirecting log output",
    "ending log output",
    "database system was",
    "database system is",
    "received ",
    "shutting down",
    "aborting any active",
    "aborting startup",
    "all server processes",
    "terminating any other",
    "entering standby",
    "starting backup recovery",
    "starting point-in-time recovery",
    "redo ",
    "consistent recovery state",
    "checkpoint ",
    "restartpoint ",
    "background worker ",
    "startup process (PID",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// FATAL or PANIC.
    End,
    Log,
    Context,
    /// DETAIL or HINT: not quoted, as it may be long.
    More,
    Other,
}

/// A message of a server's log.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    kind: Kind,
    severity: &'static str,
    text: String,
}

/// Returns why the server ended, by the last lines of its log in any format: the last FATAL or PANIC that is not about a client,
/// and before it what that one refers to.
pub(crate) fn reason(lines: &[&str]) -> Option<String> {
    let messages: Vec<Message> = lines.iter().filter_map(|line| message(line)).collect();
    let is_own = |message: &Message| message.kind == Kind::End && !is_of_client(&message.text);
    let end = messages.iter().rposition(is_own)?;
    let before = &messages[..end];
    let behind_log = before.iter().rposition(|message| !matches!(message.kind, Kind::Context | Kind::More));
    let referred = behind_log.map(|at| &before[at..]).filter(|part| {
        let first = &part[0];
        first.kind == Kind::Log && !NOTICES.iter().any(|notice| first.text.starts_with(notice))
    });
    let mut parts = Vec::new();
    for message in referred.unwrap_or_default().iter().filter(|message| message.kind != Kind::More) {
        parts.push(format!("{}:  {}", message.severity, message.text));
    }
    let Message { severity, text, .. } = &messages[end];
    parts.push(format!("{severity}:  {text}"));
    Some(parts.join("; "))
}

/// Returns the folder that the server writes its log to from here on, if its output says so: the path of the last hint.
pub(crate) fn log_folder<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let redirect = lines.iter().rev().find(|line| line.contains("HINT:  ") && line.contains("log output"))?;
    quoted(redirect)
}

/// Returns the first text in double quotes.
pub(crate) fn quoted(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('"')?;
    rest.split_once('"').map(|(inside, _)| inside).filter(|inside| !inside.is_empty())
}

/// Returns the lines since the last start of a server: its version stands in the first one, in every language.
pub(crate) fn since_start<'a>(lines: &[&'a str]) -> Option<Vec<&'a str>> {
    let is_start =
        |line: &&str| line.contains("PostgreSQL ") && line.contains(" on ") && line.contains("compiled by");
    let start = lines.iter().rposition(is_start)?;
    Some(lines[start..].to_vec())
}

fn is_of_client(text: &str) -> bool {
    // `role "x" does not exist`, `database "x" does not exist`
    let is_missing =
        text.ends_with("does not exist") && (text.starts_with("role \"") || text.starts_with("database \""));
    is_missing || OF_CLIENTS.iter().any(|part| text.contains(part))
}

/// Reads a line of a log in words, as csvlog, or as jsonlog; none of what continues another one.
fn message(line: &str) -> Option<Message> {
    const SEVERITIES: [(&str, Kind); 9] = [
        ("FATAL", Kind::End),
        ("PANIC", Kind::End),
        ("LOG", Kind::Log),
        ("CONTEXT", Kind::Context),
        ("DETAIL", Kind::More),
        ("HINT", Kind::More),
        ("ERROR", Kind::Other),
        ("WARNING", Kind::Other),
        ("STATEMENT", Kind::Other),
    ];
    let of = |(severity, kind), text: String| Message { kind, severity, text };
    if line.starts_with('{') {
        let severity = json(line, "error_severity")?;
        let known = SEVERITIES.into_iter().find(|(name, _)| *name == severity)?;
        return Some(of(known, json(line, "message")?));
    }
    // The first severity is the message's own: others may be in its text.
    let words = SEVERITIES.into_iter().filter_map(|known| {
        let at = line.find(&format!("{}:  ", known.0))?;
        Some((at, of(known, line[at + known.0.len() + 3..].trim().to_string())))
    });
    let csv = SEVERITIES.into_iter().filter_map(|known| {
        let at = line.find(&format!(",{},", known.0))?;
        let behind = &line[at + known.0.len() + 2..];
        // The SQLSTATE, and the message.
        let (state, text) = behind.split_once(',')?;
        let is_state = state.len() == 5 && state.bytes().all(|b| b.is_ascii_alphanumeric());
        is_state.then(|| (at, of(known, field(text))))
    });
    words.chain(csv).min_by_key(|(at, _)| *at).map(|(_, message)| message)
}

/// Reads the first field of the rest of a csvlog's line.
fn field(text: &str) -> String {
    let Some(inside) = text.strip_prefix('"') else {
        return text.split(',').next().unwrap_or_default().to_string();
    };
    let mut out = String::new();
    let mut chars = inside.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '"' && chars.next_if_eq(&'"').is_none() {
            break;
        }
        out.push(c);
    }
    out
}

/// Reads a text of a jsonlog's line.
fn json(line: &str, key: &str) -> Option<String> {
    let (_, rest) = line.split_once(&format!("\"{key}\":\""))?;
    let mut out = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return Some(out),
            '\\' => out.push(match chars.next()? {
                'n' => ' ',
                other => other,
            }),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<String> {
        reason(&text.lines().collect::<Vec<_>>())
    }

    #[test]
    fn a_line_that_only_refers_to_another_one_is_quoted_behind_it() {
        // As PostgreSQL 15 writes them.
        let conf = "2026-11-29 16:42:34.387 GMT [1] LOG:  could not open configuration file \"/conf/postgresql.conf\": \
                    Permission denied\n2026-11-29 16:42:34.387 GMT [1] FATAL:  configuration file \
                    \"/conf/postgresql.conf\" contains errors\n";
        assert_eq!(
            of(conf).as_deref(),
            Some(
                "LOG:  could not open configuration file \"/conf/postgresql.conf\": Permission denied; FATAL:  \
                 configuration file \"/conf/postgresql.conf\" contains errors"
            )
        );
        let hba = "x LOG:  starting PostgreSQL 15.15 on x86_64, compiled by gcc\nx LOG:  listening on Unix socket \"/s\"\n\
                   x LOG:  invalid connection type \"garbage\"\nx CONTEXT:  line 5 of configuration file \"/conf/pg_hba.conf\"\n\
                   x FATAL:  could not load pg_hba.conf\nx LOG:  database system is shut down\n";
        let expected = "LOG:  invalid connection type \"garbage\"; CONTEXT:  line 5 of configuration file \
                        \"/conf/pg_hba.conf\"; FATAL:  could not load pg_hba.conf";
        assert_eq!(of(hba).as_deref(), Some(expected));
    }

    #[test]
    fn one_that_says_it_all_is_quoted_alone() {
        let log = "x @ LOG:  listening on IPv4 address \"0.0.0.0\", port 5432\n\
                   x @ FATAL:  could not open log file \"/log/a.log\": Permission denied\n\
                   x @ LOG:  database system is shut down\n";
        assert_eq!(
            of(log).as_deref(),
            Some("FATAL:  could not open log file \"/log/a.log\": Permission denied")
        );
        let panic = "x LOG:  database system was shut down at 2026\nx LOG:  invalid primary checkpoint record\n\
                     x PANIC:  could not locate a valid checkpoint record\n\
                     x LOG:  startup process (PID 28) was terminated by signal 6: Aborted\n\
                     x LOG:  aborting startup due to startup process failure\nx LOG:  database system is shut down\n";
        let expected =
            "LOG:  invalid primary checkpoint record; PANIC:  could not locate a valid checkpoint record";
        assert_eq!(of(panic).as_deref(), Some(expected));
    }

    #[test]
    fn what_is_said_to_clients_is_not_the_end_of_the_server() {
        for text in [
            "password authentication failed for user \"bob\"",
            "role \"kasmapp\" does not exist",
            "database \"kasmapp\" does not exist",
            "terminating connection due to administrator command",
            "the database system is starting up",
            "sorry, too many clients already",
        ] {
            assert_eq!(
                of(&format!("x FATAL:  {text}\nx LOG:  received fast shutdown request\n")),
                None,
                "{text}"
            );
        }
    }

    #[test]
    fn csvlog_and_jsonlog_are_read_too() {
        let csv = "2026-11-29 16:00:00.000 UTC,,,1,,692b1a5b.1,5,,2026-11-29 16:00:00 UTC,,0,LOG,F0000,\"invalid connection \
                   type \"\"garbage\"\"\",,,,,\"line 5 of configuration file \"\"/conf/pg_hba.conf\"\"\",,,,\"\",\"postmaster\",,0\n\
                   2026-11-29 16:00:00.000 UTC,,,1,,692b1a5b.1,6,,2026-11-29 16:00:00 UTC,,0,FATAL,XX000,\"could not load \
                   pg_hba.conf\",,,,,,,,,\"\",\"postmaster\",,0\n";
        let expected = "LOG:  invalid connection type \"garbage\"; FATAL:  could not load pg_hba.conf";
        assert_eq!(of(csv).as_deref(), Some(expected));
        let json = "{\"pid\":1,\"error_severity\":\"LOG\",\"message\":\"invalid connection type \\\"garbage\\\"\"}\n\
                    {\"pid\":1,\"error_severity\":\"FATAL\",\"message\":\"could not load pg_hba.conf\"}\n";
        assert_eq!(of(json).as_deref(), Some(expected));
    }

    #[test]
    fn only_the_last_start_counts() {
        let start = "x LOG:  starting PostgreSQL 15.15 (Debian) on x86_64, compiled by gcc, 64-bit";
        let lines = [start, "x FATAL:  old", start, "x LOG:  listening on"];
        assert_eq!(since_start(&lines).map(|lines| lines.len()), Some(2));
        assert_eq!(since_start(&lines[1..2]), None);
        let hint = "x HINT:  Future log output will appear in directory \"/var/log/postgres\".";
        assert_eq!(
            log_folder(&["x LOG:  redirecting log output to logging collector process", hint]),
            Some("/var/log/postgres")
        );
        assert_eq!(log_folder(&["x HINT:  Is another postmaster running on \"/data\"?"]), None);
    }
}
