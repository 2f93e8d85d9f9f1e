//! Did you mean …?

/// Returns the candidate that is close enough to `word` to be what was meant.
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
    let length = word.chars().count();
    let limit = (length / 3).clamp(1, 2);
    let distance = |candidate: &&'a str| {
        let other = candidate.to_lowercase();
        // Hundreds of names are compared with each word that is not known, and most differ in length alone.
        let may_be = other.chars().count().abs_diff(length) <= limit;
        may_be.then(|| strsim::osa_distance(word, &other)).filter(|distance| *distance <= limit)
    };
    let close = candidates.iter().filter_map(|candidate| Some((distance(candidate)?, *candidate)));
    close.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
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
    fn a_swap_of_neighbours_is_one_slip_and_the_first_of_equally_close_words_is_meant() {
        assert_eq!(nearest("clasess", ["classes"]), Some("classes"));
        assert_eq!(nearest("shared_bufers", ["shared_buffers"]), Some("shared_buffers"));
        assert_eq!(nearest("badcfe", ["abcdef"]), None);
        assert_eq!(nearest("dxl", ["dml", "ddl"]), Some("dml"));
        assert_eq!(nearest("READ", ["Read"]), Some("Read"));
    }
}
