//! One compose file: its bytes, its tree, and lookups that know merge keys.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use model::yaml::{Kind, NodeId, Style, SyntaxError, Tree};
use model::{Code, Diagnostic, Location};

use crate::source::Bytes;

/// A compose file that could be read.
#[derive(Debug)]
pub(crate) struct ComposeFile {
    pub(crate) path: String,
    pub(crate) bytes: Bytes,
    pub(crate) tree: Arc<Tree>,
    memo: RefCell<HashMap<(NodeId, String), Option<Pair>>>,
    indexes: RefCell<HashMap<NodeId, Arc<Index>>>,
    too_deep: Cell<bool>,
}

/// The trees of files that were parsed, by their content: a deployment has the file that runs among its copies, and an edit leaves
/// most files as they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trees(Arc<Mutex<Vec<Parsed>>>);

/// A content, and what it was parsed to.
#[derive(Clone, Debug)]
struct Parsed {
    bytes: Bytes,
    tree: Arc<Tree>,
}

impl Trees {
    /// Returns the tree of a content, which is parsed only if none of the same content was.
    fn parse(&self, bytes: &Bytes) -> Result<Parsed, SyntaxError> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.iter().find(|known| known.bytes == *bytes) {
            return Ok(known.clone());
        }
        let tree = Arc::new(parse_as_compose(bytes)?);
        let parsed = Parsed { bytes: bytes.clone(), tree };
        all.push(parsed.clone());
        Ok(parsed)
    }
}

/// The keys of one mapping, so that a file with many services is not searched once for each.
#[derive(Debug, Default)]
struct Index {
    own: HashMap<String, Pair>,
    merged: Vec<NodeId>,
}

/// Mappings that merge one another are followed this far.
const MAX_MERGES: usize = 100;

/// Mappings up to this size are searched without an index.
const SMALL: usize = 16;

/// A value that a lookup found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    /// The mapping that it is written in.
    pub(crate) owner: NodeId,
    pub(crate) key: NodeId,
    /// The value as it is written: an alias is an alias.
    pub(crate) value: NodeId,
}

