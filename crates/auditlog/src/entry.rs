//! An entry, as it stands in the log.

use std::borrow::Cow;

use crate::fault::Reason;
use crate::message::{self, AuditType, Fields, Start};
use crate::record::column;
use crate::text::{Form, Text};
use crate::time::{Timestamp, with_offset};

/// What gets the entries of a log, in their order.
pub trait Visitor {
    /// Accepts an entry.
    fn entry(&mut self, entry: &AuditEntry<'_>);

    /// Accepts what could not be understood, with the line that it starts on.
    fn fault(&mut self, line: u64, reason: Reason);
}

/// One entry; it borrows from the log, and decodes what it is asked for.
#[derive(Clone, Debug)]
pub struct AuditEntry<'a> {
    line: u64,
    head: Head<'a>,
    message: Text<'a>,
    start: Start<'a>,
    cut: bool,
    /// Seconds east of UTC of a time whose zone has no name of its own; whoever reads the log knows it.
    offset: Option<i32>,
}

/// What the server writes besides the message.
#[derive(Clone, Debug)]
pub(crate) enum Head<'a> {
    /// The record.
    Csv(&'a [u8]),
    /// Pieces that were found in a line.
    Parts(Parts<'a>),
    /// Pieces of a line that pgaudit wrote for sure, and that leaves open where a name ends.
    Named {
        /// Those that all ways have in common.
        common: Parts<'a>,
        /// Those with the names that are usual.
        likely: Box<Parts<'a>>,
    },
    /// Pieces of a line that can be read in several ways, or contradicts itself.
    Uncertain {
        /// Those that all ways have in common.
        common: Parts<'a>,
        /// Those of the only way that does not contradict itself.
        likely: Option<Box<Parts<'a>>>,
    },
}

/// The pieces of a head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

impl Parts<'_> {
    /// Returns what tells the process from others: its id, or that of its session.
    pub(crate) fn process(&self) -> Option<Text<'_>> {
        self.pid.or(self.session)
    }

    /// Returns those that are the same in both.
    pub(crate) fn common(self, other: &Self) -> Self {
        Self {
            time: self.time.filter(|_| self.time == other.time),
            user: self.user.filter(|_| self.user == other.user),
            database: self.database.filter(|_| self.database == other.database),
            host: self.host.filter(|_| self.host == other.host),
            port: self.port.filter(|_| self.port == other.port),
            pid: self.pid.filter(|_| self.pid == other.pid),
            session: self.session.filter(|_| self.session == other.session),
            application: self.application.filter(|_| self.application == other.application),
        }
    }
}

impl<'a> AuditEntry<'a> {
    #[inline]
    pub(crate) fn new(line: u64, head: Head<'a>, message: Text<'a>, start: Start<'a>, cut: bool) -> Self {
        Self { line, head, message, start, cut, offset: None }
    }

    /// Hands the entry of a message to a visitor, or says why the message is not one of pgaudit's.
    pub(crate) fn hand(
        visitor: &mut impl Visitor,
        line: u64,
        head: Head<'a>,
        message: &'a [u8],
        cut: bool,
    ) -> Result<(), Reason> {
        let start = if cut { message::check_cut(message) } else { message::check(message) }?;
        visitor.entry(&Self::new(line, head, Text::plain(message), start, cut));
        Ok(())
    }

    /// Returns the line that the entry starts on, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Returns whether the entry was longer than [`LIMIT`](crate::LIMIT): its end is missing.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Returns whether the log leaves open who did it, or whether pgaudit wrote it: the line can be read in several ways,
    /// contradicts itself, may be part of a name, or is cut before what a function would have left there.
    ///
    /// The entry then has only what holds in any case.
    pub fn is_uncertain(&self) -> bool {
        self.cut || matches!(self.head, Head::Uncertain { .. })
    }

    /// Returns whether the log leaves open where a name ends: a user or a database with a space or another sign in its name
    /// would make the same line. The entry is pgaudit's, and is without the names that are in doubt.
    pub fn is_name_open(&self) -> bool {
        matches!(self.head, Head::Named { .. })
    }

    /// Returns an entry that is uncertain, or whose names are in doubt, as it is most likely meant: in the only way that does
    /// not contradict itself, with names that are usual.
    ///
    /// This is for finding entries. It does not prove who did something.
    pub fn likely(&self) -> Option<Self> {
        match &self.head {
            Head::Named { likely, .. } => Some(Self { head: Head::Parts(**likely), ..self.clone() }),
            Head::Uncertain { likely: Some(parts), .. } => {
                Some(Self { head: Head::Parts(**parts), ..self.clone() })
            }
            // What is cut still says who it was.
            Head::Csv(_) | Head::Parts(_) if self.cut => Some(self.clone()),
            _ => None,
        }
    }

    /// Returns who asked for the entry.
    pub fn kind(&self) -> AuditType {
        self.start.kind
    }

    /// Returns the number of the statement in its session.
    pub fn statement_id(&self) -> u64 {
        self.start.statement_id
    }

