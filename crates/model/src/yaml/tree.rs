//! The tree: values, each with the place it stands at.

use std::ops::Range;

use compact_str::CompactString;

/// Text with more keys and values than this is not read: ten times what the largest real files hold.
pub const MAX_NODES: usize = 50_000;

/// Names a node of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) u32);

/// The documents of one YAML stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) documents: Vec<NodeId>,
    pub(super) comments: Vec<Range<usize>>,
    /// Whether a node is an alias, or has an anchor or a tag: most texts have none of them.
    pub(super) has_references: bool,
}

/// A value, with the place it stands at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// The bytes of its content, without anchor and tag. Empty for a value that is not written.
    pub span: Range<usize>,
    /// `&name`: the name and the bytes of the whole token. In a box, as few nodes have one, and nodes are what a tree is large by.
    pub anchor: Option<Box<(String, Range<usize>)>>,
    /// `!tag`: as it is written, and where.
    pub tag: Option<Box<(String, Range<usize>)>>,
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
        // An alias can only name an earlier node that is not an alias itself.
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
