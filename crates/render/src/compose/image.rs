//! The image of the database's service: what it is now, and the bytes that change it.

use std::collections::HashSet;
use std::ops::Range;

use model::yaml::{Kind, Layout, Node, NodeId, Style};
use model::{Code, Diagnostic};

use crate::compose::file::{ComposeFile, Entry};
use crate::compose::stack::{Layer, Stack, Text};
use crate::compose::variables::interpolate;
use crate::source::{Found, Source, folder, join};
use crate::text_edit::Replacement;

/// `extends` is followed this far.
const MAX_EXTENDS: usize = 16;

/// Where a service's image comes from.
#[derive(Debug)]
pub(crate) struct ImageSite {
    /// The layer whose service must change.
    pub(crate) layer: usize,
    /// The service in that layer.
    pub(crate) service: Entry,
    /// How the image gets there.
    pub(crate) origin: Origin,
}

/// How a service gets its image.
#[derive(Debug)]
pub(crate) enum Origin {
    /// Its own `image` key, in its own mapping.
    Own(Entry, Option<Text>),
    /// A merge key, an alias or `extends`: its text, as far as it can be read.
    Inherited(Option<Text>),
    /// No layer says.
    Nowhere,
}

impl ImageSite {
    /// Gives the image's text as it is now.
    pub(crate) fn text(&self) -> Option<&Text> {
        match &self.origin {
            Origin::Own(_, text) | Origin::Inherited(text) => text.as_ref(),
            Origin::Nowhere => None,
        }
    }
}

/// Finds where the image of `service` takes effect: the last layer that has one.
pub(crate) fn find(stack: &Stack, service: &str, source: &dyn Source) -> Result<ImageSite, Diagnostic> {
    let mut first = None;
    for (index, layer) in stack.layers.iter().enumerate().rev() {
        let Some(entry) = stack.service(layer, service) else { continue };
        first = Some((index, entry));
        let file = stack.file(layer);
        if let Some(image) = file.find(entry.value, "image") {
            if file.tree.written(image.value).tag.as_ref().is_some_and(|(tag, _)| tag == "!reset") {
                let site = file.place(file.tree.written(image.value).span.clone());
                return Err(shape("the image is taken away here by `!reset`").at(site));
            }
            let text = stack.text(layer, image.value);
            let is_own = image.owner == entry.value;
            let origin = if is_own { Origin::Own(image, text) } else { Origin::Inherited(text) };
            return Ok(ImageSite { layer: index, service: entry, origin });
        }
        if file.find(entry.value, "extends").is_some() {
            let text = extended(stack, layer, entry.value, source, 0);
            return Ok(ImageSite { layer: index, service: entry, origin: Origin::Inherited(text) });
        }
        if file.tree.written(entry.value).tag.as_ref().is_some_and(|(tag, _)| tag == "!override") {
            break;
        }
    }
    let (layer, service) = first.ok_or_else(|| shape(&format!("no service `{service}`")))?;
    Ok(ImageSite { layer, service, origin: Origin::Nowhere })
}

/// Follows `extends` to the image of the base service, in this file or another one.
fn extended(
    stack: &Stack,
    layer: &Layer,
    service: NodeId,
    source: &dyn Source,
    depth: usize,
) -> Option<Text> {
    let file = stack.file(layer);
    let extends = file.find(service, "extends")?.value;
    let text = |id: NodeId| interpolate(file.tree.scalar(id)?, &layer.variables).ok();
    let (name, other) = match text(extends) {
        Some(name) => (name, None),
        None => (
            text(file.find(extends, "service")?.value)?,
            file.find(extends, "file").and_then(|e| text(e.value)),
        ),
    };
    if depth >= MAX_EXTENDS {
        return None;
    }
    let in_layer = |stack: &Stack, layer: &Layer| {
        let base = stack.service(layer, &name)?;
        let file = stack.file(layer);
        match file.find(base.value, "image") {
            Some(image) => stack.text(layer, image.value),
            None => extended(stack, layer, base.value, source, depth + 1),
        }
    };
    let Some(other) = other else { return in_layer(stack, layer) };
    let path = join(folder(&file.path), &other);
    let Found::Yes(bytes) = source.read(&path) else { return None };
    let base = ComposeFile::parse(&path, bytes).ok()?;
    let document = *base.tree.documents().first()?;
    let base_layer =
        Layer { file: 0, document, project: layer.project.clone(), variables: layer.variables.clone() };
    let base_stack = Stack { files: vec![base], layers: vec![base_layer.clone()], problems: Vec::new() };
    in_layer(&base_stack, &base_layer)
}

