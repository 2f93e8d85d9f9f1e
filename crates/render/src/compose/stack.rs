//! Compose files that Compose reads together, in the order in which it merges them.

use model::yaml::{Kind, NodeId};
use model::{Code, Diagnostic};

use crate::compose::file::{ComposeFile, Entry};
use crate::compose::variables::{Variables, has_variables, interpolate, read_env};
use crate::source::{Found, Source, folder, join};

/// Includes and `extends` are followed this deep.
const MAX_DEPTH: usize = 16;

/// Compose files that make up one project: a file, its overrides, what they include.
#[derive(Debug, Default)]
pub(crate) struct Stack {
    pub(crate) files: Vec<ComposeFile>,
    /// The documents of all files; a later one wins over an earlier one.
    pub(crate) layers: Vec<Layer>,
    /// What could not be read.
    pub(crate) problems: Vec<Diagnostic>,
}

/// One document of one file.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) file: usize,
    pub(crate) document: NodeId,
    /// The folder that the project's relative paths start from.
    pub(crate) project: String,
    pub(crate) variables: Variables,
}

/// The text of a scalar with its variables replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// As it is written.
    pub(crate) raw: String,
    /// With variables replaced, or the one that no file sets.
    pub(crate) resolved: Result<String, String>,
}

impl Text {
    pub(crate) fn has_variables(&self) -> bool {
        has_variables(&self.raw)
    }
}

impl Stack {
    /// Reads `paths`, which Compose would be given in this order.
    pub(crate) fn read(source: &dyn Source, paths: &[String]) -> Self {
        let mut stack = Self::default();
        let project = paths.first().map_or("", |path| folder(path)).to_string();
        let variables = env(source, &join(&project, ".env"));
        for path in paths {
            stack.add(source, path, &project, &variables, 0);
        }
        stack
    }

    fn add(&mut self, source: &dyn Source, path: &str, project: &str, variables: &Variables, depth: usize) {
        let Some(file) = self.open(source, path) else { return };
        for document in self.files[file].tree.documents().to_vec() {
            self.include(source, file, document, project, variables, depth);
            self.layers.push(Layer {
                file,
                document,
                project: project.to_string(),
                variables: variables.clone(),
            });
        }
    }

    fn open(&mut self, source: &dyn Source, path: &str) -> Option<usize> {
        if let Some(known) = self.files.iter().position(|file| file.path == path) {
            return Some(known);
        }
        let parsed = match source.read(path) {
            Found::Yes(bytes) => ComposeFile::parse(path, bytes),
            Found::No => Err(Diagnostic::error(Code::ComposeReference, format!("{path}: no such file"))),
            Found::Unknown(why) => Err(Diagnostic::error(Code::Unreadable, format!("{path}: {why}"))),
        };
        match parsed {
            Ok(file) => self.files.push(file),
            Err(problem) => {
                self.problems.push(problem);
                return None;
            }
        }
        Some(self.files.len() - 1)
    }

    /// Reads what a document includes; it counts before the document itself.
    fn include(
        &mut self,
        source: &dyn Source,
        file: usize,
        document: NodeId,
        project: &str,
        variables: &Variables,
        depth: usize,
    ) {
        let this = &self.files[file];
        let Some(list) = this.tree.get(document, "include") else { return };
        let items = this.tree.items(list).to_vec();
        for item in items {
            let this = &self.files[file];
            let place = this.place(this.tree.written(item).span.clone());
            let texts = |id: NodeId| match &this.tree.node(id).kind {
                Kind::Sequence(items, _) => items.iter().filter_map(|id| this.tree.scalar(*id)).collect(),
                _ => this.tree.scalar(id).into_iter().collect::<Vec<_>>(),
            };
            let keyed = |key| this.tree.get(item, key).map(texts).unwrap_or_default();
            let paths = if this.tree.scalar(item).is_some() { texts(item) } else { keyed("path") };
            let resolve = |text: &&str| interpolate(text, variables).map(|path| join(project, &path));
            let paths: Result<Vec<_>, _> = paths.iter().map(resolve).collect();
            let folders: Result<Vec<_>, _> = keyed("project_directory").iter().map(resolve).collect();
            let envs: Result<Vec<_>, _> = keyed("env_file").iter().map(resolve).collect();
            let (paths, folders, envs) = match (paths, folders, envs) {
                (Ok(paths), Ok(folders), Ok(envs)) if depth < MAX_DEPTH => (paths, folders, envs),
                (Err(name), ..) | (_, Err(name), _) | (.., Err(name)) => {
                    let message = format!("an include names the variable `{name}`, which no file sets");
                    self.problems.push(Diagnostic::warning(Code::ComposeReference, message).at(place));
                    continue;
                }
                _ => {
                    let message = format!("includes nest more than {MAX_DEPTH} levels deep");
                    self.problems.push(Diagnostic::error(Code::ComposeReference, message).at(place));
                    return;
                }
            };
            let inner = folders.into_iter().next();
            let inner =
                inner.or_else(|| paths.first().map(|path| folder(path).to_string())).unwrap_or_default();
            let envs = if envs.is_empty() { vec![join(&inner, ".env")] } else { envs };
            let mut known = Variables::new();
            for path in &envs {
                known.extend(env(source, path));
            }
            // The including project's own environment wins.
            known.extend(variables.clone());
            for path in &paths {
                self.add(source, path, &inner, &known, depth + 1);
            }
        }
    }

    pub(crate) fn file(&self, layer: &Layer) -> &ComposeFile {
        &self.files[layer.file]
    }

    /// Gives the service of a layer, with its name's place.
    pub(crate) fn service(&self, layer: &Layer, name: &str) -> Option<Entry> {
        let file = self.file(layer);
        file.find(file.services(layer.document)?, name)
    }

    /// Gives the scalar's text with the layer's variables replaced.
    pub(crate) fn text(&self, layer: &Layer, id: NodeId) -> Option<Text> {
        let raw = self.file(layer).tree.scalar(id)?.to_string();
        let resolved = interpolate(&raw, &layer.variables);
        Some(Text { raw, resolved })
    }

    /// Gives every service of every layer: its name and its value as it is written.
    ///
    /// Services that a merge key brings into `services` are not among them.
    pub(crate) fn services(&self) -> impl Iterator<Item = (&Layer, &str, Entry)> {
        self.layers.iter().flat_map(|layer| {
            let file = self.file(layer);
            let owner = file.services(layer.document);
            let entries = owner.map(|id| file.tree.entries(id)).unwrap_or_default();
            entries.iter().filter_map(move |&(key, value)| {
                let name = file.tree.scalar(key).filter(|_| !file.is_merge_key(key))?;
                Some((layer, name, Entry { owner: owner?, key, value }))
            })
        })
    }

    /// Gives the value of a service's key that counts, and its layer: the last layer that has it.
    ///
    /// Follows merge keys and aliases, not `extends`.
    pub(crate) fn effective(&self, service: &str, key: &str) -> Option<(&Layer, Entry)> {
        self.layers.iter().rev().find_map(|layer| {
            let service = self.service(layer, service)?;
            Some((layer, self.file(layer).find(service.value, key)?))
        })
    }
}

fn env(source: &dyn Source, path: &str) -> Variables {
    match source.read(path) {
        Found::Yes(bytes) => read_env(&bytes),
        Found::No | Found::Unknown(_) => Variables::new(),
    }
}
