//! Lines of a text, found by the vector instructions of the machine: most of a diff's work is to find them.

/// Returns the lines of a text, each with its line feed.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let ends = memchr::memchr_iter(b'\n', text).map(|feed| feed + 1);
    // What stands behind the last line feed is a line, if it is something.
    let last = (!text.is_empty() && !text.ends_with(b"\n")).then_some(text.len());
    ends.chain(last).map(move |end| text.get(std::mem::replace(&mut start, end)..end).unwrap_or_default())
}

/// So many bytes are counted at once.
const CHUNK: usize = 512;

/// Returns where a line (from 0) starts; the end of the text if it has fewer.
pub(crate) fn start(text: &[u8], line: usize) -> usize {
    let (mut at, mut left) = (0, line);
    // Line feeds are counted much faster than they are found one by one.
    for chunk in text.chunks(CHUNK) {
        let feeds = memchr::memchr_iter(b'\n', chunk).count();
        if feeds >= left {
            break;
        }
        left -= feeds;
        at += chunk.len();
    }
    let Some(before) = left.checked_sub(1) else { return at };
    memchr::memchr_iter(b'\n', &text[at..]).nth(before).map_or(text.len(), |feed| at + feed + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_starts_behind_so_many_line_feeds() {
        let long = |length: usize| format!("{}\n", "x".repeat(length));
        let texts = [
            "".into(),
            "\n".into(),
            "a".into(),
            "a\n\nb".into(),
            "\n".repeat(2000),
            long(511),
            long(512) + &long(1),
        ];
        for text in texts.into_iter().chain([(0..300).map(long).collect::<String>()]) {
            let text = text.as_bytes();
            let mut expected = 0;
            for (line, length) in lines(text).map(<[u8]>::len).enumerate() {
                assert_eq!(start(text, line), expected, "line {line}");
                expected += length;
            }
            assert_eq!(start(text, 1_000_000), text.len());
        }
    }

    #[test]
    fn lines_are_those_of_the_standard_library() {
        for text in ["", "\n", "a", "a\n", "a\nb", "\n\na\r\n\n", "a\n\nb\n"] {
            let text = text.as_bytes();
            let expected: Vec<_> = text.split_inclusive(|&b| b == b'\n').collect();
            assert_eq!(lines(text).collect::<Vec<_>>(), expected);
        }
    }
}
