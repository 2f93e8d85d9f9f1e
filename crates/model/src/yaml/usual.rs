//! YAML as people and installers write it, read line by line: many times as fast as YAML's whole grammar.
//!
//! This reads block mappings and sequences, of scalars and brackets that are in one line. Whatever else a text has, such as an anchor, a tag, a
//! tab or a scalar of two lines, it gives back unread, and the whole parser reads it. What it does read is what the whole parser
//! would: the same nodes, spans and comments. The tests compare both over generated texts and real files.

use compact_str::CompactString;

use super::builder::Builder;
use super::tree::{Kind, Layout, MAX_NODES, NodeId, Style, Tree};

/// Deeper texts are for the whole parser, which knows what to say of one that is too deep.
const DEPTH: usize = 64;

/// Brackets in more brackets than this are for it, too.
const FLOW_DEPTH: usize = 8;

/// So many entries are expected of a collection.
const FEW: usize = 8;

/// A key longer than this may be none: YAML has a limit of 1024 characters.
const KEY: usize = 1000;

/// Reads a text, or says that it is for the whole parser.
pub(super) fn read(bytes: &[u8]) -> Option<Tree> {
    // Each of these bytes is a character that may be in a scalar.
    let has_returns = !is_ascii_text(bytes);
    if has_returns && !has_dos_line_ends(bytes) {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    // Most files have no comments: then no line is searched for one.
    let has_hash = memchr::memchr(b'#', bytes).is_some();
    let mut reader = Reader { builder: Builder::new(text), open: Vec::new(), bytes, has_hash };
    reader.builder.tree.nodes.reserve(bytes.len() / 12);
    let mut start = 0;
    while start < bytes.len() {
        let feed = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |length| start + length);
        let is_after_return = has_returns && feed > start && bytes[feed - 1] == b'\r';
        reader.line(start, feed - usize::from(is_after_return))?;
        start = feed + 1;
    }
    reader.finish()
}

/// Returns whether a text has no other characters than line feeds and what ASCII prints.
pub fn is_ascii_text(bytes: &[u8]) -> bool {
    // Without branches, and without an early end within a chunk: so the compiler looks at many bytes at once.
    let is_text = |byte: &u8| (byte.wrapping_sub(b' ') <= b'~' - b' ') | (*byte == b'\n');
    bytes.chunks(256).all(|chunk| chunk.iter().fold(true, |all, byte| all & is_text(byte)))
}

/// Returns whether a text is ASCII but for its line ends, of which some are a carriage return and a line feed.
fn has_dos_line_ends(bytes: &[u8]) -> bool {
    let mut parts = bytes.split(|byte| *byte == b'\r');
    parts.next().is_some_and(is_ascii_text)
        && parts.all(|part| part.first() == Some(&b'\n') && is_ascii_text(part))
}

struct Reader<'t> {
    builder: Builder<'t>,
    bytes: &'t [u8],
    has_hash: bool,
    /// The collections that the next line may belong to.
    open: Vec<Open>,
}

/// An open collection.
struct Open {
    id: NodeId,
    is_sequence: bool,
    /// The column of its keys or dashes.
    column: usize,
    /// Where a key or a dash ends whose value is not read yet.
    waits: Option<usize>,
    /// Whether its dashes are in the column of the key that it is the value of: its span starts at its first value.
    is_indentless: bool,
}

impl<'t> Reader<'t> {
    /// Reads a line, without its end.
    fn line(&mut self, start: usize, end: usize) -> Option<()> {
        let at = self.spaces(start, end);
        let column = at - start;
        if at == end {
            return Some(());
        }
        if self.bytes[at] == b'#' {
            self.builder.tree.comments.push(at..end);
            return Some(());
        }
        let is_dash = self.is_dash(at, end);
        // The start and the end of a document, a directive.
        if column == 0
            && matches!(self.bytes[start..end], [b'-', b'-', b'-', ..] | [b'.', b'.', b'.', ..] | [b'%', ..])
        {
            return None;
        }
        self.close(column, is_dash, at)?;
        self.begin(column, is_dash, at)?;
        if is_dash { self.dash(column, at, end) } else { self.key(column, at, end) }
    }

