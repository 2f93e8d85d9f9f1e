//! From bytes to a typed document: one spanned reading, and all errors of it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use serde_json::{Map, Number, Value};

use crate::check;
use crate::code::Code;
use crate::desired::DesiredState;
use crate::diagnostic::Diagnostic;
use crate::document::{Document, VERSION};
use crate::extends::Parents;
use crate::fits;
use crate::texts::{Spot, Texts};
use crate::violations::Missing;
use crate::yaml::{self, Kind, NodeId, Style, Tree};

/// A document with more errors than this has one cause; the rest would say the same.
pub const MAX_DIAGNOSTICS: usize = 100;

/// Documents with more keys and values than this are not read: a fleet of two thousand targets has as many.
const MAX_VALUES: usize = 20_000;

/// What came of reading a document.
#[derive(Debug)]
pub struct Reading {
    /// The desired state; holding one proves that there was no error.
    pub desired: Option<DesiredState>,
    /// Every error and warning, in the order of the text; no more than a hundred.
    pub diagnostics: Vec<Diagnostic>,
    /// The documents that it extends, nearest first: the paths that diagnostics give them, and their bytes.
    pub parents: Vec<(String, Vec<u8>)>,
}

/// Reads and checks a document that extends no other one.
///
/// `path` is the name that diagnostics give to the file.
pub fn read(path: &str, bytes: &[u8]) -> Reading {
    read_with(path, bytes, &|_| Err("no other document can be read from here".into()))
}

/// Reads and checks a document and those that it extends.
pub fn read_with(path: &str, bytes: &[u8], parents: &Parents<'_>) -> Reading {
    let mut reader = Reader::new(path, bytes);
    let value = reader.value(parents);
    let desired = value.and_then(|value| match reader.typed(&value) {
        Some(document) => check::check(document, &reader.texts, &mut reader.diagnostics),
        None => {
            reader.rest(value);
            None
        }
    });
    let Reader { mut diagnostics, texts, .. } = reader;
    diagnostics.sort_by_key(|d| {
        d.place.as_ref().map_or((0, 0), |place| (texts.number(&place.path).unwrap_or(0), place.span.start))
    });
    let failed = diagnostics.iter().any(Diagnostic::is_error);
    Reading { desired: desired.filter(|_| !failed), diagnostics, parents: texts.into_parents() }
}

