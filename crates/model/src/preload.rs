//! The preload list: when what is there is what is wanted.

use std::collections::HashSet;

use pgconf::{library_name, same_library, split_libraries};

use crate::desired::DesiredPreload;
use crate::document::Mode;

impl DesiredPreload {
    /// Returns whether the libraries of a list, as [`split_libraries`] splits it, are as wanted: all of them are in it
    /// or, in `exact` mode, they and no others are, in the same order.
    pub fn is_in(&self, items: &[Vec<u8>]) -> bool {
        match self.mode {
            Mode::Ensure => {
                let there: HashSet<_> = items.iter().map(|item| library_name(item)).collect();
                self.libraries.iter().all(|library| there.contains(&library_name(library.as_bytes())))
            }
            Mode::Exact => {
                let pairs = || items.iter().zip(&self.libraries);
                items.len() == self.libraries.len()
                    && pairs().all(|(item, library)| same_library(item, library.as_bytes()))
            }
        }
    }
}

/// Returns whether the value of `shared_preload_libraries` is as wanted; an invalid list is not.
pub fn preload_is_met(value: &[u8], wanted: &DesiredPreload) -> bool {
    split_libraries(value).is_some_and(|items| wanted.is_in(&items))
}

/// Returns whether a library of the preload list is the one in this file, such as `pgaudit.so`.
pub fn is_library(wanted: &str, file: &str) -> bool {
    same_library(wanted.as_bytes(), file.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn met(mode: Mode, value: &str, wanted: &[&str]) -> bool {
        let libraries = wanted.iter().map(ToString::to_string).collect();
        preload_is_met(value.as_bytes(), &DesiredPreload { mode, libraries })
    }

    #[test]
    fn a_list_is_as_wanted_with_others_or_exactly() {
        for (mode, value, expected) in [
            (Mode::Ensure, "a, $libdir/pgaudit.so", true),
            (Mode::Ensure, "a", false),
            (Mode::Exact, "pgaudit.so", true),
            (Mode::Exact, "a, pgaudit", false),
            (Mode::Exact, "\"pgaudit", false),
        ] {
            assert_eq!(met(mode, value, &["pgaudit"]), expected, "{value}");
        }
        assert!(!met(Mode::Exact, "b,a", &["a", "b"]) && met(Mode::Ensure, "b,a", &["a", "b"]));
        assert!(is_library("pgaudit", "pgaudit.so") && !is_library("pgaudit", "libc.so"));
    }
}
