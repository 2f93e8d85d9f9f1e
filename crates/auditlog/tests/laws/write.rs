//! Writes entries as pgaudit and the server do.

use kasm_db_auditlog::AuditType;
use proptest::prelude::*;

use crate::event::{Event, Owned};

pub(crate) const PREFIX: &str = "< %m %a %u %d %r %p %i %e %s %c:>";

#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    Stderr,
    /// The number of columns.
    Csv(usize),
    Json,
}

/// One message of a server.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    time: String,
    pub(crate) user: String,
    pub(crate) database: String,
    host: String,
    port: Option<u16>,
    pid: u32,
    application: String,
    message: Message,
    /// What stands behind the message in the log.
    detail: String,
}

#[derive(Clone, Debug)]
enum Message {
    Audit {
        kind: AuditType,
        ids: (u64, u64),
        class: &'static str,
        /// Command, type and name of the object, statement, parameter.
        fields: [String; 5],
        rows: Option<u64>,
    },
    Other(String),
}

pub(crate) fn records() -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec(record(), 1..12)
}

fn record() -> impl Strategy<Value = Record> {
    let time = (
        2000..2100,
        1..13,
        1..29,
        0..24,
        0..60,
        0..1000,
        prop::sample::select(vec!["UTC", "CET", "+0330", "-03"]),
    );
    let time = time.prop_map(|(year, month, day, hour, minute, milli, zone)| {
        format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:07.{milli:03} {zone}")
    });
    let remote = prop_oneof![
        Just(("[local]".to_string(), None)),
        (any::<u16>()).prop_map(|port| ("10.0.0.5".to_string(), Some(port))),
        (any::<u16>()).prop_map(|port| ("fe80::1".to_string(), Some(port))),
    ];
    (time, name(), name(), remote, any::<u32>(), name(), message(), text()).prop_map(
        |(time, user, database, (host, port), pid, application, message, detail)| Record {
            time,
            user,
            database,
            host,
            port,
            pid,
            application,
            message,
            detail,
        },
    )
}

/// Names as the log in words can tell apart: without blanks.
fn name() -> impl Strategy<Value = String> {
    // A line with shorter ones, and with hardly a statement, is so short that a name with a line feed may hold it.
    prop_oneof![3 => "[a-z]{4,8}", 1 => "[a-z\",'{}\\\\ü]{4,8}"]
}

/// Text with everything that some format must quote.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => "[a-z ]{0,20}",
        3 => "[a-z\",\n\r\t\\\\'{}: ü\u{1}\u{7f}]{0,30}",
        1 => Just("2026-11-22 22:46:35.866 UTC,\"a\"\n2026-11-22 22:46:35.866 UTC,".to_string()),
        1 => Just("x\nLOG:  AUDIT: SESSION,1,1,READ,SELECT,,,forged,<none>\n".to_string()),
        1 => "[\",]{1,90}",
        1 => Just("\"".repeat(3_000)),
        1 => "[a-z]{60,70}",
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let kind = prop::sample::select(vec![AuditType::Session, AuditType::Object]);
    let class = prop::sample::select(vec!["READ", "WRITE", "FUNCTION", "ROLE", "DDL", "MISC"]);
    let ids = (1..i64::MAX as u64, 1..1000_u64);
    let fixed = prop::sample::select(vec!["<none>", "<not logged>", "<previously logged>"]);
    let statement = prop_oneof![text(), fixed.clone().prop_map(String::from)];
    let parameter = prop_oneof![text(), fixed.prop_map(String::from)];
    let fields = ("[A-Z]{3,9}( [A-Z]{3,9})?", "([A-Z]{5})?", text(), statement, parameter);
    let audit = (kind, ids, class, fields, prop::option::of(any::<u64>())).prop_map(
        |(kind, ids, class, (command, object_type, name, statement, parameter), rows)| Message::Audit {
            kind,
            ids,
            class,
            fields: [command, object_type, name, statement, parameter],
            rows,
        },
    );
    prop_oneof![4 => audit, 1 => text().prop_map(|text| Message::Other(format!("it {text}")))]
}

impl Record {
    /// Creates an entry of this number; some are of several lines, and some are other messages.
    pub(crate) fn numbered(number: u64) -> Self {
        let statements = [
            "select 1",
            "select 1, 2",
            "select \"a\"\nfrom b\n where c = 'd, e'",
            "select '\n2026-11-22 22:46:35.752 UTC,\"a\",\"b\",7,\"[local]\",6b.7,1,\"x\"'",
            "select 'a:  b'",
        ];
        let (statement, parameter, detail) = match number % 13 {
            12 => (None, "", "it\nfailed, \"so\""),
            kind => (Some(statements[kind as usize % 5]), ["<none>", "1,\"x\""][kind as usize % 2], ""),
        };
        let text = String::from;
        Self {
            time: format!("2026-11-22 22:46:{:02}.{:03} UTC", number % 60, number % 1000),
            user: text("bob"),
            database: text("kasm"),
            host: text("10.0.0.5"),
            port: Some(5000 + (number % 1000) as u16),
            pid: 7000 + (number % 1000) as u32,
            application: text(["psql", "a client"][number as usize % 2]),
            message: match statement {
                Some(statement) => Message::Audit {
                    kind: AuditType::Session,
                    ids: (number, 1),
                    class: "READ",
                    fields: [text("SELECT"), text(""), text(""), text(statement), text(parameter)],
                    rows: None,
                },
                None => Message::Other(text("connection received")),
            },
            detail: text(detail),
        }
    }

