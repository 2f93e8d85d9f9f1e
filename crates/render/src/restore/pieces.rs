//! The pieces that lead from one text to another.

use std::ops::Range;

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
    let (old_text, text) = (Lines::new(before), Lines::new(after));
    let (old, new) = (old_text.contents(), text.contents());
    let mut pieces = Vec::new();
    let mut add = |line: usize, from: Range<usize>, after: &[&[u8]]| {
        let before = &old[from.clone()];
        let subject = match kind {
            FileKind::Compose => Some(image.to_owned()),
            FileKind::Conf => after.iter().chain(before).find_map(|line| setting(line)),
        };
        let owned = |lines: &[&[u8]]| lines.iter().map(|line| line.to_vec()).collect::<Vec<_>>();
        let (nth, of) = text.place(line, after);
        let (before, after) = (old_text.joinable(from), owned(after));
        pieces.push(Piece { subject: subject.unwrap_or_default(), generation, nth, of, before, after });
    };
    match align(kind, &old, &new) {
        Some(pairs) => {
            for (line, pair) in pairs.into_iter().enumerate() {
                match pair {
                    Some(pair) if old[pair] == new[line] => {}
                    Some(pair) => add(line, pair..pair + 1, &[new[line]]),
                    None => add(line, 0..0, &[new[line]]),
                }
            }
        }
        None => {
            for (from, to) in runs(&old, &new) {
                add(to.start, from, &new[to]);
            }
        }
    }
    pieces
}
