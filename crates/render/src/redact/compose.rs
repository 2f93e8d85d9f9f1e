//! What to hide in a compose file: every comment and every value, but for those that are of a type that holds no secret.

use std::collections::HashSet;
use std::ops::Range;

use model::HIDDEN;
use model::yaml::{Kind as Node, MAX_NODES, NodeId, Tree};

use super::hidden::{For, Hidden, Instead};
use super::image::has_user;
use super::kinds::Kind;
use super::known::Known;
use super::places::{FILE, Place};

/// A file whose aliases take more nodes than this to places is hidden as a whole.
const STEPS: usize = 8 * MAX_NODES;

/// The comment behind a value that stands in place of a hidden one.
pub(crate) const COMMENT: &str = "# hidden";

/// Finds what to hide in a compose file: every comment but a version beside an image, and every scalar that is a value and may
/// hold a secret. What has no byte within the range may be left out.
pub(super) fn compose(
    tree: &Tree,
    bytes: &[u8],
    known: &Known,
    whom: For,
    within: Range<usize>,
) -> Vec<Hidden> {
    let is_shown = |range: &Range<usize>| {
        is_version_of_image(bytes, range) || bytes[range.clone()].trim_ascii_end() == COMMENT.as_bytes()
    };
    let is_near = |range: &Range<usize>| range.start <= within.end && within.start <= range.end;
    let comments = tree.comments().iter().filter(|comment| is_near(comment) && !is_shown(comment));
    let comment = |range: &Range<usize>| Hidden::secret(range.clone()).comment();
    let mut hidden: Vec<_> = comments.map(comment).collect();
    let mut walk = Walk {
        tree,
        known,
        names: names(tree),
        seen: HashSet::new(),
        used: HashSet::new(),
        found: Vec::new(),
        left: STEPS,
        within,
        counts: whom == For::Compose,
    };
    if tree.has_references() {
        tree.documents().iter().for_each(|document| walk.aliases(*document));
    }
    // What an alias stands for is elsewhere, and in its place too; what Compose takes in its place is counted.
    if !walk.used.is_empty() || walk.counts {
        walk.within = 0..bytes.len();
    }
    for document in tree.documents() {
        walk.places(*document);
    }
    if tree.has_references() {
        tree.documents().iter().for_each(|document| walk.marks(*document, &mut hidden));
    }
    let mut found = std::mem::take(&mut walk.found);
    if walk.left == 0 {
        return vec![Hidden::everything()];
    }
    found.sort_unstable();
    found.dedup();
    // Compose refuses two containers of one name.
    let mut containers = 0;
    for roles in found.chunk_by(|one, other| one.0 == other.0) {
        let Some(mut part) = walk.hidden(roles) else { continue };
        if whom == For::Compose {
            let is_container = roles.iter().any(|(_, role)| role.kind == Kind::Container);
            containers += usize::from(is_container);
            part.instead = instead(roles, containers).map(Box::new);
        }
        hidden.push(part);
    }
    hidden
}

/// Returns what stands in place of a scalar for Compose; `container` counts those that name one.
fn instead(roles: &[(NodeId, Role)], container: usize) -> Option<Instead> {
    let nth = |role: &Role| if role.kind == Kind::Container { container } else { role.nth };
    let typed = roles.iter().find_map(|(_, role)| role.kind.instead(nth(role)));
    let typed = typed.map(|text| Instead { text, is_said: true });
    typed.or_else(|| {
        let (_, role) = roles.iter().find(|(_, role)| role.is_of_set && role.nth > 1)?;
        let text = format!("{} {}>", HIDDEN.trim_end_matches('>'), role.nth);
        Some(Instead { text, is_said: false })
    })
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

/// Returns the names that the file gives to services, networks, volumes, secrets and configs: they are keys, and shown.
fn names(tree: &Tree) -> HashSet<&str> {
    let sections = ["services", "networks", "volumes", "secrets", "configs"];
    let tops = tree.documents().iter().flat_map(|document| tree.entries(*document));
    let named = tops.filter(|(key, _)| tree.scalar(*key).is_some_and(|key| sections.contains(&key)));
    named.flat_map(|(_, section)| tree.entries(*section)).filter_map(|(key, _)| tree.scalar(*key)).collect()
}

/// What a scalar is in one of the places that it is taken to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Role {
    /// What it is there.
    kind: Kind,
    /// Which one of its list it is, from 1.
    nth: usize,
    /// Whether Compose takes it only once in that list.
    is_of_set: bool,
}

/// A node in a place.
struct At {
    id: NodeId,
    place: &'static Place,
    nth: usize,
    is_of_set: bool,
}

struct Walk<'a> {
    tree: &'a Tree,
    known: &'a Known,
    names: HashSet<&'a str>,
    /// Each node is looked at once in each place.
    seen: HashSet<(NodeId, *const Place)>,
    /// Nodes that aliases stand for.
    used: HashSet<NodeId>,
    /// How many nodes may still be looked at in a place.
    left: usize,
    /// Each scalar, in each place.
    found: Vec<(NodeId, Role)>,
    /// What has no byte in it is not looked at.
    within: Range<usize>,
    /// Whether hidden items of a list are counted.
    counts: bool,
}

