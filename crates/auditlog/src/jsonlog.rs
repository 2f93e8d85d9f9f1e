//! jsonlog (PostgreSQL 15 and later): one object on each line, all of its values plain.

use memchr::memchr2;

use crate::entry::{Entry, Head, Parts, Visitor};
use crate::fault::Reason;
use crate::lines::{Lines, Next, line_end, trim_end};
use crate::message::{self, MARK};
use crate::scanner::{Ending, LIMIT};
use crate::text::{Form, Text};

/// `message` comes early; further in, `AUDIT:` is part of something else.
const REACH: usize = 64 * 1024;

/// Reads a jsonlog.
#[derive(Debug)]
pub(crate) struct Jsonlog {
    lines: Lines,
    scratch: Vec<u8>,
}

impl Jsonlog {
    pub(crate) fn new() -> Self {
        Self { lines: Lines::new(REACH), scratch: Vec::new() }
    }

    /// Reads what is whole, and gives the number of bytes that are done with.
    pub(crate) fn scan(
        &mut self,
        bytes: &[u8],
        ending: Ending,
        line: &mut u64,
        visitor: &mut impl Visitor,
    ) -> usize {
        let last = ending == Ending::End;
        let mut at = 0;
        loop {
            match self.lines.next(bytes, at, last, line) {
                Next::Line(start) => at = start,
                Next::Nothing(done) => return done,
            }
            let rest = &bytes[at..];
            match line_end(&rest[..rest.len().min(LIMIT)]) {
                Some(end) => {
                    self.record(&rest[..end], false, Reason::Json, *line, visitor);
                    *line += 1;
                    at += end;
                }
                None if rest.len() >= LIMIT => {
                    self.record(&rest[..LIMIT], true, Reason::Json, *line, visitor);
                    self.lines.leave();
                    at += LIMIT;
                }
                None if last => {
                    self.record(rest, false, Reason::End, *line, visitor);
                    return bytes.len();
                }
                None => return at,
            }
        }
    }

    fn record(&mut self, record: &[u8], cut: bool, broken: Reason, line: u64, visitor: &mut impl Visitor) {
        let record = trim_end(record);
        // Of a line that starts somewhere in the middle, the first bytes tell.
        let broken = if line == 1 && !record.starts_with(b"{") { Reason::Start } else { broken };
        let Some(object) = object(record, cut) else { return visitor.fault(line, broken) };
        let Some((message, cut)) = object.message else { return visitor.fault(line, Reason::NoMessage) };
        let Some(inside) = message.strip_prefix(MARK) else { return };
        self.scratch.clear();
        crate::text::unescape(inside, &mut self.scratch);
        let checked = if cut { message::check_cut(&self.scratch) } else { message::check(&self.scratch) };
        match checked {
            Ok(start) => {
                let message = Text::plain(&self.scratch);
                visitor.entry(&Entry::new(line, Head::Parts(object.parts), message, start, cut));
            }
            Err(reason) => visitor.fault(line, reason),
        }
    }
}

/// What matters of an object.
#[derive(Default)]
struct Object<'a> {
    parts: Parts<'a>,
    /// The inside of the string, and whether its end is missing.
    message: Option<(&'a [u8], bool)>,
}

/// Reads an object of plain values; `None` where it is none. A cut one may end anywhere.
fn object(line: &[u8], cut: bool) -> Option<Object<'_>> {
    let mut object = Object::default();
    let mut rest = line.trim_ascii_start().strip_prefix(b"{")?.trim_ascii_start();
    if let Some(end) = rest.strip_prefix(b"}") {
        return end.trim_ascii().is_empty().then_some(object);
    }
    loop {
        let (key, behind) = match string(rest) {
            Some(found) => found,
            None => return cut.then_some(object),
        };
        let Some(behind) = behind.trim_ascii_start().strip_prefix(b":") else {
            return cut.then_some(object);
        };
        let value = behind.trim_ascii_start();
        let (text, behind) = if value.first() == Some(&b'"') {
            match string(value) {
                Some((text, behind)) => (Text::new(text, Form::Json), behind),
                None if cut && key == b"message" => {
                    object.message = Some((&value[1..], true));
                    return Some(object);
                }
                None => return cut.then_some(object),
            }
        } else {
            let end = value.iter().position(|b| matches!(b, b',' | b'}' | b' ')).unwrap_or(value.len());
            let is_plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+');
            if end == 0 || !value[..end].iter().all(is_plain) {
                return cut.then_some(object);
            }
            (Text::plain(&value[..end]), &value[end..])
        };
        let parts = &mut object.parts;
        match key {
            b"timestamp" => parts.time = Some(text),
            b"user" => parts.user = Some(text),
            b"dbname" => parts.database = Some(text),
            b"remote_host" => parts.host = Some(text),
            b"remote_port" => parts.port = Some(text),
            b"pid" => parts.pid = Some(text),
            b"session_id" => parts.session = Some(text),
            b"application_name" => parts.application = Some(text),
            b"message" => object.message = Some((text.raw(), false)),
            _ => {}
        }
        rest = behind.trim_ascii_start();
        if let Some(behind) = rest.strip_prefix(b",") {
            rest = behind.trim_ascii_start();
        } else if let Some(behind) = rest.strip_prefix(b"}") {
            return behind.trim_ascii().is_empty().then_some(object);
        } else {
            return cut.then_some(object);
        }
    }
}

/// Reads a string: its inside, and what is behind it.
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = text.strip_prefix(b"\"")?;
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', &inside[at..])?;
        if inside[at] == b'"' {
            return Some((&inside[..at], &inside[at + 1..]));
        }
        at += 2;
        if at > inside.len() {
            return None;
        }
    }
}
