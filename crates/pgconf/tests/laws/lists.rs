//! The two list syntaxes.

use pgconf::{library_name, same_library, split_identifiers, split_libraries};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::config;

/// Writes items so that any of them can be read back.
fn quoted(items: &[Vec<u8>], separator: &str) -> Vec<u8> {
    let quote = |item: &Vec<u8>| {
        let mut out = vec![b'"'];
        for &byte in item {
            out.extend(std::iter::repeat_n(byte, if byte == b'"' { 2 } else { 1 }));
        }
        out.push(b'"');
        out
    };
    items.iter().map(quote).collect::<Vec<_>>().join(separator.as_bytes())
}

fn dense() -> impl Strategy<Value = Vec<u8>> {
    vec(prop::sample::select(&b"ab\"\", \t\n\x0b\x0c,-A"[..]), 0..16)
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn quoted_items_read_back_in_both_syntaxes(
        items in vec(vec(any::<u8>(), 0..8), 0..5),
        separator in prop::sample::select(&[",", ", ", " ,\t", "\n,\r\x0c"][..]),
    ) {
        let list = quoted(&items, separator);
        prop_assert_eq!(split_libraries(&list), Some(items.clone()));
        prop_assert_eq!(split_identifiers(&list), Some(items));
    }

    #[test]
    fn bare_libraries_read_back(items in vec("[A-Za-z0-9_$./-]{1,8}( [a-z]{1,3})?", 0..5), blank in "[ \t\n]{0,2}") {
        let list = items.join(&format!("{blank},{blank}"));
        let list = format!("{blank}{list}{blank}");
        let split = split_libraries(list.as_bytes()).unwrap();
        prop_assert_eq!(split, items.into_iter().map(String::into_bytes).collect::<Vec<_>>());
    }

    #[test]
    fn a_list_of_identifiers_is_a_list_of_libraries(list in prop_oneof![dense(), vec(any::<u8>(), 0..12)]) {
        let libraries = split_libraries(&list);
        if let Some(identifiers) = split_identifiers(&list) {
            let libraries = libraries.unwrap();
            prop_assert_eq!(libraries.len(), identifiers.len());
            for (library, identifier) in libraries.iter().zip(&identifiers) {
                prop_assert!(library.eq_ignore_ascii_case(identifier));
            }
        }
    }

    #[test]
    fn an_appended_item_comes_last_and_leaves_the_others(list in dense(), item in "[a-z]{1,5}") {
        if let Some(mut items) = split_libraries(&list) {
            let separator = if items.is_empty() { &b""[..] } else { b", " };
            let appended = [&list, separator, item.as_bytes()].concat();
            items.push(item.into_bytes());
            prop_assert_eq!(split_libraries(&appended), Some(items));
        }
    }

    #[test]
    fn a_library_is_the_same_in_its_four_spellings(name in "[a-zA-Z0-9_-]{1,12}") {
        for spelling in [format!("{name}.so"), format!("$libdir/{name}"), format!("$libdir//{name}.so")] {
            prop_assert!(same_library(name.as_bytes(), spelling.as_bytes()));
            prop_assert_eq!(library_name(spelling.as_bytes()), name.as_bytes());
        }
        for other in [format!("{name}x"), format!("/{name}"), format!("lib/{name}")] {
            prop_assert!(!same_library(name.as_bytes(), other.as_bytes()));
        }
    }
}
