//! What of a file may be shown. Compose files hold passwords, and so may a comment.

mod sample;

use std::collections::HashSet;
use std::ops::Range;

use model::postgres;
use model::yaml::{Kind, NodeId, Tree};
use pgconf::value::{Type, check};
use pgconf::{Conf, Entry};

use crate::file_kind::FileKind;
use crate::lines::lines;

pub use model::HIDDEN;

/// One text and the parts of it that may be shown.
///
/// Shown by default is nothing. Added to that are: the bytes that a plan replaces or writes, keys,
/// punctuation, and what is known to be no secret.
pub(crate) struct Shown<'a> {
    kind: FileKind,
    bytes: &'a [u8],
    /// Sorted and disjoint, as edits are.
    managed: Vec<Range<usize>>,
    lines: Vec<Range<usize>>,
    /// What to hide in a compose file, sorted. A conf is looked at line by line when it is shown.
    hidden: Vec<Hidden>,
}

/// A part of a text that is not shown.
#[derive(Clone, Debug)]
pub(crate) struct Hidden {
    range: Range<usize>,
    /// Whether it may be a secret, rather than something that is merely nobody's business.
    secret: bool,
    /// Whether the range is a comment: its `#` stays.
    comment: bool,
    /// Whether it is hidden also where the plan is about it.
    always: bool,
}

impl<'a> Shown<'a> {
    /// Accepts what is to hide in a compose file; `managed` are the bytes that the plan is about.
    pub(crate) fn new(
        kind: FileKind,
        bytes: &'a [u8],
        managed: Vec<Range<usize>>,
        hidden: &[Hidden],
    ) -> Self {
        let mut hidden = hidden.to_vec();
        // A scalar of which a part is written is the image.
        let is_managed = |range: &Range<usize>| {
            let first = managed.partition_point(|m| m.end <= range.start);
            managed.get(first).is_some_and(|m| m.start < range.end)
        };
        hidden.retain(|h| h.always || h.comment || !is_managed(&h.range));
        hidden.sort_by_key(|h| (h.range.start, h.range.end));
        let mut spans = Vec::new();
        let mut at = 0;
        for line in lines(bytes) {
            spans.push(at..at + line.len() - usize::from(line.ends_with(b"\n")));
            at += line.len();
        }
        Self { kind, bytes, managed, lines: spans, hidden }
    }

    /// Returns a line (from 0) without its line feed, as it may be shown.
    pub(crate) fn line(&self, index: usize) -> Vec<u8> {
        let Some(line) = self.lines.get(index) else { return Vec::new() };
        let mut out = Vec::new();
        let mut at = line.start;
        for hidden in self.on(line) {
            let start = hidden.range.start.max(line.start).max(at);
            let end = hidden.range.end.min(line.end);
            if start >= end {
                continue;
            }
            out.extend(&self.bytes[at..start]);
            let part = &self.bytes[start..end];
            // A continued scalar keeps its indentation.
            let blanks = part.iter().take_while(|b| b.is_ascii_whitespace()).count();
            out.extend(&part[..blanks]);
            if blanks < part.len() {
                if hidden.comment {
                    out.extend(b"# ");
                }
                out.extend(HIDDEN.bytes());
            }
            if part.ends_with(b"\r") {
                out.push(b'\r');
            }
            at = end;
        }
        out.extend(&self.bytes[at.min(line.end)..line.end]);
        out
    }

    /// Returns the whole text as it may be shown.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len());
        for (index, line) in self.lines.iter().enumerate() {
            out.extend(self.line(index));
            out.extend(
                &self.bytes[line.end..self.lines.get(index + 1).map_or(self.bytes.len(), |next| next.start)],
            );
        }
        out
    }

    /// Returns whether a line (from 0) holds what may be a secret.
    pub(crate) fn may_be_secret(&self, index: usize) -> bool {
        self.lines.get(index).is_some_and(|line| self.on(line).iter().any(|hidden| hidden.secret))
    }

    fn on(&self, line: &Range<usize>) -> Vec<Hidden> {
        match self.kind {
            FileKind::Conf => conf_line(self.bytes, line.clone(), &self.managed),
            FileKind::Compose => {
                // They are disjoint, so what ends behind the line's start is all at the end.
                let first = self.hidden.partition_point(|h| h.range.end <= line.start);
                let before = |h: &&Hidden| h.range.start < line.end;
                self.hidden[first..].iter().take_while(before).cloned().collect()
            }
        }
    }
}

