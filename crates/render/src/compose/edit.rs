//! The bytes that change an image, and leave that of every other service as it is.

use std::collections::HashSet;
use std::sync::Arc;

use model::Diagnostic;
use model::yaml::{Kind, Layout, Node, NodeId, Style};

use crate::compose::file::{ComposeFile, Pair};
use crate::compose::image::{ImageSite, Origin, keeps_line_ends, shape};
use crate::compose::line::add_line;
use crate::compose::parts::{Part, Service, image_chain};
use crate::compose::scalar::{Scalar, plain};
use crate::compose::stack::Stack;
use crate::text_edit::Replacement;

/// More services than this are not given a line of their own.
const MAX_PINS: usize = 1_000;

/// Returns the replacements, each with the index of its file, that make `image` the service's image and leave that of
/// every other service as it is. `others` are all of them.
pub(crate) fn edit(
    stack: &Stack,
    others: &[Service],
    service: &str,
    site: &ImageSite,
    image: &str,
) -> Result<Vec<(usize, Replacement)>, Diagnostic> {
    let index = stack.layers[site.layer].file;
    let file = stack.file_at(index);
    let refuse = |node: &Node, why: &str| shape(why).at(file.location(node.span.clone()));
    let (replacements, changed) = match &site.origin {
        Origin::Own(entry, _) => {
            let node = file.tree.written(entry.value);
            let replacements = match &node.kind {
                Kind::Alias(_) => vec![Replacement { range: node.span.clone(), text: plain(image).into() }],
                Kind::Scalar(_, style) => own(file, *entry, *style, image).ok_or_else(|| {
                    refuse(node, "the image is written in a way that cannot be changed safely")
                })?,
                _ => return Err(refuse(node, "`image` must be text")),
            };
            (replacements, Changed::Value(entry.value))
        }
        _ => {
            // In place of an alias there is a mapping of its own then, and what it was an alias of stays.
            (vec![give(file, site.service, &Scalar::image(image))?], Changed::Mapping(site.service.value))
        }
    };
    let mut all: Vec<_> = replacements.into_iter().map(|replacement| (index, replacement)).collect();
    all.extend(pins(stack, others, service, index, changed)?);
    Ok(all)
}

/// Returns a service an image: in place of a null, or in a line of its own.
fn give(file: &ComposeFile, service: Pair, image: &Scalar) -> Result<Replacement, Diagnostic> {
    let mapping = file.tree.resolve(service.value);
    let is_own = mapping == service.value;
    match file.tree.all(mapping, "image").last().filter(|_| is_own) {
        Some((key, value)) => in_place_of_null(file, key, value, image).ok_or_else(|| {
            shape("the image is written in a way that cannot be changed safely")
                .at(file.location(file.tree.written(key).span.clone()))
        }),
        None => add_line(file, service, image),
    }
}

/// Writes an image in place of a null, or of `!reset`, which has nothing to take away then.
fn in_place_of_null(file: &ComposeFile, key: NodeId, value: NodeId, image: &Scalar) -> Option<Replacement> {
    let node = file.tree.written(value);
    let is_reset = file.tag(value) == Some("!reset");
    if node.anchor.is_some() || (node.tag.is_some() && !is_reset) || !(is_reset || file.tree.is_null(value)) {
        return None;
    }
    let text =
        if in_brackets(file, file.tree.written(key).span.start) { image.in_flow() } else { image.in_block() };
    if let Some((_, tag)) = node.tag.as_deref() {
        let end = node.span.end.max(tag.end);
        return Some(Replacement { range: tag.start..end, text: text.into() });
    }
    if !node.span.is_empty() {
        return Some(Replacement { range: node.span.clone(), text: text.into() });
    }
    let at = behind_colon(file, key)?;
    Some(Replacement { range: at..at, text: format!(" {text}").into() })
}

/// Returns the offset behind the colon of a key that has no value.
fn behind_colon(file: &ComposeFile, key: NodeId) -> Option<usize> {
    let key_end = file.tree.written(key).span.end;
    let colon = file.bytes[key_end..].iter().position(|&b| b == b':')?;
    let at = key_end + colon + 1;
    file.bytes[key_end..at - 1].iter().all(|b| matches!(b, b' ' | b'\t')).then_some(at)
}

