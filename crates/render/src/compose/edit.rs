//! The bytes that change an image, and leave that of every other service as it is.

use std::collections::HashSet;

use model::Diagnostic;
use model::yaml::{Kind, Layout, Node, NodeId, Style};

use crate::compose::file::{ComposeFile, Entry};
use crate::compose::image::{ImageSite, Origin, keeps_line_ends, shape};
use crate::compose::line::add_line;
use crate::compose::parts::provider;
use crate::compose::stack::Stack;
use crate::text_edit::Replacement;

/// More services than this are not given a line of their own.
const MAX_PINS: usize = 1_000;

/// A scalar to be written at another place than its own.
pub(super) struct Scalar {
    /// As it is written now, if that is one line.
    raw: Option<String>,
    text: String,
}

impl Scalar {
    /// An image, which never needs quotes where it starts with a letter.
    pub(super) fn image(image: &str) -> Self {
        Self { raw: Some(plain(image)), text: image.to_string() }
    }

    fn of(file: &ComposeFile, id: NodeId) -> Self {
        let raw = file.written(id);
        let node = file.tree.written(id);
        let block = matches!(node.kind, Kind::Scalar(_, Style::Literal | Style::Folded));
        let one_line = !block && !raw.is_empty() && !raw.contains(['\n', '\r']);
        Self {
            raw: one_line.then(|| raw.to_string()),
            text: file.tree.scalar(id).unwrap_or_default().to_string(),
        }
    }

    /// Writes it in a block collection.
    pub(super) fn in_block(&self) -> String {
        self.raw.clone().unwrap_or_else(|| self.quoted())
    }

    /// Writes it in brackets, where a plain scalar ends at more characters.
    pub(super) fn in_flow(&self) -> String {
        match &self.raw {
            Some(raw) if raw.starts_with(['"', '\'', '*']) || !raw.contains([',', '[', ']', '{', '}']) => {
                raw.clone()
            }
            _ => self.quoted(),
        }
    }

    /// Writes it in double quotes.
    pub(super) fn quoted(&self) -> String {
        let mut out = String::from("\"");
        for c in self.text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
                c => out.push(c),
            }
        }
        out.push('"');
        out
    }
}

/// Writes an image as a plain scalar where every YAML reader takes it for text, else in quotes.
fn plain(image: &str) -> String {
    let starts = image.starts_with(|c: char| c.is_ascii_alphanumeric());
    let is_word = image.contains(|c: char| c.is_ascii_alphabetic());
    if starts && is_word { image.to_string() } else { format!("\"{image}\"") }
}

/// Gives the replacements, all in the file of the site's layer, that make `image` the service's image
/// and leave that of every other service as it is.
pub(crate) fn edit(
    stack: &Stack,
    service: &str,
    site: &ImageSite,
    image: &str,
) -> Result<Vec<Replacement>, Diagnostic> {
    let file = stack.file(&stack.layers[site.layer]);
    let refuse = |node: &Node, why: &str| shape(why).at(file.place(node.span.clone()));
    let Origin::Own(entry, _) = &site.origin else {
        let mut replacements = vec![add_line(file, site.service, &Scalar::image(image))?];
        replacements.extend(pins(stack, service, site, site.service.value)?);
        return Ok(replacements);
    };
    let node = file.tree.written(entry.value);
    let mut replacements = match &node.kind {
        Kind::Alias(_) => vec![Replacement { range: node.span.clone(), text: plain(image).into() }],
        Kind::Scalar(_, style) => own(file, *entry, *style, image)
            .ok_or_else(|| refuse(node, "the image is written in a way that can not be changed safely"))?,
        _ => return Err(refuse(node, "`image` must be text")),
    };
    replacements.extend(pins(stack, service, site, entry.value)?);
    Ok(replacements)
}

