//! jsonlog (PostgreSQL 15 and later): one object on each line, all of its values plain.

use memchr::memmem::Finder;
use memchr::{memchr, memchr2};

use crate::entry::{AuditEntry, Head, Parts, Visitor};
use crate::fault::Reason;
use crate::format::{Ending, LIMIT};
use crate::lines::{Lines, Next, Passed, behind_zeros, count_lines, line_end, trim_end};
use crate::message::MARK;
use crate::text::{Form, Text};

/// `message` comes early; further in, `AUDIT:` is part of something else.
const REACH: usize = 64 * 1024;

/// Reads a jsonlog.
#[derive(Debug)]
pub(crate) struct Jsonlog {
    lines: Lines,
    /// What a record starts with. Inside a string, quotes are escaped, so that no client can write it.
    start: Box<Finder<'static>>,
    scratch: Vec<u8>,
}

impl Jsonlog {
    pub(crate) fn new() -> Self {
        Self {
            lines: Lines::new(REACH),
            start: Box::new(Finder::new(b"{\"timestamp\":\"")),
            scratch: Vec::new(),
        }
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
            let Self { lines, start, .. } = self;
            let mut passes = |passed: Passed<'_>, line: u64| look(passed, line, start, visitor);
            match lines.next(bytes, at, last, line, &mut passes) {
                Next::Line(start) => at = start,
                Next::Nothing(done) => return done,
            }
            let rest = &bytes[at..];
            let (end, is_cut, broken) = match line_end(&rest[..rest.len().min(LIMIT)]) {
                Some(end) => (end, false, Reason::Json),
                None if rest.len() >= LIMIT => (LIMIT, true, Reason::Json),
                None if last => (rest.len(), false, Reason::End),
                None => return at,
            };
            let record = &rest[..end];
            if let Some(hole) = memchr(0, record) {
                visitor.fault(*line, Reason::Zeros);
                *line += count_lines(&record[..hole]);
                at += hole + record[hole..].iter().take_while(|byte| **byte == 0).count();
                self.lines.behind_zeros();
                continue;
            }
            self.records(record, is_cut, broken, *line, visitor);
            if is_cut {
                self.lines.leave();
            }
            *line += count_lines(record);
            at += end;
        }
    }

    /// Reads a line: a record, or what is left of several.
    fn records(
        &mut self,
        mut record: &[u8],
        cut: bool,
        broken: Reason,
        line: u64,
        visitor: &mut impl Visitor,
    ) {
        // Of a line that starts somewhere in the middle, the first bytes tell.
        let mut reason = if line == 1 && !record.starts_with(b"{") { Reason::Start } else { broken };
        loop {
            match self.record(trim_end(record), cut, line, visitor) {
                Ok(()) => return,
                Err(Some(other)) => return visitor.fault(line, other),
                Err(None) => visitor.fault(line, reason),
            }
            let Some(next) = self.start.find(record.get(1..).unwrap_or_default()) else { return };
            record = &record[next + 1..];
            reason = broken;
        }
    }

    /// Reads a record; an error without a reason means that it is not an object.
    fn record(
        &mut self,
        record: &[u8],
        cut: bool,
        line: u64,
        visitor: &mut impl Visitor,
    ) -> Result<(), Option<Reason>> {
        let object = object(record, cut).ok_or(None)?;
        let (message, cut) = object.message.ok_or(Reason::NoMessage)?;
        let Some(inside) = message.strip_prefix(MARK) else { return Ok(()) };
        if object.is_of_function {
            return Err(Some(Reason::Function));
        }
        self.scratch.clear();
        crate::text::unescape(inside, &mut self.scratch);
        Ok(AuditEntry::hand(visitor, line, Head::Parts(object.parts), &self.scratch, cut)?)
    }
}

/// Looks at lines without the mark of an entry: a record that is torn may have been one.
fn look(passed: Passed<'_>, line: u64, start: &Finder<'_>, visitor: &mut impl Visitor) {
    let lines = match passed {
        Passed::Lines(lines) => lines,
        // Without its end no more can be said of a line.
        Passed::Long(head) if memchr(0, head).is_some() => return visitor.fault(line, Reason::Zeros),
        Passed::Long(_) => return,
        Passed::Zeros => return visitor.fault(line, Reason::Zeros),
    };
    for (text, line) in lines.split_inclusive(|byte| *byte == b'\n').zip(line..) {
        let (text, has_hole) = behind_zeros(text);
        if has_hole {
            visitor.fault(line, Reason::Zeros);
        }
        if text.len() >= REACH + MARK.len() {
            let in_head = memchr(0, &text[..REACH]).is_some();
            if in_head || !has_hole && memchr(0, &text[REACH..]).is_some() {
                visitor.fault(line, Reason::Zeros);
            }
            continue;
        }
        let is_line = text.ends_with(b"\n");
        let record = trim_end(text).trim_ascii();
        let is_whole = record.starts_with(b"{") && record.ends_with(b"}");
        if record.is_empty() || is_whole && start.find(&record[1..]).is_none() && memchr(0, record).is_none()
        {
            continue;
        }
        let reason = match () {
            () if memchr(0, record).is_some() => Reason::Zeros,
            () if line == 1 && !record.starts_with(b"{") => Reason::Start,
            () if !is_line => Reason::End,
            () => Reason::Json,
        };
        visitor.fault(line, reason);
    }
}

/// What matters of an object.
#[derive(Default)]
struct Object<'a> {
    parts: Parts<'a>,
    /// The inside of the string, and whether its end is missing.
    message: Option<(&'a [u8], bool)>,
    /// Whether it has a context or a statement, which pgaudit hides.
    is_of_function: bool,
}

/// Reads an object of plain values; `None` where it is none. A cut one may end anywhere.
fn object(line: &[u8], cut: bool) -> Option<Object<'_>> {
    let mut object = Object::default();
    // A name that is empty is left out.
    let empty = Some(Text::plain(b""));
    object.parts = Parts { user: empty, database: empty, application: empty, ..Parts::default() };
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
            b"context" | b"statement" => object.is_of_function |= !text.is_empty(),
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
