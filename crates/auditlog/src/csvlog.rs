//! csvlog: records of 23 (PostgreSQL 12), 24 (13) or 26 columns (14 and later), the message in the 14th.

use fearless_simd::{Level, Simd, dispatch};

use crate::entry::{AuditEntry, Head, Visitor};
use crate::fault::Reason;
use crate::format::{Ending, LIMIT};
use crate::lines::count_lines;
use crate::masks::{Masks, WINDOW};
use crate::message::{self, MARK};
use crate::record::{Cursor, MESSAGE, Progress, column, find_head, is_any_head, is_start, tail};
use crate::text::{Form, Text};

/// Reads a csvlog.
#[derive(Debug)]
pub(crate) struct Csvlog {
    /// The vectors that the machine has.
    level: Level,
    state: State,
    masks: Masks,
    scratch: Vec<u8>,
    pace: Pace,
    /// How many columns the last record has that could be read; none is read yet with 0.
    columns: usize,
    /// Where the time of that record ends.
    comma: usize,
    /// Whether the bytes before these were zeros, and said to be.
    hole: bool,
}

/// The columns that a server's major writes: 12, 13, and 14 or later.
pub(crate) const COLUMNS: [usize; 3] = [23, 24, 26];

/// What stands behind the message of an entry, up to the statement: pgaudit has no detail, no hint and no query of its own,
/// and hides context and statement.
const BEHIND: &[u8] = b",,,,,,,";

/// The columns of the context and of the statement.
const OF_FUNCTION: [usize; 2] = [18, 19];

/// How often the vectors look at a window: less and less where they take little of it.
///
/// What they do not take is read one by one, and a whole window for each of many short ones would cost far more
/// than the records do.
#[derive(Debug, Default)]
struct Pace {
    /// So many records are read one by one before the next look.
    wait: u32,
    /// How many that will be, the next time that a look takes little.
    next: u32,
}

impl Pace {
    /// The longest wait, in records.
    const MOST: u32 = 256;

    fn looked(&mut self, taken: usize, window: usize) {
        if taken >= window / 8 {
            *self = Self::default();
        } else {
            self.wait = self.next;
            self.next = (2 * self.next).clamp(1, Self::MOST);
        }
    }
}

#[derive(Debug, Default)]
enum State {
    /// At the start of the log, which may be within a record.
    #[default]
    Start,
    /// At a record.
    Record(Cursor),
    /// Behind something broken: at the next record of a session, wherever in a line it starts.
    Torn,
    /// Within a record that was too long.
    Tail { open: bool },
}

impl Default for Csvlog {
    fn default() -> Self {
        Self {
            level: Level::new(),
            state: State::default(),
            masks: Masks::new(),
            scratch: Vec::new(),
            pace: Pace::default(),
            columns: 0,
            comma: 0,
            hole: false,
        }
    }
}

impl Csvlog {
    /// Creates a reader that is at the start of a record.
    pub(crate) fn at_record() -> Self {
        Self { state: State::Record(Cursor::default()), ..Self::default() }
    }

