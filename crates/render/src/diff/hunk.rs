//! The hunks of a diff, and how they come of two texts.

use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::lines::lines;
use crate::plan::FileChange;

/// One hunk of a unified diff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// The first line in the old file and their count; line 0 for an empty file.
    pub old: (usize, usize),
    /// The first line in the new file and their count.
    pub new: (usize, usize),
    /// The lines.
    pub lines: Vec<Line>,
}

/// One line of a hunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Whether it stays, goes or comes.
    pub sign: Sign,
    /// Its bytes, without the line feed.
    pub text: Vec<u8>,
    /// Whether a line feed ends it; only a file's last line may have none.
    pub ended: bool,
}

/// What happens to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It stays.
    Same,
    /// It goes.
    Removed,
    /// It comes.
    Added,
}

impl Hunk {
    /// Returns the `@@ … @@` line.
    pub fn header(&self) -> String {
        let side = |(start, count): (usize, usize)| match count {
            1 => start.to_string(),
            _ => format!("{start},{count}"),
        };
        format!("@@ -{} +{} @@", side(self.old), side(self.new))
    }
}

/// Both texts of a diff by lines, and the way from one to the other.
pub(super) struct Sides<'a> {
    /// How many lines of both texts come before these, and are the same.
    head: usize,
    old: Vec<&'a [u8]>,
    new: Vec<&'a [u8]>,
    ops: Vec<DiffOp>,
}

impl<'a> Sides<'a> {
    /// Compares the lines around an edit, with enough of them for so much context: the others are the same.
    pub(super) fn of(change: &'a FileChange, context: usize) -> Self {
        Self::around(change, context).unwrap_or_else(|| Self::new(&change.before, &change.after))
    }

    fn around(change: &'a FileChange, context: usize) -> Option<Self> {
        let (before, after) = (&change.before[..], &change.after[..]);
        let (first, last) = (change.edit.replacements().first()?, change.edit.replacements().last()?);
        let mut feeds = memchr::memrchr_iter(b'\n', &before[..first.range.start]);
        let start = feeds.nth(context).map_or(0, |feed| feed + 1);
        // One line more than the context, so that an edge in a run of equal lines is seen.
        let mut feeds = memchr::memchr_iter(b'\n', &before[last.range.end..]);
        let tail = feeds.nth(context + 1).map_or(0, |feed| before.len() - last.range.end - feed - 1);
        let old = before.get(start..before.len() - tail)?;
        let new = after.get(start..after.len().checked_sub(tail)?)?;
        let head = memchr::memchr_iter(b'\n', &before[..start]).count();
        let sides = Self { head, ..Self::new(old, new) };
        let ends_same = |op: &DiffOp| matches!(op, DiffOp::Equal { len, .. } if *len > context);
        // If the last lines are not the same, the difference may go on behind them.
        (tail == 0 || sides.ops.last().is_some_and(ends_same)).then_some(sides)
    }

    /// Splits at line feeds alone: a lone carriage return ends no line, neither for git nor for patch.
    pub(super) fn new(before: &'a [u8], after: &'a [u8]) -> Self {
        let (old, new) = (lines(before).collect::<Vec<_>>(), lines(after).collect::<Vec<_>>());
        let ops = capture_diff_slices(Algorithm::Myers, &old, &new);
        Self { head: 0, old, new, ops }
    }

    /// Returns the hunks with `context` lines around each; `show` gives what of a line is shown.
    pub(super) fn hunks(&self, context: usize, show: impl Fn(Sign, usize, &[u8]) -> Vec<u8>) -> Vec<Hunk> {
        let groups = similar::group_diff_ops(self.ops.clone(), context);
        groups.iter().filter(|group| !group.is_empty()).map(|group| self.hunk(group, &show)).collect()
    }

    /// Returns the lines from the first hunk to the last one, on both sides, counted from 0.
    pub(super) fn lines(&self, context: usize) -> (Range<usize>, Range<usize>) {
        let groups = similar::group_diff_ops(self.ops.clone(), context);
        let span = |side: fn(&DiffOp) -> Range<usize>| {
            let first = groups.iter().flatten().next().map_or(0, |op| side(op).start);
            let end = groups.iter().flatten().last().map_or(0, |op| side(op).end);
            self.head + first..self.head + end
        };
        (span(DiffOp::old_range), span(DiffOp::new_range))
    }

    fn hunk(&self, group: &[DiffOp], show: &impl Fn(Sign, usize, &[u8]) -> Vec<u8>) -> Hunk {
        let mut lines = Vec::new();
        let mut push = |sign: Sign, side: &[&[u8]], range: Range<usize>| {
            for index in range {
                let raw = side[index];
                let text = raw.strip_suffix(b"\n").unwrap_or(raw);
                let text = show(sign, self.head + index, text);
                lines.push(Line { sign, text, ended: raw.ends_with(b"\n") });
            }
        };
        for op in group {
            match op {
                DiffOp::Equal { .. } => push(Sign::Same, &self.old, op.old_range()),
                _ => {
                    push(Sign::Removed, &self.old, op.old_range());
                    push(Sign::Added, &self.new, op.new_range());
                }
            }
        }
        let span = |ranges: Vec<Range<usize>>| {
            let start = ranges.first().map_or(0, |range| range.start);
            let end = ranges.last().map_or(0, |range| range.end);
            let (start, end) = (self.head + start, self.head + end);
            (if end > start { start + 1 } else { start }, end - start)
        };
        let old = span(group.iter().map(DiffOp::old_range).collect());
        let new = span(group.iter().map(DiffOp::new_range).collect());
        Hunk { old, new, lines }
    }
}
