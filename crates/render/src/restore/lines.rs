//! The lines of a file, and the file without some that kasm-db wrote.

use std::ops::Range;

use super::piece::Piece;

/// A text as lines without their ends, and the ends: those are the file's, whoever wrote the line.
pub(crate) struct Lines<'a> {
    lines: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Lines<'a> {
    /// Splits a text.
    pub(crate) fn new(text: &'a [u8]) -> Self {
        let lines = crate::lines::lines(text).map(|line| {
            let content = line.strip_suffix(b"\n").unwrap_or(line);
            let content = content.strip_suffix(b"\r").filter(|_| line.ends_with(b"\n")).unwrap_or(content);
            line.split_at(content.len())
        });
        Self { lines: lines.collect() }
    }

    /// Returns the lines without their ends.
    pub(crate) fn contents(&self) -> Vec<&'a [u8]> {
        self.lines.iter().map(|(content, _)| *content).collect()
    }

    /// Returns lines of which all but the last have the carriage return of their ends: joined by line feeds they are the text.
    pub(crate) fn joinable(&self, range: Range<usize>) -> Vec<Vec<u8>> {
        let last = range.end.saturating_sub(1);
        let line = |index: usize| {
            let (content, end) = self.lines[index];
            match index == last {
                true => content.to_vec(),
                false => [content, end.strip_suffix(b"\n").unwrap_or(end)].concat(),
            }
        };
        range.map(line).collect()
    }

    /// Finds the lines of a piece as they were written. Of several that read so, it is the one that has the same number
    /// among as many.
    pub(crate) fn find(&self, piece: &Piece) -> Option<usize> {
        let wanted: Vec<&[u8]> = piece.after.iter().map(Vec::as_slice).collect();
        let all = self.all(&wanted);
        (all.len() == piece.of).then(|| all.get(piece.nth).copied()).flatten()
    }

    /// Returns which of those that read so the lines at a place are, from 0, and how many there are.
    pub(crate) fn place(&self, line: usize, lines: &[&[u8]]) -> (usize, usize) {
        let all = self.all(lines);
        (all.iter().position(|at| *at == line).unwrap_or(0), all.len())
    }

    /// Returns where lines start that read like these.
    fn all(&self, wanted: &[&[u8]]) -> Vec<usize> {
        let Some(last) = self.lines.len().checked_sub(wanted.len()).filter(|_| !wanted.is_empty()) else {
            return Vec::new();
        };
        let is_at = |at: &usize| {
            self.lines[*at..*at + wanted.len()]
                .iter()
                .zip(wanted)
                .all(|((content, _), wanted)| content == wanted)
        };
        (0..=last).filter(is_at).collect()
    }

    /// Returns the text with what stood there before the pieces; one that is not found changes nothing.
    pub(crate) fn without(&self, pieces: &[&Piece]) -> Vec<u8> {
        let mut found: Vec<(usize, &Piece)> =
            pieces.iter().filter_map(|piece| Some((self.find(piece)?, *piece))).collect();
        found.sort_by_key(|(at, _)| *at);
        let mut out: Vec<(&[u8], &[u8])> = Vec::new();
        let mut at = 0;
        for (start, piece) in found {
            if start < at {
                continue;
            }
            let end = start + piece.after.len();
            out.extend(&self.lines[at..start]);
            // Between further lines are the ends that they had; the last one ends as the last of those that were there.
            let last = self.lines[end - 1].1;
            let count = piece.before.len();
            let line_end = |index: usize| if index + 1 == count { last } else { &b"\n"[..] };
            out.extend(
                piece.before.iter().enumerate().map(|(index, line)| (line.as_slice(), line_end(index))),
            );
            at = end;
        }
        out.extend(&self.lines[at..]);
        // A file without a final line end stays one without.
        if self.lines.last().is_some_and(|(_, end)| end.is_empty())
            && let Some((_, end)) = out.last_mut()
        {
            *end = b"";
        }
        out.into_iter().flat_map(|(content, end)| [content, end].concat()).collect()
    }
}
