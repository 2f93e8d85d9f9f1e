//! One record of CSV, byte by byte: the judge of what the masks do not take.

use std::ops::Range;

use memchr::{memchr, memchr2, memchr3};

/// The column of a csvlog that holds the message, from 0.
pub(crate) const MESSAGE: usize = 13;

/// Reads one record, and goes on where it stopped when there are more bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor {
    /// Up to here the record is read.
    at: usize,
    column: usize,
    /// Whether `at` is inside quotes.
    pub(crate) open: bool,
    /// The message's field, with its quotes.
    message: Option<Range<usize>>,
    field: usize,
}

/// What a [`Cursor`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A record, up to behind its line end.
    Record {
        /// Where the next one starts.
        end: usize,
        /// The message's field, with its quotes.
        message: Option<Range<usize>>,
    },
    /// A quote where none can be: no CSV.
    Broken,
    /// The bytes end within the record.
    More,
}

impl Cursor {
    /// Reads on in the same record; `last` tells that no more bytes will come.
    pub(crate) fn read(&mut self, record: &[u8], last: bool) -> Found {
        loop {
            if self.open {
                let Some(found) = memchr(b'"', &record[self.at..]) else {
                    self.at = record.len();
                    return Found::More;
                };
                let close = self.at + found;
                match record.get(close + 1) {
                    Some(b'"') => {
                        self.at = close + 2;
                        continue;
                    }
                    None if !last => {
                        self.at = close;
                        return Found::More;
                    }
                    _ => {
                        self.at = close + 1;
                        self.open = false;
                        match self.delimiter(record, last) {
                            Some(found) => {
                                if found == Found::More {
                                    // The quote is looked at again when more is there.
                                    self.open = true;
                                    self.at = close;
                                }
                                return found;
                            }
                            None => continue,
                        }
                    }
                }
            }
            if self.at == self.field && record.get(self.at) == Some(&b'"') {
                self.open = true;
                self.at += 1;
                continue;
            }
            match memchr3(b',', b'\n', b'"', &record[self.at..]) {
                Some(found) => self.at += found,
                None => {
                    self.at = record.len();
                    if !last || record.is_empty() {
                        return Found::More;
                    }
                }
            }
            if record.get(self.at) == Some(&b'"') {
                return Found::Broken;
            }
            if let Some(found) = self.delimiter(record, last) {
                return found;
            }
        }
    }

    /// Ends a field at `at`: with a comma there is another, with a line end the record is whole.
    fn delimiter(&mut self, record: &[u8], last: bool) -> Option<Found> {
        let end = match (record.get(self.at), record.get(self.at + 1)) {
            (Some(b','), _) => None,
            (Some(b'\n'), _) => Some(self.at + 1),
            (Some(b'\r'), Some(b'\n')) => Some(self.at + 2),
            (Some(b'\r'), None) if !last => return Some(Found::More),
            (Some(b'\r'), None) => Some(self.at + 1),
            (None, _) if last => Some(self.at),
            _ => return Some(Found::Broken),
        };
        if self.column == MESSAGE {
            self.message = Some(self.field..self.at);
        }
        if let Some(end) = end {
            return Some(Found::Record { end, message: self.message.clone() });
        }
        self.column += 1;
        self.at += 1;
        self.field = self.at;
        None
    }

    /// Tells whether nothing was read yet.
    pub(crate) fn is_new(&self) -> bool {
        self.at == 0 && !self.open
    }

    /// Gives the message's field of a record that is cut while it is read, with its opening quote.
    pub(crate) fn open_message(&self) -> Option<usize> {
        (self.column == MESSAGE && self.open).then_some(self.field)
    }

    /// Gives the message's field, where it is behind.
    pub(crate) fn message(&self) -> Option<Range<usize>> {
        self.message.clone()
    }
}

/// Finds the end of a record whose start is gone; `open` tells whether its bytes start inside quotes.
///
/// Gives where the next record starts, or where inside it this one is at the end of the bytes.
pub(crate) fn tail(bytes: &[u8], open: &mut bool) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = memchr2(b'"', b'\n', &bytes[at..]) {
        at += found + 1;
        match bytes[at - 1] {
            b'"' => *open = !*open,
            _ if *open => {}
            _ => return Some(at),
        }
    }
    None
}

/// Finds the first line behind the first one that starts as a record of a csvlog does.
///
/// It need not be one: a statement may hold such a line.
pub fn starts(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', bytes).map(|at| at + 1).find(|at| is_start(&bytes[*at..]) == Some(true))
}

