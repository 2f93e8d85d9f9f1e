//! What pgaudit writes: `AUDIT: TYPE,ID,SUBID,CLASS,COMMAND,OBJECT TYPE,OBJECT NAME,STATEMENT,PARAMETER[,ROWS]`.
//!
//! A field is in quotes if it holds a quote, a comma or a line end; a quote inside is doubled (pgaudit 1.7,
//! `append_valid_csv`). With `pgaudit.log_rows` there is a tenth field, and it may come and go in one file.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr2};

use crate::fault::Reason;
use crate::text::{Form, Text};

/// What every audit message starts with.
pub(crate) const MARK: &[u8] = b"AUDIT: ";

/// Who asked for an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditType {
    /// `pgaudit.log`: the statement is of a class that is logged.
    Session,
    /// `pgaudit.role`: a privilege of that role was used.
    Object,
}

/// The fields that stand first and are never quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start<'a> {
    pub(crate) kind: AuditType,
    pub(crate) statement_id: u64,
    pub(crate) substatement_id: u64,
    pub(crate) class: &'a [u8],
    /// Where the field behind the class starts.
    pub(crate) rest: usize,
}

/// The fields of an entry, as text.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    message: Cow<'a, [u8]>,
    spans: Spans,
}

/// Each field without its quotes, and whether it had any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Spans {
    fields: [(Range<usize>, bool); 10],
    count: usize,
}

/// Checks the whole message behind [`MARK`].
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(message: &[u8]) -> Result<Start<'_>, Reason> {
    let start = start(message)?;
    let spans = split(message, false)?;
    match spans.count {
        9 => Ok(start),
        10 => {
            let (rows, quoted) = &spans.fields[9];
            if *quoted || !is_number(&message[rows.clone()]) {
                return Err(Reason::Rows);
            }
            Ok(start)
        }
        count => Err(Reason::Fields(count)),
    }
}

/// Checks a message of which the end is missing.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_cut(message: &[u8]) -> Result<Start<'_>, Reason> {
    let start = start(message)?;
    split(message, true).map(|_| start)
}

/// Reads the fields that stand first.
#[inline]
pub(crate) fn start(message: &[u8]) -> Result<Start<'_>, Reason> {
    let (kind, rest) = if let Some(rest) = message.strip_prefix(b"SESSION,") {
        (AuditType::Session, rest)
    } else if let Some(rest) = message.strip_prefix(b"OBJECT,") {
        (AuditType::Object, rest)
    } else {
        return Err(Reason::Type);
    };
    let (statement_id, rest) = number(rest).ok_or(Reason::Id)?;
    let (substatement_id, rest) = number(rest).ok_or(Reason::Id)?;
    let end = rest.iter().position(|b| !b.is_ascii_uppercase() && *b != b'_').unwrap_or(rest.len());
    if end == 0 || rest.get(end) != Some(&b',') {
        return Err(Reason::Class);
    }
    let class = &rest[..end];
    Ok(Start { kind, statement_id, substatement_id, class, rest: message.len() - rest.len() + end + 1 })
}

/// Reads digits and the comma behind them.
#[inline]
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut value: u64 = 0;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?,
            b',' if at > 0 => return Some((value, &text[at + 1..])),
            _ => return None,
        }
    }
    None
}

pub(crate) fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// Splits a message at its commas; of a cut one the last field may lack its end.
fn split(message: &[u8], cut: bool) -> Result<Spans, Reason> {
    let mut spans = Spans::default();
    let mut at = 0;
    loop {
        let quoted = message.get(at) == Some(&b'"');
        let (span, end) = if quoted {
            let mut close = at + 1;
            loop {
                match memchr(b'"', &message[close..]) {
                    Some(found) if message.get(close + found + 1) == Some(&b'"') => close += found + 2,
                    Some(found) => {
                        close += found;
                        break (at + 1..close, close + 1);
                    }
                    None if cut => break (at + 1..message.len(), message.len()),
                    None => return Err(Reason::Quotes),
                }
            }
        } else {
            let end = memchr2(b',', b'"', &message[at..]).map_or(message.len(), |found| at + found);
            (at..end, end)
        };
        let Some(slot) = spans.fields.get_mut(spans.count) else {
            return Err(Reason::Fields(spans.count + 1 + memchr::memchr_iter(b',', &message[at..]).count()));
        };
        *slot = (span, quoted);
        spans.count += 1;
        match message.get(end) {
            None => return Ok(spans),
            Some(b',') => at = end + 1,
            Some(_) => return Err(Reason::Quotes),
        }
    }
}

