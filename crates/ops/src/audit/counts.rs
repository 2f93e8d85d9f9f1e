//! How often each key came, in bounded memory.

use std::collections::HashMap;

/// More than this is not kept; what comes with a new key then is counted as other.
const BUDGET: usize = 24 << 20;

/// What a key takes beyond its bytes, roughly.
const OVERHEAD: usize = 128;

/// A few keys are found faster one after the other.
const FEW: usize = 24;

/// Counts by key.
#[derive(Debug, Default)]
pub struct Counts {
    few: Vec<(Box<[u8]>, u64)>,
    many: HashMap<Box<[u8]>, u64>,
    used: usize,
    /// How many came with keys that are not kept.
    pub other: u64,
}

impl Counts {
    /// Counts a key.
    #[inline]
    pub(crate) fn add(&mut self, key: &[u8], times: u64) {
        if let Some((_, count)) = self.few.iter_mut().find(|(known, _)| **known == *key) {
            *count += times;
        } else {
            self.add_rare(key, times);
        }
    }

    fn add_rare(&mut self, key: &[u8], times: u64) {
        if let Some(count) = self.many.get_mut(key) {
            *count += times;
            return;
        }
        let more = key.len() + OVERHEAD;
        if self.used + more > BUDGET {
            self.other += times;
            return;
        }
        self.used += more;
        if self.few.len() < FEW {
            self.few.push((key.into(), times));
        } else {
            self.many.insert(key.into(), times);
        }
    }

    /// Adds what was counted elsewhere.
    pub(crate) fn merge(&mut self, other: Self) {
        for (key, count) in other.few.into_iter().chain(other.many) {
            self.add(&key, count);
        }
        self.other += other.other;
    }

    /// Adds what was counted elsewhere, and returns the keys that are new.
    pub fn add_all(&mut self, other: &Self) -> Vec<Vec<u8>> {
        let mut new = Vec::new();
        for (key, count) in other.sorted(true) {
            let is_known = self.few.iter().any(|(known, _)| **known == *key) || self.many.contains_key(key);
            if !is_known {
                new.push(key.to_vec());
            }
            self.add(key, count);
        }
        new
    }

    /// Returns whether it holds so much that it should not be held several times.
    pub(crate) fn is_large(&self) -> bool {
        self.used > BUDGET / 12
    }

    /// Returns a key as a name, and whether it is only the most likely one: the log leaves open where it ends.
    pub fn name(key: &[u8]) -> (&[u8], bool) {
        key.strip_suffix(b"\0").map_or((key, false), |name| (name, true))
    }

    /// Returns all keys: by name, or those first that came most often.
    pub fn sorted(&self, by_name: bool) -> Vec<(&[u8], u64)> {
        let all = self.few.iter().map(|(key, count)| (&**key, *count));
        let mut all: Vec<_> = all.chain(self.many.iter().map(|(key, count)| (&**key, *count))).collect();
        if by_name {
            all.sort_unstable();
        } else {
            all.sort_unstable_by(|(a, n), (b, m)| m.cmp(n).then(a.cmp(b)));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_counted_up_to_the_budget() {
        let mut counts = Counts::default();
        for round in 0..2 {
            for key in 0..400_000_u32 {
                counts.add(&key.to_be_bytes(), 1);
            }
            assert!(counts.used <= BUDGET, "{round}");
        }
        let kept: u64 = counts.sorted(true).iter().map(|(_, count)| count).sum();
        assert_eq!(kept + counts.other, 800_000);
        assert!(kept > 100_000 && counts.other > 0);
        let mut two = Counts::default();
        two.add(b"a", 2);
        two.merge(Counts { few: vec![(b"a"[..].into(), 1), (b"b"[..].into(), 9)], ..Counts::default() });
        assert_eq!(two.sorted(false), [(&b"b"[..], 9), (&b"a"[..], 3)]);
        assert_eq!(two.sorted(true), [(&b"a"[..], 3), (&b"b"[..], 9)]);
    }
}