/// Replaces a scalar in its own style; moves its anchor to the first alias, if there is one.
fn own(file: &ComposeFile, entry: Pair, style: Style, image: &str) -> Option<Vec<Replacement>> {
    let node = file.tree.written(entry.value);
    // A block scalar of blank lines has no line that could be replaced.
    let is_block = matches!(style, Style::Literal | Style::Folded);
    if is_block && file.tree.scalar(entry.value)?.trim().is_empty() {
        return None;
    }
    if node.span.is_empty() {
        // Nothing is written behind the key: the value goes behind its colon.
        if node.anchor.is_some() || node.tag.is_some() {
            return None;
        }
        let at = behind_colon(file, entry.key)?;
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
    let (Some((_, anchor)), Some(first)) = (node.anchor.as_deref(), file.aliases(entry.value).next()) else {
        return Some(replacements);
    };
    // The anchor and its tag go, with the blanks behind them, and come back before the first alias.
    let tokens = [Some(anchor), node.tag.as_deref().map(|(_, tag)| tag)];
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

/// Creates a block scalar's header end its text without a line end: `|` becomes `|-`.
fn strip(file: &ComposeFile, entry: Pair) -> Option<Replacement> {
    let node = file.tree.written(entry.value);
    let ends = [
        Some(file.tree.written(entry.key).span.end),
        node.anchor.as_deref().map(|(_, anchor)| anchor.end),
        node.tag.as_deref().map(|(_, tag)| tag.end),
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

/// Returns whether a place lies in a flow collection.
fn in_brackets(file: &ComposeFile, at: usize) -> bool {
    file.tree.nodes().any(|(_, node)| {
        let flow = matches!(node.kind, Kind::Mapping(_, Layout::Flow) | Kind::Sequence(_, Layout::Flow));
        flow && node.span.start < at && at < node.span.end
    })
}

/// What an edit changes, in one file.
#[derive(Clone, Copy)]
enum Changed {
    /// The value of an `image`.
    Value(NodeId),
    /// A mapping that gets an image.
    Mapping(NodeId),
}

/// Returns other services an image of their own where theirs would change with `changed`, in the file at `index`.
fn pins(
    stack: &Stack,
    others: &[Service],
    service: &str,
    index: usize,
    changed: Changed,
) -> Result<Vec<(usize, Replacement)>, Diagnostic> {
    let mut losing = Vec::new();
    for other in others {
        let image = other.image(stack);
        // What comes before the part that brings the image does not count.
        let first = image.map_or(0, |(at, ..)| at);
        let counting = &other.parts[first..];
        let changes = counting.iter().enumerate().any(|(at, part)| {
            let is_in_file = stack.layers[part.layer].file == index;
            is_in_file
                && match changed {
                    Changed::Value(value) => {
                        at == 0 && image.is_some_and(|(_, _, image)| image.value == value)
                    }
                    Changed::Mapping(mapping) => {
                        image_chain(stack.file_at(index), part.service.value).contains(&mapping)
                    }
                }
        });
        match image {
            Some((_, part, image)) if changes => losing.push((other, counting, part, image)),
            None if changes => {
                let Some(part) = counting.last() else { continue };
                let (layer, entry) = part.top();
                let file = stack.file(&stack.layers[layer]);
                let message = format!("`{}` would get the image of `{service}`, and has none", other.name);
                return Err(shape(&message)
                    .at(file.location(file.tree.written(entry.key).span.clone()))
                    .help("give the database's service a mapping of its own"));
            }
            _ => {}
        }
    }
    let entry = |part: &Part| {
        let (layer, entry) = part.top();
        (stack.layers[layer].file, entry)
    };
    let given: HashSet<_> =
        losing.iter().map(|(_, _, part, _)| (entry(part).0, entry(part).1.value)).collect();
    let mut pins = Vec::new();
    let mut done = HashSet::new();
    for (other, counting, part, image) in losing {
        let (at, own) = entry(part);
        // Who inherits from one that gets an image needs none.
        let inherits = counting.iter().any(|part| {
            let (file, written) = (stack.layers[part.layer].file, part.service.value);
            image_chain(stack.file_at(file), written)
                .into_iter()
                .any(|id| (file, id) != (at, own.value) && given.contains(&(file, id)))
        });
        if inherits || !done.insert((at, own.value)) {
            continue;
        }
        let file = stack.file_at(at);
        let place = || file.location(file.tree.written(own.key).span.clone());
        if pins.len() >= MAX_PINS {
            let message = format!("more than {MAX_PINS} services get their image from `{service}`");
            return Err(shape(&message).at(place()));
        }
        let value = kept(stack, part, image, at, own).ok_or_else(|| {
            let message = format!(
                "the image of `{}` would change too, and names a variable of another file",
                other.name
            );
            shape(&message).at(place()).help(format!("give `{}` an `image` of its own", other.name))
        })?;
        pins.push((at, give(file, own, &value)?));
    }
    Ok(pins)
}

/// Returns the image of a part as it is to be written at `own`, in the file at `at`; `None` if it means something else there.
fn kept(stack: &Stack, part: &Part, image: Pair, at: usize, own: Pair) -> Option<Scalar> {
    let (from, to) = (&stack.layers[part.layer], &stack.layers[part.top().0]);
    let file = stack.file(from);
    let text = stack.text(from, image.value)?;
    if text.has_variables() && !Arc::ptr_eq(&from.variables, &to.variables) && from.variables != to.variables
    {
        return text.resolved.ok().map(|text| Scalar::text(&text.replace('$', "$$")));
    }
    let value = Scalar::of(file, image.value);
    // An alias means nothing in another file, and nothing before its anchor.
    let anchor = file.tree.written(file.tree.resolve(image.value)).span.start;
    let is_known = from.file == at && anchor < file.tree.written(own.value).span.start;
    let is_alias = matches!(file.tree.written(image.value).kind, Kind::Alias(_));
    Some(if is_known || !is_alias { value } else { value.without_aliases() })
}
