//! Compose files that Compose reads together, in the order in which it merges them.

use std::ops::Range;
use std::sync::Arc;

use model::yaml::NodeId;
use model::{Code, Diagnostic, Severity};

use crate::compose::file::{ComposeFile, Pair, Trees};
use crate::compose::variables::{Variables, has_variables, interpolate, read_env};
use crate::source::{Found, Source, folder, join, unreadable};

/// Compose files that make up one project: a file, its overrides, what they include and extend.
#[derive(Debug, Default)]
pub(crate) struct Stack {
    pub(crate) files: Vec<ComposeFile>,
    /// The documents of the project, a later one wins over an earlier one; then those of files that
    /// only lend services to `extends`.
    pub(crate) layers: Vec<Layer>,
    /// How many of the layers are the project's.
    pub(crate) own: usize,
    /// What could not be read.
    pub(crate) problems: Vec<Diagnostic>,
    pub(super) includes: usize,
    /// What was parsed already.
    trees: Trees,
}

/// One document of one file.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) file: usize,
    pub(crate) document: NodeId,
    /// The folder that the project's relative paths start from.
    pub(crate) project: Arc<str>,
    pub(crate) variables: Arc<Variables>,
    /// The layers in which its `extends` looks: its own, with what it includes before it.
    pub(crate) reach: Range<usize>,
    /// The first layer of its project: an included one is merged before it meets the others.
    pub(crate) scope: usize,
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

/// Returns whether a path is a URL, whose slashes were joined.
pub(super) fn is_remote(path: &str) -> bool {
    path.contains(":/")
}

/// Asks whether another compose file was meant by one that is not there. Files of other names are not told.
fn compose_like(source: &dyn Source, path: &str) -> String {
    let (parent, name) = (folder(path), path.rsplit('/').next().unwrap_or(path));
    let Found::Yes(names) = source.list(parent) else { return String::new() };
    let is_compose =
        |name: &&str| name.contains("compose") && (name.ends_with(".yaml") || name.ends_with(".yml"));
    match model::nearest(name, names.iter().map(String::as_str).filter(is_compose)) {
        Some(meant) => format!("; did you mean {}?", join(parent, meant)),
        None => String::new(),
    }
}

impl Stack {
    /// Reads `paths`, which Compose would be given in this order.
    pub(crate) fn read(source: &dyn Source, paths: &[String], trees: &Trees) -> Self {
        let mut stack = Self { trees: trees.clone(), ..Self::default() };
        let project: Arc<str> = paths.first().map_or("", |path| folder(path)).into();
        let variables = Arc::new(stack.env(source, &join(&project, ".env")));
        for path in paths {
            stack.add(source, path, &project, &variables, 0, 0);
        }
        stack.own = stack.layers.len();
        stack
    }

    /// Adds the documents of a file, each behind what it includes.
    pub(super) fn add(
        &mut self,
        source: &dyn Source,
        path: &str,
        project: &Arc<str>,
        variables: &Arc<Variables>,
        scope: usize,
        depth: usize,
    ) {
        let named_in = if depth == 0 { "document" } else { "compose file that includes it" };
        let Some(file) = self.open(source, path, named_in) else { return };
        for document in self.files[file].tree.documents().to_vec() {
            let first = self.layers.len();
            let mut layer = Layer {
                file,
                document,
                project: Arc::clone(project),
                variables: Arc::clone(variables),
                reach: first..first,
                scope,
            };
            self.include(source, &layer, depth);
            layer.reach.end = self.layers.len() + 1;
            self.layers.push(layer);
        }
    }

