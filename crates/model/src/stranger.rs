//! Texts that are not documents of kasm-db: nothing that they hold is said.
//!
//! A name in a repository may lead to a private key or a password file on the machine that looks at a change. What is wrong
//! with such a text, said as of a document, would print it.

use crate::code::Code;
use crate::diagnostic::{Diagnostic, Location};
use crate::document::VERSION;
use crate::locations::Texts;
use crate::yaml::MAX_BYTES;

const KEY: &[u8] = b"schema";

/// What the value of the key begins with, in every version.
const FAMILY: &[u8] = b"kasm-db/";

/// Returns whether a text has a line `schema: kasm-db/…`: also in quotes, in brackets, in any letter case, and in UTF-16,
/// which is an error of its own.
pub fn names_schema(text: &[u8]) -> bool {
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        let narrow: Vec<u8> = text[2..].iter().copied().filter(|byte| *byte != 0).collect();
        return has_key(&narrow);
    }
    has_key(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text))
}

fn has_key(text: &[u8]) -> bool {
    let keys = text.windows(KEY.len()).enumerate().filter(|(_, word)| word.eq_ignore_ascii_case(KEY));
    keys.map(|(at, _)| (&text[..at], &text[at + KEY.len()..])).any(|(before, behind)| {
        let before = before.strip_suffix(b"\"").or(before.strip_suffix(b"'")).unwrap_or(before);
        let blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
        let begins =
            before.iter().rev().find(|byte| !blank(byte)).is_none_or(|byte| b"\r\n{,-".contains(byte));
        let value = unquoted(behind)
            .trim_ascii_start()
            .strip_prefix(b":")
            .map(|value| unquoted(value.trim_ascii_start()));
        begins
            && value
                .and_then(|value| value.get(..FAMILY.len()))
                .is_some_and(|value| value.eq_ignore_ascii_case(FAMILY))
    })
}

/// Strips a quote from the start of a text.
fn unquoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\"").or(text.strip_prefix(b"'")).unwrap_or(text)
}

/// Replaces what is said of texts that are not documents by that.
///
/// A text that lacks nothing but keys fits the schema otherwise: it is a part of a document, for others to extend.
pub(crate) fn hide(diagnostics: &mut Vec<Diagnostic>, texts: &Texts<'_>) {
    for text in 0..texts.len() {
        let (path, bytes) = (texts.path(text), texts.bytes(text));
        let is_here = |location: &Location| location.path == path;
        let is_of_it = |diagnostic: &Diagnostic| diagnostic.location.as_ref().is_some_and(is_here);
        if !diagnostics.iter().any(|one| is_of_it(one) && one.is_error() && one.code != Code::MissingKey) {
            continue;
        }
        // Of an empty text and of one that is too large nothing is said that it holds.
        if bytes.len() > MAX_BYTES || names_schema(bytes) || is_empty(bytes) {
            continue;
        }
        diagnostics.retain(|diagnostic| !is_of_it(diagnostic));
        for diagnostic in diagnostics.iter_mut() {
            diagnostic.related.take_if(|(location, _)| is_here(location));
        }
        let message = match kind(bytes) {
            Some(kind) => format!("{path} is not a kasm-db document; it looks like {kind}"),
            None => format!("{path} is not a kasm-db document: it has no line `schema: {VERSION}`"),
        };
        diagnostics.push(
            Diagnostic::error(Code::NotADocument, message).at(Location::new(path, b"", 0..0)).help(format!(
                "check the path; if the file is a document, add the line `schema: {VERSION}` to it"
            )),
        );
    }
}

/// Returns what kind of file has the keys that a text has, where its keys alone tell.
fn kind(text: &[u8]) -> Option<&'static str> {
    let has = |key: &str| text.split(|byte| *byte == b'\n').any(|line| line.starts_with(key.as_bytes()));
    if has("apiVersion:") && has("kind:") {
        Some("a Kubernetes manifest (`apiVersion`, `kind`)")
    } else if has("services:") {
        Some("a Compose file (`services`)")
    } else {
        None
    }
}

/// Returns whether a text has nothing but blanks and comments.
fn is_empty(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    text.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .all(|line| line.is_empty() || line.starts_with(b"#"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{read, read_with};

    #[test]
    fn a_document_is_known_by_its_schema_however_it_is_written() {
        for text in [
            "schema: kasm-db/v1",
            "\u{feff}schema: kasm-db/v1\r\n",
            "# x\n  schema :  'kasm-db/v2'\n",
            "image: a:b\n\"schema\": \"kasm-db/v1\"\n",
            "{\"a\": 1,\n \"schema\":\"kasm-db/v1\"}",
            "{schema: kasm-db/v1}",
            "Schema: Kasm-DB/v1",
        ] {
            assert!(names_schema(text.as_bytes()), "{text}");
        }
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        assert!(names_schema(&wide("\u{feff}schema: kasm-db/v1\n")));
        for text in [
            "",
            "# schema: kasm-db/v1",
            "schema: 1",
            "my schema: kasm-db/v1",
            "kasm-db/v1",
            "schema:",
            "schem",
        ] {
            assert!(!names_schema(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn nothing_is_said_of_what_another_text_holds() {
        let secrets = [
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----\n",
            "machine git.example\nlogin ci\npassword b3BlbnNzaC1rZXk\n",
            "b3BlbnNzaC1rZXk: 1\n",
            "image: b3BlbnNzaC1rZXk\n",
            "b3BlbnNzaC1rZXk\0\u{1}: \"",
        ];
        for secret in secrets {
            let alone = read("kasm-db.yaml", secret.as_bytes());
            let child = b"schema: kasm-db/v1\nextends: base.kasm-db.yaml\n";
            let parent = |_: &str| Ok(secret.as_bytes().to_vec());
            let parent = read_with("kasm-db.yaml", child, &parent);
            for (reading, path) in [(alone, "kasm-db.yaml"), (parent, "base.kasm-db.yaml")] {
                assert!(reading.desired.is_none());
                let [said] = &reading.diagnostics[..] else { panic!("{:#?}", reading.diagnostics) };
                assert_eq!((said.code, &*said.location.as_ref().unwrap().path), (Code::NotADocument, path));
                assert!(!format!("{said:?}").contains("b3Blb"), "{said:?}");
            }
        }
    }
}
