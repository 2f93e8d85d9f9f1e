//! `include`: projects that a compose file brings in.

use std::sync::Arc;

use model::yaml::{Kind, NodeId};
use model::{Code, Diagnostic};

use crate::compose::stack::{Layer, Stack, is_remote};
use crate::compose::variables::{Variables, interpolate};
use crate::source::{Source, folder, join};

/// Includes are followed this deep.
const MAX_DEPTH: usize = 16;

/// Files that include each other are read this often in all.
const MAX_INCLUDES: usize = 1_000;

/// More documents than this are not looked at.
const MAX_LAYERS: usize = 500_000;

/// One entry of `include`, its variables replaced.
struct Included {
    paths: Vec<String>,
    project: String,
    env_files: Vec<String>,
}

impl Stack {
    /// Reads what a document includes; it counts before the document itself, and what is included first
    /// wins over what is included next.
    pub(super) fn include(&mut self, source: &dyn Source, layer: &Layer, depth: usize) {
        let file = &self.files[layer.file];
        let Some(list) = file.find(layer.document, "include") else { return };
        let items = file.tree.items(list.value).to_vec();
        for item in items.into_iter().rev() {
            let included = match self.included(layer, item) {
                Ok(included) => included,
                Err(name) => {
                    let message = format!("an include names the variable `{name}`, which no file sets");
                    self.report(Diagnostic::warning(Code::ComposeReference, message), layer, item);
                    continue;
                }
            };
            if included.paths.iter().any(|path| is_remote(path)) {
                // A URL may have a password in it.
                let message = "an include names a file by a URL, and what it brings is not known here";
                let help = "check the included file: an image of the database in it is not seen";
                self.report(Diagnostic::warning(Code::ComposeReference, message).help(help), layer, item);
                continue;
            }
            self.includes += 1;
            let message = if depth >= MAX_DEPTH {
                format!("includes nest more than {MAX_DEPTH} levels deep")
            } else if self.includes > MAX_INCLUDES || self.layers.len() > MAX_LAYERS {
                format!("more than {MAX_INCLUDES} files or {MAX_LAYERS} documents are included")
            } else {
                self.add_project(source, &included, layer, depth);
                continue;
            };
            self.report(Diagnostic::error(Code::ComposeReference, message), layer, item);
            return;
        }
    }

    /// Adds a problem of an entry; one message says it for all entries.
    fn report(&mut self, problem: Diagnostic, layer: &Layer, item: NodeId) {
        if !self.problems.iter().any(|known| known.message == problem.message) {
            let file = self.file(layer);
            let location = file.location(file.tree.written(item).span.clone());
            self.problems.push(problem.at(location));
        }
    }

    fn included(&self, layer: &Layer, item: NodeId) -> Result<Included, String> {
        let file = self.file(layer);
        let texts = |id: NodeId| match &file.tree.node(id).kind {
            Kind::Sequence(items, _) => items.iter().filter_map(|id| file.tree.scalar(*id)).collect(),
            _ => file.tree.scalar(id).into_iter().collect::<Vec<_>>(),
        };
        let resolve = |texts: Vec<&str>| -> Result<Vec<String>, String> {
            let path = |text: &&str| Ok(join(&layer.project, &interpolate(text, &layer.variables)?));
            texts.iter().map(path).collect()
        };
        let keyed = |key| resolve(file.find(item, key).map(|entry| texts(entry.value)).unwrap_or_default());
        let paths = if file.tree.scalar(item).is_some() { resolve(texts(item))? } else { keyed("path")? };
        let first = paths.first().map(|path| folder(path).to_string()).unwrap_or_default();
        let project = keyed("project_directory")?.into_iter().next().unwrap_or(first);
        let mut env_files = keyed("env_file")?;
        if env_files.is_empty() {
            env_files.push(join(&project, ".env"));
        }
        Ok(Included { paths, project, env_files })
    }

    fn add_project(&mut self, source: &dyn Source, included: &Included, layer: &Layer, depth: usize) {
        let mut variables = Variables::new();
        for path in included.env_files.iter().filter(|path| !is_remote(path)) {
            variables.extend(self.env(source, path));
        }
        // The including project's own environment wins.
        variables.extend(layer.variables.as_ref().clone());
        let (variables, project) = (Arc::new(variables), Arc::from(included.project.as_str()));
        let scope = self.layers.len();
        for path in &included.paths {
            self.add(source, path, &project, &variables, scope, depth + 1);
        }
    }
}
