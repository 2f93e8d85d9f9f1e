//! csvlog: records of 23 (PostgreSQL 12), 24 (13) or 26 columns (14 and later), the message in the 14th.

use fearless_simd::{Level, Simd, dispatch};

use crate::entry::{Entry, Head, Visitor};
use crate::fault::Reason;
use crate::lines::count_lines;
use crate::masks::{Masks, WINDOW};
use crate::message::{self, MARK};
use crate::record::{Cursor, Found, is_start, tail};
use crate::scanner::{Ending, LIMIT};
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
}

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

#[derive(Debug)]
enum State {
    /// At the start of the log, or behind something broken: at the next line that starts a record.
    ///
    /// `within`: the bytes start within a line that is not one. `at_start`: nothing was read yet.
    Search { within: bool, at_start: bool },
    /// At a record.
    Record(Cursor),
    /// Within a record that was too long.
    Tail { open: bool },
}

impl Default for State {
    fn default() -> Self {
        Self::Search { within: false, at_start: true }
    }
}

impl Default for Csvlog {
    fn default() -> Self {
        Self {
            level: Level::new(),
            state: State::default(),
            masks: Masks::new(),
            scratch: Vec::new(),
            pace: Pace::default(),
        }
    }
}

impl Csvlog {
    /// Makes a reader that is at the start of a record.
    pub(crate) fn at_record() -> Self {
        Self { state: State::Record(Cursor::default()), ..Self::default() }
    }

    /// Tells whether a record may start here.
    pub(crate) fn is_between(&self) -> bool {
        match &self.state {
            State::Search { within, .. } => !within,
            State::Record(cursor) => cursor.is_new(),
            State::Tail { .. } => false,
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
                State::Search { .. } => self.search(&bytes[at..], last, line, visitor),
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
                State::Record(_) => self.record(&bytes[at..], last, line, visitor),
            };
            match done {
                Some(done) => at += done,
                None => break,
            }
        }
        at
    }

    /// Goes to the next line that starts a record.
    fn search(
        &mut self,
        bytes: &[u8],
        last: bool,
        line: &mut u64,
        visitor: &mut impl Visitor,
    ) -> Option<usize> {
        let State::Search { within, at_start } = &mut self.state else { return None };
        let mut at = 0;
        while at < bytes.len() {
            if !std::mem::take(within) {
                match is_start(&bytes[at..]) {
                    Some(true) => {
                        self.state = State::Record(Cursor::default());
                        return Some(at);
                    }
                    None if !last => return (at > 0).then_some(at),
                    _ => {}
                }
            }
            if std::mem::take(at_start) {
                visitor.fault(*line, Reason::Start);
            }
            let Some(found) = memchr::memchr(b'\n', &bytes[at..]) else {
                *within = true;
                return Some(bytes.len());
            };
            at += found + 1;
            *line += 1;
        }
        Some(at)
    }

    fn record(
        &mut self,
        bytes: &[u8],
        last: bool,
        line: &mut u64,
        visitor: &mut impl Visitor,
    ) -> Option<usize> {
        let State::Record(cursor) = &mut self.state else { return None };
        if cursor.is_new() && self.pace.wait == 0 {
            let window = &bytes[..bytes.len().min(WINDOW)];
            let masks = &mut self.masks;
            let done = dispatch!(self.level, simd => whole_records(simd, masks, window, line, visitor));
            self.pace.looked(done, window.len());
            if done > 0 {
                return Some(done);
            }
        }
        // What is beyond the limit by chance makes no difference.
        let (bytes, last) = (&bytes[..bytes.len().min(LIMIT)], last && bytes.len() <= LIMIT);
        match cursor.read(bytes, last) {
            Found::Record { end, message } => {
                let record = &bytes[..end];
                self.pace.wait = self.pace.wait.saturating_sub(1);
                match message {
                    Some(field) if is_audit(&record[field.start..]) => {
                        let inside = &record[field.start + 1 + MARK.len()..field.end - 1];
                        self.judge(record, inside, false, *line, visitor);
                    }
                    Some(_) => {}
                    None if record.iter().all(u8::is_ascii_whitespace) => {}
                    None => visitor.fault(*line, Reason::Csv),
                }
                *line += count_lines(record);
                self.state = State::Record(Cursor::default());
                Some(end)
            }
            Found::Broken => {
                visitor.fault(*line, Reason::Csv);
                self.state = State::Search { within: true, at_start: false };
                Some(0)
            }
            Found::More if last => {
                visitor.fault(*line, Reason::End);
                *line += count_lines(bytes);
                Some(bytes.len())
            }
            Found::More if bytes.len() >= LIMIT => {
                let open = cursor.open;
                match (cursor.open_message(), cursor.message()) {
                    (Some(field), _) if is_audit(&bytes[field..]) => {
                        self.judge(bytes, &bytes[field + 1 + MARK.len()..], true, *line, visitor);
                    }
                    (_, Some(field)) if is_audit(&bytes[field.start..]) => {
                        let inside = &bytes[field.start + 1 + MARK.len()..field.end - 1];
                        self.judge(bytes, inside, false, *line, visitor);
                    }
                    _ => {}
                }
                *line += count_lines(bytes);
                self.state = State::Tail { open };
                Some(LIMIT)
            }
            Found::More => None,
        }
    }

    /// Judges the message of a record by its own grammar, with its quotes made single.
    fn judge(&mut self, record: &[u8], inside: &[u8], cut: bool, line: u64, visitor: &mut impl Visitor) {
        self.scratch.clear();
        crate::text::undouble(inside, &mut self.scratch);
        let checked = if cut { message::check_cut(&self.scratch) } else { message::check(&self.scratch) };
        match checked {
            Ok(start) => {
                let message = Text::plain(&self.scratch);
                visitor.entry(&Entry::new(line, Head::Csv(record), message, start, cut));
            }
            Err(reason) => visitor.fault(line, reason),
        }
    }
}

/// Reads the records that are whole and plain, and gives the number of bytes that are done with.
#[inline(always)]
fn whole_records<S: Simd>(
    simd: S,
    masks: &mut Masks,
    window: &[u8],
    line: &mut u64,
    visitor: &mut impl Visitor,
) -> usize {
    masks.fill(simd, window);
    masks.records(|record, message, lines| {
        let taken = match message {
            Some(field) if is_audit(&window[field.start..]) => {
                let inside = field.start + 1 + MARK.len()..field.end - 1;
                let start = message::start(&window[inside.clone()]).ok();
                let fits = start.filter(|_| match masks.fields(inside.clone()) {
                    Some((9, _)) => true,
                    Some((10, rows)) => message::is_number(&window[rows..inside.end]),
                    _ => false,
                });
                match fits {
                    Some(start) => {
                        let message = Text::new(&window[inside], Form::Csv);
                        let head = Head::Csv(&window[record]);
                        visitor.entry(&Entry::new(*line, head, message, start, false));
                        true
                    }
                    None => false,
                }
            }
            Some(_) => true,
            None => false,
        };
        if taken {
            *line += 1 + lines;
        }
        taken
    })
}

/// Tells whether a field is an audit message: it is quoted, as it holds commas.
#[inline]
fn is_audit(field: &[u8]) -> bool {
    field.starts_with(b"\"AUDIT: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives how many looks there are while so many records come, of which a look takes `taken` bytes each time.
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
