//! The secrets of a target that are known: what holds one is not shown, whatever it is.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

/// So many bytes every known secret has at least.
const START: usize = 4;

/// More secrets that begin alike are not compared one by one.
const ALIKE: usize = 64;

/// The secrets of a target, by how they begin.
#[derive(Clone, Default)]
pub(crate) struct Known {
    by_start: BTreeMap<[u8; START], Vec<String>>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.by_start.values().map(Vec::len).sum::<usize>())
    }
}

impl Known {
    /// Takes secrets; one that is shorter than any is not looked for.
    pub(crate) fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut by_start: BTreeMap<[u8; START], Vec<String>> = BTreeMap::new();
        for secret in secrets {
            if let Some(start) = secret.as_bytes().first_chunk() {
                let alike = by_start.entry(*start).or_default();
                if alike.len() <= ALIKE {
                    alike.push(secret);
                }
            }
        }
        Self { by_start }
    }

    /// Returns whether a text holds one of them.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.is_in_but(text, &HashSet::new())
    }

    /// Returns whether a text holds one of them that is none of these names, which are shown elsewhere.
    pub(crate) fn is_in_but(&self, text: &str, names: &HashSet<&str>) -> bool {
        let bytes = text.as_bytes();
        let starts = bytes.windows(START).enumerate();
        let mut found = starts.filter_map(|(at, start)| Some((at, self.by_start.get(start)?)));
        found.any(|(at, alike)| {
            let is_here = |secret: &String| {
                bytes[at..].starts_with(secret.as_bytes()) && !names.contains(secret.as_str())
            };
            alike.len() > ALIKE || alike.iter().any(is_here)
        })
    }
}

/// Beginnings of well-known tokens.
const TOKENS: &[&str] = &[
    "AIza",
    "AKIA",
    "ASIA",
    "dckr_pat_",
    "eyJ",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "hvs.",
    "npm_",
    "sk-",
    "sk_live_",
    "sk_test_",
    "xoxb-",
    "xoxp-",
];

/// Returns whether a text looks like a secret, or holds what does: a token, an address with a password, a long mixture of
/// letters and digits.
pub(crate) fn looks_secret(text: &str) -> bool {
    if text.len() > 160 || text.contains("://") || text.contains('\n') {
        return true;
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let words = text.split(|c| !is_part(c));
    if words.clone().any(|word| TOKENS.iter().any(|token| word.starts_with(token))) {
        return true;
    }
    let is_hex = |c: char| c.is_ascii_hexdigit() || c == '-';
    if words.clone().any(|word| word.len() >= 32 && word.chars().all(is_hex)) {
        return true;
    }
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(is_mixed)
}

/// Returns whether a word mixes letters and digits as no name does.
fn is_mixed(word: &str) -> bool {
    let has = |of: fn(&u8) -> bool| word.as_bytes().iter().any(of);
    let (lower, upper) = (has(u8::is_ascii_lowercase), has(u8::is_ascii_uppercase));
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    match word.len() {
        0..10 => false,
        10..16 => lower && upper && digits > 0,
        _ => (lower || upper) && (digits > 1 || lower && upper && digits > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_a_known_secret_is_found() {
        let known = Known::new(["hunter2".into(), "abc".into(), "hunt-er".into()]);
        assert!(known.is_in("hunter2") && known.is_in("/a/xhunter2y") && known.is_in("the hunt-er"));
        assert!(!known.is_in("hunter1") && !known.is_in("abc") && !known.is_in(""));
        let alike = Known::new((0..100).map(|n| format!("same{n}")));
        assert!(alike.is_in("same"), "so many are not compared");
    }

    #[test]
    fn tokens_and_long_mixtures_look_like_secrets() {
        for text in [
            "ghp_abc",
            "x/glpat-1",
            "tcp://u:p@h",
            "550e8400-e29b-41d4-a716-446655440000",
            "kX9vT2bQ7zPw",
            "d41d8cd98f00b204",
            "/run/Zq7EnvironmentMap",
        ] {
            assert!(looks_secret(text), "{text}");
        }
        for text in [
            "kasm_db",
            "/opt/kasm/1.16.1/conf/database/postgresql.conf",
            "kasm_default_network",
            "127.0.0.1:5432",
            "%m [%p] %q%u@%d ",
            "linux/arm64/v8",
            "proxy1",
            "kasmweb-2026-05-01",
        ] {
            assert!(!looks_secret(text), "{text}");
        }
    }
}
