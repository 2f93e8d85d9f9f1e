//! The laws, asserted for one file and a list of wishes.

use std::collections::{BTreeMap, HashSet};

use pgconf::{Conf, Edit, EditError, Editor, Quoting, apply};

/// The server, and so the reader, stops at the hundredth error; what follows is not seen.
const MAX_ERRORS: usize = 100;

/// One setting as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) name: String,
    /// The value, or `None` for a setting that should be commented out.
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) quoting: Quoting,
}

/// Asserts what holds of a file without any wish, and gives it parsed.
pub(crate) fn untouched(bytes: &[u8]) -> Conf {
    let conf = Conf::parse(bytes);
    assert_eq!(conf.bytes(), bytes, "reading changed the bytes");
    let edits = Editor::new(&conf).finish();
    assert_eq!(edits, [], "an edit that nobody asked for");
    assert_eq!(apply(bytes, &edits), bytes);
    let line_of = |at: usize| 1 + bytes[..at].iter().filter(|&&b| b == b'\n').count();
    for entry in conf.entries() {
        assert_eq!(entry.line, line_of(entry.name.start));
        assert_eq!(entry.line, line_of(entry.value.end), "a value spans lines");
        assert!(!conf.value(entry).contains(&0));
    }
    for error in conf.errors() {
        assert_eq!(error.line, line_of(error.near.start));
    }
    let lines = conf.entries().iter().map(|e| e.line);
    assert!(lines.clone().zip(lines.skip(1)).all(|(a, b)| a < b), "two settings on one line");
    conf
}

/// Grants the wishes and asserts every law; gives the file after it, or `None` where two wishes are
/// about one name or the reader gave up, which no caller edits.
pub(crate) fn check(bytes: &[u8], wishes: &[Wish]) -> Option<Vec<u8>> {
    let conf = untouched(bytes);
    let mut names: Vec<_> = wishes.iter().map(|wish| wish.name.to_ascii_lowercase()).collect();
    names.sort();
    if conf.errors().len() >= MAX_ERRORS || names.windows(2).any(|pair| pair[0] == pair[1]) {
        return None;
    }
    let (edits, granted) = edit(&conf, wishes);
    let after_bytes = apply(bytes, &edits);
    let after = untouched(&after_bytes);
    for wish in &granted {
        let now = after.effective(&wish.name).map(|entry| after.value(entry));
        assert_eq!(now, wish.value, "{} is not what was wanted", wish.name);
    }
    let (again, _) = edit(&after, wishes);
    assert_eq!(again, [], "the second time there is something to do");
    locality(&conf, &edits, &granted);
    others(&conf, &after, &granted);
    assert_eq!(errors(&conf), errors(&after), "syntax errors came or went");
    Some(after_bytes)
}

/// Does what a caller does; gives the edits and the wishes that could be granted.
fn edit<'w>(conf: &Conf, wishes: &'w [Wish]) -> (Vec<Edit>, Vec<&'w Wish>) {
    let mut editor = Editor::new(conf);
    let mut granted = Vec::new();
    for wish in wishes {
        let before = conf.effective(&wish.name);
        let outcome = match (&wish.value, before) {
            (Some(value), Some(entry)) if conf.value(entry) == *value => Ok(()),
            (Some(value), Some(entry)) => editor.replace_value(entry, value),
            (Some(value), None) => editor.set_new(&wish.name, value, wish.quoting),
            (None, _) => {
                conf.assignments(&wish.name).for_each(|entry| editor.comment_out(entry));
                Ok(())
            }
        };
        match outcome {
            Ok(()) => granted.push(wish),
            Err(EditError::Nul) => assert!(wish.value.as_ref().is_some_and(|value| value.contains(&0))),
            Err(EditError::Name) => assert!(!is_name(&wish.name), "{:?} is a name", wish.name),
        }
    }
    (editor.finish(), granted)
}

fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    let part = |part: &str| part.starts_with(letter) && part.chars().all(|c| letter(c) || c.is_ascii_digit());
    name.split('.').count() <= 2 && name.split('.').all(part)
}

/// One setting changes at most one line and adds at most one; to comment it out changes its lines.
fn locality(conf: &Conf, edits: &[Edit], granted: &[&Wish]) {
    let bytes = conf.bytes();
    let mut end = 0;
    let mut touched = Vec::new();
    let mut added = 0;
    for edit in edits {
        assert!(edit.range.start >= end && edit.range.end <= bytes.len(), "edits overlap");
        end = edit.range.end;
        assert!(!bytes[edit.range.clone()].contains(&b'\n'), "a line end is replaced");
        let feeds = edit.text.iter().filter(|&&b| b == b'\n').count();
        added += feeds;
        if feeds == 0 {
            touched.push(bytes[..edit.range.start].iter().filter(|&&b| b == b'\n').count());
        } else {
            assert!(edit.range.is_empty(), "a line is added in place of something");
        }
    }
    touched.dedup();
    // What is replaced is a value, or the mark of a comment that becomes a setting.
    let commented = granted.iter().flat_map(|wish| conf.commented(&wish.name));
    let commented = commented.flat_map(|found| [found.mark, found.entry.value]);
    let values = conf.entries().iter().map(|entry| entry.value.clone());
    let open: HashSet<_> = values.chain(commented).collect();
    let allowed = |edit: &&Edit| edit.range.is_empty() || open.contains(&edit.range);
    assert_eq!(edits.iter().find(|edit| !allowed(edit)), None, "bytes change that nobody named");
    let set = granted.iter().filter(|wish| wish.value.is_some()).count();
    let unset = granted.iter().filter(|wish| wish.value.is_none());
    let unset: usize = unset.map(|wish| conf.assignments(&wish.name).count()).sum();
    assert!(touched.len() + added <= set + unset, "{} lines changed, {added} added", touched.len());
}

/// Every setting that was not wished for keeps all its values, in their order.
fn others(before: &Conf, after: &Conf, granted: &[&Wish]) {
    let values = |conf: &Conf| {
        let mut values: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
        for entry in conf.entries() {
            values.entry(conf.name(entry).to_ascii_lowercase()).or_default().push(conf.value(entry));
        }
        for wish in granted {
            values.remove(wish.name.to_ascii_lowercase().as_bytes());
        }
        values
    };
    assert_eq!(values(before), values(after), "another setting changed");
}

fn errors(conf: &Conf) -> Vec<&[u8]> {
    conf.errors().iter().map(|error| &conf.bytes()[error.near.clone()]).collect()
}
