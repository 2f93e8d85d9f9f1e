//! Where each name stands, in whatever letter case.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// Places by name, without a copy of the names: a chain of places for each hash, from the last one back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    hasher: RandomState,
    last: HashMap<u64, usize>,
    /// For each place the one before it with the same hash.
    before: Vec<Option<usize>>,
}

impl Names {
    /// Notes the name at the next place.
    pub(crate) fn push(&mut self, name: &[u8]) {
        let place = self.before.len();
        let before = self.last.insert(self.hash(name), place);
        self.before.push(before);
    }

    /// Returns the places where a name may stand, the last one first; another name may have the same hash.
    pub(crate) fn candidates(&self, name: &[u8]) -> impl Iterator<Item = usize> + '_ {
        let last = self.last.get(&self.hash(name)).copied();
        std::iter::successors(last, |place| self.before[*place])
    }

    fn hash(&self, name: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(&name.to_ascii_lowercase());
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_any_letter_case_the_last_place_first() {
        let mut names = Names::default();
        for name in ["a", "b", "A"] {
            names.push(name.as_bytes());
        }
        assert_eq!(names.candidates(b"a").collect::<Vec<_>>(), [2, 0]);
        assert_eq!(names.candidates(b"B").collect::<Vec<_>>(), [1]);
        assert_eq!(names.candidates(b"c").next(), None);
    }
}