impl ComposeFile {
    /// Parses a file; the error says where reading stopped.
    pub(crate) fn parse(path: &str, bytes: &Bytes, trees: &Trees) -> Result<Self, Diagnostic> {
        let refuse = |bytes: &[u8], span: Range<usize>, message: String| {
            Diagnostic::error(Code::ComposeSyntax, message).at(Location::new(path, bytes, span))
        };
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return Err(refuse(bytes, 0..0, "saved as UTF-16".into()).help("save it as UTF-8"));
        }
        if let Some((at, c)) = surprising(bytes) {
            let message =
                format!("U+{:04X} in a compose file: readers take it in different ways", u32::from(c));
            return Err(
                refuse(bytes, at..at + c.len_utf8(), message).help("remove it, or write it as an escape")
            );
        }
        match trees.parse(bytes) {
            Ok(Parsed { bytes, tree }) => Ok(Self {
                path: path.to_string(),
                bytes,
                tree,
                memo: RefCell::default(),
                indexes: RefCell::default(),
                too_deep: Cell::new(false),
            }),
            Err(error) => Err(refuse(bytes, error.offset..error.offset, error.message).help(error.help)),
        }
    }

    /// Returns the place of a span in this file.
    pub(crate) fn location(&self, span: Range<usize>) -> Location {
        Location::new(&self.path, &self.bytes, span)
    }

    /// Returns the bytes that a node is written with, as text.
    pub(crate) fn written(&self, id: NodeId) -> &str {
        let span = self.tree.written(id).span.clone();
        // The tree was made from UTF-8, and spans lie between its characters.
        std::str::from_utf8(&self.bytes[span]).unwrap_or_default()
    }

    /// Returns the `services` of a document.
    pub(crate) fn services(&self, document: NodeId) -> Option<NodeId> {
        Some(self.find(document, "services")?.value)
    }

    /// Returns the tag of a value, or of what it is an alias of: `!reset` and `!override` have a meaning.
    pub(crate) fn tag(&self, id: NodeId) -> Option<&str> {
        let tag = |id| self.tree.written(id).tag.as_deref().map(|(tag, _)| tag.as_str());
        tag(id).or_else(|| tag(self.tree.resolve(id)))
    }

    /// Finds a key in a mapping, in what `<<` merges into it, and behind an alias.
    ///
    /// The mapping's own key wins over merged ones, and of several merged mappings the first.
    pub(crate) fn find(&self, mapping: NodeId, key: &str) -> Option<Pair> {
        self.find_at(self.tree.resolve(mapping), key, 0)
    }

    fn find_at(&self, owner: NodeId, key: &str, depth: usize) -> Option<Pair> {
        if self.tree.entries(owner).len() <= SMALL {
            let (mut found, mut merges) = (None, false);
            for (name, value) in self.tree.entries(owner) {
                let text = self.tree.scalar(*name);
                merges |= text == Some("<<") && self.is_merge_key(*name);
                if text == Some(key) {
                    found = Some(Pair { owner, key: *name, value: *value });
                }
            }
            if !merges {
                return found;
            }
        }
        let index = self.index(owner);
        if let Some(own) = index.own.get(key) {
            return Some(*own);
        }
        if index.merged.is_empty() {
            return None;
        }
        // Mappings that merge each other many times over are searched once.
        if let Some(known) = self.memo.borrow().get(&(owner, key.to_string())) {
            return *known;
        }
        if depth > MAX_MERGES {
            self.too_deep.set(true);
            return None;
        }
        let found = index.merged.iter().find_map(|merged| self.find_at(*merged, key, depth + 1));
        self.memo.borrow_mut().insert((owner, key.to_string()), found);
        found
    }

    /// Returns whether a mapping has a merge key.
    fn merges(&self, mapping: NodeId) -> bool {
        self.tree.entries(mapping).iter().any(|(key, _)| self.is_merge_key(*key))
    }

    fn index(&self, owner: NodeId) -> Arc<Index> {
        if let Some(known) = self.indexes.borrow().get(&owner) {
            return Arc::clone(known);
        }
        let mut index = Index::default();
        for &(key, value) in self.tree.entries(owner) {
            if let Some(name) = self.tree.scalar(key).filter(|_| !self.is_merge_key(key)) {
                index.own.insert(name.to_string(), Pair { owner, key, value });
            }
        }
        index.merged = self.merged(owner).map(|id| self.tree.resolve(id)).collect();
        let index = Arc::new(index);
        self.indexes.borrow_mut().insert(owner, Arc::clone(&index));
        index
    }

    /// Returns the entries of a mapping with their names, then the merged ones that it does not have itself.
    pub(crate) fn all(&self, mapping: NodeId) -> Vec<(&str, Pair)> {
        let mut found = Vec::new();
        let mut names = HashSet::new();
        let mut seen = HashSet::new();
        let mut pending = vec![self.tree.resolve(mapping)];
        if !self.merges(mapping) {
            let owner = self.tree.resolve(mapping);
            let named = |&(key, value)| Some((self.tree.scalar(key)?, Pair { owner, key, value }));
            return self.tree.entries(owner).iter().filter_map(named).collect();
        }
        while let Some(owner) = pending.pop() {
            if !seen.insert(owner) {
                continue;
            }
            let mut own = HashSet::new();
            for &(key, value) in self.tree.entries(owner) {
                let name = self.tree.scalar(key).filter(|_| !self.is_merge_key(key));
                if let Some(name) = name.filter(|name| !names.contains(name)) {
                    own.insert(name);
                    found.push((name, Pair { owner, key, value }));
                }
            }
            names.extend(own);
            let merged: Vec<_> = self.merged(owner).map(|id| self.tree.resolve(id)).collect();
            pending.extend(merged.into_iter().rev());
        }
        found
    }

    /// Returns whether a lookup gave up on a chain of merge keys.
    pub(crate) fn merges_too_deep(&self) -> bool {
        self.too_deep.get()
    }

    /// Returns the mappings that `<<` merges into this one, in their order of precedence.
    pub(crate) fn merged(&self, mapping: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let merge = self.tree.entries(mapping).iter().filter(|(key, _)| self.is_merge_key(*key));
        merge.flat_map(|(_, value)| match &self.tree.node(*value).kind {
            Kind::Sequence(items, _) => items.clone(),
            _ => vec![*value],
        })
    }

    /// Returns whether a key is `<<`; in quotes it is a key like others.
    pub(crate) fn is_merge_key(&self, key: NodeId) -> bool {
        matches!(&self.tree.written(key).kind, Kind::Scalar(text, Style::Plain) if text == "<<")
    }

    /// Returns the aliases of a node, in the order of the text.
    pub(crate) fn aliases(&self, of: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.tree.nodes().filter(move |(_, node)| node.kind == Kind::Alias(of)).map(|(id, _)| id)
    }

    /// Warns of keys that stand twice in one mapping, as Kasm's own files up to 1.12 have them.
    ///
    /// One warning for a file, at the first of them.
    pub(crate) fn duplicate_keys(&self) -> Option<Diagnostic> {
        let mut found: Vec<(&str, Location, Location)> = Vec::new();
        for (_, node) in self.tree.nodes() {
            let Kind::Mapping(entries, _) = &node.kind else { continue };
            let mut seen = HashMap::new();
            let mut short = [0; SMALL];
            for (at, (key, _)) in entries.iter().enumerate() {
                let Some(name) = self.tree.scalar(*key) else { continue };
                let first = match entries.len() {
                    // Few keys are compared with each other sooner than they are hashed, and most differ in what is compared first.
                    ..=SMALL => {
                        short[at] = in_short(name);
                        let is_same = |one: &usize| {
                            short[*one] == short[at] && self.tree.scalar(entries[*one].0) == Some(name)
                        };
                        (0..at).rev().find(is_same).map(|one| entries[one].0)
                    }
                    _ => seen.insert(name, *key),
                };
                let Some(first) = first else { continue };
                if !self.is_merge_key(*key) && found.len() < MAX_DUPLICATES {
                    let location = |key: NodeId| self.location(self.tree.written(key).span.clone());
                    found.push((name, location(first), location(*key)));
                }
            }
        }
        let pair = |(name, first, second): &(&str, Location, Location)| {
            format!("`{name}` on lines {} and {}", first.line, second.line)
        };
        let listed: Vec<_> = found.iter().map(pair).collect();
        let (_, _, second) = found.first()?;
        let of = if found.len() == 1 { "the two" } else { "each pair" };
        Some(
            Diagnostic::warning(Code::DuplicateComposeKey, format!("duplicate keys: {}", listed.join(", ")))
                .at(second.clone())
                .help(format!("remove one of {of}: newer versions of Compose refuse this file")),
        )
    }
}

