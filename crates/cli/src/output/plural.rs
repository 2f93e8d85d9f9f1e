//! Numbers with their nouns.

use std::fmt::Display;

/// Returns a number with its noun.
pub(crate) fn count<N: Copy + Display + From<u8> + PartialEq>(number: N, one: &str, many: &str) -> String {
    let noun = if number == N::from(1) { one } else { many };
    format!("{number} {noun}")
}
