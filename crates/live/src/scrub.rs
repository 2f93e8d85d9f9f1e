//! Secrets in what others say: the programs that are run, and the server.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use model::HIDDEN;

/// Hides secrets in texts.
///
/// Whoever runs a program or asks a server first names the texts that are secret ([`learn`](Self::learn)). These are to
/// be hidden in everything that is shown ([`known`](Self::known)); and in what is repeated of others, also what looks
/// like one ([`hide`](Self::hide)). A clone shares what is known.
#[derive(Clone, Default)]
pub struct Scrubber {
    /// What must not be shown, the longest first.
    known: Arc<RwLock<Vec<String>>>,
}

impl Scrubber {
    /// Accepts texts that must not be shown from now on.
    pub fn learn(&self, secrets: impl IntoIterator<Item = String>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.extend(secrets.into_iter().filter(|secret| !secret.is_empty()));
        known.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        known.dedup();
    }

    /// Accepts what another one knows.
    pub fn learn_from(&self, other: &Self) {
        // Not both at once: it may be a clone of this one.
        let known = other.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        self.learn(known);
    }

    /// Returns the length of the longest secret: so much more has to be read than is shown of a line.
    pub fn longest(&self) -> usize {
        self.known.read().unwrap_or_else(PoisonError::into_inner).first().map_or(0, String::len)
    }

    /// Hides what is known to be a secret.
    pub fn known(&self, text: &str) -> String {
        without(text, &self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Hides what is known to be a secret, and what looks like one: the value behind `password=`, the password of a
    /// URL. For texts of others; our own words never have one.
    pub fn hide(&self, text: &str) -> String {
        lookalikes(&self.known(text))
    }

    /// Turns what a child process said into a text that may be shown.
    pub fn shown(&self, said: &Said) -> String {
        // Before it is cut: of a secret that is cut short, the rest could not be found.
        self.hide(&said.text).chars().take(said.most).collect()
    }
}

/// Shows nothing of the secrets.
impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrubber").finish_non_exhaustive()
    }
}

/// What a child process said. It has no `Display`, and its `Debug` shows none of it: only [`Scrubber::shown`] makes a
/// text of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Said {
    text: String,
    most: usize,
}

impl Said {
    /// Accepts a text of which at most so many characters are to be shown.
    pub fn new(text: impl Into<String>, most: usize) -> Self {
        Self { text: text.into(), most }
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Said").finish_non_exhaustive()
    }
}

fn without(text: &str, secrets: &[String]) -> String {
    let mut out = text.to_string();
    for secret in secrets.iter().filter(|secret| !HIDDEN.contains(secret.as_str())) {
        if out.contains(secret) {
            out = out.replace(secret, HIDDEN);
        }
    }
    out
}

/// How names end whose values are secrets, in lower case.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "private_key",
    "secret_key",
    "access_key",
];

fn lookalikes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let end = line.trim_end_matches('\n').len();
        out.push_str(&named(&urls(&line[..end])));
        out.push_str(&line[end..]);
    }
    out
}

