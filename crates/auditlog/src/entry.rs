//! An entry, as it stands in the log.

use crate::fault::Reason;
use crate::message::{Fields, Kind, Start};
use crate::record::column;
use crate::text::{Form, Text};

/// What gets the entries of a log, in their order.
pub trait Visitor {
    /// Takes an entry.
    fn entry(&mut self, entry: &Entry<'_>);

    /// Takes what could not be understood, with the line that it starts on.
    fn fault(&mut self, line: u64, reason: Reason);
}

/// One entry; it borrows from the log, and decodes what it is asked for.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    line: u64,
    head: Head<'a>,
    message: Text<'a>,
    start: Start<'a>,
    cut: bool,
}

/// What the server writes besides the message.
#[derive(Clone, Debug)]
pub(crate) enum Head<'a> {
    /// The record.
    Csv(&'a [u8]),
    /// Pieces that were found in a line.
    Parts(Parts<'a>),
}

/// The pieces of a head.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parts<'a> {
    pub(crate) time: Option<Text<'a>>,
    pub(crate) user: Option<Text<'a>>,
    pub(crate) database: Option<Text<'a>>,
    pub(crate) host: Option<Text<'a>>,
    pub(crate) port: Option<Text<'a>>,
    pub(crate) pid: Option<Text<'a>>,
    pub(crate) session: Option<Text<'a>>,
    pub(crate) application: Option<Text<'a>>,
}

impl<'a> Entry<'a> {
    #[inline]
    pub(crate) fn new(line: u64, head: Head<'a>, message: Text<'a>, start: Start<'a>, cut: bool) -> Self {
        Self { line, head, message, start, cut }
    }

    /// Gives the line that the entry starts on, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Tells whether the entry was longer than [`LIMIT`](crate::LIMIT): its end is missing.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Gives who asked for the entry.
    pub fn kind(&self) -> Kind {
        self.start.kind
    }

    /// Gives the number of the statement in its session.
    pub fn statement_id(&self) -> u64 {
        self.start.statement_id
    }

    /// Gives the number of the statement within its statement.
    pub fn substatement_id(&self) -> u64 {
        self.start.substatement_id
    }

    /// Gives the class, such as `READ`: capital letters and `_`.
    pub fn class(&self) -> &'a [u8] {
        self.start.class
    }

    /// Gives the other fields of the message.
    pub fn fields(&self) -> Fields<'a> {
        Fields::new(self.message)
    }

    /// Gives the time as the server wrote it.
    pub fn time(&self) -> Option<Text<'a>> {
        self.part(0, |parts| parts.time)
    }

    /// Gives the user's name.
    pub fn user(&self) -> Option<Text<'a>> {
        self.part(1, |parts| parts.user)
    }

    /// Gives the database.
    pub fn database(&self) -> Option<Text<'a>> {
        self.part(2, |parts| parts.database)
    }

    /// Gives the process id.
    pub fn pid(&self) -> Option<Text<'a>> {
        self.part(3, |parts| parts.pid)
    }

    /// Gives the client's host, or `[local]`.
    pub fn host(&self) -> Option<Text<'a>> {
        match &self.head {
            Head::Csv(_) => self.remote().map(|(host, _)| host),
            Head::Parts(parts) => parts.host,
        }
    }

    /// Gives the client's port.
    pub fn port(&self) -> Option<Text<'a>> {
        match &self.head {
            Head::Csv(_) => self.remote().and_then(|(_, port)| port),
            Head::Parts(parts) => parts.port,
        }
    }

    /// Gives the session's id: when it started and the process id, both in hexadecimal digits.
    pub fn session(&self) -> Option<Text<'a>> {
        self.part(5, |parts| parts.session)
    }

    /// Gives what the client calls itself.
    pub fn application(&self) -> Option<Text<'a>> {
        self.part(22, |parts| parts.application)
    }

    fn part(&self, index: usize, of: impl Fn(&Parts<'a>) -> Option<Text<'a>>) -> Option<Text<'a>> {
        let part = match &self.head {
            Head::Csv(record) => {
                let (raw, quoted) = column(record, index)?;
                Some(Text::new(raw, if quoted { Form::Csv } else { Form::Plain }))
            }
            Head::Parts(parts) => of(parts),
        };
        part.filter(|text| !text.is_empty())
    }

    /// Splits the column `host:port`; a socket has no port.
    fn remote(&self) -> Option<(Text<'a>, Option<Text<'a>>)> {
        let remote = self.part(4, |parts| parts.host)?;
        let raw = remote.raw();
        let colon = raw.iter().rposition(|b| *b == b':');
        let Some(colon) = colon.filter(|&at| crate::message::is_number(&raw[at + 1..])) else {
            return Some((remote, None));
        };
        Some((Text::new(&raw[..colon], remote.form()), Some(Text::plain(&raw[colon + 1..]))))
    }
}
