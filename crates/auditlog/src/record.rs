//! One record of CSV, byte by byte: the judge of what the masks do not take.

use std::ops::Range;

use memchr::{memchr, memchr2, memchr3};

/// The column of a csvlog that holds the message, from 0.
pub(crate) const MESSAGE: usize = 13;

/// Reads one record, and continues where it stopped when there are more bytes.
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
pub(crate) enum Progress {
    /// A record, up to behind its line end.
    Record {
        /// Where the next one starts.
        end: usize,
        /// The message's field, with its quotes.
        message: Option<Range<usize>>,
        /// How many columns it has.
        columns: usize,
    },
    /// A quote where none can be: no CSV.
    Broken,
    /// The bytes end within the record.
    More,
}

impl Cursor {
    /// Reads on in the same record; `last` tells that no more bytes will come.
    pub(crate) fn read(&mut self, record: &[u8], last: bool) -> Progress {
        loop {
            if self.open {
                let Some(found) = memchr(b'"', &record[self.at..]) else {
                    self.at = record.len();
                    return Progress::More;
                };
                let close = self.at + found;
                match record.get(close + 1) {
                    Some(b'"') => {
                        self.at = close + 2;
                        continue;
                    }
                    None if !last => {
                        self.at = close;
                        return Progress::More;
                    }
                    _ => {
                        self.at = close + 1;
                        self.open = false;
                        match self.delimiter(record, last) {
                            Some(found) => {
                                if found == Progress::More {
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
                        return Progress::More;
                    }
                }
            }
            if record.get(self.at) == Some(&b'"') {
                return Progress::Broken;
            }
            if let Some(found) = self.delimiter(record, last) {
                return found;
            }
        }
    }

    /// Ends a field at `at`: with a comma there is another, with a line end the record is whole.
    fn delimiter(&mut self, record: &[u8], last: bool) -> Option<Progress> {
        let end = match (record.get(self.at), record.get(self.at + 1)) {
            (Some(b','), _) => None,
            (Some(b'\n'), _) => Some(self.at + 1),
            (Some(b'\r'), Some(b'\n')) => Some(self.at + 2),
            (Some(b'\r'), None) if !last => return Some(Progress::More),
            (Some(b'\r'), None) => Some(self.at + 1),
            (None, _) if last => Some(self.at),
            _ => return Some(Progress::Broken),
        };
        if self.column == MESSAGE {
            self.message = Some(self.field..self.at);
        }
        if let Some(end) = end {
            let (message, columns) = (self.message.clone(), self.column + 1);
            return Some(Progress::Record { end, message, columns });
        }
        self.column += 1;
        self.at += 1;
        self.field = self.at;
        None
    }

    /// Returns up to where the record is read.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Returns whether nothing was read yet.
    pub(crate) fn is_new(&self) -> bool {
        self.at == 0 && !self.open
    }

    /// Returns the message's field of a record that is cut while it is read, with its opening quote.
    pub(crate) fn open_message(&self) -> Option<usize> {
        (self.column == MESSAGE && self.open).then_some(self.field)
    }

    /// Returns the message's field, where it is behind.
    pub(crate) fn message(&self) -> Option<Range<usize>> {
        self.message.clone()
    }
}

/// Finds the end of a record whose start is gone; `open` tells whether its bytes start inside quotes.
///
/// Returns where the next record starts, or where inside it this one is at the end of the bytes.
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

/// Returns whether a line starts as a record of a csvlog does: `2026-11-22 22:46:35.752 UTC,`.
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

/// Returns whether a record of a client's session starts here: its time, user, database, process, remote end and session.
///
/// Inside a record, quotes are doubled: no statement can hold this. `None`: there are too few bytes to tell.
pub(crate) fn is_head(bytes: &[u8]) -> Option<bool> {
    is_head_of(bytes, false)
}

/// Returns the same for a record of any process: one without a session has no names.
pub(crate) fn is_any_head(record: &[u8]) -> bool {
    is_head_of(record, true) == Some(true)
}

fn is_head_of(bytes: &[u8], is_any: bool) -> Option<bool> {
    if !is_start(bytes)? {
        return Some(false);
    }
    let comma = memchr(b',', bytes)?;
    let mut rest = &bytes[comma + 1..];
    let plain: [fn(&u8) -> bool; 6] = [
        |_| false,
        |_| false,
        u8::is_ascii_digit,
        |_| false,
        |byte| byte.is_ascii_hexdigit() || *byte == b'.',
        u8::is_ascii_digit,
    ];
    for (index, is_plain) in plain.iter().enumerate() {
        let length = if *rest.first()? == b'"' && matches!(index, 0 | 1 | 3) {
            let mut close = 1;
            loop {
                let found = memchr(b'"', &rest[close..rest.len().min(close + FIELD)]);
                let Some(found) = found else {
                    return if rest.len() - close < FIELD { None } else { Some(false) };
                };
                close += found + 1;
                if *rest.get(close)? != b'"' {
                    break close;
                }
                // An empty name is one of a statement that holds a record.
                if close == 2 && !is_any {
                    return Some(false);
                }
                close += 1;
            }
        } else {
            let length = rest.iter().take(FIELD).take_while(|byte| is_plain(byte)).count();
            if length == 0 && index != 3 && !(is_any && index < 2) {
                return Some(false);
            }
            length
        };
        match rest.get(length)? {
            b',' => rest = &rest[length + 1..],
            _ => return Some(false),
        }
    }
    Some(true)
}

/// No name or address of a session takes more bytes.
const FIELD: usize = 300;

/// Finds the next record of a client's session; an error tells up to where there is none.
pub(crate) fn find_head(bytes: &[u8], last: bool) -> Result<usize, usize> {
    const YEAR: usize = 4;
    for dash in memchr::memchr_iter(b'-', bytes) {
        let Some(at) = dash.checked_sub(YEAR) else { continue };
        match is_head(&bytes[at..]) {
            Some(true) => return Ok(at),
            None if !last => return Err(at),
            _ => {}
        }
    }
    Err(if last { bytes.len() } else { bytes.len().saturating_sub(YEAR) })
}

/// Returns a column of a record that was read, without its quotes, and whether it had any.
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

    fn read(record: &str) -> Progress {
        Cursor::default().read(record.as_bytes(), true)
    }

    #[test]
    fn a_record_ends_at_a_line_end_outside_of_quotes() {
        let end = |record: &str| match read(record) {
            Progress::Record { end, .. } => end,
            other => panic!("{record:?}: {other:?}"),
        };
        assert_eq!(end("a,b\nc"), 4);
        assert_eq!(end("\"a\n\"\"b\",\"\"\nc"), 11);
        assert_eq!(end("a,\"b\"\r\nc"), 7);
        assert_eq!(end("a"), 1);
        assert_eq!(end("\n"), 1);
        assert_eq!(read("a,b\"c\n"), Progress::Broken);
        assert_eq!(read("a,\"b\"c\n"), Progress::Broken);
        assert_eq!(read("a,\"b"), Progress::More);
        let columns = "0,1,2,3,4,5,6,7,8,9,10,11,12,\"m,\"\"\n\",14\n";
        let Progress::Record { message: Some(message), columns: 15, .. } = read(columns) else { panic!() };
        assert_eq!(&columns[message], "\"m,\"\"\n\"");
        assert_eq!(column(columns.as_bytes(), 13), Some((&b"m,\"\"\n"[..], true)));
        assert_eq!(column(columns.as_bytes(), 12), Some((&b"12"[..], false)));
    }

    #[test]
    fn it_does_not_matter_how_the_bytes_arrive() {
        for record in ["a,\"b\"\"\n\",c\r\nd", "a,\"b\"\r\n", "a,\"b\"x", "\"\"\n", "a\"", "\"a\"\"b\"\n\n"] {
            let mut cursor = Cursor::default();
            let mut found = Progress::More;
            for end in 0..=record.len() {
                found = cursor.read(&record.as_bytes()[..end], end == record.len());
                if found != Progress::More {
                    break;
                }
            }
            assert_eq!(found, read(record), "{record:?}");
        }
    }

    #[test]
    fn a_session_is_told_by_quotes_that_no_statement_can_hold() {
        let head = b"2026-11-22 22:46:35.752 UTC,\"b\"\"o\",\"kasm\",7,\"[local]\",6b.7,1,";
        assert_eq!(is_head(head), Some(true));
        for length in 0..head.len() {
            assert_eq!(is_head(&head[..length]), None, "{length}");
        }
        let inside = String::from_utf8_lossy(head).replace('"', "\"\"");
        assert_eq!(is_head(inside.as_bytes()), Some(false));
        assert_eq!(is_head(b"2026-11-22 22:46:35.752 UTC,,,7,,6b.7,1,"), Some(false));
        let log = [b"1-2026-11-22 22:46:3", &head[..]].concat();
        assert_eq!(find_head(&log, true), Ok(20));
        assert_eq!(find_head(&log[..30], false), Err(20));
        assert_eq!(find_head(b"abcdef", false), Err(2));
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