impl Walk<'_> {
    /// Gathers the nodes that aliases stand for.
    fn aliases(&mut self, id: NodeId) {
        match &self.tree.written(id).kind {
            Node::Alias(target) => {
                self.used.insert(*target);
            }
            Node::Sequence(items, _) => items.iter().for_each(|item| self.aliases(*item)),
            Node::Mapping(entries, _) => entries.iter().for_each(|(key, value)| {
                self.aliases(*key);
                self.aliases(*value);
            }),
            Node::Scalar(..) => {}
        }
    }

    /// Accepts what each node is in each place, from the top of a document on. What an alias names is in the place of the alias,
    /// too. Aliases may name each other without end: this is a list, and no recursion.
    fn places(&mut self, document: NodeId) {
        let mut open = vec![At { id: document, place: &FILE, nth: 1, is_of_set: false }];
        while let Some(At { id, place, nth, is_of_set }) = open.pop() {
            self.left = self.left.saturating_sub(1);
            if self.left == 0 {
                return;
            }
            let id = self.tree.resolve(id);
            let span = &self.tree.written(id).span;
            if span.start > self.within.end || span.end < self.within.start {
                continue;
            }
            match &self.tree.written(id).kind {
                Node::Scalar(..) => {
                    self.found.push((id, Role { kind: place.scalar, nth, is_of_set }));
                }
                _ if !self.seen.insert((id, std::ptr::from_ref(place))) => {}
                Node::Sequence(items, _) => {
                    let (place, is_of_set) = (place.item(), place.is_set);
                    let mut hidden = 0;
                    for id in items {
                        let is_scalar = self.tree.scalar(*id).is_some();
                        hidden += usize::from(self.counts && is_scalar && !self.is_shown(*id, place.scalar));
                        open.push(At { id: *id, place, nth: hidden.max(1), is_of_set });
                    }
                }
                Node::Mapping(entries, _) => {
                    for (key, value) in entries {
                        let key = self.tree.scalar(*key).unwrap_or_default();
                        let merged = self.tree.items(*value);
                        let values = match key {
                            // Their keys count as those of this place.
                            "<<" if !merged.is_empty() => merged,
                            _ => std::slice::from_ref(value),
                        };
                        let place = if key == "<<" { place } else { place.key(key) };
                        open.extend(values.iter().map(|id| At { id: *id, place, nth: 1, is_of_set: false }));
                    }
                }
                Node::Alias(_) => {}
            }
        }
    }

    /// Returns what is hidden of a scalar.
    fn hidden(&self, roles: &[(NodeId, Role)]) -> Option<Hidden> {
        let id = roles.first()?.0;
        let node = self.tree.written(id);
        let Node::Scalar(text, _) = &node.kind else { return None };
        // What an extension field holds is whatever takes it from there.
        let kinds = || roles.iter().map(|(_, role)| role.kind);
        let is_taken = kinds().any(|kind| kind != Kind::Extension);
        if kinds().filter(|kind| !is_taken || *kind != Kind::Extension).all(|kind| self.is_shown(id, kind)) {
            return None;
        }
        let always = has_user(text);
        let mut hidden = Hidden::secret(node.span.clone());
        hidden.always = always;
        Some(hidden)
    }

    fn is_shown(&self, id: NodeId, kind: Kind) -> bool {
        let node = self.tree.node(id);
        let Node::Scalar(text, _) = &node.kind else { return false };
        if node.span.is_empty() || self.tree.is_null(id) {
            return true;
        }
        let is_name = |text: &str| self.names.contains(text);
        match kind {
            Kind::Name | Kind::Path | Kind::User if is_name(text) => true,
            Kind::Volume => match text.split_once(':') {
                Some((name, rest)) if is_name(name) => {
                    kind.takes(&format!("name:{rest}")) && !self.known.is_in_but(rest, &self.names)
                }
                _ => kind.takes(text) && !self.known.is_in_but(text, &self.names),
            },
            kind => kind.takes(text) && (kind.is_closed() || !self.known.is_in_but(text, &self.names)),
        }
    }

    /// Finds anchors and tags that may be passwords with a mark in front.
    fn marks(&self, id: NodeId, hidden: &mut Vec<Hidden>) {
        let node = self.tree.written(id);
        // Without its mark: what is left of it is a tag or an anchor still, and the text still YAML.
        let mut mark = |range: &Range<usize>| {
            let mut mark = Hidden::secret(range.start + 1..range.end);
            mark.always = true;
            // Compose takes no other characters.
            mark.instead = Some(Box::new(Instead { text: "hidden".into(), is_said: false }));
            hidden.push(mark);
        };
        if let Some((_, range)) = node.tag.as_deref().filter(|(tag, _)| !is_known_tag(tag)) {
            mark(range);
        }
        if let Some((_, range)) = node.anchor.as_deref().filter(|_| !self.used.contains(&id)) {
            mark(range);
        }
        match &node.kind {
            Node::Sequence(items, _) => items.iter().for_each(|item| self.marks(*item, hidden)),
            Node::Mapping(entries, _) => entries.iter().for_each(|(_, value)| self.marks(*value, hidden)),
            Node::Scalar(..) | Node::Alias(_) => {}
        }
    }
}

/// Tags that Compose and YAML know. Any other may be a password that begins with an exclamation mark.
fn is_known_tag(tag: &str) -> bool {
    matches!(tag, "!reset" | "!override") || tag.starts_with("!!")
}
