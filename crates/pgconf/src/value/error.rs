//! Why the server refuses a value.

use std::fmt;

use super::Unit;

/// Why the server refuses a text as a setting's value.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueError {
    /// The text is no spelling of a Boolean. The server: `requires a Boolean value`.
    NotBoolean,
    /// The text is no number, or one that a `double` cannot hold, or it continues after the number although
    /// the setting has no units. The server: `invalid value`, without a hint.
    NotNumber,
    /// A number is followed by something that is none of the setting's units. The server: `invalid value`,
    /// with the valid units as the hint.
    UnknownUnit {
        /// What stands behind the number; bytes outside UTF-8 are replaced.
        found: String,
        /// The valid unit that it means in another letter case or as a word: `MB` for `mb` and `megabytes`.
        meant: Option<&'static str>,
        /// All valid units, the smallest first.
        units: &'static [&'static str],
    },
    /// The number is not within 32 bits, whatever the setting's range. The server: `invalid value`, with that
    /// as the hint.
    IntegerOverflow,
    /// The number is outside of the setting's range. The server: `is outside the valid range`, with the
    /// value, the unit and the range.
    IntegerOutOfRange {
        /// The number in the setting's own unit.
        value: i32,
        /// The setting's own unit.
        unit: Unit,
        /// The least allowed number.
        min: i32,
        /// The greatest allowed number.
        max: i32,
    },
    /// As [`ValueError::IntegerOutOfRange`], of a floating-point number. `value` may be infinite.
    RealOutOfRange {
        /// The number in the setting's own unit.
        value: f64,
        /// The setting's own unit.
        unit: Unit,
        /// The least allowed number.
        min: f64,
        /// The greatest allowed number.
        max: f64,
    },
    /// The text is no word of the enum. The server: `invalid value`, with the available values as the hint.
    NotInEnum {
        /// The words that the server shows, in its order.
        values: &'static [&'static str],
    },
}

/// Units as people write them out, in the singular.
const WORDS: &[(&str, &str)] = &[
    ("byte", "B"),
    ("kilobyte", "kB"),
    ("megabyte", "MB"),
    ("gigabyte", "GB"),
    ("terabyte", "TB"),
    ("millisecond", "ms"),
    ("second", "s"),
    ("minute", "min"),
    ("hour", "h"),
    ("day", "d"),
];

impl ValueError {
    /// Makes [`ValueError::UnknownUnit`] of what stands behind the number.
    pub(super) fn unknown_unit(found: &[u8], base: Unit) -> Self {
        let units = base.accepted();
        let word = WORDS.iter().find(|(word, _)| {
            found.eq_ignore_ascii_case(word.as_bytes())
                || found.eq_ignore_ascii_case(format!("{word}s").as_bytes())
        });
        let word = word.map_or(found, |(_, unit)| unit.as_bytes());
        let meant = units.iter().copied().find(|unit| unit.as_bytes().eq_ignore_ascii_case(word));
        ValueError::UnknownUnit { found: String::from_utf8_lossy(found).into_owned(), meant, units }
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueError::NotBoolean => f.write_str("not a Boolean value"),
            ValueError::NotNumber => f.write_str("not a number"),
            ValueError::UnknownUnit { found, units, .. } => {
                write!(
                    f,
                    "`{found}` is not a valid unit for this setting (valid units: {})",
                    units.join(", ")
                )
            }
            ValueError::IntegerOverflow => f.write_str("the number is too large for an integer"),
            ValueError::IntegerOutOfRange { value, unit, min, max } => {
                let unit = unit.name();
                write!(f, "{value}{unit} is outside the range from {min}{unit} to {max}{unit}")
            }
            ValueError::RealOutOfRange { value, unit, min, max } => {
                let unit = unit.name();
                // The greatest real has 309 digits without an exponent.
                write!(f, "{value:?}{unit} is outside the range from {min:?}{unit} to {max:?}{unit}")
            }
            ValueError::NotInEnum { values } => write!(f, "not one of: {}", values.join(", ")),
        }
    }
}

impl std::error::Error for ValueError {}
