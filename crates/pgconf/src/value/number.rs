//! Numbers at the start of a text, as C's `strtol` (base 0, 64 bits) and `strtod` (locale C) read them.

/// Reads the number of an integer setting and gives what stands behind it; nothing if there is none.
///
/// The server first reads an integer. Where that stops at a point or an `e`, or does not fit 64 bits, it
/// reads the text once more as a floating-point number.
pub(super) fn integer(text: &[u8]) -> Option<(f64, &[u8])> {
    let stops_at_fraction = |rest: &[u8]| matches!(rest.first(), Some(b'.' | b'e' | b'E'));
    match whole(text) {
        // Stopped at the very start: a blank or a sign before the point hides it.
        None if !stops_at_fraction(text) => None,
        Some((Some(value), rest)) if !stops_at_fraction(rest) => Some((value as f64, rest)),
        _ => real(text),
    }
}

/// Reads a floating-point number and gives what stands behind it; nothing for NaN and for a number that the
/// type cannot hold.
pub(super) fn real(text: &[u8]) -> Option<(f64, &[u8])> {
    let (negative, text) = sign(trim_start(text));
    let (value, rest) = match (infinity(text), after_0x(text).filter(|digits| starts_hexadecimal(digits))) {
        (Some(rest), _) => (f64::INFINITY, rest),
        (None, Some(digits)) => hexadecimal(digits)?,
        (None, None) => decimal(text)?,
    };
    Some((if negative { -value } else { value }, rest))
}

/// Cuts the blanks in front.
pub(super) fn trim_start(text: &[u8]) -> &[u8] {
    text.iter().position(|&byte| !is_space(byte)).and_then(|at| text.get(at..)).unwrap_or_default()
}

/// Cuts the blanks at the end.
pub(super) fn trim_end(text: &[u8]) -> &[u8] {
    text.iter().rposition(|&byte| !is_space(byte)).and_then(|at| text.get(..=at)).unwrap_or_default()
}

/// C's `isspace`; [`u8::is_ascii_whitespace`] lacks the vertical tab.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Reads an integer in base 16 after `0x`, in base 8 after `0`, otherwise in base 10. The value is missing if
/// 64 bits do not hold it.
fn whole(text: &[u8]) -> Option<(Option<i64>, &[u8])> {
    let (negative, text) = sign(trim_start(text));
    let hexadecimal = after_0x(text).filter(|digits| digits.first().is_some_and(u8::is_ascii_hexdigit));
    let (radix, digits) = match hexadecimal {
        Some(digits) => (16, digits),
        None if text.first() == Some(&b'0') => (8, text),
        None => (10, text),
    };
    let (mut count, mut value) = (0, 0_i128);
    for digit in digits.iter().map_while(|&byte| char::from(byte).to_digit(radix)) {
        count += 1;
        // Beyond 64 bits only the fact matters.
        value = (value * i128::from(radix) + i128::from(digit)).min(1 << 64);
    }
    if count == 0 {
        return None;
    }
    let value = if negative { -value } else { value };
    Some((i64::try_from(value).ok(), digits.get(count..).unwrap_or_default()))
}

/// Reads `digits[.digits][e[sign]digits]`, one digit at least before the exponent.
fn decimal(text: &[u8]) -> Option<(f64, &[u8])> {
    let count = |from: usize| {
        text.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut end = count(0);
    let mut digits = end;
    if text.get(end) == Some(&b'.') {
        let fraction = count(end + 1);
        digits += fraction;
        end += 1 + fraction;
    }
    if digits == 0 {
        return None;
    }
    let mantissa = text.get(..end)?;
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        // An `e` without digits is no exponent: it stays behind the number.
        match count(end + 1 + signed) {
            0 => {}
            exponent => end += 1 + signed + exponent,
        }
    }
    let value: f64 = std::str::from_utf8(text.get(..end)?).ok()?.parse().ok()?;
    // Below the normal numbers no decimal of less than 700 digits is exact, but for zero.
    let is_zero = mantissa.iter().all(|byte| matches!(byte, b'0' | b'.'));
    in_range(value, is_zero).map(|value| (value, text.get(end..).unwrap_or_default()))
}

/// Reads `digits[.digits][p[sign]digits]` of base 16, the exponent a decimal power of two.
fn hexadecimal(text: &[u8]) -> Option<(f64, &[u8])> {
    let (mut mantissa, mut exponent, mut end, mut fraction) = (0_u64, 0_i64, 0, false);
    while let Some(&byte) = text.get(end) {
        match char::from(byte).to_digit(16) {
            Some(digit) if mantissa >> 60 == 0 => {
                mantissa = mantissa << 4 | u64::from(digit);
                exponent -= if fraction { 4 } else { 0 };
            }
            Some(digit) => {
                // Digits beyond 64 bits matter for rounding alone; the lowest bit stands for all of them.
                mantissa |= u64::from(digit != 0);
                exponent += if fraction { 0 } else { 4 };
            }
            None if byte == b'.' && !fraction => fraction = true,
            None => break,
        }
        end += 1;
    }
    if matches!(text.get(end), Some(b'p' | b'P')) {
        let (negative, digits) = sign(text.get(end + 1..).unwrap_or_default());
        let power = digits.iter().map_while(|&byte| char::from(byte).to_digit(10));
        let (count, power) = power.fold((0, 0_i64), |(count, power), digit| {
            (count + 1, power.saturating_mul(10).saturating_add(i64::from(digit)))
        });
        if count > 0 {
            exponent = exponent.saturating_add(if negative { -power } else { power });
            end = text.len() - digits.len() + count;
        }
    }
    let mut value = mantissa as f64;
    let mut exact = value as u128 == u128::from(mantissa);
    while exponent != 0 && value != 0.0 && value.is_finite() {
        // In steps, because 2 to the whole exponent may be out of range where the product is not.
        let step = exponent.clamp(-1000, 1000);
        let power = f64::from_bits(((step + 1023) as u64) << 52);
        exact &= value * power / power == value;
        value *= power;
        exponent -= step;
    }
    in_range(value, exact).map(|value| (value, text.get(end..).unwrap_or_default()))
}

/// Returns nothing where C's `strtod` reports a range error: for an infinite result, and for one below the
/// normal numbers unless it is exact.
fn in_range(value: f64, exact: bool) -> Option<f64> {
    (value.is_normal() || exact && value.is_finite()).then_some(value)
}

/// Strips a sign and tells whether it is a minus.
fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// Strips `infinity` or `inf`, in any letter case.
fn infinity(text: &[u8]) -> Option<&[u8]> {
    [b"infinity".as_slice(), b"inf"].into_iter().find_map(|word| {
        let (start, rest) = text.split_at_checked(word.len())?;
        start.eq_ignore_ascii_case(word).then_some(rest)
    })
}

/// Strips `0x`.
fn after_0x(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'0', b'x' | b'X', rest @ ..] => Some(rest),
        _ => None,
    }
}

/// Returns whether a digit follows `0x`; the number is the `0` alone otherwise.
fn starts_hexadecimal(digits: &[u8]) -> bool {
    match digits {
        [b'.', digit, ..] | [digit, ..] => digit.is_ascii_hexdigit(),
        [] => false,
    }
}