/// Returns whether a field without quotes holds a line feed.
pub(crate) fn has_open_line(message: &[u8]) -> bool {
    // Most hold none at all.
    if memchr(b'\n', message).is_none() {
        return false;
    }
    let spans = split(message, true).unwrap_or_default();
    let fields = &spans.fields[..spans.count];
    fields.iter().any(|(span, quoted)| !quoted && memchr(b'\n', &message[span.clone()]).is_some())
}

impl<'a> Fields<'a> {
    /// Splits a message that was checked.
    pub(crate) fn new(message: Text<'a>) -> Self {
        let message = message.bytes();
        let spans = split(&message, true).unwrap_or_default();
        Self { message, spans }
    }

    fn field(&self, index: usize) -> Option<Cow<'_, [u8]>> {
        let (span, quoted) = self.spans.fields.get(index).filter(|_| index < self.spans.count)?;
        let form = if *quoted { Form::Csv } else { Form::Plain };
        Some(Text::new(&self.message[span.clone()], form).bytes())
    }

    /// Returns the command, such as `SELECT` or `CREATE TABLE`.
    pub fn command(&self) -> Cow<'_, [u8]> {
        self.field(4).unwrap_or_default()
    }

    /// Returns the type of the object, such as `TABLE`; empty where none is named.
    pub fn object_type(&self) -> Cow<'_, [u8]> {
        self.field(5).unwrap_or_default()
    }

    /// Returns the name of the object with its schema; empty where none is named.
    pub fn object_name(&self) -> Cow<'_, [u8]> {
        self.field(6).unwrap_or_default()
    }

    /// Returns the statement, or what stands for it: `<not logged>`, `<previously logged>`.
    pub fn statement(&self) -> Cow<'_, [u8]> {
        self.field(7).unwrap_or_default()
    }

    /// Returns the parameters as pgaudit lists them, or what stands for them: `<none>`, `<not logged>`.
    ///
    /// Missing where the entry is cut before them.
    pub fn parameter(&self) -> Option<Cow<'_, [u8]>> {
        self.field(8)
    }

    /// Returns the number of rows, where `pgaudit.log_rows` is on.
    pub fn rows(&self) -> Option<u64> {
        std::str::from_utf8(&self.field(9)?).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_without_their_quotes() {
        let message = br#"SESSION,3,1,READ,SELECT,TABLE,public.t,"select ""a"", 1","1,""x""""y""",7"#;
        let start = check(message).unwrap();
        assert_eq!((start.kind, start.statement_id, start.substatement_id), (AuditType::Session, 3, 1));
        assert_eq!(start.class, b"READ");
        assert!(message[start.rest..].starts_with(b"SELECT,"));
        let fields = Fields::new(Text::plain(message));
        assert_eq!(fields.command(), &b"SELECT"[..]);
        assert_eq!(fields.statement(), &br#"select "a", 1"#[..]);
        assert_eq!(fields.parameter().unwrap(), &br#"1,"x""y""#[..]);
        assert_eq!(fields.rows(), Some(7));
    }

    #[test]
    fn what_pgaudit_does_not_write_is_refused() {
        let wrong = |message: &str| check(message.as_bytes()).unwrap_err();
        assert_eq!(wrong("session,1,1,READ,SELECT,,,x,<none>"), Reason::Type);
        assert_eq!(wrong("SESSION,x,1,READ,SELECT,,,x,<none>"), Reason::Id);
        assert_eq!(wrong("SESSION,1,99999999999999999999,READ,SELECT,,,x,<none>"), Reason::Id);
        assert_eq!(wrong("SESSION,1,1,read,SELECT,,,x,<none>"), Reason::Class);
        assert_eq!(wrong("SESSION,1,1,READ,SELECT,,,x"), Reason::Fields(8));
        assert_eq!(wrong("SESSION,1,1,READ,SELECT,,,x,<none>,1,2"), Reason::Fields(11));
        assert_eq!(wrong("SESSION,1,1,READ,SELECT,,,x,<none>,many"), Reason::Rows);
        assert_eq!(wrong("SESSION,1,1,READ,SELECT,,,\"x,<none>"), Reason::Quotes);
        assert_eq!(wrong("SESSION,1,1,READ,SELECT,,,a\"x,<none>"), Reason::Quotes);
        assert_eq!(wrong("SESSION,1,1,READ,SELECT,,,\"a\"x,<none>"), Reason::Quotes);
    }

    #[test]
    fn of_a_cut_message_the_start_counts() {
        let message = b"OBJECT,1,2,WRITE,INSERT,TABLE,public.t,\"insert \"\"into";
        assert_eq!(check(message), Err(Reason::Quotes));
        assert_eq!(check_cut(message).unwrap().class, b"WRITE");
        let fields = Fields::new(Text::plain(message));
        assert_eq!(fields.statement(), &b"insert \"into"[..]);
        assert!(fields.parameter().is_none());
    }
}
