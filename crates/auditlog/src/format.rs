//! What is said of a log as a whole: its format, how much of it is read at once, and what comes behind that.

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

/// What comes behind the bytes that a [`Scanner`](crate::Scanner) gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// More of the log.
    More,
    /// Nothing for now: entries that look whole are taken to be whole.
    Pause,
    /// Nothing any more.
    End,
}
