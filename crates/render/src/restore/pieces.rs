//! The pieces that lead from one text to another.

use super::align::{align, runs};
use super::lines::Lines;
use super::piece::Piece;
use super::setting::setting;
use crate::file_kind::FileKind;

/// Returns the pieces that make `after` of `before`. Those of a compose file are all of one image.
pub(crate) fn between(
    kind: FileKind,
    before: &[u8],
    after: &[u8],
    image: &str,
    generation: u64,
) -> Vec<Piece> {
    let (old, text) = (Lines::new(before).contents(), Lines::new(after));
    let new = text.contents();
    let mut pieces = Vec::new();
    let mut add = |line: usize, before: &[&[u8]], after: &[&[u8]]| {
        let subject = match kind {
            FileKind::Compose => Some(image.to_owned()),
            FileKind::Conf => after.iter().chain(before).find_map(|line| setting(line)),
        };
        let owned = |lines: &[&[u8]]| lines.iter().map(|line| line.to_vec()).collect::<Vec<_>>();
        let (nth, of) = text.place(line, after);
        let (before, after) = (owned(before), owned(after));
        pieces.push(Piece { subject: subject.unwrap_or_default(), generation, nth, of, before, after });
    };
    match align(kind, &old, &new) {
        Some(pairs) => {
            for (line, pair) in pairs.into_iter().enumerate() {
                match pair.map(|old_line| old[old_line]) {
                    Some(old) if old == new[line] => {}
                    Some(old) => add(line, &[old], &[new[line]]),
                    None => add(line, &[], &[new[line]]),
                }
            }
        }
        None => {
            for (from, to) in runs(&old, &new) {
                add(to.start, &old[from], &new[to]);
            }
        }
    }
    pieces
}
