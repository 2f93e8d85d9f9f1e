//! The reader against the second opinion.

use pgconf::{Conf, decode, encode};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::config;
use crate::flex::{self, Line};
use crate::generate;

/// Asserts that the reader and the rules see the same settings and the same errors.
fn agree(bytes: &[u8]) {
    let conf = Conf::parse(bytes);
    let (mut settings, mut errors) = (Vec::new(), Vec::new());
    for (index, line) in flex::lines(bytes).into_iter().enumerate() {
        match line {
            Line::Blank => {}
            Line::Setting { name, value } => settings.push((index + 1, name, value)),
            Line::Error { near } => errors.push((index + 1, near)),
        }
        if errors.len() == 100 {
            break;
        }
    }
    let read: Vec<_> = conf.entries().iter().map(|e| (e.line, e.name.clone(), e.value.clone())).collect();
    assert_eq!(read, settings, "settings of {}", bytes.escape_ascii());
    let read: Vec<_> = conf.errors().iter().map(|e| (e.line, e.near.clone())).collect();
    assert_eq!(read, errors, "errors of {}", bytes.escape_ascii());
}

/// Bytes that matter to the grammar, so that short texts reach its corners.
fn dense() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop::sample::select(&b"aZ_e0x19.+-=:/'\\\"#, \t\r\n\0\xc3\xa4Bb7"[..]);
    vec(byte, 0..24)
}

/// Pieces of quoted tokens, and what each stands for.
const PIECES: &[(&[u8], &[u8])] = &[
    (b"a", b"a"),
    (b" # ", b" # "),
    (b"\xff", b"\xff"),
    (b"''", b"'"),
    (br"\'", b"'"),
    (br"\\", br"\"),
    (br"\b\f\n\r\t", b"\x08\x0c\n\r\t"),
    (br"\x41", b"x41"),
    (br"\101", b"A"),
    (br"\1018", b"A8"),
    (br"\7x", b"\x07x"),
    (br"\608", b"08"),
    (br"\777", b"\xff"),
    (br"\8", b"8"),
];

proptest! {
    #![proptest_config(config(3000))]

    #[test]
    fn a_quoted_value_is_what_its_pieces_stand_for(pieces in vec(prop::sample::select(PIECES), 0..10)) {
        let (token, value): (Vec<_>, Vec<_>) = pieces.into_iter().unzip();
        prop_assert_eq!(decode(&[b"'", &token.concat()[..], b"'"].concat()), value.concat());
    }

    #[test]
    fn the_reader_follows_the_token_rules_on_files(text in generate::conf()) {
        agree(&text);
    }

    #[test]
    fn the_reader_follows_the_token_rules_on_dense_text(text in dense()) {
        agree(&text);
    }

    #[test]
    fn the_reader_follows_the_token_rules_on_any_bytes(text in vec(any::<u8>(), 0..40)) {
        agree(&text);
    }

    #[test]
    fn every_value_without_nul_survives_its_quotes(value in vec(1u8.., 0..60)) {
        let token = encode(&value).unwrap();
        prop_assert_eq!(decode(&token), &value[..]);
        // And the server takes it where it stands.
        let text = [b"a = ", &token[..], b" # c\n"].concat();
        prop_assert_eq!(flex::lines(&text), [Line::Setting { name: 0..1, value: 4..4 + token.len() }]);
        let conf = Conf::parse(text);
        prop_assert_eq!(conf.value(&conf.entries()[0]), value);
    }

    #[test]
    fn a_value_with_a_nul_is_refused(mut value in vec(any::<u8>(), 0..20), at in any::<prop::sample::Index>()) {
        value.insert(at.index(value.len() + 1), 0);
        prop_assert_eq!(encode(&value), None);
    }

    #[test]
    fn any_token_can_be_decoded(token in vec(any::<u8>(), 0..40)) {
        prop_assert!(!decode(&token).contains(&0));
        prop_assert!(decode(&token).len() <= token.len());
    }
}

#[test]
fn the_rules_and_the_reader_agree_where_flex_surprises() {
    for text in [
        "a.b = a.b",
        "a.b.c = 1",
        "a = a.b.c",
        "a.1",
        "a. 1",
        "a..b 1",
        "a = 1.5GB",
        "a = 0xG",
        "a = 0x",
        "a = +0x1Fg",
        "a = 1.e5",
        "a = 1.e",
        "a = .",
        "a = -",
        "a = -.",
        "a = 1..2",
        "a 'b''",
        "a 'b'''",
        "a 'b\\'",
        "a 'b\\''",
        "a 'b\\\n'",
        "a = 'x'y",
        "a'x'",
        "a-1",
        "a+1",
        "a = 1 # 'x",
        "a = 1#",
        "a == 1",
        "\u{feff}# c",
        "a = b\u{a0}",
        "a = 'b\0c'",
        "# \0\na = 1",
    ] {
        agree(text.as_bytes());
    }
}