    /// Adds a file that only lends services to `extends`, and gives its layers.
    ///
    /// Its relative paths start from its own folder; its variables are those of who extends it.
    pub(super) fn lend(
        &mut self,
        source: &dyn Source,
        path: &str,
        to: &Layer,
    ) -> Result<Range<usize>, String> {
        let project: Arc<str> = folder(path).into();
        let same = |layer: &&Layer| {
            self.files[layer.file].path == path && Arc::ptr_eq(&layer.variables, &to.variables)
        };
        if let Some(known) = self.layers[self.own..].iter().find(same) {
            return Ok(known.reach.clone());
        }
        let problems = self.problems.len();
        let Some(file) = self.open(source, path, "compose file that extends it") else {
            // A project whose base is missing may still have the image itself: nothing to stop for.
            let problem = self.problems.drain(problems..).next();
            return Err(problem.map(|problem| problem.message).unwrap_or_default());
        };
        let documents = self.files[file].tree.documents().to_vec();
        let scope = self.layers.len();
        let reach = scope..scope + documents.len();
        let variables = &to.variables;
        self.layers.extend(documents.into_iter().map(|document| Layer {
            file,
            document,
            project: Arc::clone(&project),
            variables: Arc::clone(variables),
            reach: reach.clone(),
            scope,
        }));
        Ok(reach)
    }

    fn open(&mut self, source: &dyn Source, path: &str, named_in: &str) -> Option<usize> {
        if let Some(known) = self.files.iter().position(|file| file.path == path) {
            return Some(known);
        }
        if is_remote(path) {
            // A URL may have a password in it.
            let message = "a file is given by a URL, which is not read";
            self.problems.push(
                Diagnostic::error(Code::ComposeReference, message)
                    .help("copy the file to this host, and name its path"),
            );
            return None;
        }
        let parsed = match source.read(path) {
            Found::Yes(bytes) => ComposeFile::parse(path, &bytes, &self.trees),
            Found::No => {
                let message = format!("{path}: no such file");
                Err(Diagnostic::error(Code::ComposeReference, message)
                    .help(format!("check the path in the {named_in}{}", compose_like(source, path))))
            }
            Found::Unknown(why) => Err(unreadable(path, &why)),
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

    pub(crate) fn file(&self, layer: &Layer) -> &ComposeFile {
        &self.files[layer.file]
    }

    pub(crate) fn file_at(&self, index: usize) -> &ComposeFile {
        &self.files[index]
    }

    /// Returns the layers of the project.
    pub(crate) fn project(&self) -> &[Layer] {
        &self.layers[..self.own]
    }

    /// Returns the service of a layer, with its name's place.
    pub(crate) fn service(&self, layer: &Layer, name: &str) -> Option<Pair> {
        let file = self.file(layer);
        file.find(file.services(layer.document)?, name)
    }

    /// Returns the scalar's text with the layer's variables replaced.
    pub(crate) fn text(&self, layer: &Layer, id: NodeId) -> Option<Text> {
        let raw = self.file(layer).tree.scalar(id)?.to_string();
        let resolved = interpolate(&raw, &layer.variables);
        Some(Text { raw, resolved })
    }

    /// Returns every service of every layer of the project: its name and its value as it is written.
    pub(crate) fn services(&self) -> impl Iterator<Item = (&Layer, &str, Pair)> {
        self.project().iter().flat_map(|layer| {
            let file = self.file(layer);
            let all = file.services(layer.document).map(|id| file.all(id)).unwrap_or_default();
            all.into_iter().map(move |(name, entry)| (layer, name, entry))
        })
    }

    /// Returns whether a file is written as for Compose 1: the services at its top, and no `services`.
    pub(crate) fn is_of_version_1(&self) -> bool {
        self.project().iter().any(|layer| {
            let file = self.file(layer);
            let is_service =
                |entry: Pair| ["image", "build"].iter().any(|key| file.find(entry.value, key).is_some());
            let all = || file.all(layer.document).into_iter();
            file.services(layer.document).is_none()
                && all().any(|(name, entry)| !name.starts_with("x-") && is_service(entry))
        })
    }

    /// Reads a file of variables; one that cannot be read sets none, and that is said.
    pub(super) fn env(&mut self, source: &dyn Source, path: &str) -> Variables {
        match source.read(path) {
            Found::Yes(bytes) => read_env(&bytes),
            Found::No => Variables::new(),
            Found::Unknown(why) => {
                let mut problem = unreadable(path, &why);
                problem.severity = Severity::Warning;
                problem.message.push_str("; its variables are taken as not set");
                self.problems.push(problem);
                Variables::new()
            }
        }
    }
}
