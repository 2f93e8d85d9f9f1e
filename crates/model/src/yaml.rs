//! YAML as a tree that knows where everything stands.
//!
//! Nothing is interpreted: scalars are text, aliases stay aliases, merge keys are keys, and duplicate
//! keys are all there. A tree is as large as its text, whatever an alias bomb expands to.

mod builder;
mod tree;
mod usual;

use self::builder::Builder;
pub use self::tree::{Kind, Layout, MAX_NODES, Node, NodeId, Style, Tree};
pub use self::usual::is_ascii_text;
pub use crate::yaml_error::SyntaxError;

/// Text larger than this is not read: 1 MiB.
pub const MAX_BYTES: usize = 1 << 20;

pub use crate::bounds::MAX_DEPTH;

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
        assert_eq!(db.anchor.as_deref(), Some(&("pg".into(), 4..7)));
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