    /// Returns whether a dash begins an entry.
    fn is_dash(&self, at: usize, end: usize) -> bool {
        self.bytes[at] == b'-' && (at + 1 == end || self.bytes[at + 1] == b' ')
    }

    /// Closes the collections that end before a line.
    fn close(&mut self, column: usize, is_dash: bool, at: usize) -> Option<()> {
        while let Some(open) = self.open.last_mut() {
            // The value of the last key or dash begins in this line.
            let begins = column > open.column || (column == open.column && is_dash && !open.is_sequence);
            if begins {
                break;
            }
            if let Some(end) = open.waits.take() {
                // Where nothing is behind a dash, the whole parser knows the place.
                if open.is_sequence {
                    return None;
                }
                self.builder.add(Kind::Scalar("~".into(), Style::Plain), end..end, 0, None);
            }
            if column == open.column && is_dash == open.is_sequence {
                break;
            }
            self.end(at);
        }
        Some(())
    }

    /// Begins the collection that a line is the first of.
    fn begin(&mut self, column: usize, is_dash: bool, at: usize) -> Option<()> {
        match self.open.last_mut().map(|open| (open.waits.take().is_some(), open.column)) {
            Some((true, parent)) => self.start(is_dash, column, at, column == parent),
            Some((false, _)) => Some(()),
            // The top is one mapping in the first column.
            None if self.builder.tree.nodes.is_empty() && column == 0 && !is_dash => {
                self.start(false, 0, at, false)
            }
            None => None,
        }
    }

    /// Reads a dash and what is behind it.
    fn dash(&mut self, column: usize, at: usize, end: usize) -> Option<()> {
        let value = self.spaces(at + 1, end);
        let open = self.open.last_mut().filter(|open| open.is_sequence && open.column == column)?;
        if value == end || self.bytes[value] == b'#' {
            // The span of one without indentation starts at a value that is not there.
            if open.is_indentless {
                return None;
            }
            open.waits = Some(at + 1);
            return self.comment(at + 1, end);
        }
        if std::mem::take(&mut open.is_indentless) {
            self.builder.tree.nodes[open.id.0 as usize].span.start = value;
        }
        if self.is_dash(value, end) {
            return None;
        }
        if self.key_end(value, end)?.is_some() {
            let column = column + value - at;
            self.start(false, column, value, false)?;
            return self.key(column, value, end);
        }
        self.value(value, end)
    }

    /// Reads a key and what is behind its colon.
    fn key(&mut self, column: usize, at: usize, end: usize) -> Option<()> {
        self.open.last().filter(|open| !open.is_sequence && open.column == column)?;
        let key_end = self.key_end(at, end)??;
        self.scalar_of(at, key_end, is_plain_start)?;
        let value = self.spaces(key_end + 1, end);
        if value == end || self.bytes[value] == b'#' {
            self.open.last_mut()?.waits = Some(key_end);
            return self.comment(key_end + 1, end);
        }
        self.value(value, end)
    }

    /// Returns where the key of a line ends; `None` within if it has no key.
    fn key_end(&self, at: usize, end: usize) -> Option<Option<usize>> {
        let colon = match self.bytes[at] {
            b'"' | b'\'' => {
                let close = self.quoted_end(at, end)?;
                (self.bytes.get(close) == Some(&b':') && close < end).then_some(close)
            }
            _ => {
                let rest = &self.bytes[at..end];
                let is_colon = |colon: &usize| rest.get(colon + 1).is_none_or(|next| *next == b' ');
                // Keys are short: to look at each byte is faster than to search for the colon.
                let colon = (0..rest.len()).find(|at| rest[*at] == b':' && is_colon(at));
                let comment = self.comment_in(rest);
                let is_before = |colon: &usize| comment.is_none_or(|comment| *colon < comment);
                // One that starts as a flow collection is for the value.
                colon.filter(is_before).filter(|_| !matches!(rest[0], b'[' | b'{')).map(|colon| at + colon)
            }
        };
        let Some(colon) = colon else { return Some(None) };
        let is_key = colon > at
            && colon - at < KEY
            && self.bytes[colon - 1] != b' '
            && self.bytes.get(colon + 1).is_none_or(|next| matches!(next, b' ' | b'\n' | b'\r'));
        is_key.then_some(Some(colon))
    }

