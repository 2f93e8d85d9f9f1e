//! Changes to one file, as replacements of byte ranges.

use std::ops::Range;

use crate::conf::{Conf, Entry};
use crate::lexer::{self, Kind};
use crate::text;

/// Replaces the bytes of `range` in the original file by `text`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Edit {
    /// Offsets in the original bytes; empty for an insertion.
    pub range: Range<usize>,
    /// The new bytes.
    pub text: Vec<u8>,
}

/// Returns why a setting cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The value holds a NUL byte.
    #[error("a value cannot hold a NUL byte")]
    Nul,
    /// The name is not `name` or `prefix.name` in letters, digits and `_`.
    #[error("not a setting's name")]
    Name,
}

/// How a new value is written where no old one shows a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoting {
    /// Always `'…'`.
    Quoted,
    /// Bare where the grammar allows it: for booleans, numbers and enums.
    Bare,
}

/// Collects changes to one file and gives them as sorted, disjoint edits.
///
/// Every offset is one of the original bytes, so the order of calls does not matter, except that
/// added lines keep it.
#[derive(Debug)]
pub struct Editor<'a> {
    conf: &'a Conf,
    edits: Vec<Edit>,
    added: Vec<Vec<u8>>,
}

impl<'a> Editor<'a> {
    /// Starts with no change.
    pub fn new(conf: &'a Conf) -> Self {
        Self { conf, edits: Vec::new(), added: Vec::new() }
    }

    /// Replaces the value of `entry`; nothing else on its line changes.
    ///
    /// A bare value stays bare where the new one can be, a quoted one stays quoted.
    ///
    /// # Errors
    /// [`EditError::Nul`]
    pub fn replace_value(&mut self, entry: &Entry, value: &[u8]) -> Result<(), EditError> {
        let old = &self.conf.bytes()[entry.value.clone()];
        // `name'value'` needs its quote to keep name and value apart.
        let glued = entry.name.end == entry.value.start;
        let quoting = if old.starts_with(b"'") || glued { Quoting::Quoted } else { Quoting::Bare };
        let text = token(value, quoting)?;
        self.edits.push(Edit { range: entry.value.clone(), text });
        Ok(())
    }

    /// Sets `name`: uncomments its commented default where there is exactly one, else adds a line.
    ///
    /// The added line goes below the sample file's heading "CUSTOMIZED OPTIONS", else to the end. The
    /// caller knows that nothing sets `name` yet.
    ///
    /// # Errors
    /// [`EditError::Nul`], [`EditError::Name`]
    pub fn set_new(&mut self, name: &str, value: &[u8], quoting: Quoting) -> Result<(), EditError> {
        if let [commented] = &self.conf.commented(name)[..] {
            let old = &self.conf.bytes()[commented.entry.value.clone()];
            let quoting = if old.starts_with(b"'") { Quoting::Quoted } else { quoting };
            let text = token(value, quoting)?;
            self.edits.push(Edit { range: commented.mark.clone(), text: Vec::new() });
            self.edits.push(Edit { range: commented.entry.value.clone(), text });
            return Ok(());
        }
        let first = lexer::next(name.as_bytes(), 0);
        if !matches!(first.kind, Kind::Id | Kind::QualifiedId) || first.span != (0..name.len()) {
            return Err(EditError::Name);
        }
        self.added.push([name.as_bytes(), b" = ", &token(value, quoting)?].concat());
        Ok(())
    }

    /// Comments `entry` out: a `#` before its name, the rest of the line stays.
    pub fn comment_out(&mut self, entry: &Entry) {
        self.edits.push(Edit { range: entry.name.start..entry.name.start, text: b"#".to_vec() });
    }

    /// Returns the edits, sorted and disjoint.
    pub fn finish(mut self) -> Vec<Edit> {
        if !self.added.is_empty() {
            self.edits.push(add_lines(self.conf.bytes(), &self.added));
        }
        self.edits.retain(|edit| self.conf.bytes()[edit.range.clone()] != edit.text[..]);
        self.edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
        self.edits
    }
}

/// Returns `bytes` with `edits` (sorted and disjoint, as [`Editor::finish`] gives them) applied.
pub fn apply(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let added = |edit: &Edit| edit.text.len().saturating_sub(edit.range.len());
    let mut out = Vec::with_capacity(bytes.len() + edits.iter().map(added).sum::<usize>());
    let mut at = 0;
    for edit in edits {
        out.extend(&bytes[at..edit.range.start]);
        out.extend(&edit.text);
        at = edit.range.end;
    }
    out.extend(&bytes[at..]);
    out
}

fn token(value: &[u8], quoting: Quoting) -> Result<Vec<u8>, EditError> {
    let quoted = text::encode(value).ok_or(EditError::Nul)?;
    Ok(if quoting == Quoting::Bare && is_bare(value) { value.to_vec() } else { quoted })
}

/// Returns whether `value` is one token that the grammar takes as a value without quotes.
fn is_bare(value: &[u8]) -> bool {
    let first = lexer::next(value, 0);
    first.span == (0..value.len())
        && matches!(first.kind, Kind::Id | Kind::UnquotedString | Kind::Integer | Kind::Real)
}

/// Builds the one insertion that adds `lines`.
fn add_lines(bytes: &[u8], lines: &[Vec<u8>]) -> Edit {
    let at = insertion_point(bytes);
    let line_end: &[u8] = if ends_with_crlf(bytes, at) { b"\r\n" } else { b"\n" };
    // A file without a final line feed stays one without.
    let open = at > 0 && bytes[at - 1] != b'\n';
    let mut text = Vec::new();
    for line in lines {
        if open {
            text.extend(line_end);
        }
        text.extend(line);
        if !open {
            text.extend(line_end);
        }
    }
    Edit { range: at..at, text }
}

/// Returns the offset behind the last line that is not blank, below the sample's heading for
/// customised options where it stands.
fn insertion_point(bytes: &[u8]) -> usize {
    let mut heading = false;
    let mut point = 0;
    let mut at = 0;
    let mut customized = None;
    while at < bytes.len() {
        let end = (lexer::end_of_line(bytes, at) + 1).min(bytes.len());
        let line = &bytes[at..end];
        at = end;
        let text = line.trim_ascii();
        let rule = text.len() > 8 && text.starts_with(b"#-") && text[1..].iter().all(|&b| b == b'-');
        if heading && rule {
            // The rule that closes the heading itself.
            heading = false;
        } else if rule && customized.is_some() {
            break;
        }
        if text.starts_with(b"#") && text.trim_ascii_start().ends_with(b"CUSTOMIZED OPTIONS") {
            heading = true;
            customized = Some(at);
        }
        if !text.is_empty() {
            point = at;
        }
    }
    point
}

/// Returns whether the line that ends at `at`, or else the file's first one, ends in CR LF.
fn ends_with_crlf(bytes: &[u8], at: usize) -> bool {
    let before = &bytes[..at];
    if before.ends_with(b"\n") {
        return before.ends_with(b"\r\n");
    }
    let first = lexer::end_of_line(bytes, 0);
    first > 0 && first < bytes.len() && bytes[first - 1] == b'\r'
}