/// Keys of compose files whose values are no secret, so that a patch may have them in its context.
const HARMLESS: &[&str] = &[
    "container_name",
    "depends_on",
    "driver",
    "expose",
    "external",
    "hostname",
    "image",
    "interval",
    "max-file",
    "max-size",
    "network_mode",
    "networks",
    "ports",
    "profiles",
    "read_only",
    "restart",
    "retries",
    "start_period",
    "timeout",
    "tty",
    "version",
];

/// Hides a whole text: what nobody has looked at yet.
pub(crate) fn everything() -> Vec<Hidden> {
    vec![Hidden { range: 0..usize::MAX, secret: true, comment: false, always: false }]
}

/// Finds what to hide in a compose file: every comment but a version beside an image, and every scalar that is a value.
pub(crate) fn compose(tree: &Tree, bytes: &[u8]) -> Vec<Hidden> {
    let comments = tree.comments().iter().filter(|comment| !is_version_of_image(bytes, comment));
    let mut hidden: Vec<_> = comments
        .map(|range| Hidden { range: range.clone(), secret: true, comment: true, always: false })
        .collect();
    let mut used = HashSet::new();
    for document in tree.documents() {
        aliases(tree, *document, &mut used);
    }
    for document in tree.documents() {
        values(tree, *document, false, &used, &mut hidden);
    }
    hidden
}

/// Returns whether a comment is a version behind an image, as tools that pin digests write it: `# 16.7`.
fn is_version_of_image(bytes: &[u8], comment: &Range<usize>) -> bool {
    let start = bytes[..comment.start].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let is_image = bytes[start..comment.start].trim_ascii_start().starts_with(b"image:");
    let text = bytes[comment.clone()].trim_ascii();
    let version = text.strip_prefix(b"#").unwrap_or_default().trim_ascii();
    let version = version.strip_prefix(b"v").unwrap_or(version);
    let parts: Vec<_> = version.split(|&byte| byte == b'.').collect();
    let is_number = |part: &&[u8]| (1..=4).contains(&part.len()) && part.iter().all(u8::is_ascii_digit);
    is_image && (2..=4).contains(&parts.len()) && parts.iter().all(is_number)
}

/// Gathers the nodes that aliases stand for.
fn aliases(tree: &Tree, id: NodeId, used: &mut HashSet<NodeId>) {
    match &tree.written(id).kind {
        Kind::Alias(target) => {
            used.insert(*target);
        }
        Kind::Sequence(items, _) => items.iter().for_each(|item| aliases(tree, *item, used)),
        Kind::Mapping(entries, _) => entries.iter().for_each(|(key, value)| {
            aliases(tree, *key, used);
            aliases(tree, *value, used);
        }),
        Kind::Scalar(..) => {}
    }
}

/// Tags that Compose and YAML know. Any other may be a password that begins with an exclamation mark.
fn is_known_tag(tag: &str) -> bool {
    matches!(tag, "!reset" | "!override") || tag.starts_with("!!")
}

/// Finds the images of services, and of what services take in from `x-…` keys: none of them is a secret.
pub(crate) fn images(tree: &Tree) -> Vec<Range<usize>> {
    let mut images = Vec::new();
    for document in tree.documents() {
        for (key, value) in tree.entries(*document) {
            match tree.scalar(*key) {
                Some("services") => {
                    tree.entries(*value)
                        .iter()
                        .for_each(|(_, service)| image_of(tree, *service, &mut images));
                }
                Some(key) if key.starts_with("x-") => image_of(tree, *value, &mut images),
                _ => {}
            }
        }
    }
    images.sort_by_key(|range| (range.start, range.end));
    images
}

