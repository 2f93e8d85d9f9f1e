//! The edit between two texts that are known, and the way back through it.

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::lines::lines;
use crate::text_edit::{Replacement, TextEdit};

/// Returns the edit that makes `after` of `before`: of a line that changes, the part that differs.
pub(crate) fn edit_between(before: &[u8], after: &[u8]) -> TextEdit {
    let (old, new) = (lines(before).collect::<Vec<_>>(), lines(after).collect::<Vec<_>>());
    let starts = starts(&old);
    let mut replacements = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &old, &new) {
        let (from, to) = (op.old_range(), op.new_range());
        match op {
            DiffOp::Equal { .. } => {}
            DiffOp::Replace { .. } if from.len() == to.len() => {
                for (old_line, new_line) in from.zip(to) {
                    replacements.push(differing(starts[old_line], old[old_line], new[new_line]));
                }
            }
            _ => replacements
                .push(Replacement { range: starts[from.start]..starts[from.end], text: new[to].concat() }),
        }
    }
    // Ranges of a diff are sorted and disjoint.
    TextEdit::new(before, replacements).unwrap_or_default()
}

/// Returns the offsets at which lines start, and where the last one ends.
fn starts(lines: &[&[u8]]) -> Vec<usize> {
    let mut at = 0;
    let mut starts = vec![0];
    for line in lines {
        at += line.len();
        starts.push(at);
    }
    starts
}

fn differing(start: usize, old: &[u8], new: &[u8]) -> Replacement {
    let same = |(one, other): &(&u8, &u8)| one == other;
    let head = old.iter().zip(new).take_while(same).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(same).count();
    Replacement { range: start + head..start + old.len() - tail, text: new[head..new.len() - tail].to_vec() }
}

/// The way from the offsets of a text back to those of the text that an edit made it of.
pub(crate) struct Back {
    edit: TextEdit,
}

impl Back {
    /// Accepts the edit that made the text.
    pub(crate) fn new(edit: TextEdit) -> Self {
        Self { edit }
    }

    /// Returns the offset in the old text; inside of what the edit wrote, where it was written.
    pub(crate) fn offset(&self, new: usize) -> usize {
        let (mut old_end, mut new_end) = (0, 0);
        for replacement in self.edit.replacements() {
            let start = new_end + (replacement.range.start - old_end);
            if new < start {
                break;
            }
            if new < start + replacement.text.len() {
                return replacement.range.start;
            }
            old_end = replacement.range.end;
            new_end = start + replacement.text.len();
        }
        old_end + (new - new_end)
    }
}
