//! One postgresql.conf: its bytes, what they set, and where.

use std::ops::Range;

use crate::bytes::Bytes;
use crate::lexer::{self, Kind};
use crate::text;

/// The server gives up on a file after this many syntax errors (PostgreSQL 12 to 18, `ParseConfigFp`).
const MAX_SYNTAX_ERRORS: usize = 100;

/// The bytes of one file and the settings and includes on them.
///
/// Reading never fails: what the server would refuse is in [`errors`](Self::errors).
#[derive(Clone, Debug)]
pub struct Conf {
    bytes: Bytes,
    entries: Vec<Entry>,
    errors: Vec<SyntaxError>,
}

/// A line that the server takes: `name = value`, or an include directive, which looks the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The line, from 1.
    pub line: usize,
    /// The bytes of the name.
    pub name: Range<usize>,
    /// The bytes of the value, quotes included.
    pub value: Range<usize>,
}

/// A line that the server does not take; one is enough for it not to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The line, from 1.
    pub line: usize,
    /// The token that does not fit; empty at the end of a line.
    pub near: Range<usize>,
}

/// A comment that would be a setting without its `#`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commented {
    /// The `#` (or several) and the blanks after it.
    pub mark: Range<usize>,
    /// The setting behind the mark.
    pub entry: Entry,
}

impl Conf {
    /// Reads a file's bytes.
    pub fn parse(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let (mut entries, mut errors) = (Vec::new(), Vec::new());
        let (mut at, mut line) = (0, 1);
        while at < bytes.len() && errors.len() < MAX_SYNTAX_ERRORS {
            match statement(&bytes, at, line) {
                (Ok(entry), end) => {
                    if let Some(entry) = entry {
                        entries.push(entry);
                    }
                    at = end;
                }
                (Err(error), end) => {
                    errors.push(error);
                    at = end;
                }
            }
            line += 1;
        }
        Self { bytes, entries, errors }
    }

    /// Returns the file's bytes, exactly as they were read.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the settings and includes in the order of the file, those without effect too.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the lines the server refuses: at most 100, where it gives up too.
    pub fn errors(&self) -> &[SyntaxError] {
        &self.errors
    }

    /// Returns an entry's name as it is written.
    pub fn name(&self, entry: &Entry) -> &[u8] {
        &self.bytes[entry.name.clone()]
    }

    /// Returns an entry's value as the server stores it: without quotes and escapes.
    pub fn value(&self, entry: &Entry) -> Vec<u8> {
        text::decode(&self.bytes[entry.value.clone()])
    }

    /// Returns the entry that counts for `name`: the last one, in whatever letter case.
    ///
    /// Looks at this file alone; [`ConfSet`](crate::ConfSet) follows its includes.
    pub fn effective(&self, name: &str) -> Option<&Entry> {
        self.assignments(name).last()
    }

    /// Returns every entry of `name`, in the order of the file.
    pub fn assignments(&self, name: &str) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| self.name(entry).eq_ignore_ascii_case(name.as_bytes()))
    }

    /// Returns every comment that would set `name`, such as the sample file's commented defaults.
    ///
    /// Only with an `=`: without it, prose such as `# port 5432` would count.
    pub fn commented(&self, name: &str) -> Vec<Commented> {
        let mut found = Vec::new();
        let (mut start, mut line) = (0, 1);
        while start < self.bytes.len() {
            let end = (lexer::end_of_line(&self.bytes, start) + 1).min(self.bytes.len());
            if let Some(one) = self.commented_line(start, end, line, name) {
                found.push(one);
            }
            (start, line) = (end, line + 1);
        }
        found
    }

    fn commented_line(&self, start: usize, end: usize, line: usize, name: &str) -> Option<Commented> {
        let bytes = &self.bytes[..end];
        let is_blank = |b: u8| matches!(b, b' ' | b'\t');
        let hash = start + bytes[start..].iter().position(|&b| !is_blank(b))?;
        let inside = hash + bytes[hash..].iter().position(|&b| b != b'#')?;
        let name_at = inside + bytes[inside..].iter().position(|&b| !is_blank(b))?;
        let starts = bytes[name_at..].get(..name.len());
        if inside == hash || !starts.is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes())) {
            return None;
        }
        let entry = statement(bytes, name_at, line).0.ok()??;
        let has_equals = lexer::next(bytes, entry.name.end).kind == Kind::Equals;
        (has_equals && self.name(&entry).eq_ignore_ascii_case(name.as_bytes()))
            .then_some(Commented { mark: hash..name_at, entry })
    }
}