fn image_of(tree: &Tree, service: NodeId, images: &mut Vec<Range<usize>>) {
    for image in tree.all(service, "image").map(|(_, image)| image) {
        let node = tree.node(image);
        if matches!(&node.kind, Kind::Scalar(text, _) if is_image(text)) {
            images.push(node.span.clone());
        }
    }
}

/// Returns whether a text can be an image, with variables or without.
fn is_image(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-/:@${}?+".contains(c);
    let (name, digest) = text.trim().split_once("@sha256:").unwrap_or((text.trim(), ""));
    let is_digest = digest.is_empty() || digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    is_digest && is_short(name) && !name.contains("//") && name.chars().all(fits)
}

/// Hides the scalars that are values; aliases name what is hidden elsewhere.
fn values(tree: &Tree, id: NodeId, harmless: bool, used: &HashSet<NodeId>, hidden: &mut Vec<Hidden>) {
    let node = tree.written(id);
    // Without its mark: what is left of it is a tag or an anchor still, and the text still YAML.
    let mut mark = |range: &Range<usize>| {
        hidden.push(Hidden { range: range.start + 1..range.end, secret: true, comment: false, always: true });
    };
    if let Some((_, range)) = node.tag.as_ref().filter(|(tag, _)| !is_known_tag(tag)) {
        mark(range);
    }
    // An anchor that nothing stands for may be a password that begins with an ampersand.
    if let Some((_, range)) = node.anchor.as_ref().filter(|_| !harmless && !used.contains(&id)) {
        mark(range);
    }
    match &node.kind {
        Kind::Scalar(text, _) => {
            let always = has_user(text);
            let secret = always || !(harmless && is_short(text));
            hidden.push(Hidden { range: node.span.clone(), secret, comment: false, always });
        }
        Kind::Sequence(items, _) => items.iter().for_each(|item| values(tree, *item, harmless, used, hidden)),
        Kind::Mapping(entries, _) => {
            for (key, value) in entries {
                let known = tree.scalar(*key).is_some_and(|key| HARMLESS.contains(&key));
                values(tree, *value, known, used, hidden);
            }
        }
        Kind::Alias(_) => {}
    }
}

/// What is long, or looks like a URL with a password, is not harmless under any key.
fn is_short(text: &str) -> bool {
    text.len() <= 80 && !text.contains("://") && !text.contains('\n')
}

/// Finds the values of the preload list and of pgaudit's settings in a conf, active or commented out.
pub(crate) fn settings(bytes: &[u8]) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    for line in lines(bytes) {
        let mark = line.iter().take_while(|b| matches!(b, b'#' | b' ' | b'\t')).count();
        let conf = Conf::parse(&line[mark..]);
        if let Some(entry) = conf.entries().first() {
            let name = String::from_utf8_lossy(conf.name(entry)).to_ascii_lowercase();
            if name == "shared_preload_libraries" || name.starts_with("pgaudit.") {
                found.push(at + mark + entry.value.start..at + mark + entry.value.end);
            }
        }
        at += line.len();
    }
    found
}

/// Settings of PostgreSQL whose text may hold a password.
pub(crate) const SECRET: &[&str] = &["primary_conninfo", "ssl_passphrase_command"];

/// Finds what to hide on one line of a conf; no value spans lines.
fn conf_line(bytes: &[u8], line: Range<usize>, managed: &[Range<usize>]) -> Vec<Hidden> {
    let mut hidden = Vec::new();
    let end = line.start + bytes[line.clone()].trim_ascii_end().len();
    let text = &bytes[line.start..end];
    if text.is_empty() || is_of_sample(text) {
        return hidden;
    }
    // A commented setting is one behind its mark.
    let mark = text.iter().take_while(|b| matches!(b, b'#' | b' ' | b'\t')).count();
    let conf = Conf::parse(&text[mark..]);
    match conf.entries().first().filter(|_| !text[..mark].contains(&b'#') || text.contains(&b'=')) {
        Some(entry) => setting(&conf, entry, line.start + mark, end, bytes, &mut hidden),
        None => comment(line.start..end, bytes, &mut hidden),
    }
    // The values that the plan is about are shown, on the old side and the new.
    let ours = |range: &Range<usize>| {
        let first = managed.partition_point(|m| m.end < range.start);
        managed.get(first).is_some_and(|m| m.start <= range.end)
    };
    hidden.retain(|h| h.always || h.comment || !ours(&h.range));
    hidden
}

