//! Files that are large or odd on purpose: the results are right, and come in linear time.

use std::fmt::Write as _;

use pgconf::{Conf, Quoting};

use crate::check::{Wish, check, untouched};

const LARGE: usize = 1 << 20;
const MANY: usize = 100_000;

fn wish(name: &str, value: Option<&str>) -> Wish {
    Wish { name: name.into(), value: value.map(Into::into), quoting: Quoting::Bare }
}

/// Grants wishes and gives the value of `name` after it.
fn after(text: &str, wishes: &[Wish], name: &str) -> Option<Vec<u8>> {
    let after = Conf::parse(check(text.as_bytes(), wishes).unwrap());
    after.effective(name).map(|entry| after.value(entry))
}

#[test]
fn a_megabyte_on_one_line_is_one_setting_one_comment_or_one_error() {
    let long = "x".repeat(LARGE);
    assert_eq!(after(&format!("a = '{long}'"), &[wish("a", Some("1"))], "a"), Some(b"1".to_vec()));
    assert_eq!(after(&format!("a = {long} # {long}"), &[wish("a", None)], "a"), None);
    assert_eq!(after(&format!("#a = '{long}'"), &[wish("a", Some("1"))], "a"), Some(b"1".to_vec()));
    assert_eq!(after(&format!("a = '{long}"), &[wish("b", Some("1"))], "b"), Some(b"1".to_vec()));
    assert_eq!(untouched("'".repeat(LARGE).as_bytes()).errors().len(), 1);
    assert_eq!(untouched("a ".repeat(LARGE / 2).as_bytes()).errors().len(), 1);
}

#[test]
fn of_a_hundred_thousand_assignments_the_last_one_changes() {
    let mut text = String::new();
    for n in 0..MANY {
        let _ = writeln!(text, "{} = {n}", if n % 2 == 0 { "work_mem" } else { "WORK_MEM" });
    }
    let conf = Conf::parse(text.as_bytes());
    assert_eq!(conf.assignments("work_mem").count(), MANY);
    assert_eq!(conf.effective("Work_Mem").map(|entry| entry.line), Some(MANY));
    let mut editor = pgconf::Editor::new(&conf);
    editor.replace_value(conf.effective("work_mem").unwrap(), b"8MB").unwrap();
    let edits = editor.finish();
    assert_eq!(edits.len(), 1);
    let after = Conf::parse(pgconf::apply(text.as_bytes(), &edits));
    assert_eq!(after.effective("work_mem").map(|entry| after.value(entry)), Some(b"8MB".to_vec()));
}

#[test]
fn a_hundred_thousand_assignments_are_all_commented_out() {
    let text = "a = 1\n".repeat(MANY);
    let conf = Conf::parse(text.as_bytes());
    let mut editor = pgconf::Editor::new(&conf);
    conf.assignments("a").for_each(|entry| editor.comment_out(entry));
    let after = pgconf::apply(text.as_bytes(), &editor.finish());
    assert_eq!(after, "#a = 1\n".repeat(MANY).as_bytes());
}

#[test]
fn a_hundred_thousand_commented_defaults_are_no_place_for_the_setting() {
    let text = "#a = 1\n".repeat(MANY);
    let conf = Conf::parse(text.as_bytes());
    assert_eq!(conf.commented("a").len(), MANY);
    let mut editor = pgconf::Editor::new(&conf);
    editor.set_new("a", b"2", Quoting::Bare).unwrap();
    assert_eq!(pgconf::apply(text.as_bytes(), &editor.finish()), format!("{text}a = 2\n").as_bytes());
}

#[test]
fn a_hundred_thousand_errors_are_a_hundred() {
    let conf = untouched("!\n".repeat(MANY).as_bytes());
    assert_eq!((conf.errors().len(), conf.entries().len()), (100, 0));
}

#[test]
fn long_lists_are_split_once() {
    assert_eq!(pgconf::split_libraries("a,".repeat(MANY).as_bytes()), None);
    let list = "a, ".repeat(MANY) + "b";
    assert_eq!(pgconf::split_libraries(list.as_bytes()).map(|items| items.len()), Some(MANY + 1));
    assert_eq!(pgconf::split_identifiers(&vec![b'"'; LARGE]).map(|items| items.len()), Some(1));
    assert_eq!(pgconf::split_identifiers(&vec![b'"'; LARGE + 1]), None);
}
