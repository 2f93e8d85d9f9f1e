//! Names of variables in place of their values, in what is said of a target.
//!
//! A compose file may name any file of variables, and put any of them into an image, a path or a command. What they become is
//! needed to plan, and may be a secret of another application: it is said as it is written, `${NAME}`.

use std::collections::BTreeMap;

use model::Diagnostic;

use crate::compose::read_env;
use crate::observe::ObservedState;
use crate::secrets::is_telling;
use crate::source::Found;

/// The variables that texts of a target use, the longest values first.
pub(crate) struct VariableNames(Vec<(String, String)>);

impl VariableNames {
    /// Finds the variables of every file that was read and their uses in any other.
    pub(crate) fn of(observed: &ObservedState) -> Self {
        let files = || {
            observed.snapshot().files().filter_map(|(_, found)| match found {
                Found::Yes(bytes) => Some(bytes.as_slice()),
                _ => None,
            })
        };
        let uses: Vec<&[u8]> = files().flat_map(uses).collect();
        if uses.is_empty() {
            return Self(Vec::new());
        }
        let is_used = |name: &str| uses.contains(&name.as_bytes());
        let mut names = BTreeMap::new();
        for (name, value) in files().flat_map(read_env) {
            if let Some(value) = value.filter(|value| is_used(&name) && is_telling(value)) {
                names.insert(value, name);
            }
        }
        let mut all: Vec<_> = names.into_iter().collect();
        all.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        Self(all)
    }

    /// Puts names in place of values.
    pub(crate) fn name(&self, text: &mut String) {
        for (value, name) in &self.0 {
            if text.contains(value.as_str()) {
                *text = text.replace(value.as_str(), &format!("${{{name}}}"));
            }
        }
    }

    /// Puts names in place of values in all that a finding says.
    pub(crate) fn name_in(&self, finding: &mut Diagnostic) {
        self.name(&mut finding.message);
        finding.help.iter_mut().chain(&mut finding.label).for_each(|text| self.name(text));
        finding.location.iter_mut().for_each(|place| self.name(&mut place.path));
        if let Some((_, why)) = &mut finding.related {
            self.name(why);
        }
    }
}

/// Returns the names behind the dollar signs of a text.
fn uses(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    memchr::memchr_iter(b'$', text).filter_map(|at| {
        let rest = &text[at + 1..];
        let rest = rest.strip_prefix(b"{").unwrap_or(rest);
        let end = rest.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
        Some(&rest[..end.unwrap_or(rest.len())]).filter(|name| !name.is_empty())
    })
}
