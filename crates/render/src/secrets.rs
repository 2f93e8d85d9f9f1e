//! What of a target's files must not be repeated when a program that knows them says it.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use model::yaml::{Kind, NodeId, Tree};
use pgconf::Conf;

use crate::compose::{Variables, interpolate, read_env};
use crate::file_kind::FileKind;
use crate::observe::ObservedState;
use crate::redact::{self, Known};
use crate::source::{Found, Source, folder, join};

/// Returns every text of the target's files that may be a secret: values of environments, of `.env` files and
/// of `env_file:`, of keys that are called like one, passwords in URLs, and what a conf hides. Each as it is
/// written, as it is meant, and its lines where it has several.
///
/// What is too short, or a word that stands everywhere, is not among them: to hide it would hide everything else.
pub fn secrets(observed: &ObservedState, source: &dyn Source) -> Vec<String> {
    let files = || {
        observed.snapshot().files().filter_map(|(path, found)| match found {
            Found::Yes(bytes) => Some((path, &**bytes)),
            _ => None,
        })
    };
    let is_env = |path: &str| path.ends_with(".env");
    let mut found = Secrets::default();
    // Every service may name the same one.
    let mut seen = BTreeSet::new();
    for (_, bytes) in files().filter(|(path, _)| is_env(path)) {
        found.env(bytes);
    }
    for (path, bytes) in files().filter(|(path, _)| !is_env(path)) {
        if observed.conf_files().any(|(_, here)| here == path) {
            found.conf(bytes);
        } else if let Ok(tree) = Tree::parse(bytes) {
            found.compose(&tree, bytes);
            for name in found.env_files(&tree) {
                let path = join(folder(path), &name);
                if seen.insert(path.clone())
                    && let Found::Yes(bytes) = source.read(&path)
                {
                    found.env(&bytes);
                }
            }
        }
    }
    found.texts.into_iter().collect()
}

/// Returns what [`secrets`] finds in the files that were observed.
pub(crate) fn known(observed: &ObservedState) -> Known {
    let mut found = Secrets::default();
    let (mut paths, mut trees) = (BTreeSet::new(), HashSet::new());
    for (path, read) in observed.snapshot().files() {
        if let (Found::Yes(bytes), true) = (read, path.ends_with(".env")) {
            found.env(bytes);
        }
    }
    for file in observed.databases.iter().flat_map(|observed| &observed.database.stack.files) {
        if paths.insert(file.path.as_str()) {
            // Files of one content share a tree; what its values mean may change with each file of variables.
            if trees.insert((Arc::as_ptr(&file.tree), found.read)) {
                found.compose(&file.tree, &file.bytes);
            }
            for name in found.env_files(&file.tree) {
                found.env(observed.snapshot().bytes(&join(folder(&file.path), &name)).unwrap_or_default());
            }
        }
    }
    if let Some(conf) = &observed.conf {
        conf.set
            .files()
            .chain(conf.auto.iter().flat_map(pgconf::ConfSet::files))
            .for_each(|(_, conf)| found.settings(conf));
    }
    Known::new(found.texts)
}

/// Returns the secrets in the texts of files of this kind, of which no more is known.
pub(crate) fn known_of<'a>(kind: FileKind, texts: impl IntoIterator<Item = &'a [u8]>) -> Known {
    let mut found = Secrets::default();
    for bytes in texts {
        match (kind, Tree::parse(bytes)) {
            (FileKind::Conf, _) => found.conf(bytes),
            (FileKind::Compose, Ok(tree)) => found.compose(&tree, bytes),
            (FileKind::Compose, Err(_)) => {}
        }
    }
    Known::new(found.texts)
}

/// A text this short stands everywhere.
const SHORTEST: usize = 4;

/// Words that are values of environments, and of much else that is said of a database.
const WORDS: &[&str] = &[
    "admin",
    "data",
    "database",
    "default",
    "docker",
    "error",
    "false",
    "info",
    "kasm",
    "kasm_db",
    "kasmapp",
    "localhost",
    "none",
    "null",
    "password",
    "postgres",
    "postgresql",
    "prod",
    "production",
    "root",
    "secret",
    "test",
    "true",
    "user",
    "warn",
    "warning",
];

/// How names of variables end whose values are no secret.
const OPEN: &[&str] = &[
    "database",
    "db",
    "dir",
    "directory",
    "file",
    "host",
    "hostname",
    "lang",
    "level",
    "locale",
    "mode",
    "name",
    "path",
    "pgdata",
    "port",
    "role",
    "tz",
    "user",
    "username",
    "version",
    "zone",
];

/// Returns the part that a text may begin with which makes a name that of a secret, by its first two letters: every key of every
/// file is looked at.
fn closed(first: u8, second: u8) -> Option<&'static [u8]> {
    // In lower case; nothing else becomes a letter.
    Some(match (first | 0x20, second | 0x20) {
        (b'a', b'u') => b"auth",
        (b'c', b'r') => b"credential",
        (b'd', b's') => b"dsn",
        (b'k', b'e') => b"key",
        (b'p', b'a') => b"pass",
        (b'p', b'r') => b"private",
        (b'p', b'w') => b"pwd",
        (b's', b'a') => b"salt",
        (b's', b'e') => b"secret",
        (b't', b'o') => b"token",
        _ => return None,
    })
}

