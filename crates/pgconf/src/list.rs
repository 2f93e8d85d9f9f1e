//! The two list syntaxes inside values: of preload libraries and of identifiers.

use std::borrow::Cow;

/// Splits the value of a preload list, or gives `None` where the server loads nothing at all.
///
/// Comma separated; white space around an item is dropped; an item in `"…"` may hold commas and
/// blanks, with `""` for one quote. Letter case is kept. An empty or blank value is an empty list; an
/// empty item (leading, doubled or trailing comma), an open quote or text after a closing one makes
/// the whole list invalid: the server starts, logs "invalid list syntax" and loads nothing.
/// (PostgreSQL 12 to 18, `SplitDirectoriesString`.)
pub fn split_libraries(value: &[u8]) -> Option<Vec<Vec<u8>>> {
    split(value, false)
}

/// Splits a list of identifiers such as `pgaudit.log`, or gives `None` where it is invalid.
///
/// Like [`split_libraries`], but a bare item ends at a blank, so `read write` is invalid, and is
/// folded to lower case. (PostgreSQL 12 to 18, `SplitIdentifierString`.)
pub fn split_identifiers(value: &[u8]) -> Option<Vec<Vec<u8>>> {
    split(value, true)
}

fn split(value: &[u8], identifiers: bool) -> Option<Vec<Vec<u8>>> {
    let mut items = Vec::new();
    let mut at = skip_space(value, 0);
    if at == value.len() {
        return Some(items);
    }
    loop {
        let (item, end) = match value.get(at) {
            Some(b'"') => quoted(value, at + 1)?,
            _ => bare(value, at, identifiers)?,
        };
        items.push(item);
        at = skip_space(value, end);
        match value.get(at) {
            None => return Some(items),
            Some(b',') => at = skip_space(value, at + 1),
            Some(_) => return None,
        }
    }
}

fn quoted(value: &[u8], start: usize) -> Option<(Vec<u8>, usize)> {
    let mut item = Vec::new();
    let mut at = start;
    loop {
        match (*value.get(at)?, value.get(at + 1)) {
            (b'"', Some(b'"')) => {
                item.push(b'"');
                at += 2;
            }
            (b'"', _) => return Some((item, at + 1)),
            (byte, _) => {
                item.push(byte);
                at += 1;
            }
        }
    }
}

fn bare(value: &[u8], start: usize, identifiers: bool) -> Option<(Vec<u8>, usize)> {
    let rest = &value[start..];
    let stop = |&b: &u8| b == b',' || (identifiers && is_space(b));
    let end = rest.iter().position(stop).unwrap_or(rest.len());
    let item = trim_end(&rest[..end]);
    if item.is_empty() {
        return None;
    }
    let item = if identifiers { item.to_ascii_lowercase() } else { item.to_vec() };
    Some((item, start + end))
}

fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&b| !is_space(b)).map_or(0, |last| last + 1);
    &bytes[..end]
}

fn skip_space(value: &[u8], at: usize) -> usize {
    value[at..].iter().position(|&b| !is_space(b)).map_or(value.len(), |n| at + n)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)
}

/// Returns whether two items of a preload list load the same library.
///
/// The server looks `pgaudit`, `pgaudit.so`, `$libdir/pgaudit` and `$libdir/pgaudit.so` up in the same
/// place, and collapses doubled slashes first. Letter case counts.
pub fn same_library(a: &[u8], b: &[u8]) -> bool {
    library_name(a) == library_name(b)
}

/// Returns the name by which a library is compared: without `$libdir/`, without `.so`.
pub fn library_name(item: &[u8]) -> Cow<'_, [u8]> {
    if item.windows(2).any(|pair| pair == b"//") {
        let mut path = item.to_vec();
        path.dedup_by(|next, previous| *next == b'/' && *previous == b'/');
        return Cow::Owned(bare_name(&path).to_vec());
    }
    Cow::Borrowed(bare_name(item))
}

fn bare_name(path: &[u8]) -> &[u8] {
    let name = path.strip_prefix(b"$libdir/").unwrap_or(path);
    name.strip_suffix(b".so").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn libraries(value: &str, expected: Option<&[&str]>) {
        let got = split_libraries(value.as_bytes());
        let got = got.map(|l| l.into_iter().map(|i| String::from_utf8(i).unwrap()).collect::<Vec<_>>());
        assert_eq!(
            got.as_deref(),
            expected.map(|e| e.iter().map(ToString::to_string).collect::<Vec<_>>()).as_deref()
        );
    }

    #[test]
    fn preload_lists_split_like_the_servers() {
        libraries("", Some(&[]));
        libraries("  ", Some(&[]));
        libraries(" a ,b,\tc\n", Some(&["a", "b", "c"]));
        libraries("a b", Some(&["a b"]));
        libraries(r#""a, b""#, Some(&["a, b"]));
        libraries(r#""a""b", c"#, Some(&["a\"b", "c"]));
        libraries("PgAudit", Some(&["PgAudit"]));
    }

    #[test]
    fn invalid_preload_lists_load_nothing() {
        for value in ["a,", ",a", "a,,b", "\"a", "\"a\"b", ","] {
            libraries(value, None);
        }
    }

    #[test]
    fn identifier_lists_fold_case_and_end_at_blanks() {
        assert_eq!(
            split_identifiers(b"READ, \"Write\",ddl"),
            Some(vec![b"read".to_vec(), b"Write".to_vec(), b"ddl".to_vec()])
        );
        assert_eq!(split_identifiers(b"read write"), None);
        assert_eq!(split_identifiers(b"- misc"), None);
        assert_eq!(split_identifiers(b"read,"), None);
    }

    #[test]
    fn a_library_has_four_spellings() {
        for name in ["pgaudit", "pgaudit.so", "$libdir/pgaudit", "$libdir//pgaudit.so"] {
            assert!(same_library(name.as_bytes(), b"pgaudit"), "{name}");
        }
        for name in ["PGAUDIT", "pgaudit_analyze", "/usr/lib/pgaudit", "lib/pgaudit"] {
            assert!(!same_library(name.as_bytes(), b"pgaudit"), "{name}");
        }
    }
}
