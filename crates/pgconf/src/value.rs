//! Setting values, read the way the server reads them.
//!
//! A value is the text of a setting after its quotes and escapes are gone, as bytes: the server asks for no
//! encoding there. What this module knows is the value's type; the check hooks that some settings have on top
//! (`max_stack_depth` asks the kernel, `default_with_oids` takes only `off`) are not repeated.
//!
//! Source of the facts: what servers 12 to 18 answer to the same texts; the majors do not differ.

mod conversion;
mod error;
mod number;
mod unit;

pub use error::ValueError;
pub use unit::Unit;

/// The type of a setting's value, as `pg_settings` has it in `vartype`, `unit`, `min_val`, `max_val` and
/// `enumvals`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Type {
    /// `on`, `off` and their spellings.
    Bool,
    /// A whole number of `unit`s from `min` to `max`, both included.
    Integer {
        /// What the number counts when the text names no unit.
        unit: Unit,
        /// The least allowed number.
        min: i32,
        /// The greatest allowed number.
        max: i32,
    },
    /// A floating-point number of `unit`s from `min` to `max`, both included.
    Real {
        /// What the number counts when the text names no unit.
        unit: Unit,
        /// The least allowed number.
        min: f64,
        /// The greatest allowed number.
        max: f64,
    },
    /// One word of a list, in any letter case.
    Enum {
        /// The words that `pg_settings.enumvals` shows.
        values: &'static [&'static str],
        /// Words with the word that `SHOW` gives back for them: (`true`, `on`). The server takes them without
        /// showing them among the values, or shows them and means another (`on` of `wal_compression`).
        aliases: &'static [(&'static str, &'static str)],
    },
    /// Any text.
    String,
}

impl Type {
    /// Returns the type's name in `pg_settings.vartype`.
    pub const fn vartype(&self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::Integer { .. } => "integer",
            Type::Real { .. } => "real",
            Type::Enum { .. } => "enum",
            Type::String => "string",
        }
    }

    /// Returns the unit that a bare number counts.
    pub const fn unit(&self) -> Unit {
        match self {
            Type::Integer { unit, .. } | Type::Real { unit, .. } => *unit,
            Type::Bool | Type::Enum { .. } | Type::String => Unit::None,
        }
    }
}

/// A value without its spelling: two texts of one type mean the same if their values are equal.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// The value of a [`Type::Bool`].
    Bool(bool),
    /// The value of a [`Type::Integer`], in the setting's own unit: `pg_settings.setting`.
    Integer(i32),
    /// The value of a [`Type::Real`], in the setting's own unit. It is never NaN.
    Real(f64),
    /// The value of a [`Type::Enum`], in the word that `SHOW` gives back.
    Enum(&'static str),
    /// The value of a [`Type::String`].
    String(Vec<u8>),
}

/// Reads `text` as a value of type `ty`.
///
/// # Errors
/// Where the server refuses the text for its type, see [`ValueError`].
pub fn parse(ty: &Type, text: &[u8]) -> Result<Value, ValueError> {
    match *ty {
        Type::Bool => parse_bool(text).map(Value::Bool),
        Type::Integer { unit, min, max } => {
            let value = parse_int(text, unit)?;
            if value < min || value > max {
                return Err(ValueError::IntegerOutOfRange { value, unit, min, max });
            }
            Ok(Value::Integer(value))
        }
        Type::Real { unit, min, max } => {
            let value = parse_real(text, unit)?;
            if value < min || value > max {
                return Err(ValueError::RealOutOfRange { value, unit, min, max });
            }
            Ok(Value::Real(value))
        }
        Type::Enum { values, aliases } => parse_enum(text, values, aliases).map(Value::Enum),
        Type::String => Ok(Value::String(c_string(text).to_vec())),
    }
}

/// Checks that the server takes `text` as a value of type `ty`.
///
/// # Errors
/// As [`parse`].
pub fn check(ty: &Type, text: &[u8]) -> Result<(), ValueError> {
    parse(ty, text).map(|_| ())
}

