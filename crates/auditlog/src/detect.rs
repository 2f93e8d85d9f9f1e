//! Tells the format of a log from its bytes: names lie, and rotation renames.

use memchr::memmem;

use crate::csvlog::COLUMNS;
use crate::format::Format;
use crate::prefix::Prefix;
use crate::record::{Cursor, Progress, is_any_head, is_start};
use crate::stderr_log::StderrLog;

/// What the start of a log looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sample {
    /// A log of this format.
    Format(Format),
    /// A byte order mark of so many bytes, with text behind it.
    Mark(usize),
    Utf16,
    /// Nothing that the server writes.
    Unknown,
}

/// Looks at the start of a log, which may be within an entry.
///
/// The first line decides that starts as only one format's can. Without one, a statement in a csvlog may have lines of any
/// kind, so that a time and a comma decide. In the other two no statement can start a line: line feeds are escaped in a
/// jsonlog, and followed by a tab in words.
pub(crate) fn look(sample: &[u8], prefix: Option<&Prefix>) -> Sample {
    if sample.starts_with(b"\xef\xbb\xbf") {
        return Sample::Mark(3);
    }
    if is_utf16(sample) {
        return Sample::Utf16;
    }
    // Behind a hole a line may start, too.
    let lines = || sample.split(|b| matches!(b, b'\n' | 0));
    let is_words = |line: &[u8]| {
        memmem::find(line, b":  ").is_some() || prefix.is_some_and(|prefix| prefix.lead(line).is_some())
    };
    let words = StderrLog::new(prefix);
    let decides = |line: &[u8]| {
        if is_any_head(line) && is_record(&sample[place(sample, line)..]) {
            Some(Format::Csv)
        } else if line.starts_with(b"{\"timestamp\":\"") {
            Some(Format::Json)
        } else {
            words.is_line(line).then_some(Format::Stderr)
        }
    };
    if let Some(format) = lines().find_map(decides) {
        Sample::Format(format)
    } else if lines().any(|line| is_start(line) == Some(true)) {
        Sample::Format(Format::Csv)
    } else if lines().any(|line| line.starts_with(b"{\"")) {
        Sample::Format(Format::Json)
    } else if lines().any(is_words) {
        Sample::Format(Format::Stderr)
    } else {
        Sample::Unknown
    }
}

/// Returns where a part of a text is in it.
fn place(text: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr() - text.as_ptr().addr()
}

/// Returns whether a record of a csvlog is complete, or ends behind what is looked at: a name is too short for one.
fn is_record(sample: &[u8]) -> bool {
    match Cursor::default().read(sample, false) {
        Progress::Record { columns, .. } => COLUMNS.contains(&columns),
        Progress::More => true,
        Progress::Broken => false,
    }
}

/// Returns whether a text is UTF-16: it says so, or every second byte of its start is zero, as no log of a server is.
fn is_utf16(sample: &[u8]) -> bool {
    let start = &sample[..sample.len().min(64)];
    let (pairs, _) = start.as_chunks::<2>();
    let zeros = pairs.iter().filter(|[first, second]| (*first == 0) != (*second == 0)).count();
    start.starts_with(b"\xff\xfe")
        || start.starts_with(b"\xfe\xff")
        || pairs.len() >= 4 && zeros == pairs.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_only_one_format_can_have_decides() {
        let detect = |sample: &[u8]| match look(sample, None) {
            Sample::Format(format) => Some(format),
            _ => None,
        };
        assert_eq!(detect(b"x'\n2026-11-22 22:46:35.752 UTC,,,1\n"), Some(Format::Csv));
        let statement = b"LOG:  x\n{\"a\":1}\n2026-11-22 22:46:35.752 UTC,,,1\n";
        assert_eq!(detect(statement), Some(Format::Csv));
        assert_eq!(detect(b"{\"timestamp\":\"2026\"}\n"), Some(Format::Json));
        assert_eq!(detect(b"2026-11-22 22:46:35.752 UTC [1] LOG:  x\n"), Some(Format::Stderr));
        assert_eq!(look(b"\n\0\xff\n", None), Sample::Unknown);
        assert_eq!(look(b"\xef\xbb\xbf{\"a\":1}", None), Sample::Mark(3));
        assert_eq!(look(b"\xff\xfe{\0", None), Sample::Utf16);
        assert_eq!(look(b"2\x000\x002\x006\0", None), Sample::Utf16);
    }
}
