//! Lines, for the two formats that consist of them.

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter, memrchr};

use crate::message::MARK;

/// Goes from one line that holds [`MARK`] to the next.
#[derive(Debug)]
pub(crate) struct Lines {
    /// A line whose first mark is not within this many bytes is none of ours, however long it is.
    reach: usize,
    /// Whether the bytes start within a line that is done with.
    within: bool,
    /// Whether the bytes before these were zeros, and said to be.
    hole: bool,
    mark: Finder<'static>,
}

/// What [`Lines`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A line starts here.
    Line(usize),
    /// There is none in these bytes, and up to here they are done with.
    Nothing(usize),
}

/// What [`Lines`] passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed<'a> {
    /// Lines without a mark, each with its line feed; only the last of a log has none.
    Lines(&'a [u8]),
    /// The start of a long line without a mark, as far as one may be.
    Long(&'a [u8]),
    /// Zeros where a line should start or be.
    Zeros,
}

impl Lines {
    pub(crate) fn new(reach: usize) -> Self {
        Self { reach, within: false, hole: false, mark: Finder::new(MARK) }
    }

    /// Skips the rest of the current line.
    pub(crate) fn leave(&mut self) {
        self.within = true;
    }

    /// Continues after zeros in the middle of a line, as if a line started there.
    pub(crate) fn behind_zeros(&mut self) {
        self.hole = true;
    }

    /// Finds the next line from `at` on, and counts those that it passes.
    pub(crate) fn next(
        &mut self,
        bytes: &[u8],
        mut at: usize,
        last: bool,
        line: &mut u64,
        passes: &mut impl FnMut(Passed<'_>, u64),
    ) -> Next {
        loop {
            if self.within {
                let found = memchr(b'\n', &bytes[at..]);
                let end = found.map_or(bytes.len(), |found| at + found);
                if !self.hole && memchr(0, &bytes[at..end]).is_some() {
                    self.hole = true;
                    passes(Passed::Zeros, *line);
                }
                if found.is_none() {
                    return Next::Nothing(bytes.len());
                }
                at = end + 1;
                *line += 1;
                self.within = false;
                self.hole = false;
            }
            if bytes.get(at) == Some(&0) {
                if !std::mem::replace(&mut self.hole, true) {
                    passes(Passed::Zeros, *line);
                }
                at += bytes[at..].iter().take_while(|byte| **byte == 0).count();
            }
            if at == bytes.len() {
                return Next::Nothing(at);
            }
            let found = self.mark.find(&bytes[at..]);
            let behind = found.map_or(bytes.len(), |found| at + found);
            let start = memrchr(b'\n', &bytes[at..behind]).map_or(at, |found| at + found + 1);
            if start > at {
                passes(Passed::Lines(&bytes[at..start]), *line);
                *line += count_lines(&bytes[at..start]);
                self.hole = false;
                at = start;
                continue;
            }
            match found {
                Some(_) if behind - start <= self.reach => {
                    self.hole = false;
                    return Next::Line(start);
                }
                // The mark of a line that is not whole may yet come, but not any more within reach.
                None if bytes.len() - start < self.reach + MARK.len() => {
                    if last {
                        passes(Passed::Lines(&bytes[start..]), *line);
                    }
                    return Next::Nothing(if last { bytes.len() } else { start });
                }
                _ => {
                    let head = &bytes[start..start + self.reach];
                    passes(Passed::Long(head), *line);
                    self.hole |= memchr(0, head).is_some();
                    self.within = true;
                    at = start + self.reach;
                }
            }
        }
    }
}

pub(crate) fn count_lines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

/// Strips the zeros that a line starts with, and returns whether there were any.
pub(crate) fn behind_zeros(line: &[u8]) -> (&[u8], bool) {
    let zeros = line.iter().take_while(|byte| **byte == 0).count();
    (&line[zeros..], zeros > 0)
}

/// Returns the end of the line, behind its line feed.
pub(crate) fn line_end(bytes: &[u8]) -> Option<usize> {
    memchr(b'\n', bytes).map(|at| at + 1)
}

/// Strips the line feed, and a carriage return before it.
pub(crate) fn trim_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
