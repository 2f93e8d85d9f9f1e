//! The targets of a document as they would be, rendered as often as needed.

use std::path::{Path, PathBuf};

use model::DesiredState;
use render::{FileKind, Plan};

use super::section::Section;
use super::wording::Wording;
use crate::document::Document;
use crate::each::each;
use crate::error::Error;
use crate::opened::Rooted;
use crate::outcome::Outcome;
use crate::path::{normalize, relative};
use crate::planned::outcome_of;
use crate::selection::Selection;
use crate::target_dir::{TargetDir, name_of};

/// The files beside the targets' folders.
pub(super) const PLAN: &str = "plan.txt";
pub(super) const DOCUMENT: &str = "document.yaml";

/// The targets of a document, rendered as often as needed.
pub(super) struct Targets<'a> {
    desired: &'a DesiredState,
    document: &'a Document,
    dirs: &'a [TargetDir],
    selection: &'a Selection,
    wording: &'a dyn Wording,
    /// The targets in the order of their paths.
    order: Vec<usize>,
}

/// A target as it would be.
pub(super) struct Rendered {
    /// Its plan without the changes.
    pub(super) plan: Plan,
    pub(super) outcome: Outcome,
    pub(super) section: Section,
    /// In the order of their paths; an error if one has a name that cannot be written.
    pub(super) files: Result<Vec<RenderedFile>, Error>,
}

pub(super) struct RenderedFile {
    pub(super) path: String,
    pub(super) kind: FileKind,
    pub(super) text: Vec<u8>,
}

impl<'a> Targets<'a> {
    pub(super) fn new(
        desired: &'a DesiredState,
        document: &'a Document,
        dirs: &'a [TargetDir],
        selection: &'a Selection,
        wording: &'a dyn Wording,
    ) -> Self {
        let mut order: Vec<_> = (0..dirs.len()).collect();
        let mut all = Self { desired, document, dirs, selection, wording, order: Vec::new() };
        order.sort_by_cached_key(|index| format!("{}/", all.name(&dirs[*index])));
        all.order = order;
        all
    }

    /// Renders every target but the first ones, in the order of their paths.
    pub(super) fn each(
        &self,
        first: usize,
        mut take: impl FnMut(usize, Result<Rendered, Error>) -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        let jobs = self.selection.jobs_for(self.dirs.len());
        let work = |index: &usize| (*index, self.rendered(&self.dirs[*index]));
        each(jobs, self.order.iter().skip(first), work, |(index, rendered)| take(index, rendered))
    }

    fn rendered(&self, dir: &TargetDir) -> Result<Rendered, Error> {
        let name = self.name(dir);
        if [PLAN, DOCUMENT].contains(&name.as_str()) {
            let message = format!("a target called `{name}` leaves no place for the file of that name");
            return Err(Error::failed(message).help("give the target another name"));
        }
        let rooted = Rooted::open(dir, self.selection)?;
        let opened = rooted.read();
        let mut plan = opened.plan(self.desired);
        plan.target.name.clone_from(&name);
        plan.allow(&self.selection.allow);
        plan.ignore(self.desired.ignored());
        plan.ignore(&self.selection.ignore);
        let file = |file: render::Rendered| {
            let path = format!("{name}/{}", file.path);
            if self.wording.is_unsafe(&path) {
                let message = format!("{path}: the name holds a control character");
                return Err(Error::failed(message).help("rename the file"));
            }
            Ok(RenderedFile { path, kind: file.kind, text: self.wording.file(&file.text).into_bytes() })
        };
        let rendered = render::rendered(self.desired, &opened.observed, &plan);
        let mut files: Result<Vec<_>, _> = rendered.into_iter().map(file).collect();
        if let Ok(files) = &mut files {
            files.sort_by(|one, other| one.path.cmp(&other.path));
        }
        let section = Section::new(&plan, &self.written(dir), self.wording);
        let outcome = outcome_of(&plan);
        // What is told of it are its findings; the rest of a fleet's plans would fill the memory.
        (plan.files, plan.changes, plan.in_order, plan.skipped) = Default::default();
        Ok(Rendered { plan, outcome, section, files })
    }

    /// Returns the name of a target's folder here: a tree that was named without a document has none of its own.
    fn name(&self, dir: &TargetDir) -> String {
        match &self.selection.tree {
            Some(_) => name_of(Path::new(&dir.target.name), "target"),
            None => dir.target.name.clone(),
        }
    }

    /// Returns a target's folder as it is written: where it leads to is another place on every machine.
    fn written(&self, dir: &TargetDir) -> String {
        let target = self.desired.targets().iter().find(|target| target.name == dir.target.name);
        let of_document = target.and_then(|target| target.deployment.as_ref().or(target.installer.as_ref()));
        let path = match (&self.selection.tree, of_document) {
            (Some(tree), _) => tree.folder().clone(),
            (None, Some(path)) => PathBuf::from(path),
            (None, None) => {
                let folder = &self.document.folder;
                let base = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
                relative(&normalize(&base), &dir.folder)
            }
        };
        path.display().to_string()
    }
}
