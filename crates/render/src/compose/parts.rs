//! A service as Compose puts it together: from the project's layers, and from what it extends.

use std::ops::Range;

use model::yaml::NodeId;
use model::{Code, Diagnostic};

use crate::compose::file::Entry;
use crate::compose::stack::{Layer, Stack};
use crate::compose::variables::interpolate;
use crate::source::{Source, join};

/// `extends` is followed this far.
const MAX_EXTENDS: usize = 16;

/// Documents that are searched for bases, in all: files can multiply them.
const MAX_STEPS: usize = 2_000;

/// More problems than this are not listed.
const MAX_PROBLEMS: usize = 10;

/// A service with everything that Compose merges into it.
#[derive(Debug, Default)]
pub(crate) struct Service {
    pub(crate) name: String,
    /// In the order in which they are merged: a later one wins.
    pub(crate) parts: Vec<Part>,
    /// What `extends` names and could not be read.
    pub(crate) problems: Vec<Diagnostic>,
}

/// What one layer says of a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// The layer.
    pub(crate) layer: usize,
    /// The service in it.
    pub(crate) service: Entry,
    /// For a base: the service of the project that extends it, and its layer.
    pub(crate) heir: Option<(usize, Entry)>,
}

impl Part {
    /// Gives the layer and the service of the project that this is a part of.
    pub(crate) fn top(&self) -> (usize, Entry) {
        self.heir.unwrap_or((self.layer, self.service))
    }
}

impl Service {
    /// Puts a service together.
    pub(crate) fn read(stack: &mut Stack, source: &dyn Source, name: &str) -> Self {
        let project = 0..stack.own;
        let mut reader = Reader { stack, source, steps: 0, problems: Vec::new() };
        let parts = reader.parts(project, name, 0);
        Self { name: name.to_string(), parts, problems: reader.problems }
    }

    /// Gives the value of a key that counts, and its layer: the last one that is not null.
    pub(crate) fn get<'a>(&self, stack: &'a Stack, key: &str) -> Option<(&'a Layer, Entry)> {
        self.list(stack, key).pop()
    }

    /// Gives every value of a key that Compose merges, in their order.
    pub(crate) fn list<'a>(&self, stack: &'a Stack, key: &str) -> Vec<(&'a Layer, Entry)> {
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
    problems: Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Gives the parts of a service in some layers.
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
            parts.extend(bases.into_iter().map(|part| Part { heir: Some((index, service)), ..part }));
            parts.push(Part { layer: index, service, heir: None });
        }
        parts
    }

    fn bases(&mut self, index: usize, service: Entry, depth: usize) -> Vec<Part> {
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
        if self.problems.len() >= MAX_PROBLEMS {
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
        let file = self.stack.file(layer);
        let place = file.place(file.tree.written(value).span.clone());
        let problem = Diagnostic::warning(Code::ComposeReference, message)
            .at(place)
            .help("what the service inherits from there is not known here");
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
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

/// The value that a service gets its image from, and the way there.
pub(crate) struct Provider {
    pub(crate) file: usize,
    pub(crate) value: NodeId,
    /// The services and mappings that hand the image on, each with its file.
    pub(crate) path: Vec<(usize, NodeId)>,
}

/// Finds the value that a service of the project gets its image from.
///
/// Looks in the service's own layer alone, as another layer's image is another value.
pub(crate) fn provider(stack: &Stack, layer: &Layer, service: Entry) -> Option<Provider> {
    let (mut at, mut service) = (layer, service);
    let mut path = Vec::new();
    for _ in 0..MAX_EXTENDS {
        let file = stack.file(at);
        path.push((at.file, service.value));
        let image = file.find(service.value, "image").filter(|entry| !file.tree.is_null(entry.value));
        if let Some(image) = image {
            let mut mapping = file.tree.resolve(service.value);
            while mapping != image.owner {
                path.push((at.file, mapping));
                let hands_on = |merged: &NodeId| file.find(*merged, "image").is_some();
                mapping = file.tree.resolve(file.merged(mapping).find(hands_on)?);
            }
            path.push((at.file, mapping));
            return Some(Provider { file: at.file, value: image.value, path });
        }
        let extends = extends(stack, at, service.value)?.ok()?;
        let base = stack.base(at, extends.path.as_deref(), &extends.service)?;
        at = &stack.layers[base];
        service = stack.service(at, &extends.service)?;
    }
    None
}