/// Reads one line from `start` on; gives what it says and where the next one starts.
fn statement(bytes: &[u8], start: usize, line: usize) -> (Result<Option<Entry>, SyntaxError>, usize) {
    let name = lexer::next(bytes, start);
    if matches!(name.kind, Kind::EndOfLine | Kind::EndOfFile) {
        return (Ok(None), name.span.end);
    }
    let mut token = name.clone();
    if matches!(name.kind, Kind::Id | Kind::QualifiedId) {
        token = lexer::next(bytes, token.span.end);
        if token.kind == Kind::Equals {
            token = lexer::next(bytes, token.span.end);
        }
        // A bare `word.word` is a qualified name, which is no value.
        if matches!(token.kind, Kind::Id | Kind::String | Kind::Integer | Kind::Real | Kind::UnquotedString) {
            let value = token.span;
            token = lexer::next(bytes, value.end);
            if matches!(token.kind, Kind::EndOfLine | Kind::EndOfFile) {
                return (Ok(Some(Entry { line, name: name.span, value })), token.span.end);
            }
        }
    }
    let near =
        if token.kind == Kind::EndOfLine { token.span.start..token.span.start } else { token.span.clone() };
    // The server continues after the next line feed *token*: one inside quotes cannot be, and one
    // after a `#` ends the comment.
    let end = lexer::end_of_line(bytes, near.start);
    (Err(SyntaxError { line, near }), (end + 1).min(bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> Vec<String> {
        let conf = Conf::parse(text);
        let entries = conf.entries().iter().map(|e| {
            format!("{}: {} = {}", e.line, conf.name(e).escape_ascii(), conf.value(e).escape_ascii())
        });
        let errors = conf.errors().iter().map(|e| format!("{}: near {:?}", e.line, &text[e.near.clone()]));
        entries.chain(errors).collect()
    }

    #[test]
    fn the_equals_sign_and_blanks_are_optional() {
        assert_eq!(
            show("a=1\n b\t'x'\r\nc'y'#z\n  # no\nd = on # yes"),
            ["1: a = 1", "2: b = x", "3: c = y", "5: d = on"]
        );
    }

    #[test]
    fn what_the_server_refuses_is_an_error_with_its_token() {
        assert_eq!(
            show("a = 1.5GB\nb\n= 1\nc = en_US.utf8\nd = 'x\n'q' = 1\nok = 1"),
            [
                "7: ok = 1",
                "1: near \"GB\"",
                "2: near \"\"",
                "3: near \"=\"",
                "4: near \"en_US.utf8\"",
                "5: near \"'\"",
                "6: near \"'q'\"",
            ]
        );
    }

    #[test]
    fn a_byte_order_mark_belongs_to_the_name() {
        assert_eq!(show("\u{feff}a = 1\n"), ["1: \\xef\\xbb\\xbfa = 1"]);
        assert_eq!(show("\u{feff}# c\n"), ["1: near \"\""]);
    }

    #[test]
    fn reading_stops_after_a_hundred_errors() {
        let conf = Conf::parse("!\n".repeat(200) + "a = 1\n");
        assert_eq!((conf.errors().len(), conf.entries().len()), (100, 0));
    }

    #[test]
    fn the_last_assignment_counts_in_any_letter_case() {
        let conf = Conf::parse("a = 1\nA = 2\nb = 3\n");
        assert_eq!(conf.effective("a").map(|e| e.line), Some(2));
        assert_eq!(conf.assignments("B").count(), 1);
        assert_eq!(conf.effective("c"), None);
    }

    #[test]
    fn a_commented_setting_needs_an_equals_sign_and_nothing_else() {
        let conf =
            Conf::parse("#a = ''\t# note\n# a = 1\n##a=2\n# a 1\n# a = 1 or 2\n#ab = 1\na = 1 #a = 2\n");
        let found: Vec<_> = conf.commented("A").into_iter().map(|c| (c.entry.line, c.mark)).collect();
        assert_eq!(found, [(1, 0..1), (2, 15..17), (3, 23..25)]);
    }
}
