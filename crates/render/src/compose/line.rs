//! An added `image: …` for a service that has none of its own.

use model::Diagnostic;
use model::yaml::{Kind, Layout, Node, NodeId, Style};

use crate::compose::file::{ComposeFile, Pair};
use crate::compose::image::shape;
use crate::compose::scalar::Scalar;
use crate::text_edit::Replacement;

/// Adds `image: …` to a service that has none of its own.
pub(super) fn add_line(file: &ComposeFile, service: Pair, image: &Scalar) -> Result<Replacement, Diagnostic> {
    let node = file.tree.written(service.value);
    let refuse = || shape("no `image` line can be added here safely").at(file.location(node.span.clone()));
    let line = match &node.kind {
        Kind::Alias(_) => {
            let alias = file.written(service.value);
            let text = format!("{{<<: {alias}, image: {}}}", image.in_flow());
            Some(Replacement { range: node.span.clone(), text: text.into() })
        }
        Kind::Mapping(entries, Layout::Flow) => Some(into_flow(file, service, entries, image)),
        Kind::Mapping(entries, Layout::Block) => into_block(file, node, entries, image),
        Kind::Scalar(..) => behind_colon(file, service, node, image),
        Kind::Sequence(..) => None,
    };
    line.ok_or_else(refuse)
}

/// Writes the whole service behind a key that has no value.
fn behind_colon(file: &ComposeFile, service: Pair, node: &Node, image: &Scalar) -> Option<Replacement> {
    if !node.span.is_empty() || node.anchor.is_some() || node.tag.is_some() {
        return None;
    }
    let key_end = file.tree.written(service.key).span.end;
    let blanks = file.bytes[key_end..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let at = key_end + blanks + 1;
    (file.bytes.get(at - 1) == Some(&b':'))
        .then(|| Replacement { range: at..at, text: format!(" {{image: {}}}", image.in_flow()).into() })
}

fn into_flow(file: &ComposeFile, service: Pair, entries: &[(NodeId, NodeId)], image: &Scalar) -> Replacement {
    // In a JSON file every key is in double quotes, and the value must be.
    let is_quoted = |id: NodeId| matches!(file.tree.written(id).kind, Kind::Scalar(_, Style::DoubleQuoted));
    let json = is_quoted(entries.first().map_or(service.key, |(first, _)| *first));
    let pair =
        if json { format!("\"image\": {}", image.quoted()) } else { format!("image: {}", image.in_flow()) };
    let open = file.tree.written(service.value).span.start + 1;
    let Some((first, _)) = entries.first() else {
        return Replacement { range: open..open, text: pair.into() };
    };
    let at = start(file, *first);
    let gap = std::str::from_utf8(&file.bytes[open..at]).ok();
    let gap = gap.filter(|gap| gap.trim().is_empty() && !gap.is_empty()).unwrap_or(" ");
    Replacement { range: at..at, text: format!("{pair},{gap}").into() }
}

/// Adds the line behind the key that brings the image now, or before the first key.
fn into_block(
    file: &ComposeFile,
    service: &Node,
    entries: &[(NodeId, NodeId)],
    image: &Scalar,
) -> Option<Replacement> {
    let bytes = &file.bytes;
    let name = |(key, _): &&(NodeId, NodeId)| file.tree.scalar(*key).unwrap_or_default();
    let behind = ["<<", "extends", "container_name"]
        .iter()
        .find_map(|wanted| entries.iter().find(|entry| name(entry) == *wanted))
        .and_then(|(key, value)| Some((*key, single_line_end(file, *value)?)));
    let key = behind.map_or(entries.first()?.0, |(key, _)| key);
    let key_start = start(file, key);
    let line = line_start(bytes, key_start);
    let indent = &bytes[line..key_start];
    let top = service.span.start.min(start(file, entries.first()?.0));
    // A key behind `?` may stand on a line of its own, deeper than its mapping.
    if !indent.iter().all(|&b| b == b' ') || indent.len() != top - line_start(bytes, top) {
        return None;
    }
    let indent = std::str::from_utf8(indent).ok()?;
    let (eol, image) = (line_end(bytes, line), image.in_block());
    let at = behind.map_or(line, |(_, end)| end);
    let text = if behind.is_some() && !bytes[..at].ends_with(b"\n") {
        format!("{eol}{indent}image: {image}")
    } else {
        format!("{indent}image: {image}{eol}")
    };
    Some(Replacement { range: at..at, text: text.into() })
}

/// Returns the start of a key, with its anchor and tag.
fn start(file: &ComposeFile, key: NodeId) -> usize {
    let node = file.tree.written(key);
    let tokens = [&node.anchor, &node.tag].into_iter().flatten().map(|token| token.1.start);
    tokens.fold(node.span.start, usize::min)
}

/// Returns the start of the next line, where nothing but a comment follows the value on its line.
fn single_line_end(file: &ComposeFile, value: NodeId) -> Option<usize> {
    let node = file.tree.written(value);
    let flat = match &node.kind {
        Kind::Scalar(_, style) => !matches!(style, Style::Literal | Style::Folded) && !node.span.is_empty(),
        Kind::Alias(_) => true,
        Kind::Mapping(_, layout) | Kind::Sequence(_, layout) => *layout == Layout::Flow,
    };
    let rest = &file.bytes[node.span.end..];
    let end = rest.iter().position(|&b| b == b'\n').map_or(rest.len(), |n| n + 1);
    let tail = rest[..end].trim_ascii();
    (flat && (tail.is_empty() || tail.starts_with(b"#"))).then_some(node.span.end + end)
}

fn line_start(bytes: &[u8], at: usize) -> usize {
    bytes[..at].iter().rposition(|&b| b == b'\n').map_or(0, |n| n + 1)
}

/// Returns the line end of the line that starts at `at`, or of the one before where it has none.
fn line_end(bytes: &[u8], at: usize) -> &'static str {
    let line = match bytes[at..].iter().position(|&b| b == b'\n') {
        Some(end) => &bytes[at..=at + end],
        None => &bytes[..at],
    };
    if line.ends_with(b"\r\n") { "\r\n" } else { "\n" }
}
