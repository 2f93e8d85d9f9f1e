//! What could not be understood.

use std::fmt;

/// Why a place of a log, where an audit entry is or may have been, could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Neither SESSION nor OBJECT.
    Type,
    /// A statement or substatement id that is no number.
    Id,
    /// No class.
    Class,
    /// Other than 9 or 10 fields.
    Fields(usize),
    /// A tenth field that is no number.
    Rows,
    /// Quotes that do not pair.
    Quotes,
    /// The record is no CSV, or has too few columns.
    Csv,
    /// The line is no JSON object.
    Json,
    /// A JSON object without `message`.
    NoMessage,
    /// The log starts within an entry.
    Start,
    /// The log ends within an entry.
    End,
    /// `AUDIT:` stands where no message starts, and what is before it is no known prefix.
    Prefix,
    /// The line came through syslog, which cuts and escapes.
    Syslog,
    /// A record of a csvlog with other than 23, 24 or 26 columns.
    Columns(usize),
    /// Bytes that were never written: a file system fills them with zeros.
    Zeros,
    /// A line breaks off, or another one follows it without a line feed.
    Torn,
    /// Nothing looks like a log of PostgreSQL.
    Format,
    /// The text is UTF-16.
    Utf16,
    /// A message that looks like an entry, but comes with a context or a statement, which pgaudit leaves out.
    Function,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type => f.write_str("the entry is neither SESSION nor OBJECT"),
            Self::Id => f.write_str("the statement's id is not a number"),
            Self::Class => f.write_str("the entry has no class"),
            Self::Fields(count) => write!(f, "the entry has {count} fields, not 9 or 10"),
            Self::Rows => f.write_str("the number of rows is not a number"),
            Self::Quotes => f.write_str("the quotes of the entry do not pair"),
            Self::Csv => f.write_str("no record of a csvlog"),
            Self::Json => f.write_str("no record of a jsonlog"),
            Self::NoMessage => f.write_str("the record has no `message`"),
            Self::Start => f.write_str("the log starts within an entry"),
            Self::End => f.write_str("the log ends within an entry"),
            Self::Prefix => f.write_str("the text before `AUDIT:` is not a valid log_line_prefix"),
            Self::Syslog => f.write_str("the line came through syslog, which is not read"),
            Self::Columns(count) => write!(f, "the record has {count} columns, not 23, 24 or 26"),
            Self::Zeros => f.write_str("a hole: NUL bytes where the log should be"),
            Self::Torn => f.write_str("the line is torn"),
            Self::Format => f.write_str("not recognised as a PostgreSQL log"),
            Self::Utf16 => f.write_str("the text is UTF-16; convert it to UTF-8"),
            Self::Function => f.write_str("written by a function, not by pgaudit"),
        }
    }
}