pub(crate) struct Reader<'a> {
    pub(crate) texts: Texts<'a>,
    /// The text that is read now.
    pub(crate) now: usize,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Takes what is said beyond the limit.
    overflow: Diagnostic,
    /// Pointers of keys that a misspelt one was probably meant for.
    pub(crate) guessed: HashSet<String>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(path: &str, bytes: &'a [u8]) -> Self {
        let mut texts = Texts::default();
        texts.push(path.to_string(), Cow::Borrowed(bytes));
        let overflow = Diagnostic::error(Code::DocumentShape, "");
        Self { texts, now: 0, diagnostics: Vec::new(), overflow, guessed: HashSet::new() }
    }

    pub(crate) fn here(&self, span: Range<usize>) -> Spot {
        Spot { text: self.now, span }
    }

    pub(crate) fn error(&mut self, code: Code, spot: Spot, message: impl Into<String>) -> &mut Diagnostic {
        if self.is_full() {
            self.overflow = Diagnostic::error(code, "");
            return &mut self.overflow;
        }
        let place = self.texts.place(spot);
        self.diagnostics.push(Diagnostic::error(code, message).at(place));
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }

    pub(crate) fn is_full(&self) -> bool {
        self.diagnostics.len() >= MAX_DIAGNOSTICS
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Gives the value of the document and its parents together, or `None` where one of them has errors.
    pub(crate) fn value(&mut self, parents: &Parents<'_>) -> Option<Value> {
        let own = self.text()?;
        if !own.get("extends").is_some_and(Value::is_string) {
            return Some(own);
        }
        self.chain(own, parents)
    }

    /// Makes the types of a value, or reports what does not fit them.
    pub(crate) fn typed(&mut self, value: &Value) -> Option<Document> {
        // What fits the types and their limits fits the schema; only errors need its validator.
        if let Some(document) = fits::read(value)
            && !self.has_errors()
        {
            return Some(document);
        }
        // What stands in the texts of a chain was looked at one by one.
        let missing = if self.texts.len() == 1 { Missing::Too } else { Missing::Only };
        self.violations(0..self.texts.len(), value, missing);
        if !self.has_errors() {
            let message = "internal error: the schema accepts what the types refuse";
            self.error(Code::DocumentShape, self.here(0..0), message);
        }
        None
    }

    /// Reads one text to a mapping; `None` where that can not be made.
    pub(crate) fn text(&mut self) -> Option<Value> {
        let before = self.diagnostics.len();
        let bytes = self.texts.bytes(self.now);
        if bytes.len() <= yaml::MAX_BYTES {
            self.characters();
        }
        let tree = match Tree::parse(self.texts.bytes(self.now)) {
            Ok(tree) => tree,
            Err(error) => {
                // A character that does not belong there is what the parser stumbles over.
                let stumbles =
                    |d: &Diagnostic| d.place.as_ref().is_some_and(|at| at.span.start <= error.offset);
                if self.diagnostics[before..].iter().any(stumbles) {
                    return None;
                }
                let help = syntax_help(&error.message).map(String::from);
                let spot = self.here(error.offset..error.offset);
                self.error(Code::DocumentSyntax, spot, error.message).help = help;
                return None;
            }
        };
        if let Some((_, node)) = tree.nodes().nth(MAX_VALUES) {
            let message = format!("more than {MAX_VALUES} keys and values; a document has no more");
            self.error(Code::DocumentSyntax, self.here(node.span.start..node.span.start), message).help =
                Some("split it into several documents".into());
            return None;
        }
        let top = match tree.documents() {
            [] => return self.shape(0..0, "empty document; expected a mapping"),
            [top] if tree.is_null(*top) => return self.shape(0..0, "empty document; expected a mapping"),
            [top] => *top,
            [_, second, ..] => {
                let span = tree.written(*second).span.clone();
                let message = "a second document starts here; exactly one is expected";
                self.error(Code::DocumentShape, self.here(span), message).help =
                    Some("make a file of each; `-f` may be repeated".into());
                return None;
            }
        };
        self.features(&tree);
        if !matches!(tree.written(top).kind, Kind::Mapping(..)) {
            // What is no mapping for one of these reasons is none for that reason.
            if self.diagnostics.len() > before {
                return None;
            }
            return self.shape(tree.written(top).span.clone(), "expected a mapping with the key `schema`");
        }
        let value = self.json(&tree, top, None);
        self.texts.keep(self.now, tree, top);
        if self.is_too_old(&value) {
            return None;
        }
        Some(value)
    }

    /// Reports a document for a later version, and nothing else: what it says may be right there.
    fn is_too_old(&mut self, value: &Value) -> bool {
        let numbers = |text: &str| -> Option<Vec<u64>> { text.split('.').map(|n| n.parse().ok()).collect() };
        let Some(wanted) = value.get("min_version").and_then(Value::as_str) else { return false };
        // What is no version is told by the schema.
        let wanted_numbers = numbers(wanted).filter(|numbers| numbers.len() == 3);
        if wanted_numbers.is_none_or(|wanted| Some(wanted) <= numbers(OWN_VERSION)) {
            return false;
        }
        let spot = self.texts.value(self.now..self.now + 1, "/min_version");
        let message = format!("the document needs kasm-db {wanted} or later; this is {OWN_VERSION}");
        self.diagnostics.clear();
        self.error(Code::VersionTooOld, spot, message).help = Some(format!("install kasm-db {wanted}"));
        true
    }

    fn shape(&mut self, span: Range<usize>, message: &str) -> Option<Value> {
        let help = format!("start the document with `schema: {VERSION}`");
        self.error(Code::DocumentShape, self.here(span), message).help = Some(help);
        None
    }

    /// Refuses what an editor does not show: control and bidirectional characters.
    fn characters(&mut self) {
        let is_plain = |&b: &u8| matches!(b, b' '..=b'~' | b'\n' | b'\r' | b'\t');
        if self.texts.bytes(self.now).iter().all(is_plain) {
            return;
        }
        let Ok(text) = std::str::from_utf8(self.texts.bytes(self.now)) else {
            return;
        };
        let hidden = text.char_indices().filter(|&(at, c)| is_hidden(c) && !(at == 0 && c == '\u{feff}'));
        for (at, c) in hidden.take(20).collect::<Vec<_>>() {
            let spot = self.here(at..at + c.len_utf8());
            self.error(Code::DocumentCharacter, spot, hidden_name(c)).help = Some("remove it".into());
        }
    }

    /// Refuses what makes a document mean more than it says.
    fn features(&mut self, tree: &Tree) {
        for (id, node) in tree.nodes() {
            if self.is_full() {
                return;
            }
            if let Some((name, span)) = &node.anchor {
                self.error(
                    Code::DocumentFeature,
                    self.here(span.clone()),
                    format!("anchors are not supported here: `&{name}`"),
                );
            }
            if let Some((tag, span)) = &node.tag {
                self.error(
                    Code::DocumentFeature,
                    self.here(span.clone()),
                    format!("tags are not supported here: `{tag}`"),
                );
            }
            match &node.kind {
                Kind::Alias(_) => {
                    self.error(
                        Code::DocumentFeature,
                        self.here(node.span.clone()),
                        "aliases are not supported here",
                    )
                    .help = Some("write the value out".into());
                }
                Kind::Mapping(entries, _) => self.keys(tree, entries),
                Kind::Scalar(text, _) => {
                    // Escapes such as "\e" bring in what `characters` does not see.
                    let span = tree.written(id).span.clone();
                    if let Some(c) = text.chars().find(|&c| is_hidden(c) && c != '\n')
                        && !self.is_hidden_in(&span)
                    {
                        self.error(Code::DocumentCharacter, self.here(span), hidden_name(c));
                    }
                }
                Kind::Sequence(..) => {}
            }
        }
    }

    /// Tells whether a hidden character stands in these bytes as it is, where `characters` has seen it.
    fn is_hidden_in(&self, span: &Range<usize>) -> bool {
        let bytes = self.texts.bytes(self.now).get(span.clone()).unwrap_or_default();
        String::from_utf8_lossy(bytes).contains(is_hidden)
    }

    fn keys(&mut self, tree: &Tree, entries: &[(NodeId, NodeId)]) {
        let mut seen: HashMap<&str, Spot> = HashMap::new();
        for (key, _) in entries {
            let spot = self.here(tree.written(*key).span.clone());
            match tree.scalar(*key) {
                None => {
                    self.error(Code::DocumentShape, spot, "a key must be a word");
                }
                Some("<<") => {
                    self.error(Code::DocumentFeature, spot, "merge keys are not supported here").help =
                        Some("write the keys out".into());
                }
                Some(name) => {
                    if let Some(first) = seen.get(name) {
                        if self.is_full() {
                            return;
                        }
                        let first = self.texts.place(first.clone());
                        let message = format!("duplicate key `{name}` (first on line {})", first.line);
                        self.error(Code::DuplicateKey, spot, message).related =
                            Some((first, "the key is here already".into()));
                    } else {
                        seen.insert(name, spot);
                    }
                }
            }
        }
    }

    /// Makes the JSON value that schema and types read. `key` is where the key of the value stands.
    fn json(&mut self, tree: &Tree, id: NodeId, key: Option<&Range<usize>>) -> Value {
        let node = tree.written(id);
        match &node.kind {
            // What a tag or an alias makes of it, nobody needs to know.
            Kind::Scalar(..) if node.tag.is_some() => Value::Null,
            Kind::Scalar(text, style) => {
                if tree.is_null(id) && node.anchor.is_none() {
                    let span = key.unwrap_or(&node.span).clone();
                    let spot = self.here(span);
                    self.error(Code::WrongType, spot, "no value is written here").help = Some(
                        "leave the key out for what is not managed; name a setting under `unset` to comment it out"
                            .into(),
                    );
                }
                scalar(text, *style)
            }
            Kind::Sequence(items, _) => {
                Value::Array(items.iter().map(|id| self.json(tree, *id, None)).collect())
            }
            Kind::Mapping(entries, _) => {
                let is_top = tree.documents().contains(&id);
                let mut map = Map::new();
                for (key, value) in entries {
                    let Some(name) = tree.scalar(*key).filter(|name| *name != "<<") else { continue };
                    // What stands under these is the author's own business.
                    if is_top && name.starts_with("x-") {
                        continue;
                    }
                    let value = self.json(tree, *value, Some(&tree.written(*key).span));
                    map.insert(name.to_string(), value);
                }
                Value::Object(map)
            }
            Kind::Alias(_) => Value::Null,
        }
    }
}