    /// Reads the value that starts here, to the end of the line.
    fn value(&mut self, at: usize, end: usize) -> Option<()> {
        let close = match self.bytes[at] {
            b'"' | b'\'' => self.quoted_end(at, end)?,
            b'[' | b'{' => return self.flow(at, end),
            _ => {
                let rest = &self.bytes[at..end];
                let text = &rest[..self.comment_in(rest).unwrap_or(rest.len())];
                at + text.trim_ascii_end().len()
            }
        };
        self.scalar(at, close)?;
        self.comment(close, end)
    }

    /// Reads a list or a mapping in brackets that is in one line, and what is behind it.
    fn flow(&mut self, at: usize, end: usize) -> Option<()> {
        let close = self.flow_value(at, end, 0)?;
        self.comment(close, end)
    }

    /// Reads a list, a mapping or a scalar inside brackets; returns where it ends.
    fn flow_value(&mut self, at: usize, end: usize, depth: usize) -> Option<usize> {
        let (kind, bracket) = match self.bytes[at..end].first()? {
            b'[' => (Kind::Sequence(Vec::new(), Layout::Flow), b']'),
            b'{' => (Kind::Mapping(Vec::new(), Layout::Flow), b'}'),
            _ => return self.flow_scalar(at, end),
        };
        if depth >= FLOW_DEPTH {
            return None;
        }
        let id = self.builder.add(kind, at..at, 0, None);
        self.builder.open.push((id, None));
        let mut next = at + 1;
        loop {
            next = self.spaces(next, end);
            if bracket == b'}' {
                let colon = self.flow_scalar(next, end)?;
                if colon - next >= KEY || !self.bytes[colon..end].starts_with(b": ") {
                    return None;
                }
                next = self.spaces(colon + 1, end);
            }
            let close = self.flow_value(next, end, depth + 1)?;
            next = self.spaces(close, end);
            match self.bytes[next..end].first()? {
                b',' => next += 1,
                byte if *byte == bracket => break,
                _ => return None,
            }
        }
        self.builder.open.pop();
        self.builder.tree.nodes[id.0 as usize].span.end = next + 1;
        Some(next + 1)
    }

