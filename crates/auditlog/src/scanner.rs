//! Bytes of a log go in, its entries come out.

use crate::csvlog::Csvlog;
use crate::detect::detect;
use crate::entry::Visitor;
use crate::jsonlog::Jsonlog;
use crate::prefix::Prefix;
use crate::stderr_log::StderrLog;

/// An entry of more bytes in the log is cut: its start is given, its end is not.
pub const LIMIT: usize = 2 << 20;

/// The format is decided on this much of a log.
pub(crate) const SAMPLE: usize = 64 << 10;

/// The formats of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Words behind `log_line_prefix`.
    Stderr,
    /// `log_destination = csvlog`.
    Csv,
    /// `log_destination = jsonlog`, since PostgreSQL 15.
    Json,
}

/// What comes behind the bytes that a [`Scanner`] gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// More of the log.
    More,
    /// Nothing for now: entries that look whole are taken to be whole.
    Pause,
    /// Nothing any more.
    End,
}

/// Reads one log.
///
/// The entries do not depend on how many bytes come at once: what is not whole yet is to be given again, with
/// what follows.
#[derive(Debug)]
pub struct Scanner {
    prefix: Option<Prefix>,
    reader: Reader,
    line: u64,
}

#[derive(Debug)]
enum Reader {
    Undecided,
    Stderr(StderrLog),
    Csv(Csvlog),
    Json(Jsonlog),
}

impl Scanner {
    /// Starts on a log of whatever format; `prefix` is `log_line_prefix`, where it is known.
    pub fn new(prefix: Option<&Prefix>) -> Self {
        Self { prefix: prefix.cloned(), reader: Reader::Undecided, line: 1 }
    }

    /// Starts on a log of this format.
    pub fn of(format: Format, prefix: Option<&Prefix>) -> Self {
        let reader = match format {
            Format::Stderr => Reader::Stderr(StderrLog::new(prefix)),
            Format::Csv => Reader::Csv(Csvlog::default()),
            Format::Json => Reader::Json(Jsonlog::new()),
        };
        Self { prefix: None, reader, line: 1 }
    }

    /// Starts within a csvlog, where a record starts.
    pub fn at_csv_record() -> Self {
        Self { prefix: None, reader: Reader::Csv(Csvlog::at_record()), line: 1 }
    }

    /// Gives the format, once it is known.
    pub fn format(&self) -> Option<Format> {
        match self.reader {
            Reader::Undecided => None,
            Reader::Stderr(_) => Some(Format::Stderr),
            Reader::Csv(_) => Some(Format::Csv),
            Reader::Json(_) => Some(Format::Json),
        }
    }

    /// Tells whether the bytes that are done with end where a record of a csvlog may start.
    pub fn is_between_csv_records(&self) -> bool {
        matches!(&self.reader, Reader::Csv(log) if log.is_between())
    }

    /// Gives the number of the line that is read next, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Reads the entries that are whole, and gives the number of bytes that are done with.
    ///
    /// The next call must start with those that are not. Of [`LIMIT`] bytes or more some are always done with;
    /// at the end all of them are.
    pub fn scan(&mut self, bytes: &[u8], ending: Ending, visitor: &mut impl Visitor) -> usize {
        if let Reader::Undecided = self.reader {
            if bytes.len() < SAMPLE && ending == Ending::More {
                return 0;
            }
            let sample = &bytes[..bytes.len().min(SAMPLE)];
            let format = match (detect(sample), ending) {
                (Some(format), _) => format,
                // Nothing can be told from nothing.
                (None, Ending::Pause) if bytes.len() < SAMPLE => return 0,
                (None, _) => Format::Stderr,
            };
            *self = Self::of(format, self.prefix.as_ref());
        }
        let line = &mut self.line;
        match &mut self.reader {
            Reader::Undecided => 0,
            Reader::Stderr(log) => log.scan(bytes, ending, line, visitor),
            Reader::Csv(log) => log.scan(bytes, ending, line, visitor),
            Reader::Json(log) => log.scan(bytes, ending, line, visitor),
        }
    }
}