/// Hides the value of a setting, active or commented, and the comment behind it.
fn setting(conf: &Conf, entry: &Entry, base: usize, end: usize, bytes: &[u8], hidden: &mut Vec<Hidden>) {
    let name = String::from_utf8_lossy(conf.name(entry)).to_ascii_lowercase();
    if let Some(secret) = of_setting(&name, &conf.value(entry)) {
        let range = base + entry.value.start..base + entry.value.end;
        let always = secret && !name.starts_with("pgaudit.");
        hidden.push(Hidden { range, secret, comment: false, always });
    }
    let tail = base + entry.value.end;
    if let Some(hash) = bytes[tail..end.max(tail)].iter().position(|&b| b == b'#') {
        comment(tail + hash..end, bytes, hidden);
    }
}

/// Returns whether a setting's value is hidden, and then whether it may be a secret.
fn of_setting(name: &str, value: &[u8]) -> Option<bool> {
    let row = postgres::lookup_in(name, None);
    // A value that is a number, a word of a list, on or off says what the setting is set to, no more.
    let is_typed = row.is_some_and(|row| row.value != Type::String && check(&row.value, value).is_ok());
    let harmless = row.is_some() && !SECRET.contains(&name) && !name.ends_with("_command");
    (!is_typed && !value.is_empty()).then_some(!harmless)
}

/// Returns whether a setting's value may be a secret; `name` is in lower case.
pub(crate) fn may_be_secret(name: &str, value: &[u8]) -> bool {
    of_setting(name, value) == Some(true)
}

/// Returns a value as it may be shown, and as it is where that is something else.
pub(crate) fn split(value: String, may_be_secret: bool) -> (String, Option<String>) {
    if may_be_secret { (HIDDEN.into(), Some(value)) } else { (value, None) }
}

/// Returns a value that a document declares as it may be shown: those settings are secret whatever their values are.
pub(crate) fn declared(name: &str, value: String) -> String {
    if SECRET.iter().any(|secret| name.eq_ignore_ascii_case(secret)) { HIDDEN.into() } else { value }
}

/// Returns whether the value of a managed setting may be a secret: as of any, but for those of pgaudit.
pub(crate) fn may_be_secret_before(name: &str, value: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    !name.starts_with("pgaudit.") && may_be_secret(&name, value)
}

/// Returns whether an image has what looks like a user and a password; no registry takes that.
pub(crate) fn has_user(image: &str) -> bool {
    let is_digest = |text: &str| text.starts_with("sha256:") || text.starts_with("sha512:");
    image.match_indices('@').any(|(at, _)| !is_digest(&image[at + 1..]))
}

/// Returns whether the line of a setting says what PostgreSQL's sample says, active or commented out.
pub(crate) fn is_default_of_sample(bytes: &[u8], entry: &Entry) -> bool {
    let start = bytes[..entry.name.start].iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    let end = bytes[entry.value.end..].iter().position(|&b| b == b'\n');
    let line = bytes[start..end.map_or(bytes.len(), |end| entry.value.end + end)].trim_ascii();
    is_of_sample(line) || is_of_sample(&[b"#", line].concat())
}

/// Hides a comment, unless every installation has it.
fn comment(range: Range<usize>, bytes: &[u8], hidden: &mut Vec<Hidden>) {
    let text = bytes[range.clone()].trim_ascii();
    let is_rule = text.iter().all(|b| matches!(b, b'#' | b'-' | b'=' | b' '));
    if !is_rule && !is_of_sample(text) {
        hidden.push(Hidden { range, secret: true, comment: true, always: false });
    }
}

/// Returns whether PostgreSQL's sample file has this line or comment.
fn is_of_sample(line: &[u8]) -> bool {
    let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    for (index, word) in words.enumerate() {
        if index > 0 {
            add(b' ');
        }
        word.iter().copied().for_each(&mut add);
    }
    sample::LINES.binary_search(&hash).is_ok()
}
