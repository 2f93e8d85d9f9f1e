//! The texts that a document came from: itself, and those that it extends.

use std::borrow::Cow;
use std::ops::Range;

use crate::diagnostic::Location;
use crate::pointer::unescaped;
use crate::yaml::{Kind, Layout, NodeId, Tree};

/// One text, with its tree where it could be read.
struct Text<'a> {
    path: String,
    bytes: Cow<'a, [u8]>,
    tree: Option<(Tree, NodeId)>,
}

/// The document's own text first, then its parent's, and so on.
#[derive(Default)]
pub(crate) struct Texts<'a>(Vec<Text<'a>>);

/// Bytes of one of the texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) text: usize,
    pub(crate) span: Range<usize>,
}

/// Places in a document, by JSON pointer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Box<[(String, Location)]>);

/// Which bytes of an entry are meant.
#[derive(Clone, Copy)]
enum Part {
    Key,
    Value,
}

impl Places {
    /// Accepts places in any order, each of another pointer.
    fn of(mut places: Vec<(String, Location)>) -> Self {
        places.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Self(places.into())
    }

    /// Returns the place of a pointer.
    pub(crate) fn get(&self, pointer: &str) -> Option<&Location> {
        let index = self.0.binary_search_by(|(one, _)| one.as_str().cmp(pointer)).ok()?;
        self.0.get(index).map(|(_, place)| place)
    }
}

impl<'a> Texts<'a> {
    pub(crate) fn push(&mut self, path: String, bytes: Cow<'a, [u8]>) -> usize {
        self.0.push(Text { path, bytes, tree: None });
        self.0.len() - 1
    }

    pub(crate) fn keep(&mut self, text: usize, tree: Tree, top: NodeId) {
        if let Some(text) = self.0.get_mut(text) {
            text.tree = Some((tree, top));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn path(&self, text: usize) -> &str {
        self.0.get(text).map_or("", |text| &text.path)
    }

    pub(crate) fn bytes(&self, text: usize) -> &[u8] {
        self.0.get(text).map_or(&[], |text| &text.bytes)
    }

    /// Returns the number of the text that is the file at this path, whatever way its own path takes.
    pub(crate) fn same_file(&self, path: &str) -> Option<usize> {
        self.0.iter().position(|text| pgconf::normalize(&text.path) == path)
    }

    /// Returns the number of the text with this path.
    pub(crate) fn number(&self, path: &str) -> Option<usize> {
        self.0.iter().position(|text| text.path == path)
    }

    pub(crate) fn location(&self, spot: Spot) -> Location {
        Location::new(self.path(spot.text), self.bytes(spot.text), spot.span)
    }

    /// Locates many spots in one pass over each text: a document may have thousands of targets, and all of them on one line.
    pub(crate) fn locations(&self, mut spots: Vec<(String, Spot)>) -> Places {
        spots.sort_by_key(|(_, spot)| (spot.text, spot.span.start));
        let mut located = Vec::with_capacity(spots.len());
        let (mut text, mut at, mut line, mut column) = (usize::MAX, 0, 1, 1);
        for (pointer, spot) in spots {
            if spot.text != text {
                (text, at, line, column) = (spot.text, 0, 1, 1);
            }
            let bytes = self.bytes(text);
            let start = spot.span.start.min(bytes.len());
            // From the last spot on: what is before it was counted already.
            let next = Location::new("", &bytes[at..start], start - at..start - at);
            column = if next.line == 1 { column + next.column - 1 } else { next.column };
            line += next.line - 1;
            at = start;
            let place = Location { path: self.path(text).to_string(), span: spot.span, line, column };
            located.push((pointer, place));
        }
        Places::of(located)
    }

    /// Returns the value at a JSON pointer, or the nearest thing around it that is written.
    ///
    /// Of several texts the first one that has it: a document wins over those that it extends.
    pub(crate) fn value(&self, among: Range<usize>, pointer: &str) -> Spot {
        self.spot(among, pointer, Part::Value)
    }

    /// Returns the key at a JSON pointer, or else its value.
    pub(crate) fn key(&self, among: Range<usize>, pointer: &str) -> Spot {
        self.spot(among, pointer, Part::Key)
    }

    /// Returns where the first key of a text stands, if that is the start of a line.
    pub(crate) fn block_start(&self, text: usize) -> Option<usize> {
        let (tree, top) = self.0.get(text)?.tree.as_ref()?;
        let start = tree.written(*top).span.start;
        let is_block = matches!(tree.written(*top).kind, Kind::Mapping(_, Layout::Block));
        let before = self.bytes(text).get(..start)?;
        let at_line_start = before.is_empty() || before.ends_with(b"\n") || before == b"\xef\xbb\xbf";
        (is_block && at_line_start).then_some(start)
    }

    /// Returns the texts other than the first, which the caller has.
    pub(crate) fn into_parents(self) -> Vec<(String, Vec<u8>)> {
        let parents = self.0.into_iter().skip(1).map(|text| (text.path, text.bytes.into_owned()));
        // Collected in place, they would keep the room of all texts.
        let mut kept = Vec::with_capacity(parents.len());
        kept.extend(parents);
        kept
    }

    fn spot(&self, among: Range<usize>, pointer: &str, part: Part) -> Spot {
        let mut pointer = pointer;
        loop {
            for (number, text) in self.0.iter().enumerate().take(among.end).skip(among.start) {
                if let Some(span) = text.tree.as_ref().and_then(|(tree, top)| find(tree, *top, pointer, part))
                {
                    return Spot { text: number, span };
                }
            }
            match pointer.rsplit_once('/') {
                Some((parent, _)) => pointer = parent,
                None => return Spot { text: among.start, span: 0..0 },
            }
        }
    }
}

/// Walks to a pointer. Only what is reported is looked for, so there is no map of all places.
fn find(tree: &Tree, top: NodeId, pointer: &str, part: Part) -> Option<Range<usize>> {
    let (mut key, mut value) = (None, top);
    for name in pointer.split('/').skip(1) {
        let name = unescaped(name);
        if let Some((k, v)) = tree.all(value, &name).last() {
            (key, value) = (Some(k), v);
        } else {
            (key, value) = (None, *tree.items(value).get(name.parse::<usize>().ok()?)?);
        }
    }
    let node = match part {
        Part::Key => key.unwrap_or(value),
        Part::Value => value,
    };
    Some(tree.written(node).span.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_spots_are_located_as_each_of_them_alone() {
        let bytes = "\u{feff}a: [é, ü, x]\n\n  b: ß y\r\nc: z".as_bytes();
        let mut texts = Texts::default();
        texts.push("f".into(), bytes.into());
        texts.push("g".into(), b"one\ntwo".as_slice().into());
        let starts = |text: usize| {
            let text_bytes = texts.bytes(text);
            (0..=text_bytes.len())
                .filter(|at| std::str::from_utf8(&text_bytes[..*at]).is_ok())
                .collect::<Vec<_>>()
        };
        let spot = |text: usize, at: usize| (format!("{text} {at}"), Spot { text, span: at..at });
        let spots: Vec<_> =
            (0..2).flat_map(|text| starts(text).into_iter().map(move |at| (text, at))).rev().collect();
        let located = texts.locations(spots.iter().map(|(text, at)| spot(*text, *at)).collect());
        for (text, at) in spots {
            let alone = texts.location(Spot { text, span: at..at });
            assert_eq!(located.get(&format!("{text} {at}")), Some(&alone));
        }
    }
}
