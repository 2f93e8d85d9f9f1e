//! YAML as a tree that knows where everything stands.
//!
//! Nothing is interpreted: scalars are text, aliases stay aliases, merge keys are keys, and duplicate
//! keys are all there. A tree is as large as its text, whatever an alias bomb expands to.

mod usual;

use std::ops::Range;

use compact_str::CompactString;
use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};

pub use crate::yaml_error::SyntaxError;

/// Text larger than this is not read: 1 MiB.
pub const MAX_BYTES: usize = 1 << 20;

pub use crate::bounds::MAX_DEPTH;

/// Text with more keys and values than this is not read: ten times what the largest real files hold.
pub const MAX_NODES: usize = 50_000;

/// Names a node of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// The documents of one YAML stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    nodes: Vec<Node>,
    documents: Vec<NodeId>,
    comments: Vec<Range<usize>>,
    /// Whether a node is an alias, or has an anchor or a tag: most texts have none of them.
    has_references: bool,
}

/// A value, with the place it stands at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// The bytes of its content, without anchor and tag. Empty for a value that is not written.
    pub span: Range<usize>,
    /// `&name`: the name and the bytes of the whole token.
    pub anchor: Option<(String, Range<usize>)>,
    /// `!tag`: as it is written, and where.
    pub tag: Option<(String, Range<usize>)>,
}

/// The kinds of [`Node`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text, with escapes and folding done.
    Scalar(CompactString, Style),
    /// `- a` or `[a]`.
    Sequence(Vec<NodeId>, Layout),
    /// `k: v` or `{k: v}`, in order.
    Mapping(Vec<(NodeId, NodeId)>, Layout),
    /// `*name`, which stands for this node.
    Alias(NodeId),
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// `'…'`
    SingleQuoted,
    /// `"…"`
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// How a collection is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One entry a line.
    Block,
    /// In brackets.
    Flow,
}

impl Tree {
    /// Reads a stream of documents.
    ///
    /// # Errors
    /// A [`SyntaxError`] for bytes that are not UTF-8, larger than [`MAX_BYTES`], nested deeper than
    /// [`MAX_DEPTH`], with more than [`MAX_NODES`] keys and values, or not YAML. Only the first one: what
    /// follows it cannot be read.
    pub fn parse(bytes: &[u8]) -> Result<Self, SyntaxError> {
        if bytes.len() > MAX_BYTES {
            let message = format!("larger than {MAX_BYTES} bytes (1 MiB)");
            return Err(SyntaxError::new(0, message, "split it into several files"));
        }
        Self::parse_usual(bytes).map_or_else(|| Self::parse_whole(bytes), Ok)
    }

    /// Reads a stream if it is written in the usual way, as [`Tree::parse`] does at first.
    #[doc(hidden)]
    pub fn parse_usual(bytes: &[u8]) -> Option<Self> {
        usual::read(bytes)
    }

