//! Whether an edit of a compose file changed what it should, and nothing else.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use model::yaml::{Kind, Node, NodeId};

use crate::compose::file::ComposeFile;

/// Compares two files by meaning: aliases and merge keys resolved, styles and comments ignored. The images of services may
/// differ, and so may that of the mapping outside of them that `service` is written as.
pub(crate) fn same_but_image(before: &ComposeFile, after: &ComposeFile, service: &str) -> bool {
    if differ_in_image_alone(before, after, service) {
        return true;
    }
    let mut pairs = Pairs { before, after, seen: HashSet::new(), open: Vec::new(), template: None };
    let (a, b) = (before.tree.documents(), after.tree.documents());
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| pairs.document(*a, *b, service))
}

/// Returns whether two files are the same, node by node, but for the scalar that the service's image is written as. Without
/// aliases, a node is in one place alone. Everything else is for the comparison by meaning.
fn differ_in_image_alone(before: &ComposeFile, after: &ComposeFile, service: &str) -> bool {
    let (a, b) = (&before.tree, &after.tree);
    if a.has_references() || a.nodes().len() != b.nodes().len() || a.documents() != b.documents() {
        return false;
    }
    let images: Vec<NodeId> = own_images(before, service).collect();
    a.nodes().zip(b.nodes()).all(|((id, a), (_, b))| {
        let is_scalar = |node: &Node| matches!(node.kind, Kind::Scalar(..));
        let may_differ = || is_scalar(a) && is_scalar(b) && images.contains(&id);
        same_tag(a, b) && (a.kind == b.kind || may_differ())
    })
}

/// Lists the values of `image` in the service's own mapping.
fn own_images<'a>(file: &'a ComposeFile, service: &'a str) -> impl Iterator<Item = NodeId> + 'a {
    let tree = &file.tree;
    let services = tree.documents().iter().flat_map(|document| tree.all(*document, "services"));
    let services = services.flat_map(move |(_, services)| tree.all(services, service));
    services.flat_map(|(_, service)| tree.all(service, "image")).map(|(_, image)| image)
}

struct Pairs<'a> {
    before: &'a ComposeFile,
    after: &'a ComposeFile,
    seen: HashSet<(NodeId, NodeId)>,
    /// Pairs still to compare: a list, as aliases can chain deeper than a stack.
    open: Vec<(NodeId, NodeId)>,
    /// The service where it is written outside of `services`, which merges it.
    template: Option<(NodeId, NodeId)>,
}

