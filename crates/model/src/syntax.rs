//! One text to the value of its mapping, without the features of YAML that make a text mean more than it says.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::{Map, Value};

use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::document::VERSION;
use crate::locations::Spot;
use crate::meant::example_of;
use crate::pointer;
use crate::reader::Reader;
use crate::scalar::{hidden_name, is_hidden, scalar};
use crate::schema;
use crate::yaml::{self, Kind, NodeId, Tree};

/// Documents with more keys and values than this are not read: a fleet of two thousand targets has as many.
const MAX_VALUES: usize = 20_000;

impl Reader<'_> {
    /// Reads one text to a mapping; `None` where that cannot be made.
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
                    |d: &Diagnostic| d.location.as_ref().is_some_and(|at| at.span.start <= error.offset);
                if self.diagnostics[before..].iter().any(stumbles) {
                    return None;
                }
                let spot = self.here(error.offset..error.offset);
                self.error(Code::DocumentSyntax, spot, error.message).help = Some(error.help);
                return None;
            }
        };
        if let Some((_, node)) = tree.nodes().nth(MAX_VALUES) {
            let message = format!("more than {MAX_VALUES} keys and values; a document cannot have more");
            self.error(Code::DocumentSyntax, self.here(node.span.start..node.span.start), message).help =
                Some("split it into several documents".into());
            return None;
        }
        let top = match tree.documents() {
            [] => return self.shape(0..0, "the document is empty"),
            [top] if tree.is_null(*top) => return self.shape(0..0, "the document is empty"),
            [top] => *top,
            [_, second, ..] => {
                let span = tree.written(*second).span.clone();
                let message = "a second document starts here; a file holds one";
                self.error(Code::DocumentShape, self.here(span), message).help =
                    Some("write each document to a file of its own; `-f` may be repeated".into());
                return None;
            }
        };
        self.features(&tree, top);
        if !matches!(tree.written(top).kind, Kind::Mapping(..)) {
            // What is no mapping for one of these reasons is none for that reason.
            if self.diagnostics.len() > before {
                return None;
            }
            return self.shape(
                tree.written(top).span.clone(),
                "the document is not a mapping with the key `schema`",
            );
        }
        let value = self.json(&tree, top, top, None);
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
        self.error(Code::VersionTooOld, spot, message).help =
            Some(format!("install kasm-db {wanted} or later"));
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
    fn features(&mut self, tree: &Tree, top: NodeId) {
        for (id, node) in tree.nodes() {
            if self.is_full() {
                return;
            }
            if let Some((name, span)) = node.anchor.as_deref() {
                self.error(
                    Code::DocumentFeature,
                    self.here(span.clone()),
                    format!("anchors are not supported: `&{name}`{}", of(tree, top, id)),
                )
                .help = Some("remove it, and write the value out where it is used".into());
            }
            if let Some((tag, span)) = node.tag.as_deref() {
                self.error(
                    Code::DocumentFeature,
                    self.here(span.clone()),
                    format!("tags are not supported: `{tag}`{}", of(tree, top, id)),
                )
                .help = Some("remove it; put a value in quotes to make it text".into());
            }
            match &node.kind {
                Kind::Alias(_) => {
                    self.error(
                        Code::DocumentFeature,
                        self.here(node.span.clone()),
                        format!("aliases are not supported{}", of(tree, top, id)),
                    )
                    .help = Some("write the value out".into());
                }
                Kind::Mapping(entries, _) => self.keys(tree, top, id, entries),
                Kind::Scalar(text, _) => {
                    // Escapes such as "\e" bring in what `characters` does not see.
                    let span = tree.written(id).span.clone();
                    if let Some(c) = text.chars().find(|&c| is_hidden(c) && c != '\n')
                        && !self.is_hidden_in(&span)
                    {
                        let message = format!("{}{}", hidden_name(c), of(tree, top, id));
                        self.error(Code::DocumentCharacter, self.here(span), message).help =
                            Some("remove it".into());
                    }
                }
                Kind::Sequence(..) => {}
            }
        }
    }

    /// Returns whether a hidden character stands in these bytes as it is, where `characters` has seen it.
    fn is_hidden_in(&self, span: &Range<usize>) -> bool {
        let bytes = self.texts.bytes(self.now).get(span.clone()).unwrap_or_default();
        String::from_utf8_lossy(bytes).contains(is_hidden)
    }

    fn is_in_double_braces(&self, spot: &Spot) -> bool {
        let bytes = self.texts.bytes(self.now);
        let before = bytes.get(..spot.span.start).unwrap_or_default();
        bytes.get(spot.span.start) == Some(&b'{') && before.ends_with(b"{")
    }

    fn keys(&mut self, tree: &Tree, top: NodeId, mapping: NodeId, entries: &[(NodeId, NodeId)]) {
        let mut seen: HashMap<&str, Spot> = HashMap::new();
        for (key, _) in entries {
            // Finding the path of each of many thousands would take long, and they are not told.
            if self.is_full() {
                return;
            }
            let spot = self.here(tree.written(*key).span.clone());
            match tree.scalar(*key) {
                // A placeholder of a template: that the value is none of its type is said.
                None if self.is_in_double_braces(&spot) => {}
                None => {
                    let message = format!("a key must be a word{}", of(tree, top, mapping));
                    self.error(Code::DocumentShape, spot, message).help = Some("write `key: value`".into());
                }
                Some("<<") => {
                    let message = format!("merge keys are not supported{}", of(tree, top, mapping));
                    self.error(Code::DocumentFeature, spot, message).help = Some("write the keys out".into());
                }
                Some(name) => {
                    if let Some(first) = seen.get(name) {
                        let first = self.texts.location(first.clone());
                        let mut path = path_of(tree, top, mapping).unwrap_or_default();
                        pointer::push(&mut path, name, false);
                        let message = format!("duplicate key `{path}` (first on line {})", first.line);
                        let diagnostic = self.error(Code::DuplicateKey, spot, message);
                        diagnostic.related = Some((first, "first here".into()));
                        diagnostic.help = Some("remove one of the two".into());
                    } else {
                        seen.insert(name, spot);
                    }
                }
            }
        }
    }

    /// Builds the JSON value that schema and types read. `key` is where the key of the value stands.
    fn json(&mut self, tree: &Tree, top: NodeId, id: NodeId, key: Option<&Range<usize>>) -> Value {
        let node = tree.written(id);
        match &node.kind {
            // What a tag or an alias makes of it, nobody needs to know.
            Kind::Scalar(..) if node.tag.is_some() => Value::Null,
            Kind::Scalar(text, style) => {
                if tree.is_null(id) && node.anchor.is_none() && !self.is_full() {
                    let span = key.unwrap_or(&node.span).clone();
                    let spot = self.here(span);
                    let path = path_of(tree, top, id).unwrap_or_default();
                    let help = absent(&pointer_of(tree, top, id).unwrap_or_default());
                    self.error(Code::WrongType, spot, format!("`{path}` has no value")).help = Some(help);
                }
                scalar(text, *style)
            }
            Kind::Sequence(items, _) => {
                Value::Array(items.iter().map(|id| self.json(tree, top, *id, None)).collect())
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
                    let value = self.json(tree, top, *value, Some(&tree.written(*key).span));
                    map.insert(name.to_string(), value);
                }
                Value::Object(map)
            }
            Kind::Alias(_) => Value::Null,
        }
    }
}

