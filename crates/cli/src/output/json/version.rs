//! The version of what is written for programs, one for all formats.

/// Additions raise the second number, anything else the first.
pub(super) const FORMAT_VERSION: &str = "2.4";
