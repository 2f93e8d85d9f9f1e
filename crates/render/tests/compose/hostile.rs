//! Files that would break a reader: too deep, too many, too much.

use std::fmt::Write;
use std::time::{Duration, Instant};

use model::Code;
use proptest::prelude::*;

use crate::support::{edit, refuse, survive};

/// The largest file that is read; a quarter of it where nothing is optimised.
const SIZE: usize = if cfg!(debug_assertions) { model::yaml::MAX_BYTES / 4 } else { model::yaml::MAX_BYTES };

/// About ten times what such a file takes on an idle machine. What grows with the square of the size takes
/// minutes.
const LIMIT: Duration = if cfg!(debug_assertions) { Duration::from_secs(10) } else { Duration::from_secs(2) };

#[track_caller]
fn in_time(text: &str) {
    assert!(text.len() <= model::yaml::MAX_BYTES, "{} bytes", text.len());
    let start = Instant::now();
    survive(text.as_bytes());
    let took = start.elapsed();
    assert!(took < LIMIT, "{} bytes: {took:?}", text.len());
}

/// Writes one line for each number, up to the size.
fn many(head: &str, tail: &str, line: impl Fn(usize) -> String) -> String {
    let mut text = head.to_string();
    for n in 0.. {
        let line = line(n);
        if text.len() + line.len() + tail.len() > SIZE {
            break;
        }
        text.push_str(&line);
    }
    text + tail
}

const DB: &str = "  db: {image: \"postgres:12\"}\n";

#[test]
fn a_hundred_thousand_services_take_no_longer_than_their_bytes() {
    in_time(&many("services:\n", DB, |n| format!("  a{n}: 1\n")));
    in_time(&many("services:\n", DB, |n| format!("  a{n}: {{}}\n")));
    in_time(&many("services:\n", "  db: &db {image: x}\n", |n| format!("  a{n}: {{extends: db}}\n")));
    in_time(&many("services:\n  db: &db {image: x}\n", "", |n| format!("  a{n}: *db\n")));
    in_time(&many("services:\n  db: &db {image: x}\n", "", |n| format!("  a{n}: {{<<: *db}}\n")));
    in_time(&many("services:\n  db: {image: x}\n", "", |n| format!("  a{n}: {{container_name: kasm_db}}\n")));
}

#[test]
fn duplicate_keys_and_merges_take_no_longer_than_their_bytes() {
    in_time(&many("services:\n  db:\n", "    image: postgres:12\n", |_| "    a: 1\n".into()));
    in_time(&many("services:\n  db:\n", "", |_| "    image: a\n".into()));
    in_time(&many("services:\n", "", |_| "  db: {}\n".into()));
    in_time(&many("x: &x {image: a}\nservices:\n  db:\n", "", |_| "    <<: *x\n".into()));
    in_time(&many("x: &x {y: a}\nservices:\n  db:\n    <<: [", "]\n", |_| "*x,".into()));
    in_time(&many("x: &x {y: a}\nservices:\n  <<: [", "]\n  db: {image: a}\n", |_| "*x,".into()));
    in_time(&many("x0: &x0 {image: a}\n", "services: {db: *x0}\n", |n| {
        format!("x{}: &x{} {{<<: *x{n}}}\n", n + 1, n + 1)
    }));
    in_time(&many("a: &a x\nservices: {db: {image: &b y}}\nb:\n", "", |_| "- *b\n".into()));
}

#[test]
fn documents_and_includes_take_no_longer_than_their_bytes() {
    in_time(&many("services: {db: {image: a}}\n", "", |_| "---\na\n".into()));
    in_time(&many("", "", |_| "---\nservices: {db: {image: a}}\n".into()));
    in_time(&many("", "", |n| format!("---\nservices: {{a{n}: {{image: a}}}}\n")));
    in_time(&many("", "", |_| "---\nservices: {a: {extends: {file: compose.yaml, service: a}}}\n".into()));
    in_time(&many("", "", |_| "---\nservices: {db: {extends: {file: compose.yaml, service: db}}}\n".into()));
    in_time(&many("", "", |_| "---\nservices: {db: {extends: db}}\n".into()));
    in_time(&many("include: [", "]\nservices: {db: {image: a}}\n", |_| "compose.yaml,".into()));
    in_time(&many("", "services: {db: {image: a}}\n", |_| "include: [compose.yaml]\n".into()));
}

#[test]
fn a_chain_of_bases_is_followed_as_far_as_it_goes() {
    let mut text = String::from("services:\n  db: {extends: a0, image: «postgres:12»}\n");
    for n in 0..12 {
        let _ = writeln!(text, "  a{n}: {{extends: a{}}}", n + 1);
    }
    text.push_str("  a12: {image: x}\n");
    edit(&text);
}

#[test]
fn depth_is_refused_where_the_stack_could_end() {
    let nested = |levels: usize| {
        format!("x: {}{}\nservices:\n  db:\n    image: «a:1»\n", "[".repeat(levels), "]".repeat(levels))
    };
    edit(&nested(60));
    let deep = nested(100_000).replace(['«', '»'], "");
    refuse(Code::ComposeSyntax, &deep);
    refuse(Code::ComposeSyntax, &"- ".repeat(100_000));
    refuse(Code::ComposeSyntax, &"{a: ".repeat(100_000));
    refuse(Code::ComposeSyntax, &"? ".repeat(100_000));
}

#[test]
fn a_bomb_of_aliases_is_as_small_as_its_text() {
    let mut text = String::from("x0: &x0 {image: a}\n");
    for n in 0..1_000 {
        let _ = writeln!(text, "x{}: &x{} {{<<: [*x{n}, *x{n}], l: [*x{n}, *x{n}, *x{n}]}}", n + 1, n + 1);
    }
    text.push_str("services:\n  web: *x1000\n  db: {image: a, x: *x1000}\n");
    in_time(&text);
}

#[test]
fn what_is_not_yaml_is_refused() {
    for text in [
        "services: [",
        "\tservices: 1",
        "a: b: c",
        "a: \"b",
        "%YAML 9.9\n---\n- *x",
        "&a",
        "*a",
        "services: *a",
    ] {
        survive(text.as_bytes());
    }
    refuse(Code::ComposeSyntax, "services:\n  db: {image: a\n");
    refuse(Code::ComposeSyntax, "services:\n  db:\n    image: *nowhere\n");
    refuse(Code::ComposeSyntax, "services:\n  db:\n    image: a\u{0}\n");
    assert!(survive(b"services:\n  db:\n    image: \xff\n").is_blocked());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        survive(&bytes);
    }

    #[test]
    fn no_compose_like_text_makes_it_panic(
        parts in prop::collection::vec(prop::sample::select(PARTS.to_vec()), 0..40),
    ) {
        survive(parts.concat().as_bytes());
    }
}

const PARTS: &[&str] = &[
    "services:",
    "db:",
    "kasm_db:",
    "image:",
    " ",
    "  ",
    "    ",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "&a ",
    "*a",
    "<<: ",
    "|",
    ">-",
    "|+\n",
    "'",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    "# x",
    "---\n",
    "...\n",
    "extends: ",
    "db",
    "postgres:12",
    "!reset ",
    "!override ",
    "!!str ",
    "? ",
    ": ",
    "- ",
    "~",
    "include: ",
    "compose.yaml",
    "${X:-",
    "$",
    "container_name: ",
    "\u{feff}",
    "ä",
    "build: ",
];