impl Pairs<'_> {
    fn document(&mut self, a: NodeId, b: NodeId, service: &str) -> bool {
        let (services_a, services_b) = (self.before.services(a), self.after.services(b));
        let (Some(services_a), Some(services_b)) = (services_a, services_b) else {
            self.open.push((a, b));
            return self.finish();
        };
        if !self.services(services_a, services_b, service) || !self.finish() {
            return false;
        }
        // Anchors elsewhere (`x-…`) must mean what they meant, whatever moved.
        self.template = self.template(services_a, services_b, service);
        let same = self.entries(a, b, &["services"]) && self.finish();
        self.template = None;
        same
    }

    fn template(&self, a: NodeId, b: NodeId, service: &str) -> Option<(NodeId, NodeId)> {
        let (own_a, own_b) = (self.before.find(a, service)?, self.after.find(b, service)?);
        let merged = own_a.owner != a;
        merged.then(|| (self.before.tree.resolve(own_a.value), self.after.tree.resolve(own_b.value)))
    }

    /// Compares services but for their images. Which image a service has is compared for the whole project: one that is
    /// written here may be replaced or taken away in another document.
    fn services(&mut self, a: NodeId, b: NodeId, service: &str) -> bool {
        let (Some(all_a), Some(all_b)) = (effective(self.before, a), effective(self.after, b)) else {
            return false;
        };
        let is_ours = |name: &Cow<'_, str>| name == service;
        all_a.keys().eq(all_b.keys())
            && all_a.iter().zip(all_b.values()).all(|((name, a), b)| self.service(*a, *b, is_ours(name)))
    }

    fn service(&mut self, a: NodeId, b: NodeId, is_ours: bool) -> bool {
        let (node_a, node_b) = (self.before.tree.written(a), self.after.tree.written(b));
        // What was an alias may have a mapping of its own now.
        let was_alias = matches!(node_a.kind, Kind::Alias(_));
        let is_mapping = |file: &ComposeFile, id| {
            let id = file.tree.resolve(id);
            matches!(file.tree.written(id).kind, Kind::Mapping(..))
        };
        if is_ours || (is_mapping(self.before, a) && is_mapping(self.after, b)) {
            return (is_ours || was_alias || same_tag(node_a, node_b)) && self.entries(a, b, &["image"]);
        }
        self.open.push((a, b));
        true
    }

    /// Compares what two mappings say, merge keys included, but for the keys in `skip`.
    fn entries(&mut self, a: NodeId, b: NodeId, skip: &[&str]) -> bool {
        let (Some(mut own_a), Some(mut own_b)) = (effective(self.before, a), effective(self.after, b)) else {
            return false;
        };
        for key in skip {
            own_a.remove(*key);
            own_b.remove(*key);
        }
        self.pair(&own_a, &own_b)
    }

    fn pair(&mut self, a: &Entries<'_>, b: &Entries<'_>) -> bool {
        self.open.extend(a.values().copied().zip(b.values().copied()));
        a.keys().eq(b.keys())
    }

    fn finish(&mut self) -> bool {
        while let Some((a, b)) = self.open.pop() {
            let (a, b) = (self.before.tree.resolve(a), self.after.tree.resolve(b));
            // A pair is compared once: bombs stay small.
            if self.seen.insert((a, b)) && !self.same(a, b) {
                return false;
            }
        }
        true
    }

    fn same(&mut self, a: NodeId, b: NodeId) -> bool {
        let (node_a, node_b) = (self.before.tree.written(a), self.after.tree.written(b));
        if !same_tag(node_a, node_b) {
            return false;
        }
        match (&node_a.kind, &node_b.kind) {
            (Kind::Scalar(text_a, _), Kind::Scalar(text_b, _)) => {
                text_a == text_b && self.before.tree.is_null(a) == self.after.tree.is_null(b)
            }
            (Kind::Sequence(items_a, _), Kind::Sequence(items_b, _)) => {
                self.open.extend(items_a.iter().copied().zip(items_b.iter().copied()));
                items_a.len() == items_b.len()
            }
            (Kind::Mapping(..), Kind::Mapping(..)) if self.template == Some((a, b)) => {
                self.entries(a, b, &["image"])
            }
            (Kind::Mapping(..), Kind::Mapping(..)) => self.entries(a, b, &[]),
            _ => false,
        }
    }
}

fn same_tag(a: &Node, b: &Node) -> bool {
    a.tag.as_deref().map(|(tag, _)| tag) == b.tag.as_deref().map(|(tag, _)| tag)
}

/// What a mapping says, by key.
type Entries<'a> = BTreeMap<Cow<'a, str>, NodeId>;

/// A mapping that merges more others than this is not compared.
const MAX_MERGED: usize = 100;

/// Returns what a mapping says, by key: its own entries, then merged ones that it does not have.
///
/// Every entry of a duplicated key counts, so that none can get lost. `None` where it merges too much.
fn effective(file: &ComposeFile, id: NodeId) -> Option<Entries<'_>> {
    let mut entries = Entries::new();
    let mut pending = vec![file.tree.resolve(id)];
    let mut seen = HashSet::new();
    while let Some(mapping) = pending.pop() {
        if !seen.insert(mapping) {
            continue;
        }
        if seen.len() > MAX_MERGED {
            return None;
        }
        let mut own = Entries::new();
        let mut times: HashMap<Cow<'_, str>, usize> = HashMap::new();
        for (key, value) in file.tree.entries(mapping) {
            if file.is_merge_key(*key) {
                continue;
            }
            // Keys that are no scalars, and those that stand twice, are told apart by their order.
            let name = file.tree.scalar(*key).map_or(Cow::Borrowed("\0"), Cow::Borrowed);
            let time = times.entry(name.clone()).or_default();
            *time += 1;
            if let Some(earlier) = own.insert(name.clone(), *value) {
                own.insert(format!("{name}\0{time}").into(), earlier);
            }
        }
        if entries.is_empty() {
            entries = own;
        } else {
            for (name, value) in own {
                entries.entry(name).or_insert(value);
            }
        }
        let merged: Vec<_> = file.merged(mapping).map(|id| file.tree.resolve(id)).collect();
        pending.extend(merged.into_iter().rev());
    }
    Some(entries)
}