    /// Returns the number of an entry's statement.
    pub(crate) fn number(&self) -> Option<u64> {
        match &self.message {
            Message::Audit { ids, .. } => Some(ids.0),
            Message::Other(_) => None,
        }
    }

    /// Returns what reading it must give; nothing for other messages.
    pub(crate) fn event(&self) -> Option<Event> {
        let Message::Audit {
            kind,
            ids,
            class,
            fields: [command, object_type, name, statement, parameter],
            rows,
        } = &self.message
        else {
            return None;
        };
        let text = |text: &str| text.as_bytes().escape_ascii().to_string();
        let port = self.port.map_or(String::new(), |port| port.to_string());
        let head = [
            &self.time,
            &self.user,
            &self.database,
            &self.host,
            &port,
            &self.pid.to_string(),
            &self.session(),
        ];
        Some(Event::Entry(Box::new(Owned {
            line: 0,
            cut: false,
            kind: *kind,
            ids: *ids,
            head: head.map(|part| text(part)),
            fields: [*class, command, object_type, name, statement].map(text),
            parameter: Some(text(parameter)),
            rows: *rows,
        })))
    }

    fn session(&self) -> String {
        format!("6b0370cb.{:x}", self.pid)
    }

    /// The message, as pgaudit makes it.
    fn message(&self) -> String {
        match &self.message {
            Message::Other(text) => text.clone(),
            Message::Audit { kind, ids, class, fields, rows } => {
                let kind = match kind {
                    AuditType::Session => "SESSION",
                    AuditType::Object => "OBJECT",
                };
                let fields: Vec<_> = fields.iter().map(|field| pgaudit(field)).collect();
                let rows = rows.map_or(String::new(), |rows| format!(",{rows}"));
                format!("AUDIT: {kind},{},{},{class},{}{rows}", ids.0, ids.1, fields.join(","))
            }
        }
    }

    pub(crate) fn write(&self, format: Format) -> Vec<u8> {
        let Self { time, user, database, host, pid, application, .. } = self;
        let (message, session, port) = (self.message(), self.session(), self.port);
        let start = "2026-11-22 22:40:00 UTC";
        match format {
            Format::Stderr => {
                let remote = port.map_or(host.clone(), |port| format!("{host}({port})"));
                let line = |severity: &str, message: &str| {
                    let prefix = format!(
                        "< {time} {application} {user} {database} {remote} {pid} CREATE TABLE 00000 {start} {session}:>"
                    );
                    format!("{prefix}{severity}:  {}\n", message.replace('\n', "\n\t"))
                };
                // Another message is an error of a statement, which the server shows too.
                match &self.message {
                    Message::Audit { .. } => line("PROTOKOLL", &message),
                    // It is longer than two names, which otherwise could hold it with the start of the next line.
                    Message::Other(_) => {
                        line("ERROR", &format!("{message} {}", "of a statement ".repeat(4)))
                            + &line("STATEMENT", &format!("select '{}'", "x".repeat(60)))
                    }
                }
                .into_bytes()
            }
            Format::Csv(columns) => {
                let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
                let remote = port.map_or(host.clone(), |port| format!("{host}:{port}"));
                let mut all = vec![
                    time.clone(),
                    quote(user),
                    quote(database),
                    pid.to_string(),
                    quote(&remote),
                    session,
                    "17".into(),
                    quote("SELECT"),
                    start.into(),
                    "3/17".into(),
                    "0".into(),
                    "LOG".into(),
                    "00000".into(),
                    quote(&message),
                    quote(&self.detail),
                ];
                all.extend(["", "", "", "", "", "", ""].map(String::from));
                all.push(quote(application));
                all.extend([quote("client backend"), String::new(), "0".into()]);
                all.truncate(columns);
                (all.join(",") + "\n").into_bytes()
            }
            Format::Json => {
                let port = port.map_or(String::new(), |port| format!("\"remote_port\":{port},"));
                format!(
                    "{{\"timestamp\":{},\"user\":{},\"dbname\":{},\"pid\":{pid},\"remote_host\":{},{port}\
                     \"session_id\":\"{session}\",\"txid\":0,\"error_severity\":\"LOG\",\"message\":{},\
                     \"detail\":{},\"application_name\":{}}}\n",
                    json(time),
                    json(user),
                    json(database),
                    json(host),
                    json(&message),
                    json(&self.detail),
                    json(application),
                )
                .into_bytes()
            }
        }
    }
}

/// Quotes as `append_valid_csv` of pgaudit does.
fn pgaudit(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_string()
    }
}

/// Quotes as `escape_json` of PostgreSQL does.
fn json(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}
