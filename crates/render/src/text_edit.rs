//! The only way in which a file changes.

/// One replacement; `pgconf` edits one file with the same.
pub use pgconf::Edit as Replacement;

/// Replacements in the offsets of the original bytes: sorted, disjoint, none without effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextEdit {
    replacements: Vec<Replacement>,
}

/// Two replacements touch the same bytes, or one lies outside the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two changes of one file overlap")]
pub struct Overlap;

impl TextEdit {
    /// Sorts replacements and checks that they fit `original`; those that change nothing are left out.
    ///
    /// Insertions at one offset keep their order.
    ///
    /// # Errors
    /// [`Overlap`]
    pub fn new(original: &[u8], mut replacements: Vec<Replacement>) -> Result<Self, Overlap> {
        replacements.retain(|r| original.get(r.range.clone()) != Some(&r.text[..]));
        replacements.sort_by_key(|r| (r.range.start, r.range.end));
        let mut end = 0;
        for replacement in &replacements {
            if replacement.range.start < end || replacement.range.end > original.len() {
                return Err(Overlap);
            }
            end = replacement.range.end;
        }
        Ok(Self { replacements })
    }

    /// Returns whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.replacements.is_empty()
    }

    /// Returns the replacements, sorted and disjoint.
    pub fn replacements(&self) -> &[Replacement] {
        &self.replacements
    }

    /// Returns the text after the edit.
    pub fn apply(&self, original: &[u8]) -> Vec<u8> {
        pgconf::apply(original, &self.replacements)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    fn replace(range: Range<usize>, text: &str) -> Replacement {
        Replacement { range, text: text.into() }
    }

    #[test]
    fn replacements_are_sorted_and_applied_at_once() {
        let edit = TextEdit::new(
            b"abcdef",
            vec![replace(4..5, "X"), replace(0..2, ""), replace(4..4, "1"), replace(4..4, "2")],
        );
        assert_eq!(edit.unwrap().apply(b"abcdef"), b"cd12Xf");
    }

    #[test]
    fn what_overlaps_or_lies_outside_is_refused() {
        assert_eq!(TextEdit::new(b"abc", vec![replace(0..2, "x"), replace(1..3, "y")]), Err(Overlap));
        assert_eq!(TextEdit::new(b"abc", vec![replace(2..9, "x")]), Err(Overlap));
    }

    #[test]
    fn what_changes_nothing_is_left_out() {
        assert!(TextEdit::new(b"abc", vec![replace(1..2, "b"), replace(1..1, "")]).unwrap().is_empty());
    }
}
