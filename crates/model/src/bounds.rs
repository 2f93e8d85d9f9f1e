//! The lengths and ranges of values of a document, for the schema and for Rust.

use std::ops::RangeInclusive;

/// The most characters of a path to a parent.
pub(crate) const PATH_LENGTH: usize = 512;

/// The most characters of an image.
pub(crate) const IMAGE_LENGTH: usize = 512;

/// The most characters of a role, which the server would cut behind them.
pub(crate) const ROLE_LENGTH: usize = 63;

/// The majors that a document may name.
pub(crate) const MAJORS: RangeInclusive<u16> = 12..=19;

/// The values of `pgaudit.log_parameter_max_size`, in bytes.
pub(crate) const PARAMETER_SIZES: RangeInclusive<i64> = 0..=1_073_741_823;

/// Collections nested deeper than this are not read.
pub const MAX_DEPTH: usize = 64;