/// The version of this program, which `min_version` is held against.
const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Says what to do about an error of the parser whose own words are for those who know the grammar.
fn syntax_help(message: &str) -> Option<&'static str> {
    let helps = [
        ("not valid UTF-8", "save it as UTF-8"),
        (
            "mapping values are not allowed",
            "put a value that holds `: ` in quotes, and let all keys of a mapping start in one column",
        ),
        (
            "did not find expected '-' indicator",
            "let all keys of an item start in one column, the one behind `- `",
        ),
        (
            "plain scalar cannot start with '-'",
            "an item that is taken away is written with its name: `-misc`",
        ),
        ("\"-\" is only valid inside a block", "write no blank between `-` and the name: `-misc`"),
    ];
    helps.into_iter().find_map(|(part, help)| message.contains(part).then_some(help))
}

/// Reads a scalar by YAML's core schema: only a plain one can be more than text.
pub(crate) fn scalar(text: &str, style: Style) -> Value {
    if style != Style::Plain {
        return Value::from(text);
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::from(true),
        "false" | "False" | "FALSE" => return Value::from(false),
        _ => {}
    }
    let radix =
        |prefix: &str, radix| text.strip_prefix(prefix).and_then(|d| i64::from_str_radix(d, radix).ok());
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Value::from(number);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        if let Ok(number) = text.parse::<i64>() {
            return Value::from(number);
        }
        let real =
            unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
        if let Some(number) = text.parse().ok().filter(|_| real).and_then(Number::from_f64) {
            return Value::Number(number);
        }
    }
    Value::from(text)
}

pub(crate) fn is_hidden(c: char) -> bool {
    let bidi =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}');
    let separator = matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    (c.is_control() && !matches!(c, '\n' | '\r' | '\t')) || bidi || separator
}

fn hidden_name(c: char) -> String {
    let kind = if c.is_control() { "control character" } else { "invisible or bidirectional character" };
    format!("{kind} U+{:04X}", u32::from(c))
}
