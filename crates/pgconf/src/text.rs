//! The text of a value: from the file's quoting to the bytes the server sees, and back.

/// Returns the bytes that PostgreSQL stores for a value token.
///
/// A token that does not start with `'` stands for itself. In a quoted one `''` and `\'` are one
/// quote, `\b \f \n \r \t` and `\ooo` (one to three octal digits) are control characters, and any
/// other `\x` is `x`. The server reads both as C strings: a NUL ends the value, and within quotes it
/// takes the byte before the NUL for the closing quote (`'ab<NUL>cd'` is `a`).
pub fn decode(token: &[u8]) -> Vec<u8> {
    let token = until_nul(token);
    let Some(quoted) = token.strip_prefix(b"'") else {
        return token.to_vec();
    };
    let mut out = Vec::with_capacity(quoted.len());
    let mut at = 0;
    while let Some(&byte) = quoted.get(at) {
        let (decoded, used) = match (byte, quoted.get(at + 1)) {
            (b'\\', Some(&escaped)) => escape(escaped, &quoted[at + 1..]),
            (b'\'', Some(b'\'')) => (b'\'', 2),
            _ => (byte, 1),
        };
        out.push(decoded);
        at += used;
    }
    out.pop();
    until_nul(&out).to_vec()
}

/// Returns the byte that an escape stands for, and its length with the backslash.
fn escape(escaped: u8, rest: &[u8]) -> (u8, usize) {
    match escaped {
        b'b' => (0x08, 2),
        b'f' => (0x0c, 2),
        b'n' => (b'\n', 2),
        b'r' => (b'\r', 2),
        b't' => (b'\t', 2),
        b'0'..=b'7' => {
            let digits = rest.iter().take(3).take_while(|b| matches!(b, b'0'..=b'7'));
            let (value, count) = digits.fold((0u32, 0), |(v, n), &b| ((v << 3) + u32::from(b - b'0'), n + 1));
            // Like C's conversion to char: `\777` keeps its low eight bits.
            ((value & 0xff) as u8, 1 + count)
        }
        other => (other, 2),
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.iter().position(|&b| b == 0).map_or(bytes, |end| &bytes[..end])
}

/// Returns `value` as a quoted token that [`decode`] reads back, or `None` when it holds a NUL.
///
/// Quotes and backslashes are doubled. A line feed must be escaped, because no value spans lines;
/// a carriage return is, because an editor might take it for a line end.
pub fn encode(value: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(value.len() + 2);
    out.push(b'\'');
    for &byte in value {
        match byte {
            0 => return None,
            b'\'' => out.extend(b"''"),
            b'\\' => out.extend(br"\\"),
            b'\n' => out.extend(br"\n"),
            b'\r' => out.extend(br"\r"),
            _ => out.push(byte),
        }
    }
    out.push(b'\'');
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(token: &[u8], value: &[u8]) {
        assert_eq!(decode(token), value, "{}", token.escape_ascii());
    }

    #[test]
    fn escapes_read_as_the_server_reads_them() {
        check(b"on", b"on");
        check(b"''", b"");
        check(br"'it''s \'q\''", b"it's 'q'");
        check(br"'\b\f\n\r\t\x41'", b"\x08\x0c\n\r\tx41");
        check(br"'\101\7\0601\777'", b"A\x0701\xff");
        check(br"'a\\'", br"a\");
        check(b"''''", b"'");
    }

    #[test]
    fn a_nul_ends_the_value() {
        check(b"'a\0b'", b"");
        check(b"'ab\0cd'", b"a");
        check(br"'ab\0cd'", b"ab");
        check(b"ab\0cd", b"ab");
    }

    #[test]
    fn encoded_values_read_back() {
        for value in [&b""[..], b"it's", br"c:\x", b"a\nb\r\tc", b"\xff\xfe"] {
            assert_eq!(decode(&encode(value).unwrap()), value);
        }
        assert_eq!(encode(b"a\0"), None);
    }
}
