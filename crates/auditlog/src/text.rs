//! A piece of a log as it stands there, decoded when somebody asks for it.

use std::borrow::Cow;

use memchr::memchr;

/// A piece of a log, still in the log's own quoting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    raw: &'a [u8],
    form: Form,
}

/// How the bytes of a [`Text`] are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As they are.
    Plain,
    /// The inside of a quoted CSV field: quotes are doubled.
    Csv,
    /// The inside of a JSON string.
    Json,
}

impl<'a> Text<'a> {
    pub(crate) fn new(raw: &'a [u8], form: Form) -> Self {
        Self { raw, form }
    }

    pub(crate) fn plain(raw: &'a [u8]) -> Self {
        Self::new(raw, Form::Plain)
    }

    /// Returns the bytes that were logged. They are of the server's encoding, which need not be UTF-8.
    pub fn bytes(&self) -> Cow<'a, [u8]> {
        match self.form {
            Form::Csv if memchr(b'"', self.raw).is_some() => {
                let mut out = Vec::new();
                undouble(self.raw, &mut out);
                Cow::Owned(out)
            }
            Form::Json if memchr(b'\\', self.raw).is_some() => {
                let mut out = Vec::new();
                unescape(self.raw, &mut out);
                Cow::Owned(out)
            }
            _ => Cow::Borrowed(self.raw),
        }
    }

    pub(crate) fn raw(&self) -> &'a [u8] {
        self.raw
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }
}

/// Appends the inside of a quoted CSV field with its doubled quotes made single.
pub(crate) fn undouble(mut raw: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr(b'"', raw) {
        out.extend_from_slice(&raw[..=at]);
        let next = at + 1;
        raw = &raw[if raw.get(next) == Some(&b'"') { next + 1 } else { next }..];
    }
    out.extend_from_slice(raw);
}

/// Appends the inside of a JSON string with its escapes resolved; what is no escape stays as it is.
pub(crate) fn unescape(mut raw: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr(b'\\', raw) {
        out.extend_from_slice(&raw[..at]);
        raw = &raw[at..];
        let (bytes, length): (&[u8], _) = match raw.get(1) {
            Some(b'n') => (b"\n", 2),
            Some(b't') => (b"\t", 2),
            Some(b'r') => (b"\r", 2),
            Some(b'b') => (b"\x08", 2),
            Some(b'f') => (b"\x0c", 2),
            Some(b'"') => (b"\"", 2),
            Some(b'\\') => (b"\\", 2),
            Some(b'/') => (b"/", 2),
            Some(b'u') => match character(raw) {
                Some((c, length)) => {
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    (b"", length)
                }
                None => (b"\\", 1),
            },
            _ => (b"\\", 1),
        };
        out.extend_from_slice(bytes);
        raw = &raw[length..];
    }
    out.extend_from_slice(raw);
}

/// Reads `\uXXXX`, or a pair of them for one character; gives it with its length.
fn character(raw: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| -> Option<u32> {
        let digits = raw.get(at..at + 6)?.strip_prefix(b"\\u")?;
        let digits = std::str::from_utf8(digits).ok()?;
        digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let first = unit(0)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, 6));
    }
    let second = unit(6).filter(|second| (0xdc00..0xe000).contains(second) && first < 0xdc00)?;
    let c = char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))?;
    Some((c, 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_escapes_are_resolved() {
        let text =
            |raw: &'static str, form| Text::new(raw.as_bytes(), form).bytes().escape_ascii().to_string();
        assert_eq!(text(r#"a""b"""#, Form::Csv), r#"a\"b\""#);
        assert_eq!(text(r#"a""b"#, Form::Plain), r#"a\"\"b"#);
        assert_eq!(text(r"\n\t\\\u0041\ud83d\ude00", Form::Json), r"\n\t\\A\xf0\x9f\x98\x80");
        assert_eq!(text(r"\x\ud83d\u00", Form::Json), r"\\x\\ud83d\\u00");
    }
}