fn shape(message: &str) -> Diagnostic {
    Diagnostic::error(Code::ImageShape, message)
}

/// Refuses services whose image can not be changed by changing `image`; says what to do.
pub(crate) fn check(stack: &Stack, service: &str, site: &ImageSite) -> Result<(), Diagnostic> {
    let layer = &stack.layers[site.layer];
    let file = stack.file(layer);
    if let Origin::Own(image, _) = &site.origin {
        let keys: Vec<_> = file.tree.all(image.owner, "image").collect();
        if let [(first, _), .., (last, _)] = keys[..] {
            let at = |key: NodeId| file.place(file.tree.written(key).span.clone());
            return Err(Diagnostic::error(Code::DuplicateImage, format!("`{service}` has two `image` keys"))
                .at(at(last))
                .related(at(first), "the other one")
                .help("remove the one that does not count"));
        }
    }
    if matches!(site.origin, Origin::Nowhere)
        && let Some((layer, build)) = stack.effective(service, "build")
    {
        let file = stack.file(layer);
        return Err(Diagnostic::error(
            Code::BuiltImage,
            format!("`{service}` is built from source and has no `image`"),
        )
        .at(file.place(file.tree.written(build.key).span.clone()))
        .help("replace `build:` by `image:` by hand, or change the FROM line of its Dockerfile"));
    }
    Ok(())
}

/// Gives the replacements, all in the file of the site's layer, that make `image` the service's image
/// and leave that of every other service as it is.
pub(crate) fn edit(
    stack: &Stack,
    service: &str,
    site: &ImageSite,
    image: &str,
) -> Result<Vec<Replacement>, Diagnostic> {
    let layer = &stack.layers[site.layer];
    let file = stack.file(layer);
    let refuse = |node: &Node, why: &str| shape(why).at(file.place(node.span.clone()));
    let Origin::Own(entry, _) = &site.origin else {
        return Ok(vec![add_line(file, site.service, image)?]);
    };
    let node = file.tree.written(entry.value);
    let mut replacements = match &node.kind {
        Kind::Alias(_) => vec![Replacement { range: node.span.clone(), text: plain(image).into() }],
        Kind::Scalar(_, style) => own(file, *entry, *style, image)
            .ok_or_else(|| refuse(node, "the image is written in a way that can not be changed safely"))?,
        _ => return Err(refuse(node, "`image` must be text")),
    };
    replacements.extend(pins(stack, layer, service, *entry)?);
    Ok(replacements)
}

