//! A service as Compose puts it together: from the project's layers, and from what it extends.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use model::yaml::NodeId;
use model::{Code, Diagnostic};

use crate::compose::file::{ComposeFile, Pair};
use crate::compose::stack::{Layer, Stack};
use crate::compose::variables::interpolate;
use crate::source::{Source, join};

/// `extends` is followed this far.
const MAX_EXTENDS: usize = 16;

/// Documents that are searched for bases, in all: files can multiply them.
const MAX_STEPS: usize = 2_000;

/// Documents that are searched for all services together.
const MAX_LOOKED_AT: usize = 100_000;

/// More problems than this are not listed.
const MAX_PROBLEMS: usize = 10;

/// A service with everything that Compose merges into it.
#[derive(Debug, Default)]
pub(crate) struct Service {
    pub(crate) name: String,
    /// In the order in which they are merged: a later one wins.
    pub(crate) parts: Vec<Part>,
    /// What `extends` names and could not be read; of the database's service only.
    pub(crate) problems: Vec<Diagnostic>,
}

/// What one layer says of a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// The layer.
    pub(crate) layer: usize,
    /// The service in it.
    pub(crate) service: Pair,
    /// For a base: the service of the project that extends it, and its layer.
    pub(crate) heir: Option<(usize, Pair)>,
}

impl Part {
    /// Returns the layer and the service of the project that this is a part of.
    pub(crate) fn top(&self) -> (usize, Pair) {
        self.heir.unwrap_or((self.layer, self.service))
    }
}

impl Service {
    /// Puts a service together.
    pub(crate) fn read(stack: &mut Stack, source: &dyn Source, name: &str) -> Self {
        let project = 0..stack.own;
        let mut reader = Reader { stack, source, steps: 0, problems: Some(Vec::new()) };
        let parts = reader.parts(project, name, 0);
        let problems = reader.problems.unwrap_or_default();
        Self { name: name.to_string(), parts, problems }
    }

    /// Puts every service of the project but one together, by name; `None` if there are too many.
    pub(crate) fn others(stack: &mut Stack, source: &dyn Source, but: &str) -> Option<Vec<Self>> {
        let mut names: BTreeSet<String> = stack.services().map(|(_, name, _)| name.to_string()).collect();
        names.remove(but);
        let mut looked_at = 0;
        let mut all = Vec::with_capacity(names.len());
        for name in names {
            let project = 0..stack.own;
            looked_at += project.len();
            let mut reader = Reader { stack, source, steps: 0, problems: None };
            let mut parts = reader.parts(project, &name, 0);
            // There may be many, and they are kept.
            parts.shrink_to_fit();
            looked_at += reader.steps;
            if looked_at > MAX_LOOKED_AT {
                return None;
            }
            all.push(Self { name, parts, problems: Vec::new() });
        }
        Some(all)
    }

    /// Finds the image that counts: the last one that is not null, in a part that no later `!reset` takes away.
    pub(crate) fn image(&self, stack: &Stack) -> Option<(usize, &Part, Pair)> {
        for (at, part) in self.parts.iter().enumerate().rev() {
            let file = stack.file(&stack.layers[part.layer]);
            match image_of(file, part.service.value) {
                Some(image) if !file.tree.is_null(image.value) => return Some((at, part, image)),
                _ if part.heir.is_none() && resets_image(file, part.service.value) => return None,
                _ => {}
            }
        }
        None
    }

    /// Returns the value of a key that counts, and its layer: the last one that is not null.
    pub(crate) fn get<'a>(&self, stack: &'a Stack, key: &str) -> Option<(&'a Layer, Pair)> {
        self.list(stack, key).pop()
    }

    /// Returns every value of a key that Compose merges, in their order.
    pub(crate) fn list<'a>(&self, stack: &'a Stack, key: &str) -> Vec<(&'a Layer, Pair)> {
        let mut found = Vec::new();
        for part in &self.parts {
            let layer = &stack.layers[part.layer];
            let file = stack.file(layer);
            let Some(entry) = file.find(part.service.value, key) else { continue };
            match file.tag(entry.value) {
                // A base takes away from itself only.
                Some("!reset") if part.heir.is_some() => continue,
                Some("!reset") => {
                    found.clear();
                    continue;
                }
                Some("!override") => found.clear(),
                _ => {}
            }
            if !file.tree.is_null(entry.value) {
                found.push((layer, entry));
            }
        }
        found
    }
}

/// Lists where the image of a service is looked for: the service as it is written, and the mappings that are it or are
/// merged into it, up to the one that has an image.
pub(crate) fn image_chain(file: &ComposeFile, service: NodeId) -> Vec<NodeId> {
    let mut pending = vec![file.tree.resolve(service)];
    let mut found = if pending == [service] { Vec::new() } else { vec![service] };
    let mut seen = HashSet::new();
    while let Some(next) = pending.pop() {
        if !seen.insert(next) {
            continue;
        }
        found.push(next);
        if own_image(file, next).is_some() {
            break;
        }
        let merged: Vec<_> = file.merged(next).map(|id| file.tree.resolve(id)).collect();
        pending.extend(merged.into_iter().rev());
    }
    found
}

/// Finds the `image` of a service, in its mapping or in what is merged into it.
pub(crate) fn image_of(file: &ComposeFile, service: NodeId) -> Option<Pair> {
    if !resets_image(file, service) {
        return file.find(service, "image");
    }
    own_image(file, *image_chain(file, service).last()?)
}