/// Replaces a scalar in its own style; moves its anchor to the first alias, if there is one.
fn own(file: &ComposeFile, entry: Entry, style: Style, image: &str) -> Option<Vec<Replacement>> {
    let node = file.tree.written(entry.value);
    // A block scalar of blank lines has no line that could be replaced.
    let is_block = matches!(style, Style::Literal | Style::Folded);
    if is_block && file.tree.scalar(entry.value)?.trim().is_empty() {
        return None;
    }
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
    let mut replacements = Vec::new();
    let (range, text) = match style {
        Style::Plain => (node.span.clone(), plain(image)),
        Style::SingleQuoted => (node.span.clone(), format!("'{image}'")),
        Style::DoubleQuoted => (node.span.clone(), format!("\"{image}\"")),
        Style::Literal | Style::Folded => {
            if keeps_line_ends(file, entry.value)? {
                replacements.push(strip(file, entry)?);
            }
            // Blanks at the end of the last line belong to the value, blank lines behind it do not.
            let written = &file.bytes[node.span.clone()];
            let content = written.trim_ascii_end().len();
            let blanks = written[content..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            (node.span.start..node.span.start + content + blanks, image.to_string())
        }
    };
    replacements.push(Replacement { range, text: text.into() });
    let (Some((_, anchor)), Some(first)) = (&node.anchor, file.aliases(entry.value).next()) else {
        return Some(replacements);
    };
    // The anchor and its tag go, with the blanks behind them, and come back before the first alias.
    let tokens = [Some(anchor), node.tag.as_ref().map(|(_, tag)| tag)];
    let mut moved = String::new();
    for token in tokens.into_iter().flatten() {
        let blanks = file.bytes[token.end..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let is_last_on_line = matches!(file.bytes.get(token.end + blanks), Some(b'\n' | b'\r' | b'#') | None);
        let end = token.end + if is_last_on_line { 0 } else { blanks };
        replacements.push(Replacement { range: token.start..end, text: Vec::new() });
        moved.push_str(std::str::from_utf8(&file.bytes[token.clone()]).ok()?);
        moved.push(' ');
    }
    let alias = file.tree.written(first).span.clone();
    let value = Scalar::of(file, entry.value);
    moved.push_str(&if in_brackets(file, alias.start) { value.in_flow() } else { value.in_block() });
    replacements.push(Replacement { range: alias, text: moved.into() });
    Some(replacements)
}

/// Makes a block scalar's header end its text without a line end: `|` becomes `|-`.
fn strip(file: &ComposeFile, entry: Entry) -> Option<Replacement> {
    let node = file.tree.written(entry.value);
    let ends = [
        Some(file.tree.written(entry.key).span.end),
        node.anchor.as_ref().map(|(_, anchor)| anchor.end),
        node.tag.as_ref().map(|(_, tag)| tag.end),
    ];
    let mut at = ends.into_iter().flatten().max()?;
    loop {
        match file.bytes.get(at)? {
            b'|' | b'>' => break,
            b'#' => at += file.bytes[at..].iter().position(|&b| b == b'\n')?,
            b':' | b' ' | b'\t' | b'\n' | b'\r' => at += 1,
            _ => return None,
        }
    }
    let digit = usize::from(file.bytes.get(at + 1).is_some_and(u8::is_ascii_digit));
    let keep = [at + 1, at + 1 + digit].into_iter().find(|&at| file.bytes.get(at) == Some(&b'+'));
    let range = keep.map_or(at + 1..at + 1, |keep| keep..keep + 1);
    Some(Replacement { range, text: b"-".to_vec() })
}

/// Tells whether a place lies in a flow collection.
fn in_brackets(file: &ComposeFile, at: usize) -> bool {
    file.tree.nodes().any(|(_, node)| {
        let flow = matches!(node.kind, Kind::Mapping(_, Layout::Flow) | Kind::Sequence(_, Layout::Flow));
        flow && node.span.start < at && at < node.span.end
    })
}

/// Gives other services an `image` line of their own where theirs comes through `changed`: the value of
/// `image`, or the service that gets a line.
fn pins(
    stack: &Stack,
    service: &str,
    site: &ImageSite,
    changed: NodeId,
) -> Result<Vec<Replacement>, Diagnostic> {
    let layer = &stack.layers[site.layer];
    let file = stack.file(layer);
    let changed = (layer.file, changed);
    let mut losing = Vec::new();
    for (other_layer, name, other) in stack.services() {
        let same_document = other_layer.file == layer.file && other_layer.document == layer.document;
        if name == service && same_document {
            continue;
        }
        let Some(provider) = provider(stack, other_layer, other) else { continue };
        if (provider.file, provider.value) == changed || provider.path.contains(&changed) {
            losing.push((other_layer, name, other, provider));
        }
    }
    let services: HashSet<_> = losing.iter().map(|(layer, _, other, _)| (layer.file, other.value)).collect();
    // Who inherits from one that gets a line needs none.
    losing.retain(|(layer, _, other, provider)| {
        let own = (layer.file, other.value);
        !provider.path.iter().any(|through| *through != own && services.contains(through))
    });
    let mut pins = Vec::new();
    let mut done = HashSet::new();
    for (other_layer, name, other, provider) in losing {
        let other_file = stack.file(other_layer);
        if other_layer.file != layer.file {
            let message = format!("the image of `{name}` would change too: it extends `{service}`");
            return Err(shape(&message)
                .at(other_file.place(other_file.tree.written(other.key).span.clone()))
                .help(format!("give `{name}` an `image` of its own")));
        }
        if pins.len() >= MAX_PINS {
            let message = format!("more than {MAX_PINS} services get their image from `{service}`");
            return Err(shape(&message).at(file.place(file.tree.written(site.service.key).span.clone())));
        }
        if done.insert(other.value) {
            let mut value = Scalar::of(stack.file_at(provider.file), provider.value);
            // Another file's aliases mean nothing here.
            value.raw = value.raw.filter(|_| provider.file == layer.file);
            pins.push(add_line(file, other, &value)?);
        }
    }
    Ok(pins)
}
