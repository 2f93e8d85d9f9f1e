//! The preload list: what it is, and what it must become.

use std::collections::{HashMap, HashSet};

use model::DesiredPreload;
use model::document::Mode;
use pgconf::library_name;

/// Longer lists are not read: a server loads each library before it starts.
pub(super) const MAX_LIBRARIES: usize = 1_000;

/// Splits a list, or gives `None` where the server would load nothing, or where it is too long.
pub(super) fn split(value: &[u8]) -> Option<Vec<Vec<u8>>> {
    if is_too_long(value) { None } else { pgconf::split_libraries(value) }
}

/// Splits a list that a server starts with; `None` for any other.
pub(crate) fn usable(value: &[u8]) -> Option<Vec<Vec<u8>>> {
    split(value).filter(|items| items.iter().all(|item| is_name(item)))
}

/// Returns whether an item can be the name of a library: nobody names a file with a comma or a blank, and an empty name is
/// none.
pub(crate) fn is_name(item: &[u8]) -> bool {
    !item.is_empty() && !item.iter().any(|byte| byte.is_ascii_whitespace() || *byte == b',')
}

/// Returns what stands between the commas of a list that cannot be split.
pub(super) fn pieces(value: &[u8]) -> Vec<Vec<u8>> {
    let pieces = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    let trimmed = pieces.map(|piece| piece.iter().copied().filter(|&byte| byte != b'"').collect::<Vec<_>>());
    trimmed.filter(|piece| is_name(piece)).take(MAX_LIBRARIES).collect()
}

/// Returns the list of a document that names all libraries; `None` if it only adds some.
pub(super) fn exact(wanted: &DesiredPreload) -> Option<Vec<u8>> {
    (wanted.mode == Mode::Exact).then(|| wanted.libraries.join(", ").into_bytes())
}

/// Returns whether a list has more than [`MAX_LIBRARIES`].
pub(super) fn is_too_long(value: &[u8]) -> bool {
    value.iter().filter(|&&b| b == b',').count() >= MAX_LIBRARIES
}

/// Joins the wanted libraries into a list that is there; gives the new value, or `None` for no change.
///
/// What is there keeps its order and spelling; what is missing comes behind it. In `exact` mode the
/// list becomes the wanted one, spelt as it was where it was.
pub(super) fn merge(value: &[u8], items: &[Vec<u8>], wanted: &DesiredPreload) -> Option<Vec<u8>> {
    if wanted.is_in(items) {
        return None;
    }
    if wanted.mode == Mode::Ensure {
        let there: HashSet<_> = items.iter().map(|item| library_name(item)).collect();
        let missing = |library: &&String| !there.contains(&library_name(library.as_bytes()));
        let missing = wanted.libraries.iter().filter(missing);
        let separator = separator(value);
        let mut value = value.trim_ascii_end().to_vec();
        for library in missing {
            if !items.is_empty() || !value.trim_ascii().is_empty() {
                value.extend(separator);
            }
            value.extend(library.as_bytes());
        }
        return Some(value);
    }
    let there: HashMap<_, _> = items.iter().rev().map(|item| (library_name(item), item)).collect();
    let spelt = wanted.libraries.iter().map(|library| {
        let there = there.get(&library_name(library.as_bytes())).copied();
        there
            .filter(|item| {
                item.iter().all(u8::is_ascii_graphic) && !item.contains(&b',') && !item.contains(&b'"')
            })
            .map_or(library.as_bytes(), Vec::as_slice)
    });
    Some(spelt.collect::<Vec<_>>().join(&b", "[..]))
}

/// Returns the separator that the list uses already.
fn separator(value: &[u8]) -> &'static [u8] {
    let tight = value.windows(2).any(|pair| pair[0] == b',' && !pair[1].is_ascii_whitespace());
    if tight { b"," } else { b", " }
}

/// Returns the libraries of `items` that an exact list drops.
pub(super) fn removed<'a>(items: &'a [Vec<u8>], wanted: &DesiredPreload) -> Vec<&'a [u8]> {
    if wanted.mode == Mode::Ensure {
        return Vec::new();
    }
    let wanted: HashSet<_> =
        wanted.libraries.iter().map(|library| library_name(library.as_bytes())).collect();
    let stays = |item: &[u8]| wanted.contains(&library_name(item));
    items.iter().map(Vec::as_slice).filter(|item| !stays(item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mode: Mode, value: &str, wanted: &[&str], expected: Option<&str>) {
        let wanted = DesiredPreload { mode, libraries: wanted.iter().map(ToString::to_string).collect() };
        let items = pgconf::split_libraries(value.as_bytes()).unwrap();
        let merged = merge(value.as_bytes(), &items, &wanted).map(|v| String::from_utf8(v).unwrap());
        assert_eq!(merged.as_deref(), expected, "{value}");
    }

    #[test]
    fn missing_libraries_come_behind_what_is_there() {
        check(Mode::Ensure, "", &["pgaudit"], Some("pgaudit"));
        check(Mode::Ensure, "a", &["pgaudit"], Some("a, pgaudit"));
        check(Mode::Ensure, "a,b ", &["pgaudit", "b", "c"], Some("a,b,pgaudit,c"));
        check(Mode::Ensure, "a, $libdir/pgaudit.so", &["pgaudit"], None);
        check(Mode::Ensure, "\"a, b\"", &["pgaudit"], Some("\"a, b\", pgaudit"));
    }

    #[test]
    fn an_exact_list_keeps_spelling_but_not_strangers() {
        check(Mode::Exact, "b, pgaudit.so", &["pgaudit"], Some("pgaudit.so"));
        check(Mode::Exact, "b,a", &["a", "b"], Some("a, b"));
        check(Mode::Exact, "a,b", &["a", "b"], None);
    }
}
