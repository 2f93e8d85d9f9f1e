//! Tells the format of a log from its bytes: names lie, and rotation renames.

use memchr::memmem;

use crate::record::is_start;
use crate::scanner::Format;

/// Tells the format from the start of a log, which may be within an entry; `None` where nothing tells.
///
/// A statement in a csvlog may have lines of any kind, so that one start of a record decides. In the other two
/// no statement can start a line: line feeds are escaped in a jsonlog, and followed by a tab in words.
pub(crate) fn detect(sample: &[u8]) -> Option<Format> {
    let lines = || sample.split(|b| *b == b'\n');
    if lines().any(|line| is_start(line) == Some(true)) {
        Some(Format::Csv)
    } else if lines().any(|line| line.starts_with(b"{\"")) {
        Some(Format::Json)
    } else {
        lines().any(|line| memmem::find(line, b":  ").is_some()).then_some(Format::Stderr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_only_one_format_can_have_decides() {
        assert_eq!(detect(b"x'\n2026-11-22 22:46:35.752 UTC,,,1\n"), Some(Format::Csv));
        let statement = b"LOG:  x\n{\"a\":1}\n2026-11-22 22:46:35.752 UTC,,,1\n";
        assert_eq!(detect(statement), Some(Format::Csv));
        assert_eq!(detect(b"{\"timestamp\":\"2026\"}\n"), Some(Format::Json));
        assert_eq!(detect(b"2026-11-22 22:46:35.752 UTC [1] LOG:  x\n"), Some(Format::Stderr));
        assert_eq!(detect(b"\n\0\xff\n"), None);
    }
}
