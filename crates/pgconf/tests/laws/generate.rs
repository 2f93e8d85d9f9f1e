//! Files as people and programs leave them, from tidy to broken.

use pgconf::Quoting;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::check::Wish;

/// Names that files and wishes share, so that duplicates and hits are common.
const NAMES: &[&str] = &[
    "a",
    "work_mem",
    "WORK_MEM",
    "Work_Mem",
    "port",
    "listen_addresses",
    "shared_preload_libraries",
    "pgaudit.log",
    "PgAudit.Log",
    "x.y",
    "_u1",
    "n\u{e4}me",
];

/// Values as they stand in files, from bare words to every escape.
const TOKENS: &[&str] = &[
    "1",
    "8MB",
    "-1",
    "+5",
    "0x1F",
    "0.5",
    ".5e-3",
    "on",
    "en_US.UTF-8",
    "a.b.c",
    "''",
    "'on'",
    "'it''s'",
    r"'it\'s'",
    r"'\\'",
    r"'tab\tnl\noct\101\7'",
    "'a # b'",
    "'a, \"b\"'",
    "'\u{e4}'",
];

/// Text that the server refuses, or that looks like something else.
const BROKEN: &[&str] = &[
    "1.5GB",
    "8 MB",
    "en_US.utf8",
    "'open",
    "'open''",
    r"'open\'",
    r"'end\",
    "a,b",
    "10.0.0.1",
    "/path",
    "*",
    "\"x\"",
    "=",
    "==",
    "'a''b",
    "1e5",
    "'a' 'b'",
    "\u{feff}",
    "\0",
    "'a\0b'",
    "\x0b",
    "\x0c",
];

fn pick(from: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> + Clone {
    prop::sample::select(from).prop_map(|text| text.as_bytes().to_vec())
}

fn name() -> impl Strategy<Value = Vec<u8>> + Clone {
    prop_oneof![6 => pick(NAMES), 1 => "[a-zA-Z_][a-z0-9_]{0,6}(\\.[a-z_][a-z0-9]{0,4})?".prop_map(String::into_bytes)]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => pick(TOKENS),
        2 => vec(any::<u8>(), 0..12).prop_map(|mut bytes| {
            bytes.retain(|b| *b != 0);
            pgconf::encode(&bytes).unwrap_or_default()
        }),
        1 => "'([^'\\\\\n]|''|\\\\[a-z0-9'\\\\]){0,10}'".prop_map(String::into_bytes),
    ]
}

fn blanks() -> impl Strategy<Value = Vec<u8>> + Clone {
    pick(&["", "", " ", "  ", "\t", "\r"])
}

fn concat(parts: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    parts.into_iter().flatten().collect()
}

fn setting() -> impl Strategy<Value = Vec<u8>> {
    let equals = pick(&[" = ", "=", " =", "= ", " ", "\t", ""]);
    let tail = pick(&["", "", "", " ", "\t# note", "#'open", " # a = 1", "\r"]);
    (blanks(), name(), equals, value(), tail).prop_map(|(a, b, c, d, e)| concat([a, b, c, d, e]))
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let mark = pick(&["#", "# ", "##", "#\t", "  #", "#  "]);
    let no_line_feed = |mut bytes: Vec<u8>| {
        bytes.retain(|b| *b != b'\n');
        bytes
    };
    let bytes = vec(any::<u8>(), 0..16).prop_map(no_line_feed);
    let comment = vec(any::<u8>(), 0..16).prop_map(move |b| no_line_feed(concat([b"#".to_vec(), b])));
    let soup = vec(prop_oneof![pick(TOKENS), pick(BROKEN), pick(NAMES), blanks(), pick(&["#", "="])], 0..6);
    prop_oneof![
        10 => setting(),
        4 => (mark, setting()).prop_map(|(mark, setting)| concat([mark, setting])),
        2 => comment,
        3 => blanks(),
        1 => pick(&["include 'other.conf'", "Include_Dir='conf.d'", "include_if_exists = 'x' # c", "include ''"]),
        1 => (name(), pick(&[" = ", " ", ""]), pick(BROKEN)).prop_map(|(a, b, c)| concat([a, b, c])),
        1 => soup.prop_map(concat),
        1 => bytes,
        1 => pick(&["#------------", "# CUSTOMIZED OPTIONS", "#----", "  #   CUSTOMIZED OPTIONS  "]),
    ]
}

/// Returns a line that the server takes, or a comment.
fn tidy_line() -> impl Strategy<Value = Vec<u8>> {
    let setting = (name(), pick(&[" = ", "=", " "]), pick(TOKENS), pick(&["", " # note"]));
    let setting = setting.prop_map(|(a, b, c, d)| concat([a, b, c, d]));
    prop_oneof![
        6 => setting.clone(),
        3 => setting.prop_map(|setting| concat([b"#".to_vec(), setting])),
        2 => pick(&["", "# words", "#------------", "# CUSTOMIZED OPTIONS"]),
    ]
}

/// Returns the bytes of a file.
pub(crate) fn conf() -> impl Strategy<Value = Vec<u8>> {
    let lines = prop_oneof![vec(line(), 0..12), vec(tidy_line(), 0..25)];
    let ends =
        prop_oneof![3 => pick(&["\n"]), 1 => pick(&["\r\n"]), 1 => pick(&["\n", "\r\n", "\n\n", "\r"])];
    let start = prop_oneof![9 => pick(&[""]), 1 => pick(&["\u{feff}"])];
    (start, lines, vec(ends, 1..4), any::<bool>(), pick(&["", "", "\n", "\r\n\r\n", " \t"])).prop_map(
        |(start, lines, ends, open, tail)| {
            let mut out = start;
            let count = lines.len();
            for (index, line) in lines.into_iter().enumerate() {
                out.extend(line);
                if index + 1 < count || !open {
                    out.extend(&ends[index % ends.len()]);
                }
            }
            out.extend(tail);
            out
        },
    )
}

/// Returns something that a caller wants of a file.
pub(crate) fn wish() -> impl Strategy<Value = Wish> {
    let name = prop_oneof![
        9 => prop::sample::select(NAMES).prop_map(String::from),
        1 => "[a-z_][a-z0-9_]{0,5}(\\.[a-z]{1,3})?",
        1 => "[ -~]{0,4}",
    ];
    let words = prop::sample::select(
        &["", "1", "on", "8MB", "a.b", "it's", "a\\b", "x y", "\u{e4}", "#", "a\nb\r"][..],
    );
    let value = prop_oneof![
        3 => words.prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..10),
    ];
    let quoting = prop_oneof![Just(Quoting::Bare), Just(Quoting::Quoted)];
    (name, prop::option::weighted(0.8, value), quoting).prop_map(|(name, value, quoting)| Wish {
        name,
        value,
        quoting,
    })
}