/// Replaces a scalar in its own style; moves its anchor to the first alias, if there is one.
fn own(file: &ComposeFile, entry: Entry, style: Style, image: &str) -> Option<Vec<Replacement>> {
    let node = file.tree.written(entry.value);
    if node.span.is_empty() {
        // Nothing is written behind the key: the value goes behind its colon.
        let key_end = file.tree.written(entry.key).span.end;
        let colon = file.bytes[key_end..].iter().position(|&b| b == b':')?;
        let at = key_end + colon + 1;
        let only_blanks = file.bytes[key_end..at - 1].iter().all(|b| matches!(b, b' ' | b'\t'));
        if !only_blanks || node.anchor.is_some() || node.tag.is_some() {
            return None;
        }
        return Some(vec![Replacement { range: at..at, text: format!(" {}", plain(image)).into() }]);
    }
    let (range, text) = match style {
        Style::Plain => (node.span.clone(), plain(image)),
        Style::SingleQuoted => (node.span.clone(), format!("'{image}'")),
        Style::DoubleQuoted => (node.span.clone(), format!("\"{image}\"")),
        Style::Literal | Style::Folded => {
            let content = file.bytes[node.span.clone()].trim_ascii_end().len();
            (node.span.start..node.span.start + content, image.to_string())
        }
    };
    let (Some((_, anchor)), Some(first)) = (&node.anchor, file.aliases(entry.value).next()) else {
        return Some(vec![Replacement { range, text: text.into() }]);
    };
    if matches!(style, Style::Literal | Style::Folded) || file.bytes[range.clone()].contains(&b'\n') {
        return None;
    }
    let moved = file.bytes[anchor.start..range.end].to_vec();
    // `&a !t text` becomes the text alone: the tag goes with the anchor.
    let start = node.tag.as_ref().map_or(anchor.start, |(_, tag)| tag.start.min(anchor.start));
    Some(vec![
        Replacement { range: start..range.end, text: text.into() },
        Replacement { range: file.tree.written(first).span.clone(), text: moved },
    ])
}

/// Gives other services that get their image from this entry an `image` line of their own.
fn pins(stack: &Stack, layer: &Layer, service: &str, image: Entry) -> Result<Vec<Replacement>, Diagnostic> {
    let file = stack.file(layer);
    let mut pins = Vec::new();
    let mut done = HashSet::new();
    for (other_layer, name, other) in stack.services() {
        if other_layer.file != layer.file || !done.insert(other.value) {
            continue;
        }
        let same_service = name == service && other_layer.document == layer.document;
        let gets_it = match file.find(other.value, "image") {
            Some(found) => found.value == image.value,
            None => name != service && extends_to(file, other_layer, other.value) == Some(image.value),
        };
        if gets_it && !same_service {
            let raw = file.written(image.value);
            let raw = if raw.is_empty() || raw.contains('\n') {
                let text = file.tree.scalar(image.value).unwrap_or_default();
                format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
            } else {
                raw.to_string()
            };
            pins.push(add_raw_line(file, other, &raw)?);
        }
    }
    Ok(pins)
}

/// Gives the image value that a service gets through `extends` in its own document.
fn extends_to(file: &ComposeFile, layer: &Layer, service: NodeId) -> Option<NodeId> {
    let mut service = service;
    for _ in 0..MAX_EXTENDS {
        let extends = file.find(service, "extends")?.value;
        let name = match file.tree.scalar(extends) {
            Some(name) => name,
            None if file.find(extends, "file").is_some() => return None,
            None => file.tree.scalar(file.find(extends, "service")?.value)?,
        };
        let base = file.find(file.services(layer.document)?, name)?;
        if let Some(image) = file.find(base.value, "image") {
            return Some(image.value);
        }
        service = base.value;
    }
    None
}

/// Writes an image as a plain scalar where every YAML reader takes it for text, else in quotes.
fn plain(image: &str) -> String {
    let starts = image.starts_with(|c: char| c.is_ascii_alphanumeric());
    let is_word = image.contains(|c: char| c.is_ascii_alphabetic());
    if starts && is_word { image.to_string() } else { format!("\"{image}\"") }
}

fn add_line(file: &ComposeFile, service: Entry, image: &str) -> Result<Replacement, Diagnostic> {
    add_raw_line(file, service, &plain(image))
}

