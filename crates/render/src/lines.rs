//! Lines of a text, found by the vector instructions of the machine: most of a diff's work is to find them.

/// Returns the lines of a text, each with its line feed.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let ends = memchr::memchr_iter(b'\n', text).map(|feed| feed + 1);
    // What stands behind the last line feed is a line, if it is something.
    let last = (!text.is_empty() && !text.ends_with(b"\n")).then_some(text.len());
    ends.chain(last).map(move |end| text.get(std::mem::replace(&mut start, end)..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_standard_library() {
        for text in ["", "\n", "a", "a\n", "a\nb", "\n\na\r\n\n", "a\n\nb\n"] {
            let text = text.as_bytes();
            let expected: Vec<_> = text.split_inclusive(|&b| b == b'\n').collect();
            assert_eq!(lines(text).collect::<Vec<_>>(), expected);
        }
    }
}
