//! Names of variables in place of their values, in what is said of a target.
//!
//! A compose file may name any file of variables, and put any of them into an image, a path or a command. What they become is
//! needed to plan, and may be a secret of another application: it is said as it is written, `${NAME}`.

use std::borrow::Cow;
use std::collections::BTreeMap;

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

/// Returns the names behind the dollar signs of a text.
fn uses(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    memchr::memchr_iter(b'$', text).filter_map(|at| {
        let rest = &text[at + 1..];
        let rest = rest.strip_prefix(b"{").unwrap_or(rest);
        let end = rest.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
        Some(&rest[..end.unwrap_or(rest.len())]).filter(|name| !name.is_empty())
    })
}
