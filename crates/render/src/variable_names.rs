//! Names of variables in place of their values, in what is said of a target.
//!
//! A compose file may name any file of variables, and put any of them into an image, a path or a command. What they become is
//! needed to plan, and may be a secret of another application: it is said as it is written, `${NAME}`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use model::Diagnostic;

use crate::compose::read_env;
use crate::secrets::{is_closed, is_telling};
use crate::source::{Found, Snapshot};

/// The variables that texts of a target use: what their values may look like in what is said, the longest texts first, each
/// with the name.
#[derive(Clone, Debug, Default)]
pub struct VariableNames(Vec<(String, String)>);

impl VariableNames {
    /// Finds the variables of every file that was read and their uses in any other.
    pub fn of(snapshot: &Snapshot) -> Self {
        let files = || {
            snapshot.files().filter_map(|(_, found)| match found {
                Found::Yes(bytes) => Some(&**bytes),
                _ => None,
            })
        };
        Self::of_files(files, may_set)
    }

    /// Finds them; a file for which `may_set` is false sets none of the names that are used.
    fn of_files<'a, F: Iterator<Item = &'a [u8]>>(
        files: impl Fn() -> F,
        may_set: fn(&[u8], &BTreeSet<&[u8]>) -> bool,
    ) -> Self {
        let uses: BTreeSet<&[u8]> = files().flat_map(uses).collect();
        if uses.is_empty() {
            return Self(Vec::new());
        }
        let is_used = |name: &str| uses.contains(name.as_bytes());
        let mut names = BTreeMap::new();
        for (name, value) in files().filter(|file| may_set(file, &uses)).flat_map(read_env) {
            let Some(value) = value.filter(|_| is_used(&name)) else { continue };
            for form in forms(&name, &value).filter(|form| is_telling(form)) {
                names.insert(form, name.clone());
            }
        }
        let mut all: Vec<_> = names.into_iter().collect();
        all.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
        Self(all)
    }

    /// Returns the variable whose value a text holds.
    pub fn in_text(&self, text: &str) -> Option<&str> {
        let found = self.0.iter().find(|(form, _)| text.contains(form.as_str()));
        found.map(|(_, name)| name.as_str())
    }

    /// Puts names in place of values.
    pub fn named<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for (form, name) in &self.0 {
            if text.contains(form.as_str()) {
                text = Cow::Owned(text.replace(form.as_str(), &format!("${{{name}}}")));
            }
        }
        text
    }

    /// Puts names in place of values in all that a finding says.
    pub fn name_in(&self, finding: &mut Diagnostic) {
        self.name(&mut finding.message);
        finding.help.iter_mut().chain(&mut finding.label).for_each(|text| self.name(text));
        finding.location.iter_mut().for_each(|place| self.name(&mut place.path));
        if let Some((_, why)) = &mut finding.related {
            self.name(why);
        }
    }

    fn name(&self, text: &mut String) {
        if let Cow::Owned(named) = self.named(text) {
            *text = named;
        }
    }
}

/// Returns what a value may have become where it is said: a path without doubled slashes and dots, words of a command line
/// without quotes and escapes, the name of a setting.
///
/// Of a secret every part counts. Of another variable, whose value may be `/opt/kasm` or the title of a page, only those do
/// that are no plain words: a plan of which half is hidden explains nothing.
fn forms(name: &str, value: &str) -> impl Iterator<Item = String> {
    let path = pgconf::normalize(value);
    let beneath = path.trim_start_matches("../").trim_start_matches('/').to_string();
    let unquoted = value.replace(['\\', '"', '\''], "");
    let is_secret = is_closed(name);
    let is_part = move |part: &&str| is_secret || part.contains(|c: char| !c.is_ascii_lowercase());
    let words = value.split(char::is_whitespace).chain(unquoted.split(char::is_whitespace));
    let words = words.filter(is_part).map(String::from).collect::<Vec<_>>();
    let segments = value.split('/').filter(|_| is_secret).map(String::from).collect::<Vec<_>>();
    let texts = [value.to_string(), path, beneath, unquoted].into_iter().chain(words).chain(segments);
    texts.collect::<Vec<_>>().into_iter().flat_map(|text| {
        let setting = text.replace('-', "_").to_ascii_lowercase();
        [text, setting]
    })
}

/// Returns whether one of the names is somewhere in front of an equals sign or a colon. Most files that are read are not files
/// of variables, and to look for statements in them takes as long as half of the plan.
fn may_set(file: &[u8], names: &BTreeSet<&[u8]>) -> bool {
    memchr::memchr2_iter(b'=', b':', file).any(|at| {
        // Whatever may be a part of a blank between the two, of ASCII or not.
        let is_blank = |byte: &u8| matches!(byte, b'\t' | 0x0b | 0x0c | b'\r' | b' ' | 0xc2 | 0x85 | 0xa0);
        let end = file[..at].iter().rposition(|byte| !is_blank(byte)).map_or(0, |last| last + 1);
        let start = file[..end].iter().rposition(|byte| !is_of_name(byte)).map_or(0, |last| last + 1);
        names.contains(&file[start..end])
    })
}

fn is_of_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

/// Returns the names behind the dollar signs of a text.
fn uses(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    memchr::memchr_iter(b'$', text).filter_map(|at| {
        let rest = &text[at + 1..];
        let rest = rest.strip_prefix(b"{").unwrap_or(rest);
        let end = rest.iter().position(|byte| !is_of_name(byte));
        Some(&rest[..end.unwrap_or(rest.len())]).filter(|name| !name.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pieces of files of variables and of others, and what is between a name and its value.
    fn file() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "KEY",
            "OTHER",
            "KEY_2",
            "${KEY}",
            "$OTHER",
            "${KEY_2:-x}",
            "export ",
            "=",
            ":",
            " = ",
            "\t:",
            "\u{a0}=",
            "\u{85}:",
            "\u{3000}=",
            ".",
            "-",
            "'",
            "\"",
            "#",
            " #",
            "\n",
            "\r\n",
            "\r",
            "Zq7secret",
            "/opt/kasm",
            "\u{feff}",
            "\u{fffd}",
            " ",
        ]);
        prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_file_that_is_left_out_sets_nothing_that_is_used(
            texts in prop::collection::vec(file(), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut files: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
            // Not all bytes are text.
            if let Some(file) = files.first_mut().filter(|file| !file.is_empty()) {
                file.remove(cut.index(file.len()));
            }
            let all = || files.iter().map(Vec::as_slice);
            let whole = VariableNames::of_files(all, |_, _| true);
            prop_assert_eq!(VariableNames::of_files(all, may_set).0, whole.0);
        }
    }
}