    /// Returns whether a record may start here.
    pub(crate) fn is_between(&self) -> bool {
        match &self.state {
            State::Start => true,
            State::Record(cursor) => cursor.is_new(),
            State::Torn | State::Tail { .. } => false,
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
        while at < bytes.len() {
            let done = match &mut self.state {
                State::Start => self.start(&bytes[at..], last, *line, visitor),
                State::Tail { open } => match tail(&bytes[at..], open) {
                    Some(end) => {
                        *line += count_lines(&bytes[at..at + end]);
                        self.state = State::Record(Cursor::default());
                        Some(end)
                    }
                    None => {
                        *line += count_lines(&bytes[at..]);
                        Some(bytes.len() - at)
                    }
                },
                State::Torn => match find_head(&bytes[at..], last) {
                    Ok(found) => {
                        *line += count_lines(&bytes[at..at + found]);
                        self.state = State::Record(Cursor::default());
                        Some(found)
                    }
                    Err(0) => None,
                    Err(done) => {
                        *line += count_lines(&bytes[at..at + done]);
                        Some(done)
                    }
                },
                State::Record(_) => self.record(&bytes[at..], last, line, visitor),
            };
            match done {
                Some(done) => at += done,
                None => break,
            }
        }
        at
    }

    /// Looks whether the log starts with a record.
    fn start(&mut self, bytes: &[u8], last: bool, line: u64, visitor: &mut impl Visitor) -> Option<usize> {
        if bytes[0] == 0 {
            if !std::mem::replace(&mut self.hole, true) {
                visitor.fault(line, Reason::Zeros);
            }
            return Some(bytes.iter().take_while(|byte| **byte == 0).count());
        }
        self.state = match is_start(bytes) {
            Some(true) => State::Record(Cursor::default()),
            None if !last => return None,
            _ => {
                visitor.fault(line, Reason::Start);
                State::Torn
            }
        };
        Some(0)
    }

    fn record(
        &mut self,
        bytes: &[u8],
        last: bool,
        line: &mut u64,
        visitor: &mut impl Visitor,
    ) -> Option<usize> {
        let State::Record(cursor) = &mut self.state else { return None };
        if cursor.is_new() {
            if bytes[0] == 0 {
                if !std::mem::replace(&mut self.hole, true) {
                    visitor.fault(*line, Reason::Zeros);
                }
                return Some(bytes.iter().take_while(|byte| **byte == 0).count());
            }
            if self.pace.wait == 0 {
                let (columns, comma) = (self.columns, self.comma);
                let window = &bytes[..bytes.len().min(WINDOW)];
                let masks = &mut self.masks;
                let done = dispatch!(self.level, simd => whole_records(simd, masks, columns, comma, window, line, visitor));
                self.pace.looked(done, window.len());
                if done > 0 {
                    self.hole = false;
                    return Some(done);
                }
            }
        }
        // What is beyond the limit by chance makes no difference.
        let (bytes, last) = (&bytes[..bytes.len().min(LIMIT)], last && bytes.len() <= LIMIT);
        match cursor.read(bytes, last) {
            Progress::Record { end, message, columns } => {
                let record = &bytes[..end];
                self.pace.wait = self.pace.wait.saturating_sub(1);
                let is_blank = record.iter().all(u8::is_ascii_whitespace);
                match damage(record, columns, message.is_some(), self.columns) {
                    _ if is_blank => {}
                    Some(Reason::Csv) if self.hole => {}
                    Some(reason) => {
                        let done = self.torn(record, reason, *line, visitor).unwrap_or(end);
                        *line += count_lines(&record[..done]);
                        return Some(done);
                    }
                    None => {
                        self.columns = columns;
                        self.comma = memchr::memchr(b',', record).unwrap_or(0);
                        if let Some(field) = message.filter(|field| is_audit(&record[field.start..])) {
                            if is_of_function(record, field.end) {
                                visitor.fault(*line, Reason::Function);
                            } else {
                                let inside = &record[field.start + 1 + MARK.len()..field.end - 1];
                                self.judge(record, inside, false, *line, visitor);
                            }
                        }
                    }
                }
                self.hole = false;
                *line += count_lines(record);
                self.state = State::Record(Cursor::default());
                Some(end)
            }
            Progress::Broken => {
                let zeros = memchr::memchr(0, &bytes[..cursor.at()]).is_some();
                visitor.fault(*line, if zeros { Reason::Zeros } else { Reason::Csv });
                self.state = State::Torn;
                *line += count_lines(&bytes[..1]);
                Some(1)
            }
            Progress::More if last => {
                let next = self.torn(bytes, Reason::End, *line, visitor);
                let done = next.unwrap_or(bytes.len());
                *line += count_lines(&bytes[..done]);
                Some(done)
            }
            Progress::More if bytes.len() >= LIMIT => {
                let open = cursor.open;
                let (start, whole) = (cursor.open_message(), cursor.message());
                if find_head(&bytes[1..], true).is_ok() {
                    let done = self.torn(bytes, Reason::Csv, *line, visitor).unwrap_or(LIMIT);
                    *line += count_lines(&bytes[..done]);
                    return Some(done);
                }
                match (start, whole) {
                    (Some(field), _) if is_audit(&bytes[field..]) => {
                        self.judge(bytes, &bytes[field + 1 + MARK.len()..], true, *line, visitor);
                    }
                    (_, Some(field)) if is_audit(&bytes[field.start..]) => {
                        let inside = &bytes[field.start + 1 + MARK.len()..field.end - 1];
                        let behind = &bytes[field.end..];
                        if behind.len() >= BEHIND.len() && !behind.starts_with(BEHIND) {
                            visitor.fault(*line, Reason::Function);
                        } else {
                            self.judge(bytes, inside, behind.len() < BEHIND.len(), *line, visitor);
                        }
                    }
                    _ => {}
                }
                *line += count_lines(bytes);
                self.state = State::Tail { open };
                Some(LIMIT)
            }
            Progress::More => None,
        }
    }

    /// Reports a record that is torn, and goes to the record of a session that starts within it.
    fn torn(
        &mut self,
        record: &[u8],
        reason: Reason,
        line: u64,
        visitor: &mut impl Visitor,
    ) -> Option<usize> {
        let zeros = memchr::memchr(0, record).is_some();
        visitor.fault(line, if zeros { Reason::Zeros } else { reason });
        self.hole = false;
        self.state = State::Record(Cursor::default());
        find_head(&record[1..], true).ok().map(|found| found + 1)
    }

    /// Judges the message of a record by its own grammar, with its quotes made single.
    fn judge(&mut self, record: &[u8], inside: &[u8], cut: bool, line: u64, visitor: &mut impl Visitor) {
        self.scratch.clear();
        crate::text::undouble(inside, &mut self.scratch);
        if let Err(reason) = AuditEntry::hand(visitor, line, Head::Csv(record), &self.scratch, cut) {
            visitor.fault(line, reason);
        }
    }
}

/// Reads the records that are whole and plain, and gives the number of bytes that are done with.
#[inline(always)]
fn whole_records<S: Simd>(
    simd: S,
    masks: &mut Masks,
    columns: usize,
    comma: usize,
    window: &[u8],
    line: &mut u64,
    visitor: &mut impl Visitor,
) -> usize {
    masks.fill(simd, window);
    masks.records(columns, |record, field, lines| {
        let taken = match is_usual(&window[record.start..], comma) {
            true if is_audit(&window[field.start..]) => {
                let inside = field.start + 1 + MARK.len()..field.end - 1;
                let start = message::start(&window[inside.clone()]).ok();
                let start = start.filter(|_| window[field.end..].starts_with(BEHIND));
                let fits = start.filter(|_| match masks.fields(inside.clone()) {
                    Some((9, _)) => true,
                    Some((10, rows)) => message::is_number(&window[rows..inside.end]),
                    _ => false,
                });
                match fits {
                    Some(start) => {
                        let message = Text::new(&window[inside], Form::Csv);
                        let head = Head::Csv(&window[record]);
                        visitor.entry(&AuditEntry::new(*line, head, message, start, false));
                        true
                    }
                    None => false,
                }
            }
            other => other,
        };
        if taken {
            *line += 1 + lines;
        }
        taken
    })
}

/// Returns whether a message that ends here has a context or a statement.
fn is_of_function(record: &[u8], end: usize) -> bool {
    let has = |index: usize| column(record, index).is_some_and(|(text, _)| !text.is_empty());
    !record[end..].starts_with(BEHIND) && OF_FUNCTION.into_iter().any(has)
}

/// Returns what is wrong with a record that ends as one should.
fn damage(record: &[u8], columns: usize, has_message: bool, usual: usize) -> Option<Reason> {
    if !has_message {
        return Some(Reason::Csv);
    }
    if memchr::memchr(0, record).is_some() {
        return Some(Reason::Zeros);
    }
    if !COLUMNS.contains(&columns) {
        return Some(Reason::Columns(columns));
    }
    // A torn record with another behind it may have as many columns as those of another major.
    let is_changed = columns != usual
        && !(is_any_head(record) && has_severity(record) && find_head(&record[1..], true).is_err());
    (is_changed || !has_time(record)).then_some(Reason::Csv)
}

/// Returns whether the severity and the SQLSTATE are where they should be.
fn has_severity(record: &[u8]) -> bool {
    let is = |index: usize, is: fn(&[u8]) -> bool| column(record, index).is_some_and(|(text, _)| is(text));
    is(MESSAGE - 2, |text| {
        !text.is_empty() && !text.iter().any(u8::is_ascii_digit) || text.starts_with(b"DEBUG")
    }) && is(MESSAGE - 1, |text| text.len() == 5 && text.iter().all(u8::is_ascii_alphanumeric))
}

/// Returns whether a record starts with its time, and not with a part of one and another behind it.
fn has_time(record: &[u8]) -> bool {
    let comma = memchr::memchr(b',', &record[..record.len().min(41)]);
    comma.is_some_and(|comma| is_usual(record, comma))
}

/// Returns quickly whether a record starts with a time that ends where the last one did.
#[inline(always)]
fn is_usual(record: &[u8], comma: usize) -> bool {
    let Some(time) = record.first_chunk::<24>() else { return false };
    let wrong = (time[10] ^ b' ') | (time[13] ^ b':') | (time[19] ^ b'.') | (time[23] ^ b' ');
    wrong == 0 && record.get(comma) == Some(&b',')
}

/// Returns whether a field is an audit message: it is quoted, as it holds commas.
#[inline]
fn is_audit(field: &[u8]) -> bool {
    field.starts_with(b"\"AUDIT: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many looks there are while so many records come, of which a look takes `taken` bytes each time.
    fn looks(records: u32, taken: usize) -> u32 {
        let (mut pace, mut looks) = (Pace::default(), 0);
        for _ in 0..records {
            if pace.wait == 0 {
                looks += 1;
                pace.looked(taken, WINDOW);
            }
            pace.wait = pace.wait.saturating_sub(1);
        }
        looks
    }

    #[test]
    fn the_vectors_look_less_and_less_often_where_they_take_little() {
        assert_eq!(looks(1000, WINDOW), 1000);
        assert!(looks(10_000, 0) < 60);
        assert!(looks(10_000, 200) < 60);
        let mut pace = Pace::default();
        (0..20).for_each(|_| pace.looked(0, WINDOW));
        pace.looked(WINDOW, WINDOW);
        assert_eq!((pace.wait, pace.next), (0, 0));
    }
}
