//! Bytes of a log go in, its entries come out.

use crate::csvlog::Csvlog;
use crate::detect::{Sample, look};
use crate::entry::Visitor;
use crate::fault::Reason;
use crate::format::{Ending, Format, SAMPLE};
use crate::jsonlog::Jsonlog;
use crate::lines::count_lines;
use crate::prefix::Prefix;
use crate::stderr_log::StderrLog;

/// Reads one log.
///
/// The entries do not depend on how many bytes come at once: what is not whole yet is to be given again, with
/// what follows.
#[derive(Debug)]
pub struct Scanner {
    prefix: Option<Prefix>,
    /// The format that it must have.
    expected: Option<Format>,
    reader: Reader,
    line: u64,
    said: Said,
}

/// What was said of the start of a log whose format is not known yet.
#[derive(Debug, Default)]
struct Said {
    zeros: bool,
    unknown: bool,
}

#[derive(Debug)]
enum Reader {
    Undecided,
    /// Nothing of it can be read.
    Refused,
    Stderr(Box<StderrLog>),
    Csv(Csvlog),
    Json(Jsonlog),
}

impl Scanner {
    /// Starts on a log of whatever format; `prefix` is `log_line_prefix`, where it is known.
    pub fn new(prefix: Option<&Prefix>) -> Self {
        Self {
            prefix: prefix.cloned(),
            expected: None,
            reader: Reader::Undecided,
            line: 1,
            said: Said::default(),
        }
    }

    /// Starts on a log that must be of this format: what does not fit it is a fault.
    #[must_use]
    pub fn expecting(self, format: Format) -> Self {
        Self { expected: Some(format), ..self }
    }

    /// Starts on a log of this format, whatever it starts with.
    pub fn of(format: Format, prefix: Option<&Prefix>) -> Self {
        let reader = match format {
            Format::Stderr => Reader::Stderr(Box::new(StderrLog::new(prefix))),
            Format::Csv => Reader::Csv(Csvlog::default()),
            Format::Json => Reader::Json(Jsonlog::new()),
        };
        Self { prefix: None, expected: None, reader, line: 1, said: Said::default() }
    }

    /// Starts within a csvlog, where a record starts.
    pub fn at_csv_record() -> Self {
        Self {
            prefix: None,
            expected: None,
            reader: Reader::Csv(Csvlog::at_record()),
            line: 1,
            said: Said::default(),
        }
    }

    /// Returns the format, once it is known.
    pub fn format(&self) -> Option<Format> {
        match self.reader {
            Reader::Undecided | Reader::Refused => None,
            Reader::Stderr(_) => Some(Format::Stderr),
            Reader::Csv(_) => Some(Format::Csv),
            Reader::Json(_) => Some(Format::Json),
        }
    }

    /// Returns whether clients choose a part of each line's prefix, or may do so as the prefix is not known: only of a log in
    /// words.
    pub fn has_client_names(&self) -> bool {
        matches!(&self.reader, Reader::Stderr(log) if log.has_client_names())
    }

    /// Returns whether the bytes that are done with end where a record of a csvlog may start.
    pub fn is_between_csv_records(&self) -> bool {
        matches!(&self.reader, Reader::Csv(log) if log.is_between())
    }

    /// Returns the number of the line that is read next, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Reads the entries that are whole, and gives the number of bytes that are done with.
    ///
    /// The next call must start with those that are not. Of [`LIMIT`](crate::LIMIT) bytes or more some are always done with;
    /// at the end all of them are.
    pub fn scan(&mut self, bytes: &[u8], ending: Ending, visitor: &mut impl Visitor) -> usize {
        let mut at = 0;
        while let Reader::Undecided = self.reader {
            match self.start(&bytes[at..], ending, visitor) {
                Some(0) => {}
                Some(done) => at += done,
                None => return at,
            }
        }
        let bytes = &bytes[at..];
        let line = &mut self.line;
        at + match &mut self.reader {
            Reader::Undecided => 0,
            Reader::Refused => {
                *line += count_lines(bytes);
                bytes.len()
            }
            Reader::Stderr(log) => log.scan(bytes, ending, line, visitor),
            Reader::Csv(log) => log.scan(bytes, ending, line, visitor),
            Reader::Json(log) => log.scan(bytes, ending, line, visitor),
        }
    }

    /// Decides on the format, or gives the number of bytes that are of no log; `None` if there are too few.
    fn start(&mut self, bytes: &[u8], ending: Ending, visitor: &mut impl Visitor) -> Option<usize> {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        if zeros > 0 {
            if !std::mem::replace(&mut self.said.zeros, true) {
                visitor.fault(self.line, Reason::Zeros);
            }
            return Some(zeros);
        }
        let is_all = bytes.len() <= SAMPLE;
        if bytes.is_empty() || bytes.len() < SAMPLE && ending == Ending::More {
            return None;
        }
        let sample = &bytes[..bytes.len().min(SAMPLE)];
        match look(sample, self.prefix.as_ref()) {
            Sample::Format(found) => {
                let format = self.expected.unwrap_or(found);
                if format != found {
                    visitor.fault(self.line, Reason::Format);
                }
                self.reader = Self::of(format, self.prefix.as_ref()).reader;
                Some(0)
            }
            Sample::Mark(length) => Some(length),
            Sample::Utf16 => {
                visitor.fault(self.line, Reason::Utf16);
                self.reader = Reader::Refused;
                Some(0)
            }
            // Nothing can be told from nothing.
            Sample::Unknown if is_all && ending == Ending::Pause => None,
            Sample::Unknown => {
                let is_blank = sample.iter().all(u8::is_ascii_whitespace);
                if !is_blank && !std::mem::replace(&mut self.said.unknown, true) {
                    visitor.fault(self.line, Reason::Format);
                }
                // A log may come behind it.
                let end = memchr::memrchr(b'\n', sample).map_or(sample.len(), |end| end + 1);
                let end = if is_all { sample.len() } else { end };
                self.line += count_lines(&sample[..end]);
                Some(end)
            }
        }
    }
}