/// Adds `image: …` to a service that has none of its own.
fn add_raw_line(file: &ComposeFile, service: Entry, image: &str) -> Result<Replacement, Diagnostic> {
    let node = file.tree.written(service.value);
    let refuse = || shape("no `image` line can be added here safely").at(file.place(node.span.clone()));
    let line = match &node.kind {
        Kind::Alias(_) => {
            let alias = file.written(service.value);
            Some(Replacement {
                range: node.span.clone(),
                text: format!("{{<<: {alias}, image: {image}}}").into(),
            })
        }
        Kind::Mapping(entries, Layout::Flow) => Some(into_flow(file, node, entries, image)),
        Kind::Mapping(entries, Layout::Block) => into_block(file, entries, image),
        Kind::Scalar(..) if node.span.is_empty() && node.anchor.is_none() && node.tag.is_none() => {
            let key_end = file.tree.written(service.key).span.end;
            let colon = file.bytes[key_end..].iter().position(|&b| b == b':');
            colon.map(|colon| {
                let at = key_end + colon + 1;
                Replacement { range: at..at, text: format!(" {{image: {image}}}").into() }
            })
        }
        _ => None,
    };
    line.ok_or_else(refuse)
}

fn into_flow(file: &ComposeFile, node: &Node, entries: &[(NodeId, NodeId)], image: &str) -> Replacement {
    let Some((first, _)) = entries.first() else {
        let at = node.span.start + 1;
        return Replacement { range: at..at, text: format!("image: {image}").into() };
    };
    let key = file.tree.written(*first);
    // In a JSON file everything is in double quotes.
    let json = matches!(key.kind, Kind::Scalar(_, Style::DoubleQuoted));
    let at = key.anchor.as_ref().map_or(key.span.start, |(_, anchor)| anchor.start.min(key.span.start));
    let gap = &file.bytes[node.span.start + 1..at];
    let gap =
        std::str::from_utf8(gap).ok().filter(|gap| gap.trim().is_empty() && !gap.is_empty()).unwrap_or(" ");
    let text = match json {
        true if image.starts_with('"') => format!("\"image\": {image},{gap}"),
        true => format!("\"image\": \"{image}\",{gap}"),
        false => format!("image: {image},{gap}"),
    };
    Replacement { range: at..at, text: text.into() }
}

/// Adds the line behind the key that brings the image now, or before the first key.
fn into_block(file: &ComposeFile, entries: &[(NodeId, NodeId)], image: &str) -> Option<Replacement> {
    let bytes = &file.bytes;
    let name = |(key, _): &&(NodeId, NodeId)| file.tree.scalar(*key).unwrap_or_default();
    let behind = ["<<", "extends", "container_name"]
        .iter()
        .find_map(|wanted| entries.iter().find(|entry| name(entry) == *wanted))
        .and_then(|(key, value)| Some((*key, single_line_end(file, *value)?)));
    let (key, at) = match behind {
        Some((key, end)) => (key, end),
        None => (entries.first()?.0, line_start(bytes, file.tree.written(entries.first()?.0).span.start)),
    };
    let key_start = file.tree.written(key).span.start;
    let indent = &bytes[line_start(bytes, key_start)..key_start];
    if !indent.iter().all(|&b| b == b' ') {
        return None;
    }
    let indent = std::str::from_utf8(indent).ok()?;
    let eol = if bytes[..key_start].ends_with(b"\r\n") || line_ends_with_crlf(bytes, key_start) {
        "\r\n"
    } else {
        "\n"
    };
    let text = if behind.is_some() && (at == 0 || bytes[at - 1] != b'\n') {
        format!("{eol}{indent}image: {image}")
    } else {
        format!("{indent}image: {image}{eol}")
    };
    Some(Replacement { range: at..at, text: text.into() })
}

/// Gives the start of the next line, where nothing but a comment follows the value on its line.
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

fn line_ends_with_crlf(bytes: &[u8], at: usize) -> bool {
    let Range { start, end } =
        at..bytes[at..].iter().position(|&b| b == b'\n').map_or(bytes.len(), |n| at + n);
    bytes[start..end].ends_with(b"\r")
}
