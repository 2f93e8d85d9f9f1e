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
    let limit = (word.chars().count() / 3).clamp(1, 2);
    let scored = candidates.iter().map(|c| (distance(word, &c.to_lowercase()), *c));
    scored.filter(|(d, _)| *d <= limit).min_by_key(|(d, _)| *d).map(|(_, candidate)| candidate)
}

/// Counts insertions, deletions, replacements and swaps of neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
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
}