/// Returns whether a service has `image: !reset`, which takes away what it would get from earlier files and from its bases.
/// What is merged into the mapping itself stays.
pub(crate) fn resets_image(file: &ComposeFile, service: NodeId) -> bool {
    let is_reset = |(_, value)| file.tag(value) == Some("!reset");
    file.tree.all(file.tree.resolve(service), "image").last().is_some_and(is_reset)
}

fn own_image(file: &ComposeFile, mapping: NodeId) -> Option<Pair> {
    let (key, value) = file.tree.all(mapping, "image").last()?;
    (file.tag(value) != Some("!reset")).then_some(Pair { owner: mapping, key, value })
}

/// What a service's `extends` says.
struct Extends {
    service: String,
    /// The file, where it is another one.
    path: Option<String>,
    value: NodeId,
}

struct Reader<'a> {
    stack: &'a mut Stack,
    source: &'a dyn Source,
    steps: usize,
    /// What could not be read, if that is of interest.
    problems: Option<Vec<Diagnostic>>,
}

impl Reader<'_> {
    /// Returns the parts of a service in some layers.
    fn parts(&mut self, among: Range<usize>, name: &str, depth: usize) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for index in among {
            let layer = &self.stack.layers[index];
            let (scope, first) = (layer.scope, layer.reach.start);
            let file = self.stack.file(layer);
            let Some(services) = file.services(layer.document) else { continue };
            let found = file.find(services, name);
            let tags = [file.tag(services), found.and_then(|entry| file.tag(entry.value))];
            if tags.contains(&Some("!reset")) {
                parts.retain(|part| part.top().0 < scope);
                continue;
            }
            if tags.contains(&Some("!override")) {
                // What this document itself includes is merged with it first.
                parts.retain(|part| part.top().0 < scope || part.top().0 >= first);
            }
            let Some(service) = found else { continue };
            let bases = self.bases(index, service, depth);
            let bases = bases.into_iter().map(|part| Part { heir: Some((index, service)), ..part });
            // What a document includes is merged into it first, and then its services extend others.
            let included = parts.iter().position(|part| part.top().0 >= first).unwrap_or(parts.len());
            parts.splice(included..included, bases);
            parts.push(Part { layer: index, service, heir: None });
        }
        parts
    }

    fn bases(&mut self, index: usize, service: Pair, depth: usize) -> Vec<Part> {
        let layer = self.stack.layers[index].clone();
        let extends = match extends(self.stack, &layer, service.value) {
            None => return Vec::new(),
            Some(Ok(extends)) => extends,
            Some(Err((value, name))) => {
                return self.lost(
                    &layer,
                    value,
                    &format!("`extends` names the variable `{name}`, which no file sets"),
                );
            }
        };
        if self.problems.as_ref().is_some_and(|problems| problems.len() >= MAX_PROBLEMS) {
            return Vec::new();
        }
        if depth >= MAX_EXTENDS || self.steps > MAX_STEPS {
            return self.lost(&layer, extends.value, "`extends` leads through too many services");
        }
        let among = match &extends.path {
            Some(path) => match self.stack.lend(self.source, path, &layer) {
                Ok(among) => among,
                Err(why) => {
                    return self.lost(
                        &layer,
                        extends.value,
                        &format!("what `extends` names is missing: {why}"),
                    );
                }
            },
            None => layer.reach.clone(),
        };
        self.steps += among.len();
        let parts = self.parts(among, &extends.service, depth + 1);
        if parts.is_empty() {
            let path = extends.path.unwrap_or_else(|| self.stack.file(&layer).path.clone());
            let message =
                format!("`extends` names the service `{}`, which is not in {path}", extends.service);
            return self.lost(&layer, extends.value, &message);
        }
        parts
    }

    /// Warns that a part of the service is not known.
    fn lost(&mut self, layer: &Layer, value: NodeId, message: &str) -> Vec<Part> {
        let Some(problems) = &mut self.problems else { return Vec::new() };
        let file = self.stack.file(layer);
        let location = file.location(file.tree.written(value).span.clone());
        let problem = Diagnostic::warning(Code::ComposeReference, message)
            .at(location)
            .help("check what the service inherits from there: it is not known here");
        if !problems.contains(&problem) {
            problems.push(problem);
        }
        Vec::new()
    }
}

/// Reads `extends`: the name of a service, or `service` and `file`; the error is the unknown variable.
fn extends(stack: &Stack, layer: &Layer, service: NodeId) -> Option<Result<Extends, (NodeId, String)>> {
    let file = stack.file(layer);
    let value = file.find(service, "extends")?.value;
    if file.tree.is_null(value) || file.tag(value) == Some("!reset") {
        return None;
    }
    let text = |id: NodeId| {
        let text = file.tree.scalar(id).filter(|_| !file.tree.is_null(id))?;
        Some(interpolate(text, &layer.variables).map_err(|name| (value, name)))
    };
    let keyed = |key| text(file.find(value, key)?.value);
    let (service, other) = match text(value) {
        Some(service) => (service, None),
        None => (keyed("service")?, keyed("file")),
    };
    let (service, other) = match (service, other.transpose()) {
        (Ok(service), Ok(other)) => (service, other),
        (Err(unknown), _) | (_, Err(unknown)) => return Some(Err(unknown)),
    };
    Some(Ok(Extends { service, path: other.map(|other| join(&layer.project, &other)), value }))
}