/// Returns whether a text is long enough and rare enough to be looked for in what is said.
pub(crate) fn is_telling(text: &str) -> bool {
    text.len() >= SHORTEST && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[derive(Default)]
struct Secrets {
    variables: Variables,
    /// How many files of variables were read.
    read: usize,
    texts: BTreeSet<String>,
}

impl Secrets {
    fn env(&mut self, bytes: &[u8]) {
        self.read += 1;
        for (name, value) in read_env(bytes) {
            if let Some(value) = &value {
                self.value(&name, value);
            }
            self.variables.insert(name, value);
        }
        // What could not be read as Compose does, as it stands.
        for line in String::from_utf8_lossy(bytes).lines() {
            if let Some((name, value)) = line.split_once('=') {
                let name = name.trim().trim_start_matches("export").trim_start();
                let value = value.trim();
                // Most lines are read.
                if self.variables.get(name).is_some_and(|read| read.as_deref() == Some(value)) {
                    continue;
                }
                let inner = value.trim_matches(['\'', '"']);
                for text in [value, inner] {
                    self.value(name, text);
                    // A variable that is not known, or a dollar sign that somebody has escaped in one way or another.
                    if text.contains('$') {
                        self.value(name, &text.replace("\\$", "$"));
                        self.value(name, &text.replace("$$", "$"));
                    }
                }
            }
        }
    }

    fn conf(&mut self, bytes: &[u8]) {
        self.settings(&Conf::parse(bytes));
    }

    fn settings(&mut self, conf: &Conf) {
        for entry in conf.entries() {
            let name = String::from_utf8_lossy(conf.name(entry)).to_ascii_lowercase();
            let value = conf.value(entry);
            // A diff hides more; but what a setting is set to is what is said of a running server.
            if redact::SECRET.contains(&name.as_str())
                || (is_closed(&name)
                    && redact::may_be_secret_before(&name, &value)
                    && !value.starts_with(b"/"))
            {
                self.add(&String::from_utf8_lossy(&value));
            }
        }
    }

    fn compose(&mut self, tree: &Tree, bytes: &[u8]) {
        for (_, node) in tree.nodes() {
            match &node.kind {
                Kind::Mapping(entries, _) => {
                    for (key, value) in entries {
                        let key = tree.scalar(*key).unwrap_or_default();
                        match key {
                            "environment" => self.environment(tree, *value, bytes),
                            _ if is_closed(key) => self.scalar(tree, key, *value, bytes),
                            _ => {}
                        }
                    }
                }
                Kind::Scalar(text, _) => self.urls(text),
                Kind::Sequence(..) | Kind::Alias(_) => {}
            }
        }
    }

    fn environment(&mut self, tree: &Tree, id: NodeId, bytes: &[u8]) {
        for (key, value) in tree.entries(id) {
            self.scalar(tree, tree.scalar(*key).unwrap_or_default(), *value, bytes);
        }
        for item in tree.items(id) {
            if let Some((name, value)) = tree.scalar(*item).and_then(|item| item.split_once('=')) {
                self.meant(name, value);
            }
        }
    }

    fn scalar(&mut self, tree: &Tree, name: &str, id: NodeId, bytes: &[u8]) {
        let Some(text) = tree.scalar(id) else { return };
        self.meant(name, text);
        // As it is written, for whoever prints the file.
        let written = bytes.get(tree.node(id).span.clone()).unwrap_or_default();
        let written = String::from_utf8_lossy(written);
        let inner = written.trim_matches(|c: char| matches!(c, '\'' | '"') || c.is_whitespace());
        self.value(name, inner);
    }

    /// Accepts a value, and what variables make of it.
    fn meant(&mut self, name: &str, text: &str) {
        self.value(name, text);
        if let Ok(meant) = interpolate(text, &self.variables) {
            self.value(name, &meant);
        }
    }

    fn value(&mut self, name: &str, text: &str) {
        self.urls(text);
        let name = name.to_ascii_lowercase();
        let ends_with =
            |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'));
        let is_open = || OPEN.iter().any(|end| ends_with(end));
        let says_nothing = |text: &str| {
            text.starts_with('/')
                || text.contains("://")
                || text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        };
        if is_closed(&name) || !(is_open() || says_nothing(text)) {
            self.add(text);
        }
    }

    /// Accepts the passwords of URLs.
    fn urls(&mut self, text: &str) {
        // Few texts have a password in a URL, and an at sign is found sooner.
        if !text.contains('@') {
            return;
        }
        for (at, _) in text.match_indices("://") {
            let rest = &text[at + 3..];
            let rest =
                &rest[..rest.find(|c: char| c.is_whitespace() || "\"'`".contains(c)).unwrap_or(rest.len())];
            if let Some((_, password)) = rest.rfind('@').and_then(|end| rest[..end].split_once(':')) {
                self.add(password);
            }
        }
    }

    fn add(&mut self, text: &str) {
        let text = text.trim();
        let lines = text.contains('\n').then(|| text.lines().map(str::trim)).into_iter().flatten();
        for part in std::iter::once(text).chain(lines) {
            if is_telling(part) && !self.texts.contains(part) {
                self.texts.insert(part.to_string());
            }
        }
    }

    /// Lists the files of `env_file:`.
    fn env_files(&self, tree: &Tree) -> Vec<String> {
        let mut files = Vec::new();
        for (_, node) in tree.nodes() {
            let Kind::Mapping(entries, _) = &node.kind else { continue };
            for (_, named) in entries.iter().filter(|(key, _)| tree.scalar(*key) == Some("env_file")) {
                let named = *named;
                let items = std::iter::once(named).chain(tree.items(named).iter().copied());
                for item in items {
                    let path = tree.get(item, "path").unwrap_or(item);
                    files.extend(tree.scalar(path).and_then(|path| interpolate(path, &self.variables).ok()));
                }
            }
        }
        files
    }
}

/// Returns whether something of this name is a secret.
pub(crate) fn is_closed(name: &str) -> bool {
    let name = name.as_bytes();
    let is_file = name.last_chunk().is_some_and(|end: &[u8; 5]| end.eq_ignore_ascii_case(b"_file"));
    let mut rest = name;
    while let [first, tail @ ..] = rest {
        if let [second, ..] = tail
            && let Some(part) = closed(*first, *second)
            && rest.get(..part.len()).is_some_and(|start| start.eq_ignore_ascii_case(part))
        {
            return !is_file;
        }
        rest = tail;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{Target, TargetKind};
    use crate::{Snapshot, observe};

    /// A target's files with a secret in each place that may hold one.
    const FILES: [(&str, &str); 4] = [
        (
            "compose.yaml",
            "services:\n  db:\n    image: postgres:15\n    env_file: [more.env]\n    environment:\n      \
             POSTGRES_PASSWORD: \"a\\\"b-one\"\n      POSTGRES_USER: somebody\n      NUMBER: 12345\n      \
             FROM: ${ONE}\n      BANNER: text-two\n      PIN_KEY: 12345678\n      PEM: |\n        \
             first-line\n        second-line\n  api:\n    environment:\n      - API_TOKEN=three\n      - \
             DB=postgres://me:four@db/kasm\n      - PASSWORD=kasm\n    build: {args: {npm_token: fives}}\n",
        ),
        (".env", "ONE=sixes\nexport OTHER='seven # eight'\n"),
        ("more.env", "NINE_PASSWORD=ninth\n"),
        (
            "postgresql.conf",
            "primary_conninfo = 'password=tenth'\nwork_mem = 4MB\npgaudit.log = 'read, write'\nx.api_token = \
             eleventh\nx.words = twelfth\nssl_key_file = '/etc/server.key'\npassword_encryption = md5\n",
        ),
    ];

    #[test]
    fn a_closed_name_has_one_of_the_parts_in_any_letter_case() {
        for part in ["auth", "credential", "dsn", "key", "pass", "private", "pwd", "salt", "secret", "token"]
        {
            assert!(is_closed(part) && is_closed(&format!("x_{}", part.to_uppercase())), "{part}");
            assert!(!is_closed(&format!("{part}_FILE")), "{part}");
        }
        assert!(!is_closed("") && !is_closed("image") && !is_closed("container_name") && !is_closed("k"));
    }

    #[test]
    fn what_may_be_a_secret_is_found_wherever_it_stands() {
        let kind = TargetKind::Files {
            compose: vec!["compose.yaml".into()],
            postgresql_conf: Some("postgresql.conf".into()),
            service: None,
        };
        let files = Snapshot::from_iter(FILES);
        let found = secrets(&observe(&Target::new("t", kind), &files), &files);
        let expected = [
            "${ONE}",
            "'seven # eight'",
            "12345678",
            "a\"b-one",
            "a\\\"b-one",
            "first-line",
            "first-line\nsecond-line",
            "eleventh",
            "fives",
            "four",
            "ninth",
            "password=tenth",
            "second-line",
            "seven # eight",
            "sixes",
            "text-two",
            "three",
        ];
        let mut expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
        expected.sort();
        // The block scalar as it is written has its indentation.
        let found: Vec<_> = found.into_iter().filter(|text| !text.starts_with('|')).collect();
        for text in &expected {
            assert!(found.contains(text), "{text:?} is not in {found:#?}");
        }
        for text in [
            "somebody",
            "12345",
            "kasm",
            "4MB",
            "postgres:15",
            "read, write",
            "twelfth",
            "/etc/server.key",
            "md5",
        ] {
            assert!(!found.iter().any(|found| found == text), "{text:?} is in {found:#?}");
        }
    }
}
