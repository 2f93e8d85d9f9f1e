//! A tree by YAML's whole grammar, from the events of a parser.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};

use super::tree::{Kind, Layout, MAX_NODES, Node, NodeId, Style, Tree};
use crate::bounds::MAX_DEPTH;
use crate::yaml_error::SyntaxError;

/// A tree as far as it is read.
pub(super) struct Builder<'t> {
    pub(super) text: &'t str,
    pub(super) tree: Tree,
    pub(super) open: Vec<(NodeId, Option<NodeId>)>,
    anchors: std::collections::HashMap<usize, NodeId>,
}

impl<'t> Builder<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let tree =
            Tree { nodes: Vec::new(), documents: Vec::new(), comments: Vec::new(), has_references: false };
        Self { text, tree, open: Vec::new(), anchors: std::collections::HashMap::new() }
    }

    pub(super) fn build(mut self) -> Result<Tree, SyntaxError> {
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
            Some(Box::new((self.text.get(range.clone())?.to_string(), range)))
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
                    self.tree.nodes[node.0 as usize].anchor = Some(Box::new((name.into_owned(), range)));
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
        tag: Option<Box<(String, Range<usize>)>>,
    ) -> Result<(), SyntaxError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(SyntaxError::too_deep(range.start));
        }
        let id = self.add(kind, range, anchor, tag);
        self.open.push((id, None));
        Ok(())
    }

    pub(super) fn add(
        &mut self,
        kind: Kind,
        span: Range<usize>,
        anchor: usize,
        tag: Option<Box<(String, Range<usize>)>>,
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