/// Tells whether a line starts as a record of a csvlog does: `2026-11-22 22:46:35.752 UTC,`.
///
/// `None`: there are too few bytes to tell.
pub(crate) fn is_start(line: &[u8]) -> Option<bool> {
    const SHAPE: &[u8] = b"dddd-dd-dd dd:dd:dd.ddd ";
    const ZONE: usize = 16;
    for (at, &shape) in SHAPE.iter().enumerate() {
        let &byte = line.get(at)?;
        let fits = if shape == b'd' { byte.is_ascii_digit() } else { byte == shape };
        if !fits {
            return Some(false);
        }
    }
    let zone = &line[SHAPE.len()..];
    for (at, &byte) in zone.iter().enumerate().take(ZONE + 1) {
        match byte {
            b',' => return Some(at > 0),
            b'+' | b'-' | b':' => {}
            _ if byte.is_ascii_alphanumeric() => {}
            _ => return Some(false),
        }
    }
    if zone.len() > ZONE { Some(false) } else { None }
}

/// Gives a column of a record that was read, without its quotes, and whether it had any.
pub(crate) fn column(record: &[u8], index: usize) -> Option<(&[u8], bool)> {
    let (mut at, mut column) = (0, 0);
    loop {
        let quoted = record.get(at) == Some(&b'"');
        let (span, end) = if quoted {
            let mut close = at + 1;
            loop {
                let found = close + memchr(b'"', record.get(close..)?)?;
                if record.get(found + 1) != Some(&b'"') {
                    break (at + 1..found, found + 1);
                }
                close = found + 2;
            }
        } else {
            let end = memchr2(b',', b'\n', record.get(at..)?).map_or(record.len(), |found| at + found);
            (at..end, end)
        };
        if column == index {
            return Some((&record[span], quoted));
        }
        if record.get(end) != Some(&b',') {
            return None;
        }
        column += 1;
        at = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(record: &str) -> Found {
        Cursor::default().read(record.as_bytes(), true)
    }

    #[test]
    fn a_record_ends_at_a_line_end_outside_of_quotes() {
        let end = |record: &str| match read(record) {
            Found::Record { end, .. } => end,
            other => panic!("{record:?}: {other:?}"),
        };
        assert_eq!(end("a,b\nc"), 4);
        assert_eq!(end("\"a\n\"\"b\",\"\"\nc"), 11);
        assert_eq!(end("a,\"b\"\r\nc"), 7);
        assert_eq!(end("a"), 1);
        assert_eq!(end("\n"), 1);
        assert_eq!(read("a,b\"c\n"), Found::Broken);
        assert_eq!(read("a,\"b\"c\n"), Found::Broken);
        assert_eq!(read("a,\"b"), Found::More);
        let columns = "0,1,2,3,4,5,6,7,8,9,10,11,12,\"m,\"\"\n\",14\n";
        let Found::Record { message: Some(message), .. } = read(columns) else { panic!() };
        assert_eq!(&columns[message], "\"m,\"\"\n\"");
        assert_eq!(column(columns.as_bytes(), 13), Some((&b"m,\"\"\n"[..], true)));
        assert_eq!(column(columns.as_bytes(), 12), Some((&b"12"[..], false)));
    }

    #[test]
    fn it_does_not_matter_how_the_bytes_arrive() {
        for record in ["a,\"b\"\"\n\",c\r\nd", "a,\"b\"\r\n", "a,\"b\"x", "\"\"\n", "a\"", "\"a\"\"b\"\n\n"] {
            let mut cursor = Cursor::default();
            let mut found = Found::More;
            for end in 0..=record.len() {
                found = cursor.read(&record.as_bytes()[..end], end == record.len());
                if found != Found::More {
                    break;
                }
            }
            assert_eq!(found, read(record), "{record:?}");
        }
    }

    #[test]
    fn a_record_starts_with_its_time() {
        assert_eq!(is_start(b"2026-11-22 22:46:35.752 UTC,"), Some(true));
        assert_eq!(is_start(b"2026-11-22 22:46:35.752 -03:30,\"a\""), Some(true));
        assert_eq!(is_start(b"2026-11-22 22:46:35.752 ,"), Some(false));
        assert_eq!(is_start(b"2026-11-22 22:46:35 UTC,"), Some(false));
        assert_eq!(is_start(b"2026-11-22 22:46:35.752 UT"), None);
        assert_eq!(is_start(b"2026-11-22 22:46:35.752 AAAAAAAAAAAAAAAAAAAAA"), Some(false));
    }
}
