//! A second opinion on the grammar: the token rules as regular expressions.
//!
//! Written from the rules alone, in flex's way: at each place every rule is tried, the longest match
//! wins, and of equally long ones the first rule. Lines are then read by the kinds of their tokens.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::Regex;

/// One letter for a kind of token, and its rule. White space is `w`, a comment `c`, an error `!`.
///
/// An integer is two rules, because the alternatives of one expression are tried in their order.
const RULES: &[(char, &str)] = &[
    ('w', r"[ \t\r]+"),
    ('c', r"#[^\n]*"),
    ('n', r"[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*"),
    ('q', r"[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*\.[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*"),
    ('s', r"'([^'\\\n]|\\[^\n]|'')*'"),
    ('u', r"[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff.:/-]*"),
    ('i', r"[+-]?[0-9]+[A-Za-z]*"),
    ('i', r"[+-]?0x[0-9A-Fa-f]+[A-Za-z]*"),
    ('r', r"[+-]?[0-9]*\.[0-9]*([Ee][+-]?[0-9]+)?"),
    ('=', r"="),
    ('!', r"[^\n]"),
];

static COMPILED: LazyLock<Vec<(char, Regex)>> = LazyLock::new(|| {
    let compile = |rule: &str| Regex::new(&format!("(?-u)^(?:{rule})")).unwrap();
    RULES.iter().map(|(kind, rule)| (*kind, compile(rule))).collect()
});

static SETTING: LazyLock<Regex> = LazyLock::new(|| Regex::new("^[nq]=?[nsuir]$").unwrap());

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Blank,
    Setting { name: Range<usize>, value: Range<usize> },
    Error { near: Range<usize> },
}

/// Returns what each line of a file says, with offsets in the file.
pub(crate) fn lines(bytes: &[u8]) -> Vec<Line> {
    let mut start = 0;
    let mut lines = Vec::new();
    for text in bytes.split_inclusive(|&b| b == b'\n') {
        let end = start + text.len();
        lines.push(line(bytes, start..end - usize::from(text.ends_with(b"\n"))));
        start = end;
    }
    lines
}

fn line(bytes: &[u8], within: Range<usize>) -> Line {
    let tokens = tokens(bytes, within.clone());
    let kinds: String = tokens.iter().map(|(kind, _)| kind).collect();
    if kinds.is_empty() {
        return Line::Blank;
    }
    let value = tokens.last().map(|(_, span)| span.clone()).unwrap_or_default();
    if SETTING.is_match(kinds.as_bytes()) {
        return Line::Setting { name: tokens[0].1.clone(), value };
    }
    // The error is at the first token with which no setting can begin as the line does.
    let begins = |count: usize| {
        let so_far = &kinds[..count];
        ["n=n", "nn", "q=n", "qn"].iter().any(|shape| {
            let class = |c: char| if "suir".contains(c) { 'n' } else { c };
            so_far.len() <= shape.len()
                && so_far.chars().zip(shape.chars()).enumerate().all(|(index, (found, wanted))| {
                    let found = if index == 0 { found } else { class(found) };
                    found == wanted
                })
        })
    };
    let good = (0..=kinds.len()).take_while(|&count| begins(count)).last().unwrap_or(0);
    let near = tokens.get(good).map_or(within.end..within.end, |(_, span)| span.clone());
    Line::Error { near }
}

fn tokens(bytes: &[u8], within: Range<usize>) -> Vec<(char, Range<usize>)> {
    let mut at = within.start;
    let mut tokens = Vec::new();
    while at < within.end {
        let rest = &bytes[at..within.end];
        let matches = COMPILED.iter().filter_map(|(kind, rule)| Some((*kind, rule.find(rest)?.end())));
        // `max_by_key` gives the last of equals, hence the reversal.
        let longest = matches.collect::<Vec<_>>().into_iter().rev().max_by_key(|(_, length)| *length);
        let (kind, length) = longest.unwrap_or(('!', 1));
        if !matches!(kind, 'w' | 'c') {
            tokens.push((kind, at..at + length));
        }
        at += length;
    }
    tokens
}
