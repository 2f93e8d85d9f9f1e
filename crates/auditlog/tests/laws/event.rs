//! What a log gives, as values that can be compared.

use kasm_db_auditlog::{AuditEntry, AuditType, Ending, Format, Prefix, Reason, Scanner, Visitor};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Entry(Box<Owned>),
    Fault(u64, Reason),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) line: u64,
    pub(crate) cut: bool,
    pub(crate) kind: AuditType,
    pub(crate) ids: (u64, u64),
    /// Time, user, database, host, port, process, session.
    pub(crate) head: [String; 7],
    /// Class, command, type and name of the object, statement.
    pub(crate) fields: [String; 5],
    pub(crate) parameter: Option<String>,
    pub(crate) rows: Option<u64>,
}

impl Event {
    pub(crate) fn on_line(mut self, number: u64) -> Self {
        match &mut self {
            Self::Entry(entry) => entry.line = number,
            Self::Fault(line, _) => *line = number,
        }
        self
    }

    /// Returns it as one that is uncertain: with its time alone.
    pub(crate) fn without_names(mut self) -> Self {
        if let Self::Entry(entry) = &mut self {
            entry.head[1..].iter_mut().for_each(String::clear);
        }
        self
    }
}

struct Events(Vec<Event>);

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

impl Visitor for Events {
    fn entry(&mut self, entry: &AuditEntry<'_>) {
        let fields = entry.fields();
        let head = [
            entry.time(),
            entry.user(),
            entry.database(),
            entry.host(),
            entry.port(),
            entry.pid(),
            entry.session(),
        ];
        self.0.push(Event::Entry(Box::new(Owned {
            line: entry.line(),
            cut: entry.is_cut(),
            kind: entry.kind(),
            ids: (entry.statement_id(), entry.substatement_id()),
            head: head.map(|part| part.map_or(String::new(), |part| text(&part.bytes()))),
            fields: [
                text(entry.class()),
                text(&fields.command()),
                text(&fields.object_type()),
                text(&fields.object_name()),
                text(&fields.statement()),
            ],
            parameter: fields.parameter().map(|parameter| text(&parameter)),
            rows: fields.rows(),
        })));
    }

    fn fault(&mut self, line: u64, reason: Reason) {
        self.0.push(Event::Fault(line, reason));
    }
}

/// Reads a log of any format in one go.
pub(crate) fn read_whole(log: &[u8], prefix: Option<&Prefix>) -> Vec<Event> {
    let mut events = Events(Vec::new());
    let mut scanner = Scanner::new(prefix);
    assert_eq!(scanner.scan(log, Ending::End, &mut events), log.len());
    events.0
}

/// Reads a log in pieces of this size.
pub(crate) fn read(log: &[u8], chunk: usize, prefix: Option<&Prefix>) -> Vec<Event> {
    let mut scanner = Scanner::new(prefix);
    let mut nothing = Events(Vec::new());
    scanner.scan(&log[..log.len().min(64 << 10)], Ending::End, &mut nothing);
    // The format is decided on more than a small piece.
    let mut scanner = Scanner::of(scanner.format().unwrap_or(Format::Stderr), prefix);
    let mut events = Events(Vec::new());
    let (mut done, mut have) = (0, 0);
    loop {
        let ending = if have == log.len() { Ending::End } else { Ending::More };
        let more = scanner.scan(&log[done..have], ending, &mut events);
        done += more;
        assert!(done <= have, "more is done than there was");
        if ending == Ending::End {
            assert_eq!(done, log.len(), "at the end all is done");
            assert_eq!(scanner.line(), 1 + lines(log), "every line is counted once");
            return events.0;
        }
        have = (have + chunk).min(log.len());
    }
}

fn lines(log: &[u8]) -> u64 {
    log.iter().filter(|b| **b == b'\n').count() as u64
}