    /// Reads a stream by YAML's whole grammar, as [`Tree::parse`] does with what is not written in the usual way.
    ///
    /// # Errors
    /// Those of [`Tree::parse`], but for the size.
    #[doc(hidden)]
    pub fn parse_whole(bytes: &[u8]) -> Result<Self, SyntaxError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let at = error.valid_up_to();
            SyntaxError::new(at, format!("not valid UTF-8 at byte {at}"), "save it as UTF-8")
        })?;
        Builder::new(text).build()
    }

    /// Returns the top node of each document; a stream without any has none.
    pub fn documents(&self) -> &[NodeId] {
        &self.documents
    }

    /// Adds a comment that the reader was not shown, in its place among the others.
    pub fn add_comment(&mut self, comment: Range<usize>) {
        let at = self.comments.partition_point(|known| known.start < comment.start);
        self.comments.insert(at, comment);
    }

    /// Returns the bytes of every comment, `#` included.
    pub fn comments(&self) -> &[Range<usize>] {
        &self.comments
    }

    /// Returns whether a node is an alias, or has an anchor or a tag.
    pub fn has_references(&self) -> bool {
        self.has_references
    }

    /// Returns a node as it is written: an alias is an alias.
    pub fn written(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// Returns the node that `id` stands for, behind an alias if it is one.
    pub fn resolve(&self, id: NodeId) -> NodeId {
        // An alias can only name an earlier node that is no alias itself.
        if let Kind::Alias(target) = self.written(id).kind { target } else { id }
    }

    /// Returns the node that `id` stands for.
    pub fn node(&self, id: NodeId) -> &Node {
        self.written(self.resolve(id))
    }

    /// Returns every node with its name, in the order of the text.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (NodeId, &Node)> {
        // There are no more of them than a name has room for.
        self.nodes
            .iter()
            .enumerate()
            .map(|(index, node)| (NodeId(u32::try_from(index).unwrap_or(u32::MAX)), node))
    }

    /// Returns the text of a scalar, or `None` for a collection.
    pub fn scalar(&self, id: NodeId) -> Option<&str> {
        match &self.node(id).kind {
            Kind::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// Returns the entries of a mapping; none for anything else.
    pub fn entries(&self, id: NodeId) -> &[(NodeId, NodeId)] {
        match &self.node(id).kind {
            Kind::Mapping(entries, _) => entries,
            _ => &[],
        }
    }

    /// Returns the items of a sequence; none for anything else.
    pub fn items(&self, id: NodeId) -> &[NodeId] {
        match &self.node(id).kind {
            Kind::Sequence(items, _) => items,
            _ => &[],
        }
    }

    /// Returns the entries of a mapping with this key: more than one where the key is duplicated.
    pub fn all<'a>(&'a self, id: NodeId, key: &'a str) -> impl Iterator<Item = (NodeId, NodeId)> + 'a {
        self.entries(id).iter().copied().filter(move |(k, _)| self.scalar(*k) == Some(key))
    }

    /// Returns the value of a key that is written in this mapping itself; of duplicates the last one.
    pub fn get(&self, id: NodeId, key: &str) -> Option<NodeId> {
        self.all(id, key).last().map(|(_, value)| value)
    }

    /// Returns whether a scalar is YAML's null: nothing, `~` or `null` without quotes.
    pub fn is_null(&self, id: NodeId) -> bool {
        let text = |text: &str| matches!(text, "" | "~" | "null" | "Null" | "NULL");
        matches!(&self.node(id).kind, Kind::Scalar(value, Style::Plain) if text(value))
    }
}

/// Returns whether a text has no other characters than line feeds and what ASCII prints.
pub fn is_ascii_text(bytes: &[u8]) -> bool {
    // No early end, so that many bytes are looked at at once.
    // Without branches, so that the compiler takes many bytes at once.
    let is_text = |byte: &u8| (byte.wrapping_sub(b' ') <= b'~' - b' ') | (*byte == b'\n');
    bytes.chunks(256).all(|chunk| chunk.iter().fold(true, |all, byte| all & is_text(byte)))
}

struct Builder<'t> {
    text: &'t str,
    tree: Tree,
    open: Vec<(NodeId, Option<NodeId>)>,
    anchors: std::collections::HashMap<usize, NodeId>,
}

impl<'t> Builder<'t> {
    fn new(text: &'t str) -> Self {
        let tree =
            Tree { nodes: Vec::new(), documents: Vec::new(), comments: Vec::new(), has_references: false };
        Self { text, tree, open: Vec::new(), anchors: std::collections::HashMap::new() }
    }

    fn build(mut self) -> Result<Tree, SyntaxError> {
        let options = granit_parser::options! {
            emit_anchor_events: true,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        for next in Parser::new_from_str_with_options(self.text, options) {
            let (event, span) = next.map_err(|error| {
                let offset = error.marker().byte_offset().unwrap_or(0).min(self.text.len());
                SyntaxError::of(error.kind(), self.text, offset)
            })?;
            let range = span.byte_range().unwrap_or(0..0);
            if self.tree.nodes.len() >= MAX_NODES {
                let message = format!("more than {MAX_NODES} keys and values; no more are read");
                return Err(SyntaxError::new(range.start, message, "split it into several files"));
            }
            self.event(event, &span, range)?;
        }
        Ok(self.tree)
    }

    fn event(&mut self, event: Event<'_>, span: &Span, range: Range<usize>) -> Result<(), SyntaxError> {
        let tag = span.tag_span().and_then(|tag| {
            let range = tag.byte_range()?;
            Some((self.text.get(range.clone())?.to_string(), range))
        });
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::SingleQuoted,
                    ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                };
                self.add(Kind::Scalar(text.into(), style), range, anchor, tag);
            }
            Event::Alias(anchor) => {
                let target = self.anchors.get(&anchor).copied();
                let Some(target) = target.filter(|id| self.open.iter().all(|(open, _)| open != id)) else {
                    let message = "the alias is inside the value that it names";
                    return Err(SyntaxError::new(range.start, message, "write the value out"));
                };
                self.add(Kind::Alias(target), range, 0, None);
            }
            Event::SequenceStart(layout, anchor, _) => {
                self.start(Kind::Sequence(Vec::new(), layout_of(layout)), range, anchor, tag)?;
            }
            Event::MappingStart(layout, anchor, _) => {
                self.start(Kind::Mapping(Vec::new(), layout_of(layout)), range, anchor, tag)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((id, _)) = self.open.pop() {
                    self.tree.nodes[id.0 as usize].span.end = range.end;
                }
            }
            Event::Anchor(id, name) => {
                if let Some(node) = self.anchors.get(&id) {
                    self.tree.nodes[node.0 as usize].anchor = Some((name.into_owned(), range));
                }
            }
            Event::Comment(..) => self.tree.comments.push(range),
            _ => {}
        }
        Ok(())
    }

    fn start(
        &mut self,
        kind: Kind,
        range: Range<usize>,
        anchor: usize,
        tag: Option<(String, Range<usize>)>,
    ) -> Result<(), SyntaxError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(SyntaxError::too_deep(range.start));
        }
        let id = self.add(kind, range, anchor, tag);
        self.open.push((id, None));
        Ok(())
    }

    fn add(
        &mut self,
        kind: Kind,
        span: Range<usize>,
        anchor: usize,
        tag: Option<(String, Range<usize>)>,
    ) -> NodeId {
        let id = NodeId(u32::try_from(self.tree.nodes.len()).unwrap_or(u32::MAX));
        self.tree.has_references |= anchor != 0 || tag.is_some() || matches!(kind, Kind::Alias(_));
        self.tree.nodes.push(Node { kind, span, anchor: None, tag });
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        match self.open.last_mut() {
            None => self.tree.documents.push(id),
            Some((parent, pending)) => match &mut self.tree.nodes[parent.0 as usize].kind {
                Kind::Sequence(items, _) => items.push(id),
                Kind::Mapping(entries, _) => match pending.take() {
                    None => *pending = Some(id),
                    Some(key) => entries.push((key, id)),
                },
                Kind::Scalar(..) | Kind::Alias(_) => {}
            },
        }
        id
    }
}

