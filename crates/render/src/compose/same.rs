//! Whether an edit of a compose file changed what it should, and nothing else.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use model::yaml::{Kind, NodeId};

use crate::compose::file::ComposeFile;
use crate::compose::parts::provider;
use crate::compose::stack::Stack;

/// Compares two files by meaning: aliases and merge keys resolved, styles and comments ignored. The
/// image of `service` may differ, and where it is missing in one it may be there in the other.
pub(crate) fn same_but_image(before: &ComposeFile, after: &ComposeFile, service: &str) -> bool {
    let mut pairs =
        Pairs { before, after, seen: HashSet::new(), open: Vec::new(), template: None, document: 0 };
    let (a, b) = (before.tree.documents(), after.tree.documents());
    a.len() == b.len()
        && a.iter().zip(b).enumerate().all(|(index, (a, b))| {
            pairs.document = index;
            pairs.document(*a, *b, service)
        })
}

struct Pairs<'a> {
    before: &'a ComposeFile,
    after: &'a ComposeFile,
    seen: HashSet<(NodeId, NodeId)>,
    /// Pairs still to compare: a list, as aliases can chain deeper than a stack.
    open: Vec<(NodeId, NodeId)>,
    /// The service where it is written outside of `services`, which merges it.
    template: Option<(NodeId, NodeId)>,
    /// The number of the document at hand.
    document: usize,
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

    fn services(&mut self, a: NodeId, b: NodeId, service: &str) -> bool {
        let (Some(mut own_a), Some(mut own_b)) = (effective(self.before, a), effective(self.after, b)) else {
            return false;
        };
        let ours = match (own_a.remove(service), own_b.remove(service)) {
            (Some(a), Some(b)) => self.entries(a, b, &["image"]),
            (None, None) => true,
            _ => false,
        };
        ours && self.pinned(&mut own_a, &mut own_b) && self.pair(&own_a, &own_b)
    }

    /// Compares services that had their image from `extends` and have one of their own now, and takes them
    /// out of both maps.
    fn pinned<'e>(&mut self, a: &mut Entries<'e>, b: &mut Entries<'e>) -> bool {
        let has_image = |file: &ComposeFile, id| file.find(id, "image").is_some();
        let pinned: Vec<_> = a
            .iter()
            .filter(|(name, id)| {
                !has_image(self.before, **id) && b.get(*name).is_some_and(|id| has_image(self.after, *id))
            })
            .map(|(name, id)| (name.clone(), *id))
            .collect();
        if pinned.is_empty() {
            return true;
        }
        let Ok(file) = ComposeFile::parse(&self.before.path, self.before.bytes.clone()) else { return false };
        let before = Stack::alone(file);
        for (name, id_a) in pinned {
            a.remove(&name);
            let Some(id_b) = b.remove(&name) else { return false };
            let image = self.after.find(id_b, "image").and_then(|image| self.after.tree.scalar(image.value));
            let extends = self.before.find(id_a, "extends").is_some();
            // A base in another file can not be looked up here.
            let same = self.extended(&before, &name).is_none_or(|old| Some(old.as_str()) == image);
            if !extends || !same || !self.entries(id_a, id_b, &["image"]) {
                return false;
            }
        }
        true
    }

    /// Gives the image that a service of the document at hand gets through `extends`, where it is in this file.
    fn extended(&self, before: &Stack, name: &str) -> Option<String> {
        let layer = before.project().get(self.document)?;
        let provider = provider(before, layer, before.service(layer, name)?)?;
        Some(before.file_at(provider.file).tree.scalar(provider.value)?.to_string())
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
        let tag = |node: &model::yaml::Node| node.tag.as_ref().map(|(tag, _)| tag.clone());
        if tag(node_a) != tag(node_b) {
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

/// What a mapping says, by key.
type Entries<'a> = BTreeMap<Cow<'a, str>, NodeId>;

/// A mapping that merges more others than this is not compared.
const MAX_MERGED: usize = 100;

/// Gives what a mapping says, by key: its own entries, then merged ones that it does not have.
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