/// Returns whether two texts give a setting of type `ty` the same value: `1min` and `60s`, `on` and `true`.
///
/// A text that the server refuses is the same as nothing, not even as itself. Strings are compared byte by
/// byte; whether two of them mean the same list is for the caller who knows the setting.
pub fn same(ty: &Type, a: &[u8], b: &[u8]) -> bool {
    matches!((parse(ty, a), parse(ty, b)), (Ok(a), Ok(b)) if a == b)
}

/// Reads a Boolean: a prefix of `true`, `false`, `yes`, `no`, `on` or `off` that fits only one of the two
/// values, or `1` or `0`, in any letter case and without blanks. `o` fits both.
///
/// # Errors
/// [`ValueError::NotBoolean`]
pub fn parse_bool(text: &[u8]) -> Result<bool, ValueError> {
    // Two letters for on and off: one would leave them undecided.
    const WORDS: [(&[u8], usize, bool); 8] = [
        (b"true", 1, true),
        (b"false", 1, false),
        (b"yes", 1, true),
        (b"no", 1, false),
        (b"on", 2, true),
        (b"off", 2, false),
        (b"1", 1, true),
        (b"0", 1, false),
    ];
    let text = c_string(text);
    WORDS
        .iter()
        .find(|(word, least, _)| {
            text.len() >= *least
                && word.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text))
        })
        .map(|&(_, _, value)| value)
        .ok_or(ValueError::NotBoolean)
}

/// Reads an integer in the setting's own unit, without looking at the setting's range.
///
/// Blanks may stand before and after the number and its unit. `0x` starts hexadecimal and `0` octal digits. A
/// fraction or an exponent makes it a decimal number, which is rounded, halves to the even neighbour: `010`
/// is 8, `010.5` is 10. A fraction needs a digit in front if it has a sign or a blank before it (`.5` is
/// read, `-.5` is not).
///
/// A server built with glibc 2.38 or later also reads `0b101` as binary. All others refuse it, and so does
/// this function.
///
/// # Errors
/// [`ValueError::NotNumber`], [`ValueError::UnknownUnit`], [`ValueError::IntegerOverflow`]
pub fn parse_int(text: &[u8], unit: Unit) -> Result<i32, ValueError> {
    let text = c_string(text);
    let (number, rest) = number::integer(text).ok_or(ValueError::NotNumber)?;
    let value = conversion::to_base_unit(number, rest, unit)?.round_ties_even();
    if value < f64::from(i32::MIN) || value > f64::from(i32::MAX) {
        return Err(ValueError::IntegerOverflow);
    }
    Ok(value as i32)
}

/// Reads a floating-point number in the setting's own unit, without looking at the setting's range.
///
/// Blanks and units as in [`parse_int`]; the number is what C's `strtod` reads, so octal has no place here
/// but `0x1.8p3` and `inf` do. A number too large or too small for the type is an error.
///
/// # Errors
/// [`ValueError::NotNumber`], [`ValueError::UnknownUnit`]
pub fn parse_real(text: &[u8], unit: Unit) -> Result<f64, ValueError> {
    let text = c_string(text);
    let (number, rest) = number::real(text).ok_or(ValueError::NotNumber)?;
    conversion::to_base_unit(number, rest, unit)
}

/// Reads a word of an enum and gives the word that `SHOW` has for it. Blanks around it are not allowed.
fn parse_enum(
    text: &[u8],
    values: &'static [&'static str],
    aliases: &'static [(&'static str, &'static str)],
) -> Result<&'static str, ValueError> {
    let text = c_string(text);
    let is = |word: &str| word.as_bytes().eq_ignore_ascii_case(text);
    // Aliases first: `wal_compression` shows `on` among its values and still means `pglz` by it.
    let alias = aliases.iter().find(|(word, _)| is(word)).map(|&(_, meaning)| meaning);
    alias.or_else(|| values.iter().copied().find(|word| is(word))).ok_or(ValueError::NotInEnum { values })
}

/// Cuts the text at its first NUL, where the server's strings end.
fn c_string(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
