//! Whether an edit of a compose file changed what it should, and nothing else.

use std::collections::{BTreeMap, HashSet};

use model::yaml::{Kind, NodeId};

use crate::compose::file::ComposeFile;

/// Compares two files by meaning: aliases and merge keys resolved, styles and comments ignored. The
/// image of `service` may differ, and where it is missing in one it may be there in the other.
pub(crate) fn same_but_image(before: &ComposeFile, after: &ComposeFile, service: &str) -> bool {
    let mut pairs = Pairs { before, after, seen: HashSet::new(), open: Vec::new(), template: None };
    let (a, b) = (before.tree.documents(), after.tree.documents());
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| pairs.document(*a, *b, service))
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
        let merged = own_a.owner != self.before.tree.resolve(a);
        merged.then(|| (self.before.tree.resolve(own_a.value), self.after.tree.resolve(own_b.value)))
    }

    fn services(&mut self, a: NodeId, b: NodeId, service: &str) -> bool {
        let (mut own_a, mut own_b) = (effective(self.before, a), effective(self.after, b));
        let ours = match (own_a.remove(service), own_b.remove(service)) {
            (Some(a), Some(b)) => self.entries(a, b, &["image"]),
            (None, None) => true,
            _ => false,
        };
        ours && self.pair(&own_a, &own_b)
    }

    /// Compares what two mappings say, merge keys included, but for the keys in `skip`.
    fn entries(&mut self, a: NodeId, b: NodeId, skip: &[&str]) -> bool {
        let own = |file: &ComposeFile, id| {
            let mut entries = effective(file, id);
            entries.retain(|name, _| !skip.contains(&name.as_str()));
            entries
        };
        let (own_a, own_b) = (own(self.before, a), own(self.after, b));
        self.pair(&own_a, &own_b)
    }

    fn pair(&mut self, a: &BTreeMap<String, NodeId>, b: &BTreeMap<String, NodeId>) -> bool {
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

/// Gives what a mapping says, by key: its own entries, then merged ones that it does not have.
///
/// Every entry of a duplicated key counts, so that none can get lost.
fn effective(file: &ComposeFile, id: NodeId) -> BTreeMap<String, NodeId> {
    let mut entries = BTreeMap::new();
    let mut pending = vec![file.tree.resolve(id)];
    let mut seen = HashSet::new();
    while let Some(mapping) = pending.pop() {
        if !seen.insert(mapping) {
            continue;
        }
        let mut own = BTreeMap::new();
        for (index, (key, value)) in file.tree.entries(mapping).iter().enumerate() {
            if file.is_merge_key(*key) {
                continue;
            }
            // A key that is no scalar is told apart by its place.
            let name = file.tree.scalar(*key).map_or_else(|| format!("\0{index}"), String::from);
            match own.insert(name.clone(), *value) {
                Some(earlier) => own.insert(format!("{name}\0{index}"), earlier),
                None => None,
            };
        }
        for (name, value) in own {
            entries.entry(name).or_insert(value);
        }
        let merged: Vec<_> = file.merged(mapping).map(|id| file.tree.resolve(id)).collect();
        pending.extend(merged.into_iter().rev());
    }
    entries
}