    /// Reads a scalar inside brackets; returns where it ends.
    fn flow_scalar(&mut self, at: usize, end: usize) -> Option<usize> {
        let close = match self.bytes[at..end].first()? {
            b'"' | b'\'' => self.quoted_end(at, end)?,
            byte if byte.is_ascii_alphanumeric() || *byte == b'/' => {
                let is_plain =
                    |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'.' | b'-');
                at + self.bytes[at..end].iter().take_while(is_plain).count()
            }
            _ => return None,
        };
        self.scalar(at, close)?;
        Some(close)
    }

    /// Returns where a quoted text ends, behind its quote; the whole parser reads escapes, and texts of several lines.
    fn quoted_end(&self, at: usize, end: usize) -> Option<usize> {
        let quote = self.bytes[at];
        let mut next = at + 1;
        loop {
            let length = memchr::memchr2(quote, b'\\', &self.bytes[next..end])?;
            match self.bytes[next + length] {
                b'\\' if quote == b'"' => return None,
                b'\\' => next += length + 1,
                _ if quote == b'\'' && self.bytes[..end].get(next + length + 1) == Some(&quote) => {
                    next += length + 2;
                }
                _ => return Some(next + length + 1),
            }
        }
    }

    /// Adds a scalar between two places.
    fn scalar(&mut self, at: usize, end: usize) -> Option<()> {
        self.scalar_of(at, end, is_plain)
    }

    /// Adds a scalar between two places; `is_plain` tells whether one without quotes is plain.
    fn scalar_of(&mut self, at: usize, end: usize, is_plain: fn(&[u8]) -> bool) -> Option<()> {
        let text = &self.builder.text[at..end];
        let (text, style) = match self.bytes[at] {
            b'"' => (CompactString::from(&text[1..text.len() - 1]), Style::DoubleQuoted),
            b'\'' => {
                let text = &text[1..text.len() - 1];
                let is_doubled = memchr::memchr(b'\'', text.as_bytes()).is_some();
                (if is_doubled { text.replace("''", "'").into() } else { text.into() }, Style::SingleQuoted)
            }
            _ if is_plain(text.as_bytes()) => (text.into(), Style::Plain),
            _ => return None,
        };
        if self.builder.tree.nodes.len() + 2 >= MAX_NODES {
            return None;
        }
        self.builder.add(Kind::Scalar(text, style), at..end, 0, None);
        Some(())
    }

    /// Reads what is behind a value: nothing, or a comment.
    fn comment(&mut self, at: usize, end: usize) -> Option<()> {
        let comment = self.spaces(at, end);
        if comment == end {
            return Some(());
        }
        let is_comment = self.bytes[comment] == b'#' && comment > at;
        is_comment.then(|| self.builder.tree.comments.push(comment..end))
    }

    /// Returns where the comment of a line starts, if it has one.
    fn comment_in(&self, line: &[u8]) -> Option<usize> {
        let is_comment = |hash: &usize| *hash > 0 && line[hash - 1] == b' ';
        if self.has_hash { memchr::memchr_iter(b'#', line).find(is_comment) } else { None }
    }

    /// Returns the place behind spaces.
    fn spaces(&self, at: usize, end: usize) -> usize {
        at + self.bytes[at..end].iter().take_while(|byte| **byte == b' ').count()
    }

    fn start(&mut self, is_sequence: bool, column: usize, at: usize, is_indentless: bool) -> Option<()> {
        if self.open.len() >= DEPTH {
            return None;
        }
        let kind = match is_sequence {
            true => Kind::Sequence(Vec::with_capacity(FEW), Layout::Block),
            false => Kind::Mapping(Vec::with_capacity(FEW), Layout::Block),
        };
        let id = self.builder.add(kind, at..at, 0, None);
        self.builder.open.push((id, None));
        self.open.push(Open { id, is_sequence, column, waits: None, is_indentless });
        Some(())
    }

    /// Ends the innermost collection.
    fn end(&mut self, at: usize) {
        if let Some(open) = self.open.pop() {
            self.builder.open.pop();
            self.builder.tree.nodes[open.id.0 as usize].span.end = at;
        }
    }

    fn finish(mut self) -> Option<Tree> {
        let length = self.bytes.len();
        if self.builder.tree.nodes.is_empty() {
            return None;
        }
        self.close(0, false, length)?;
        self.end(length);
        Some(self.builder.tree)
    }
}

/// Returns whether a text is a plain scalar of one line; some that are one are for the whole parser.
fn is_plain(text: &[u8]) -> bool {
    let is_value = |colon: usize| text.get(colon + 1).is_none_or(|next| *next == b' ');
    is_plain_start(text) && !memchr::memchr_iter(b':', text).any(is_value)
}

/// Does so for a text in which no colon makes it a key: one up to the first such colon.
fn is_plain_start(text: &[u8]) -> bool {
    match text {
        [b'-', next, ..] => *next != b' ',
        [first, ..] => first.is_ascii_alphanumeric() || b"_/.$~+=(<^;".contains(first),
        [] => false,
    }
}

#[cfg(test)]
mod tests;
