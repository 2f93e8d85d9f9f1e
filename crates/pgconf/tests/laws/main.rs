//! The laws of reading and editing, over generated files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod check;
mod flex;
mod generate;
mod grammar;
mod hostile;
mod lists;

use pgconf::{Conf, Editor, Quoting, apply};
use proptest::prelude::*;

use check::{Wish, check, untouched};

fn config(cases: u32) -> ProptestConfig {
    // A failing case belongs into a test of its own, not into a file beside the sources.
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn a_file_that_nobody_changes_stays_as_it_is(text in generate::conf()) {
        untouched(&text);
    }

    #[test]
    fn any_bytes_are_kept_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        untouched(&bytes);
    }

    #[test]
    fn wishes_come_true_and_nothing_else_changes(
        text in generate::conf(),
        wishes in prop::collection::vec(generate::wish(), 1..6),
    ) {
        check(&text, &wishes);
    }

    #[test]
    fn wishes_come_true_in_any_bytes(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        wishes in prop::collection::vec(generate::wish(), 1..4),
    ) {
        check(&bytes, &wishes);
    }

    #[test]
    fn the_order_of_wishes_does_not_change_what_is_there(
        text in generate::conf(),
        wishes in prop::collection::vec(generate::wish(), 1..6),
    ) {
        let forth = check(&text, &wishes);
        let back: Vec<Wish> = wishes.into_iter().rev().collect();
        let back = check(&text, &back);
        let read = |bytes: &[u8]| {
            let conf = Conf::parse(bytes);
            let mut read: Vec<_> =
                conf.entries().iter().map(|e| (conf.name(e).to_vec(), conf.value(e))).collect();
            read.sort();
            read
        };
        // Of two wishes for one name the first counts, so only the files of distinct ones agree.
        if let (Some(forth), Some(back)) = (forth, back) {
            prop_assert_eq!(read(&forth), read(&back));
        }
    }
}

/// Sets one name and gives the file after it.
fn set(text: &str, name: &str, value: &str) -> String {
    let wish = Wish { name: name.into(), value: Some(value.into()), quoting: Quoting::Quoted };
    check(text.as_bytes(), &[wish]);
    let conf = Conf::parse(text);
    let mut editor = Editor::new(&conf);
    match conf.effective(name) {
        Some(entry) => editor.replace_value(entry, value.as_bytes()).unwrap(),
        None => editor.set_new(name, value.as_bytes(), Quoting::Quoted).unwrap(),
    }
    String::from_utf8(apply(text.as_bytes(), &editor.finish())).unwrap()
}

#[test]
fn a_new_setting_stands_where_the_sample_has_a_place_for_it() {
    for (before, after) in [
        ("", "a = '1'\n"),
        ("\n\n", "a = '1'\n\n\n"),
        ("b = 2", "b = 2\na = '1'"),
        ("b = 2\r\nc = 3", "b = 2\r\nc = 3\r\na = '1'"),
        ("b = 2\r\n \t\r\n", "b = 2\r\na = '1'\r\n \t\r\n"),
        ("#a = 5 # five\n", "a = '1' # five\n"),
        ("#a = 5\n#a = 6\n", "#a = 5\n#a = 6\na = '1'\n"),
        (
            "#---------\n# CUSTOMIZED OPTIONS\n#---------\n\n# own\n\n#---------\n# MORE\n#---------\n",
            "#---------\n# CUSTOMIZED OPTIONS\n#---------\n\n# own\na = '1'\n\n#---------\n# MORE\n#---------\n",
        ),
    ] {
        assert_eq!(set(before, "a", "1"), after, "{before:?}");
    }
}

#[test]
fn a_changed_setting_keeps_its_quotes_its_comment_and_its_line() {
    for (before, after) in [
        ("a = 5", "a = 1"),
        ("A='5'#c\r\n", "A='1'#c\r\n"),
        ("a'5'", "a'1'"),
        ("a+5", "a'1'"),
        ("a = 4\na = 5 # last\n", "a = 4\na = 1 # last\n"),
    ] {
        assert_eq!(set(before, "a", "1"), after, "{before:?}");
    }
}

#[test]
fn a_value_that_cannot_be_written_leaves_no_edit_behind() {
    for text in ["", "#a = 1\n", "a = 1\n"] {
        let wish = Wish { name: "a".into(), value: Some(b"x\0y".to_vec()), quoting: Quoting::Quoted };
        assert_eq!(check(text.as_bytes(), &[wish]), Some(text.into()), "{text:?}");
    }
}