/// The version of this program, which `min_version` is held against.
pub(crate) const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Returns ` at PATH` for a key or value of the document, and nothing for the document itself.
fn of(tree: &Tree, top: NodeId, id: NodeId) -> String {
    let path = path_of(tree, top, id).filter(|path| !path.is_empty());
    path.map(|path| format!(" at `{path}`")).unwrap_or_default()
}

/// Returns what to write for a value that is not there.
fn absent(pointer: &str) -> String {
    if pointer.starts_with("/settings/") {
        return "write a value, or remove the key to leave it unmanaged; to comment out a setting, list it under `unset`"
            .into();
    }
    if pointer.ends_with(|c: char| c.is_ascii_digit()) {
        return "write a value, or remove the item".into();
    }
    let rule = schema::at(pointer).unwrap_or_default();
    let value = match (example_of(&rule), rule["type"].as_str()) {
        (Some(example), Some("array")) => format!("a list, such as `{example}`"),
        (Some(example), _) => format!("a value, such as `{example}`"),
        (None, Some("object")) => "a mapping".into(),
        _ => "a value".into(),
    };
    format!("write {value}, or remove the key to leave it unmanaged")
}

/// Finds the path of a key or value. Only what is reported is looked for.
fn path_of(tree: &Tree, top: NodeId, id: NodeId) -> Option<String> {
    let mut parts = Vec::new();
    find(tree, top, id, &mut parts).then(|| {
        let mut path = String::new();
        parts.iter().for_each(|(part, is_item)| pointer::push(&mut path, part, *is_item));
        path
    })
}

/// Finds the JSON pointer of a key or value.
fn pointer_of(tree: &Tree, top: NodeId, id: NodeId) -> Option<String> {
    let mut parts = Vec::new();
    find(tree, top, id, &mut parts)
        .then(|| parts.iter().map(|(part, _)| format!("/{}", pointer::escaped(part))).collect())
}

fn find(tree: &Tree, at: NodeId, id: NodeId, parts: &mut Vec<(String, bool)>) -> bool {
    if at == id {
        return true;
    }
    let mut inside = |part: String, is_item, key: Option<NodeId>, value| {
        parts.push((part, is_item));
        let is_found = key == Some(id) || find(tree, value, id, parts);
        if !is_found {
            parts.pop();
        }
        is_found
    };
    match &tree.written(at).kind {
        Kind::Mapping(entries, _) => entries.iter().any(|(key, value)| {
            inside(tree.scalar(*key).unwrap_or("?").to_string(), false, Some(*key), *value)
        }),
        Kind::Sequence(items, _) => {
            items.iter().enumerate().any(|(index, item)| inside(index.to_string(), true, None, *item))
        }
        Kind::Scalar(..) | Kind::Alias(_) => false,
    }
}
