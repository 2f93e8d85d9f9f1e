use super::*;

const KB: Type = Type::Integer { unit: Unit::KB, min: 64, max: i32::MAX };
const MIN: Type = Type::Integer { unit: Unit::Min, min: 0, max: 35_791_394 };
const BARE: Type = Type::Integer { unit: Unit::None, min: -10, max: 1000 };
const REAL: Type = Type::Real { unit: Unit::Ms, min: -1.0, max: 100.0 };
const WAL_COMPRESSION: Type = Type::Enum {
    values: &["pglz", "lz4", "zstd", "on", "off"],
    aliases: &[("on", "pglz"), ("true", "pglz"), ("false", "off")],
};

#[track_caller]
fn integer(ty: Type, text: &str, want: i32) {
    assert_eq!(parse(&ty, text.as_bytes()), Ok(Value::Integer(want)), "{text:?}");
}

#[track_caller]
fn real(text: &str, want: f64) {
    assert_eq!(parse(&REAL, text.as_bytes()), Ok(Value::Real(want)), "{text:?}");
}

#[track_caller]
fn refuses(ty: Type, texts: &[&str], want: &ValueError) {
    for text in texts {
        assert_eq!(check(&ty, text.as_bytes()).as_ref(), Err(want), "{text:?}");
    }
}

#[test]
fn a_boolean_is_a_unique_prefix_in_any_case() {
    for text in ["on", "ON", "t", "tRu", "true", "y", "Yes", "1"] {
        assert_eq!(parse_bool(text.as_bytes()), Ok(true), "{text:?}");
    }
    for text in ["of", "OFF", "f", "false", "n", "no", "0"] {
        assert_eq!(parse_bool(text.as_bytes()), Ok(false), "{text:?}");
    }
    refuses(
        Type::Bool,
        &["", "o", "O", " on", "on ", "true1", "2", "01", "enabled"],
        &ValueError::NotBoolean,
    );
}

#[test]
fn an_integer_may_be_hexadecimal_or_octal() {
    integer(BARE, "0x1F", 31);
    integer(BARE, "-010", -8);
    integer(BARE, "+0777", 511);
    integer(BARE, "0", 0);
    refuses(BARE, &["0x", "08", "1x", "0b11"], &ValueError::NotNumber);
}

#[test]
fn an_integer_with_fraction_or_exponent_is_rounded_half_to_even() {
    integer(BARE, "2.5", 2);
    integer(BARE, "3.5", 4);
    integer(BARE, "-0.5", 0);
    integer(BARE, ".7", 1);
    integer(BARE, "1e2", 100);
    integer(BARE, "010.4", 10);
    integer(BARE, "0x1.8p1", 3);
    refuses(BARE, &["-.5", " .5", ".", "e5", "1e", "1.5.", "nan", "inf"], &ValueError::NotNumber);
}

#[test]
fn blanks_may_stand_around_number_and_unit() {
    integer(KB, " \t64 \x0b MB\n", 65_536);
    integer(BARE, "\r5\x0c", 5);
    refuses(BARE, &["", "  ", "5 5", "+ 5", "5 MB"], &ValueError::NotNumber);
}

#[test]
fn a_unit_scales_to_the_settings_own() {
    integer(KB, "100", 100);
    integer(KB, "1GB", 1_048_576);
    integer(KB, "1.1GB", 1126 * 1024);
    integer(KB, "65536B", 64);
    integer(KB, "65.6kB", 66);
    integer(MIN, "1.5d", 2160);
    integer(MIN, "90s", 2);
    integer(Type::Integer { unit: Unit::Blocks, min: 16, max: 1 << 30 }, "128MB", 16_384);
    real("2", 2.0);
    real("20us", 0.02);
    real("0.1s", 100.0);
}

#[test]
fn the_letter_case_of_a_unit_counts() {
    let units = Unit::KB.accepted();
    refuses(KB, &["8mb", "8 mb "], &ValueError::UnknownUnit { found: "mb".into(), meant: Some("MB"), units });
    refuses(KB, &["8k"], &ValueError::UnknownUnit { found: "k".into(), meant: None, units });
    refuses(KB, &["8 k B"], &ValueError::UnknownUnit { found: "k B".into(), meant: None, units });
    let units = Unit::Ms.accepted();
    refuses(REAL, &["1MIN"], &ValueError::UnknownUnit { found: "MIN".into(), meant: Some("min"), units });
}

#[test]
fn the_range_is_checked_in_the_settings_own_unit() {
    refuses(
        KB,
        &["63", "64511B", "0.0615MB"],
        &ValueError::IntegerOutOfRange { value: 63, unit: Unit::KB, min: 64, max: i32::MAX },
    );
    refuses(KB, &["2147483648", "3TB", "99999999999999999999", "-1e30"], &ValueError::IntegerOverflow);
    let infinite = ValueError::RealOutOfRange { value: f64::INFINITY, unit: Unit::Ms, min: -1.0, max: 100.0 };
    refuses(REAL, &["inf", "+Infinity", "1e308d"], &infinite);
    refuses(REAL, &["1e400", "1e-400", "nan", "1e-310"], &ValueError::NotNumber);
}

#[test]
fn an_enum_is_a_whole_word_in_any_case() {
    assert_eq!(parse(&WAL_COMPRESSION, b"LZ4"), Ok(Value::Enum("lz4")));
    assert_eq!(parse(&WAL_COMPRESSION, b"on"), Ok(Value::Enum("pglz")));
    let values = &["pglz", "lz4", "zstd", "on", "off"];
    refuses(WAL_COMPRESSION, &["", "lz", " on", "yes"], &ValueError::NotInEnum { values });
}

#[test]
fn two_spellings_of_one_value_are_the_same() {
    assert!(same(&MIN, b"1min", b"60s"));
    assert!(same(&Type::Bool, b"on", b"TRUE"));
    assert!(same(&WAL_COMPRESSION, b"pglz", b"On"));
    assert!(same(&REAL, b"0", b"-0.0"));
    assert!(!same(&KB, b"8MB", b"8GB"));
    assert!(!same(&Type::String, b"a", b"A"));
}

#[test]
fn a_refused_text_is_the_same_as_nothing() {
    assert!(!same(&KB, b"8mb", b"8mb"));
    assert!(!same(&Type::Bool, b"o", b"on"));
}

#[test]
fn a_nul_ends_the_text() {
    assert_eq!(parse_bool(b"on\0junk"), Ok(true));
    assert_eq!(parse(&Type::String, b"a\0b"), Ok(Value::String(b"a".to_vec())));
    integer(BARE, "5\0x", 5);
}