/// Returns the length of a name with its first and its last byte: names that differ in it are not the same.
fn in_short(name: &str) -> usize {
    let bytes = name.as_bytes();
    let byte = |byte: Option<&u8>| usize::from(*byte.unwrap_or(&0));
    name.len() << 16 | byte(bytes.first()) << 8 | byte(bytes.last())
}

/// So many comments without a blank before them are read.
const MAX_COMMENTS: usize = 100;

/// Parses what Compose reads: a comment may follow a closing quote without a blank.
fn parse_as_compose(bytes: &[u8]) -> Result<Tree, SyntaxError> {
    let mut text = Cow::Borrowed(bytes);
    let mut comments = Vec::new();
    loop {
        match Tree::parse(&text) {
            Ok(mut tree) => {
                comments.into_iter().for_each(|comment| tree.add_comment(comment));
                return Ok(tree);
            }
            Err(error) => {
                let start = error.offset;
                let is_comment = text.get(start) == Some(&b'#')
                    && start > 0
                    && matches!(text[start - 1], b'"' | b'\'')
                    && comments.len() < MAX_COMMENTS;
                if !is_comment {
                    return Err(error);
                }
                let end = text[start..].iter().position(|&byte| matches!(byte, b'\n' | b'\r'));
                let end = end.map_or(text.len(), |end| start + end);
                // With blanks in its place every other byte stays where it is.
                text.to_mut()[start..end].fill(b' ');
                comments.push(start..end);
            }
        }
    }
}

/// More duplicate keys than this in one file are not listed.
const MAX_DUPLICATES: usize = 5;

/// Returns the first character that YAML forbids, or that some readers take for a line end.
fn surprising(bytes: &[u8]) -> Option<(usize, char)> {
    if !may_surprise(bytes) {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    text.char_indices().find(|(_, c)| is_surprising(*c))
}

fn is_surprising(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\r' | '\t')) || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Returns whether a text has a byte that such a character starts with; few others do. Files with DOS line ends have none.
fn may_surprise(bytes: &[u8]) -> bool {
    // Without branches, and without an early end within a chunk: so the compiler looks at many bytes at once.
    let may = |byte: &u8| {
        let is_control = (*byte < b' ') & (*byte != b'\n') & (*byte != b'\r') & (*byte != b'\t');
        // U+0080 to U+00BF, and U+2000 to U+2FFF.
        is_control | (*byte == 0x7f) | (*byte == 0xc2) | (*byte == 0xe2)
    };
    bytes.chunks(256).any(|chunk| chunk.iter().fold(false, |any, byte| any | may(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_keys_win_over_merged_ones_and_the_first_merged_over_the_next() {
        let text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\nd: *a\n";
        let file = ComposeFile::parse("f", &text.into(), &Trees::default()).unwrap();
        let c = file.tree.get(file.tree.documents()[0], "c").unwrap();
        let value = |key| file.find(c, key).and_then(|entry| file.tree.scalar(entry.value));
        assert_eq!((value("x"), value("y"), value("z"), value("q")), (Some("3"), Some("1"), Some("2"), None));
        let d = file.tree.get(file.tree.documents()[0], "d").unwrap();
        assert!(file.find(d, "x").is_some());
    }

    #[test]
    fn a_bomb_of_merges_is_searched_once() {
        let mut text = String::from("a0: &a0 {x: 1}\n");
        for n in 1..60 {
            text.push_str(&format!("a{n}: &a{n} {{<<: [*a{}, *a{}]}}\n", n - 1, n - 1));
        }
        let file = ComposeFile::parse("f", &text.into(), &Trees::default()).unwrap();
        let last = file.tree.get(file.tree.documents()[0], "a59").unwrap();
        assert!(file.find(last, "x").is_some());
        assert!(file.find(last, "y").is_none());
    }

    #[test]
    fn characters_that_hide_lines_are_refused() {
        for text in ["a: 1 # \u{85} b\n", "a: \u{1b}[2J\n", "a: \u{2028}b\n"] {
            assert_eq!(
                ComposeFile::parse("f", &text.into(), &Trees::default()).unwrap_err().code,
                Code::ComposeSyntax
            );
        }
        for c in '\0'..=char::MAX {
            let found = surprising(format!("{c}").as_bytes());
            assert_eq!(found, is_surprising(c).then_some((0, c)));
        }
    }
}