/// Hides the passwords of URLs: `postgres://user:…@host`.
fn urls(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "\"'`<>,".contains(c)).unwrap_or(after.len());
        let (word, behind) = after.split_at(end);
        match word.rfind('@').and_then(|at| Some((word[..at].find(':')?, at))) {
            Some((colon, at)) => {
                out.push_str(&word[..=colon]);
                out.push_str(HIDDEN);
                out.push_str(&word[at..]);
            }
            None => out.push_str(word),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// Hides the values behind names of secrets: `PGPASSWORD=…`, `password: …`, `PASSWORD '…'`.
fn named(line: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(is_word) {
        let (before, after) = rest.split_at(start);
        out.push_str(before);
        let end = after.find(|c: char| !is_word(c)).unwrap_or(after.len());
        let (word, behind) = after.split_at(end);
        out.push_str(word);
        rest = behind;
        let lower = word.to_ascii_lowercase();
        if NAMES.iter().any(|name| lower.ends_with(name))
            && let Some((kept, hidden)) = value(rest)
        {
            out.push_str(&rest[..kept]);
            out.push_str(HIDDEN);
            rest = &rest[hidden..];
        }
    }
    out.push_str(rest);
    out
}

/// Finds the value behind a name: where it starts and ends, without its quotes.
fn value(rest: &str) -> Option<(usize, usize)> {
    // A key of JSON ends with a quote, and one of psql's options may be followed by it.
    let skip =
        |at: usize, of: &str| at + rest[at..].len() - rest[at..].trim_start_matches(|c| of.contains(c)).len();
    let name = skip(0, "\"'");
    let blank = skip(name, " \t");
    let mark = skip(blank, "=:");
    let start = skip(mark, " \t");
    let quote = rest[start..].chars().next().filter(|c| matches!(c, '\'' | '"' | '`'));
    if mark == blank && !(blank > name && quote.is_some()) {
        return None;
    }
    let end =
        |from: usize, of: &dyn Fn(char) -> bool| rest[from..].find(of).map_or(rest.len(), |at| from + at);
    let (start, end) = match quote {
        Some(quote) => (start + 1, end(start + 1, &|c| c == quote)),
        // A scalar of YAML continues to the end of its line; a word of a shell or of libpq to the next blank.
        None if rest[blank..mark].ends_with(':') => (start, rest.trim_end().len().max(start)),
        None => (start, end(start, &|c| c.is_whitespace() || ",;&".contains(c))),
    };
    (end > start).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_hidden_wherever_it_stands_the_longest_first() {
        let secrets = ["hunter2-long".to_string(), "hunter2".to_string(), "hid".to_string()];
        assert_eq!(without("a hunter2-long,xhunter2x <hidden>", &secrets), "a <hidden>,x<hidden>x <hidden>");
    }

    #[test]
    fn what_is_learnt_is_shared_and_hidden_before_a_text_is_cut() {
        let scrubber = Scrubber::default();
        scrubber.clone().learn(["hunter2".to_string(), String::new(), "hunter2-long".into()]);
        assert_eq!(scrubber.longest(), 12);
        assert_eq!(scrubber.known("x hunter2 password=y"), "x <hidden> password=y");
        let other = Scrubber::default();
        other.learn_from(&scrubber);
        other.learn_from(&other.clone());
        assert_eq!(other.known("hunter2-long x"), "<hidden> x");
        let said = Said::new("hunter2-long and so on", 10);
        assert_eq!(scrubber.shown(&said), "<hidden> a");
        assert!(!format!("{scrubber:?} {said:?}").contains("hunter2"));
    }

    #[test]
    fn what_looks_like_a_secret_is_hidden() {
        for (text, expected) in [
            ("PGPASSWORD=x y", "PGPASSWORD=<hidden> y"),
            ("  POSTGRES_PASSWORD: a b c ", "  POSTGRES_PASSWORD: <hidden> "),
            ("password='a b' c", "password='<hidden>' c"),
            ("host=h password=a;b", "host=h password=<hidden>;b"),
            ("{\"Password\": \"a b\", \"x\": 1}", "{\"Password\": \"<hidden>\", \"x\": 1}"),
            ("ALTER ROLE r PASSWORD 'a'", "ALTER ROLE r PASSWORD '<hidden>'"),
            ("postgres://u:p@ss:w@h:1/d?x=1", "postgres://u:<hidden>@h:1/d?x=1"),
            ("a http://u:p@h, b https://v:q@i", "a http://u:<hidden>@h, b https://v:<hidden>@i"),
            ("x\nTOKEN=a\ny", "x\nTOKEN=<hidden>\ny"),
            ("--password secret", "--password secret"),
            ("api_key=<hidden>", "api_key=<hidden>"),
        ] {
            assert_eq!(lookalikes(text), expected);
            assert_eq!(lookalikes(expected), expected, "hidden once more");
        }
    }

    #[test]
    fn what_only_names_a_secret_stays() {
        for text in [
            "password authentication failed for user \"x\"",
            "setting password_encryption: it is 'md5', not 'scram-sha-256'",
            "name the file in PGPASSFILE: /home/x/.pgpass",
            "http://localhost:8080/a@b c",
            "no password supplied",
            "password: ",
            "ümlaut: ü password",
        ] {
            let shown = lookalikes(text);
            assert!(shown == text || text.contains("8080"), "{shown}");
        }
    }
}
