//! Faults to order. The self test of `scripts/crashtest` proves with them that it finds what it looks for.

/// Tells whether the fault of this name was ordered by the variable `KASM_DB_BUG`.
#[cfg(feature = "seeded-bugs")]
pub(crate) fn is(name: &str) -> bool {
    std::env::var_os("KASM_DB_BUG").is_some_and(|ordered| ordered == name)
}

/// There are none in a program that people get.
#[cfg(not(feature = "seeded-bugs"))]
pub(crate) const fn is(_name: &str) -> bool {
    false
}
