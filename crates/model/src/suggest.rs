//! Did you mean …?

/// Gives the candidate that is close enough to `word` to be what was meant.
///
/// At most two edits away, and at most a third of the word's length; of equally close ones the first. Else
/// the only one that begins with the word, if that has four letters or more.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let close = closest(&word, &candidates);
    if close.is_some() || word.chars().count() < 4 {
        return close;
    }
    let mut longer = candidates.into_iter().filter(|c| c.to_lowercase().starts_with(&word));
    longer.next().filter(|_| longer.next().is_none())
}

fn closest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let word: Vec<char> = word.chars().collect();
    let limit = (word.len() / 3).clamp(1, 2);
    let (mut other, mut rows) = (Vec::new(), Default::default());
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        other.clear();
        other.extend(candidate.chars().flat_map(char::to_lowercase));
        let found = distance(&word, &other, limit, &mut rows);
        if let Some(found) = found.filter(|found| best.is_none_or(|(least, _)| *found < least)) {
            best = Some((found, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Counts insertions, deletions, replacements and swaps of neighbours, up to a limit.
///
/// `rows` is room to count in: hundreds of names are compared with each word that is not known.
fn distance(a: &[char], b: &[char], limit: usize, rows: &mut [Vec<usize>; 3]) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let [before, above, row] = rows;
    above.clear();
    above.extend(0..=b.len());
    let mut is_far = false;
    for i in 1..=a.len() {
        row.clear();
        row.push(i);
        for j in 1..=b.len() {
            let replace = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        // A swap looks back two rows, and nothing looks back further.
        let was_far = std::mem::replace(&mut is_far, row.iter().all(|&count| count > limit));
        if was_far && is_far {
            return None;
        }
        std::mem::swap(before, above);
        std::mem::swap(above, row);
    }
    above.last().copied().filter(|&count| count <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_close_words_are_suggested() {
        let words = ["preload", "read", "write", "log_catalog", "ddl"];
        for (typo, meant) in [
            ("prelod", Some("preload")),
            ("raed", Some("read")),
            ("log_catalogue", Some("log_catalog")),
            ("dll", Some("ddl")),
            ("banana", None),
            ("x", None),
            ("wrong", None),
            ("log_", Some("log_catalog")),
            ("log", None),
        ] {
            assert_eq!(nearest(typo, words), meant, "{typo}");
        }
    }

    #[test]
    fn a_distance_counts_each_slip_once() {
        let count = |a: &str, b: &str, limit| {
            let [a, b] = [a, b].map(|text| text.chars().collect::<Vec<_>>());
            distance(&a, &b, limit, &mut Default::default())
        };
        for (a, b, expected) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "acb", 1),
            ("abcd", "abd", 1),
            ("abc", "abxc", 1),
            ("abc", "axc", 1),
            ("abcdef", "badcfe", 3),
            ("shared_bufers", "shared_buffers", 1),
            ("abc", "xyz", 3),
        ] {
            assert_eq!(count(a, b, 3), Some(expected), "{a} {b}");
            assert_eq!(count(b, a, 3), Some(expected), "{b} {a}");
            assert_eq!(count(a, b, expected), Some(expected));
            assert!(expected == 0 || count(a, b, expected - 1).is_none(), "{a} {b}");
        }
    }
}
