//! What a service knows a problem by when it sees it again.

use std::collections::HashMap;

use commit::Digest;

use super::annotations::Annotation;

/// Names the problems of one result.
#[derive(Default)]
pub(super) struct Fingerprints {
    seen: HashMap<String, usize>,
}

impl Fingerprints {
    /// Returns the fingerprint of a problem. It is made of what the problem is about and not of lines, so that it stays when lines
    /// are added above; equal ones are counted.
    pub(super) fn of(&mut self, one: &Annotation) -> String {
        let path = one.place_or_document().path;
        let code = one.code.map_or("", |code| code.id());
        let about = format!("{path}\0{code}\0{}\0{}", one.about, without_lines(&one.message));
        let number = self.seen.entry(about.clone()).or_insert(0);
        *number += 1;
        Digest::of(format!("{about}\0{number}").as_bytes()).to_string()
    }
}

/// Removes the numbers of lines that a message names, as in `on lines 6, 24 and 30`.
fn without_lines(message: &str) -> String {
    let mut is_list = false;
    let mut shown = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_number = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit());
        let is_left_out = is_list && is_number;
        is_list = bare == "line" || bare == "lines" || (is_list && (is_number || bare == "and"));
        !is_left_out
    };
    message.split_inclusive(char::is_whitespace).filter(|word| shown(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_lines_are_left_out_and_others_stay() {
        assert_eq!(
            without_lines("`restart` on lines 6, 24 and 30, port 5432 on line 7; 8 more"),
            without_lines("`restart` on lines 9, 31 and 77, port 5432 on line 9; 8 more"),
        );
        assert_ne!(without_lines("at most 8 on line 1"), without_lines("at most 9 on line 1"));
        assert_ne!(without_lines("line 1 is 8"), without_lines("line 1 is 9"));
    }
}
