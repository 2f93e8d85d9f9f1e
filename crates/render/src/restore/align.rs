//! Which line of a text became which line of another one.
//!
//! kasm-db changes lines and adds some, and never takes one away. A general diff does not know that, and of equal lines may
//! take one for deleted and another for added.

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::setting::setting;
use crate::file_kind::FileKind;

/// Two lines that have nothing to do with each other are never aligned.
const NEVER: u32 = 1 << 20;

/// Pairs the lines of two texts; each new line has the old line that it was, or none.
///
/// `None` if lines were taken away: then only a general diff can tell.
pub(super) fn align(kind: FileKind, old: &[&[u8]], new: &[&[u8]]) -> Option<Vec<Option<usize>>> {
    let head = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    let rest = (&old[head..], &new[head..]);
    let tail = rest.0.iter().rev().zip(rest.1.iter().rev()).take_while(|(one, other)| one == other).count();
    let (middle_old, middle_new) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let added = middle_new.len().checked_sub(middle_old.len())?;
    let middle = cheapest(kind, middle_old, middle_new, added)?;
    let mut all: Vec<Option<usize>> = (0..head).map(Some).collect();
    all.extend(middle.into_iter().map(|line| line.map(|line| head + line)));
    all.extend((old.len() - tail..old.len()).map(Some));
    Some(all)
}

/// Finds the alignment that costs least. `costs[i][d]` is the cost of the first `i` old lines with `d` lines added.
fn cheapest(kind: FileKind, old: &[&[u8]], new: &[&[u8]], added: usize) -> Option<Vec<Option<usize>>> {
    let width = added + 1;
    let mut costs = vec![u32::MAX; (old.len() + 1) * width];
    // Whether the last step to a cell added a line.
    let mut adds = vec![false; costs.len()];
    for line in 0..=old.len() {
        for count in 0..=added {
            let here = line * width + count;
            let changed = match line.checked_sub(1) {
                None => (count == 0).then_some(0),
                Some(before) => {
                    let cost = cost(kind, old[before], new[before + count]);
                    costs[before * width + count].checked_add(cost)
                }
            };
            let added = count.checked_sub(1).and_then(|before| costs[line * width + before].checked_add(2));
            (costs[here], adds[here]) = match (changed, added) {
                (Some(changed), Some(added)) if added < changed => (added, true),
                (Some(changed), _) => (changed, false),
                (None, Some(added)) => (added, true),
                (None, None) => (u32::MAX, false),
            };
        }
    }
    if costs[old.len() * width + added] >= NEVER {
        return None;
    }
    let (mut line, mut count) = (old.len(), added);
    let mut all = Vec::with_capacity(new.len());
    while (line, count) != (0, 0) {
        if adds[line * width + count] {
            count -= 1;
            all.push(None);
        } else {
            line -= 1;
            all.push(Some(line));
        }
    }
    all.reverse();
    Some(all)
}

fn cost(kind: FileKind, old: &[u8], new: &[u8]) -> u32 {
    if old == new {
        return 0;
    }
    let is_same = match kind {
        FileKind::Conf => setting(old).is_some_and(|name| Some(name) == setting(new)),
        FileKind::Compose => {
            let key =
                |line: &[u8]| line.iter().position(|byte| *byte == b':').map(|colon| line[..colon].to_vec());
            key(old).is_some_and(|old| Some(old) == key(new))
        }
    };
    match (is_same, kind) {
        (true, _) => 1,
        (false, FileKind::Compose) => 5,
        (false, FileKind::Conf) => NEVER,
    }
}

/// Pairs the lines by a general diff: runs of old lines with the new lines that took their place.
pub(super) fn runs(old: &[&[u8]], new: &[&[u8]]) -> Vec<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let ops = capture_diff_slices(Algorithm::Myers, old, new);
    let changes = ops.into_iter().filter(|op| !matches!(op, DiffOp::Equal { .. }));
    changes.map(|op| (op.old_range(), op.new_range())).collect()
}
