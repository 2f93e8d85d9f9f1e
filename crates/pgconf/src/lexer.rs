//! The tokens of postgresql.conf.

use std::ops::Range;

/// One kind of token, as PostgreSQL's `guc-file.l` tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `name`
    Id,
    /// `prefix.name`, exactly one dot.
    QualifiedId,
    /// `'text'`
    String,
    /// `letter` followed by letters, digits and `-._:/`, and neither of the two above.
    UnquotedString,
    /// Digits or `0x` digits with a sign and unit letters.
    Integer,
    /// A number with a dot; no unit letters.
    Real,
    Equals,
    /// The line feed itself.
    EndOfLine,
    EndOfFile,
    /// A byte that starts no token.
    Error,
}

/// A token and the bytes it stands on.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Range<usize>,
}

/// Returns the token at or after `at`, skipping white space and comments.
///
/// The longest match wins, and among equally long ones the order of [`Kind`]: flex's rule, so that
/// `a.b` is a qualified name and `a.b.c` an unquoted string.
pub(crate) fn next(bytes: &[u8], mut at: usize) -> Token {
    loop {
        let Some(&byte) = bytes.get(at) else {
            return Token { kind: Kind::EndOfFile, span: at..at };
        };
        match byte {
            b' ' | b'\t' | b'\r' => at += 1,
            b'#' => at = end_of_line(bytes, at),
            _ => break,
        }
    }
    let (kind, end) = match bytes[at] {
        b'\n' => (Kind::EndOfLine, at + 1),
        b'=' => (Kind::Equals, at + 1),
        b'\'' => string(bytes, at),
        b'0'..=b'9' | b'+' | b'-' | b'.' => number(bytes, at),
        byte if is_letter(byte) => word(bytes, at),
        _ => (Kind::Error, at + 1),
    };
    Token { kind, span: at..end }
}

/// Returns the offset of the line feed that ends the line of `at`, or the end of the bytes.
pub(crate) fn end_of_line(bytes: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |n| at + n)
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_letter_or_digit(byte: u8) -> bool {
    is_letter(byte) || byte.is_ascii_digit()
}

/// Returns the end of the run of bytes from `at` on for which `test` holds.
fn run(bytes: &[u8], at: usize, test: impl Fn(u8) -> bool) -> usize {
    bytes[at..].iter().position(|&byte| !test(byte)).map_or(bytes.len(), |n| at + n)
}

fn word(bytes: &[u8], at: usize) -> (Kind, usize) {
    let end = run(bytes, at, |b| is_letter_or_digit(b) || matches!(b, b'-' | b'.' | b'_' | b':' | b'/'));
    let id = run(bytes, at, is_letter_or_digit);
    if id == end {
        return (Kind::Id, end);
    }
    let qualified = bytes[id] == b'.'
        && bytes.get(id + 1).is_some_and(|&b| is_letter(b))
        && run(bytes, id + 1, is_letter_or_digit) == end;
    (if qualified { Kind::QualifiedId } else { Kind::UnquotedString }, end)
}

/// Lexes `'…'`. Without a closing quote on the line, the token ends at the last `'` that could have
/// closed it, as flex backs up to it: `'a''b` is the string `'a'` and a stray quote.
fn string(bytes: &[u8], start: usize) -> (Kind, usize) {
    let mut accepted = None;
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\n' => break,
            b'\'' => {
                accepted = Some(at + 1);
                if bytes.get(at + 1) != Some(&b'\'') {
                    break;
                }
                at += 2;
            }
            b'\\' if matches!(bytes.get(at + 1), None | Some(b'\n')) => break,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    accepted.map_or((Kind::Error, start + 1), |end| (Kind::String, end))
}

fn number(bytes: &[u8], start: usize) -> (Kind, usize) {
    let unsigned = start + usize::from(matches!(bytes[start], b'+' | b'-'));
    let integer = integer(bytes, unsigned);
    let real = real(bytes, unsigned);
    match (integer, real) {
        (Some(integer), real) if real.is_none_or(|real| integer >= real) => (Kind::Integer, integer),
        (_, Some(real)) => (Kind::Real, real),
        _ => (Kind::Error, start + 1),
    }
}

fn integer(bytes: &[u8], at: usize) -> Option<usize> {
    let digits = run(bytes, at, |b| b.is_ascii_digit());
    if digits == at {
        return None;
    }
    let decimal = run(bytes, digits, |b| b.is_ascii_alphabetic());
    let hexadecimal = bytes[at..].starts_with(b"0x").then(|| {
        let digits = run(bytes, at + 2, |b| b.is_ascii_hexdigit());
        if digits == at + 2 { decimal } else { run(bytes, digits, |b| b.is_ascii_alphabetic()) }
    });
    Some(decimal.max(hexadecimal.unwrap_or(0)))
}

fn real(bytes: &[u8], at: usize) -> Option<usize> {
    let dot = run(bytes, at, |b| b.is_ascii_digit());
    if bytes.get(dot) != Some(&b'.') {
        return None;
    }
    let end = run(bytes, dot + 1, |b| b.is_ascii_digit());
    if !matches!(bytes.get(end), Some(b'e' | b'E')) {
        return Some(end);
    }
    let digits = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
    let exponent = run(bytes, digits.min(bytes.len()), |b| b.is_ascii_digit());
    Some(if exponent > digits { exponent } else { end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> String {
        let mut at = 0;
        let mut out = Vec::new();
        loop {
            let token = next(text.as_bytes(), at);
            if token.kind == Kind::EndOfFile {
                return out.join(" ");
            }
            at = token.span.end;
            out.push(format!("{:?}:{}", token.kind, text[token.span].replace('\n', "\\n")));
        }
    }

    #[test]
    fn words_are_distinguished_by_their_dots() {
        assert_eq!(
            kinds("a a.b a.b.c a.1 a: a-b"),
            "Id:a QualifiedId:a.b UnquotedString:a.b.c \
            UnquotedString:a.1 UnquotedString:a: UnquotedString:a-b"
        );
    }

    #[test]
    fn numbers_take_the_longest_match() {
        assert_eq!(
            kinds("8MB 0x1F 0xZ -1 +5 1.5 .5e3 1.5GB"),
            "Integer:8MB Integer:0x1F Integer:0xZ \
            Integer:-1 Integer:+5 Real:1.5 Real:.5e3 Real:1.5 Id:GB"
        );
        assert_eq!(kinds("10.0.0.1"), "Real:10.0 Real:.0 Real:.1");
        assert_eq!(kinds("1e5 . - 1.e"), "Integer:1e Integer:5 Real:. Error:- Real:1. Id:e");
    }

    #[test]
    fn strings_take_doubled_quotes_and_escapes_but_no_line_feed() {
        assert_eq!(kinds(r"'a''b\'c' 'x#y'#z"), r"String:'a''b\'c' String:'x#y'");
        assert_eq!(kinds("'a\n"), "Error:' Id:a EndOfLine:\\n");
        assert_eq!(kinds("'a''b\n"), "String:'a' Error:' Id:b EndOfLine:\\n");
        assert_eq!(kinds("'a\\\n'"), "Error:' Id:a Error:\\ EndOfLine:\\n Error:'");
    }
}