    /// Returns the number of the statement within its statement.
    pub fn substatement_id(&self) -> u64 {
        self.start.substatement_id
    }

    /// Returns the class, such as `READ`: capital letters and `_`.
    pub fn class(&self) -> &'a [u8] {
        self.start.class
    }

    /// Returns the other fields of the message.
    pub fn fields(&self) -> Fields<'a> {
        Fields::new(self.message)
    }

    /// Returns the time as the server wrote it.
    pub fn time(&self) -> Option<Text<'a>> {
        self.part(0, |parts| parts.time)
    }

    /// Returns the time as a number; its zone is the one that [`in_offset`](Self::in_offset) set if the text leaves it open.
    pub fn timestamp(&self) -> Option<Timestamp> {
        let time = Timestamp::parse(&self.time()?.bytes())?;
        Some(Timestamp { offset: time.offset.or(self.offset), ..time })
    }

    /// Returns the text of the time, as the server wrote it; an offset takes the place of a zone that was left open.
    pub fn time_text(&self) -> Option<Cow<'a, [u8]>> {
        let text = self.time()?.bytes();
        Some(
            match self.offset.filter(|_| Timestamp::parse(&text).is_some_and(|time| time.offset.is_none())) {
                Some(offset) => Cow::Owned(with_offset(&text, offset)),
                None => text,
            },
        )
    }

    /// Returns the entry with what the name of its zone means: so many seconds east of UTC.
    #[must_use]
    pub fn in_offset(&self, seconds: i32) -> Self {
        Self { offset: Some(seconds), ..self.clone() }
    }

    /// Returns the user's name.
    pub fn user(&self) -> Option<Text<'a>> {
        self.part(1, |parts| parts.user)
    }

    /// Returns the database.
    pub fn database(&self) -> Option<Text<'a>> {
        self.part(2, |parts| parts.database)
    }

    /// Returns the process id.
    pub fn pid(&self) -> Option<Text<'a>> {
        self.part(3, |parts| parts.pid)
    }

    /// Returns the client's host, or `[local]`.
    pub fn host(&self) -> Option<Text<'a>> {
        match &self.head {
            Head::Csv(_) => self.remote().map(|(host, _)| host),
            Head::Parts(parts)
            | Head::Named { common: parts, .. }
            | Head::Uncertain { common: parts, .. } => parts.host,
        }
    }

    /// Returns the client's port.
    pub fn port(&self) -> Option<Text<'a>> {
        match &self.head {
            Head::Csv(_) => self.remote().and_then(|(_, port)| port),
            Head::Parts(parts)
            | Head::Named { common: parts, .. }
            | Head::Uncertain { common: parts, .. } => parts.port,
        }
    }

    /// Returns the session's id: when it started and the process id, both in hexadecimal digits.
    pub fn session(&self) -> Option<Text<'a>> {
        self.part(5, |parts| parts.session)
    }

    /// Returns what the client calls itself.
    pub fn application(&self) -> Option<Text<'a>> {
        self.part(22, |parts| parts.application)
    }

    /// Returns whether the log has the user of each entry, also if that is empty.
    pub fn tells_user(&self) -> bool {
        self.tells(|parts| parts.user.is_some())
    }

    /// Returns whether the log has the database of each entry, also if that is empty.
    pub fn tells_database(&self) -> bool {
        self.tells(|parts| parts.database.is_some())
    }

    /// Returns whether the log has what the client of each entry calls itself, also if that is empty.
    pub fn tells_application(&self) -> bool {
        self.tells(|parts| parts.application.is_some())
    }

    /// Returns whether the log has the session or the process of each entry.
    pub fn tells_session(&self) -> bool {
        self.tells(|parts| parts.process().is_some())
    }

    fn tells(&self, has: impl Fn(&Parts<'a>) -> bool) -> bool {
        match &self.head {
            Head::Csv(_) => true,
            Head::Parts(parts) | Head::Uncertain { common: parts, .. } => has(parts),
            Head::Named { likely, .. } => has(likely),
        }
    }

    fn part(&self, index: usize, of: impl Fn(&Parts<'a>) -> Option<Text<'a>>) -> Option<Text<'a>> {
        let part = match &self.head {
            Head::Csv(record) => {
                let (raw, quoted) = column(record, index)?;
                Some(Text::new(raw, if quoted { Form::Csv } else { Form::Plain }))
            }
            Head::Parts(parts)
            | Head::Named { common: parts, .. }
            | Head::Uncertain { common: parts, .. } => of(parts),
        };
        part.filter(|text| !text.is_empty())
    }

    /// Splits the column `host:port`; a socket has no port.
    fn remote(&self) -> Option<(Text<'a>, Option<Text<'a>>)> {
        let remote = self.part(4, |parts| parts.host)?;
        let raw = remote.raw();
        let colon = raw.iter().rposition(|b| *b == b':');
        let Some(colon) = colon.filter(|&at| message::is_number(&raw[at + 1..])) else {
            return Some((remote, None));
        };
        Some((Text::new(&raw[..colon], remote.form()), Some(Text::plain(&raw[colon + 1..]))))
    }
}