fn layout_of(style: StructureStyle) -> Layout {
    match style {
        StructureStyle::Block => Layout::Block,
        StructureStyle::Flow => Layout::Flow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(text: &str) -> Vec<(String, &str)> {
        let tree = Tree::parse(text.as_bytes()).unwrap();
        let show = |(_, n): (NodeId, &Node)| match &n.kind {
            Kind::Scalar(v, _) => Some((v.to_string(), text[n.span.clone()].to_string())),
            Kind::Alias(_) => Some(("*".into(), text[n.span.clone()].to_string())),
            _ => None,
        };
        let all: Vec<_> = tree.nodes().filter_map(show).collect();
        all.into_iter().map(|(v, s)| (v, &*Box::leak(s.into_boxed_str()))).collect()
    }

    #[test]
    fn spans_hold_the_content_without_anchor_tag_and_comment() {
        assert_eq!(
            spans("\u{feff}a: &x !t 'b' # c\n\"d\": *x\n"),
            [("a".into(), "a"), ("b".into(), "'b'"), ("d".into(), "\"d\""), ("*".into(), "*x"),]
        );
    }

    #[test]
    fn a_collection_knows_its_anchor_and_its_bytes() {
        let text = "db: &pg\n  image: x\nother: {<<: *pg}\n";
        let tree = Tree::parse(text.as_bytes()).unwrap();
        let top = tree.documents()[0];
        let db = tree.written(tree.get(top, "db").unwrap());
        assert_eq!(db.anchor, Some(("pg".into(), 4..7)));
        assert!(text[db.span.clone()].starts_with("image: x"));
        let other = tree.get(top, "other").unwrap();
        assert_eq!(tree.scalar(tree.get(tree.get(other, "<<").unwrap(), "image").unwrap()), Some("x"));
    }

    #[test]
    fn duplicate_keys_are_all_there() {
        let tree = Tree::parse(b"a: 1\nb: 2\na: 3\n").unwrap();
        let top = tree.documents()[0];
        assert_eq!(tree.all(top, "a").count(), 2);
        assert_eq!(tree.scalar(tree.get(top, "a").unwrap()), Some("3"));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_with_its_place() {
        let message = |text: &[u8]| Tree::parse(text).map(|_| ()).unwrap_err();
        assert_eq!(message(b"a: \xff").offset, 3);
        assert_eq!(message(b"a: *b").offset, 3);
        assert!(message("[".repeat(100_000).as_bytes()).message.contains("too deep"));
        assert!(message("- ".repeat(100_000).as_bytes()).message.contains("too deep"));
        assert!(message(&vec![b'a'; MAX_BYTES + 1]).message.contains("1 MiB"));
        assert!(message(b"a: &a [*a]").message.contains("inside"));
        let many = message(format!("[{}]", "x,".repeat(100_000)).as_bytes());
        assert!(many.message.contains("more than 50000 keys and values"), "{many:?}");
        assert_eq!(many.offset, 2 * MAX_NODES - 1);
    }

    #[test]
    fn an_alias_bomb_is_as_large_as_its_text() {
        let text = format!("a: &a [{}]\nb: [{}]\n", "x,".repeat(20_000), "*a,".repeat(2_000));
        assert_eq!(Tree::parse(text.as_bytes()).unwrap().nodes().count(), 22_005);
    }
}
