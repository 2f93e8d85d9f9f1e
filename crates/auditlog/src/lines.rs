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

impl Lines {
    pub(crate) fn new(reach: usize) -> Self {
        Self { reach, within: false, mark: Finder::new(MARK) }
    }

    /// Leaves the rest of the current line out.
    pub(crate) fn leave(&mut self) {
        self.within = true;
    }

    /// Finds the next line from `at` on, and counts those that it passes.
    pub(crate) fn next(&mut self, bytes: &[u8], mut at: usize, last: bool, line: &mut u64) -> Next {
        loop {
            if self.within {
                let Some(found) = memchr(b'\n', &bytes[at..]) else { return Next::Nothing(bytes.len()) };
                at += found + 1;
                *line += 1;
                self.within = false;
            }
            let found = self.mark.find(&bytes[at..]);
            let behind = found.map_or(bytes.len(), |found| at + found);
            let start = memrchr(b'\n', &bytes[at..behind]).map_or(at, |found| at + found + 1);
            *line += count_lines(&bytes[at..start]);
            at = start;
            match found {
                Some(_) if behind - start <= self.reach => return Next::Line(start),
                // The mark of a line that is not whole may yet come, but not any more within reach.
                None if bytes.len() - start < self.reach + MARK.len() => {
                    return Next::Nothing(if last { bytes.len() } else { start });
                }
                _ => self.within = true,
            }
        }
    }
}

pub(crate) fn count_lines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

/// Gives the end of the line, behind its line feed.
pub(crate) fn line_end(bytes: &[u8]) -> Option<usize> {
    memchr(b'\n', bytes).map(|at| at + 1)
}

/// Takes the line feed off, and a carriage return before it.
pub(crate) fn trim_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
