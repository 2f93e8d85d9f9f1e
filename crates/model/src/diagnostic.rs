//! What is wrong or worth knowing, where, and what to do about it.

use std::ops::Range;

use crate::code::Code;

/// A document with more errors than this has one cause; the rest would say the same.
pub const MAX_DIAGNOSTICS: usize = 100;

/// How bad a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It blocks everything else.
    Error,
    /// It blocks nothing, but should be known.
    Warning,
}

/// A place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file, as the user knows it.
    pub path: String,
    /// The bytes; empty for a point.
    pub span: Range<usize>,
    /// The line of the first byte, from 1.
    pub line: usize,
    /// The column of the first byte, in characters, from 1.
    pub column: usize,
}

impl Location {
    /// Finds line and column of `span` in the text of the file at `path`.
    ///
    /// Bytes that are not UTF-8 count one column each; a span behind the end is moved to it.
    pub fn new(path: &str, text: &[u8], span: Range<usize>) -> Self {
        let start = span.start.min(text.len());
        let before = &text[..start];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |n| n + 1);
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        let column =
            1 + String::from_utf8_lossy(&before[line_start..]).trim_start_matches('\u{feff}').chars().count();
        Self { path: path.to_string(), span: start..span.end.clamp(start, text.len()), line, column }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which rule.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in one sentence part without a full stop.
    pub message: String,
    /// Where.
    pub location: Option<Location>,
    /// A few words at the place.
    pub label: Option<String>,
    /// A second place that has to do with it, and why.
    pub related: Option<(Location, String)>,
    /// What to do now.
    pub help: Option<String>,
    /// The bytes that would fix it.
    pub fix: Option<(Range<usize>, String)>,
}

impl Diagnostic {
    /// Starts an error.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, message.into())
    }

    /// Starts a warning.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, message.into())
    }

    fn new(code: Code, severity: Severity, message: String) -> Self {
        Self { code, severity, message, location: None, label: None, related: None, help: None, fix: None }
    }

    /// Sets the place.
    #[must_use]
    pub fn at(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }

    /// Puts a few words at the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Points at a second place.
    #[must_use]
    pub fn related(mut self, location: Location, why: impl Into<String>) -> Self {
        self.related = Some((location, why.into()));
        self
    }

    /// Sets what to do now.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Offers bytes that would fix it.
    #[must_use]
    pub fn fix(mut self, range: Range<usize>, text: impl Into<String>) -> Self {
        self.fix = Some((range, text.into()));
        self
    }

    /// Returns whether it blocks everything else.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_not_the_byte_order_mark() {
        let text = "\u{feff}a: ü\nb: üx\n".as_bytes();
        let location = Location::new("f", text, 3..4);
        assert_eq!((location.line, location.column), (1, 1));
        let x = text.len() - 2;
        let location = Location::new("f", text, x..x + 1);
        assert_eq!((location.line, location.column), (2, 5));
        assert_eq!(Location::new("f", b"a", 9..12).span, 1..1);
    }
}
