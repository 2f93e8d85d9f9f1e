//! The documents of a run, and their targets.

use std::collections::HashSet;
use std::path::PathBuf;

use model::DesiredState;
use render::TargetKind;

use crate::document::{Document, load};
use crate::document_search::{Named, named_documents};
use crate::each::each;
use crate::error::Error;
use crate::outcome::Outcome;
use crate::selection::Selection;
use crate::target_dir::{TargetDir, check_chosen, named_tree, no_target, target_dirs};

/// The documents of a run, read once, with the targets that the selection leaves of each.
pub struct Documents {
    all: Vec<Entry>,
    selection: Selection,
}

/// A target, and the valid document that declares its state.
pub struct Declared<'a> {
    /// The names that it has in output.
    pub name: TargetName,
    /// The document.
    pub document: &'a Document,
    /// What the document declares for this target.
    pub desired: &'a DesiredState,
    /// The target.
    pub dir: &'a TargetDir,
}

/// A document, and what it is to the run.
struct Entry {
    read: Result<Box<Document>, Error>,
    role: Role,
}

enum Role {
    /// It cannot be read or is not valid; or its targets cannot be told.
    None,
    /// It was found in a folder and has no targets: it is there for others to extend.
    Parent,
    /// Its targets cannot be told.
    Unusable(Error),
    Targets(Vec<TargetDir>),
}

/// A target by the names that messages give to it, and what kind of tree it is.
#[derive(Clone, Debug)]
pub struct TargetName {
    /// The document that it is of.
    pub document: String,
    /// Its name in the document.
    pub target: String,
    /// Its kind.
    pub kind: TargetKind,
    /// Whether there are other documents, which may have a target of the same name.
    pub several: bool,
}

impl Entry {
    /// Returns the document, if it could be read.
    fn document(&self) -> Option<&Document> {
        self.read.as_deref().ok()
    }

    /// Returns the targets that are looked at; `None` if they cannot be told, or the document is there for others.
    fn dirs(&self) -> Option<&[TargetDir]> {
        match &self.role {
            Role::Targets(dirs) => Some(dirs),
            _ => None,
        }
    }
}

impl TargetName {
    /// Returns a name that no other target of the run has.
    pub fn label(&self) -> String {
        if self.several { format!("{}: {}", self.document, self.target) } else { self.target.clone() }
    }
}

/// What a run meets on its way through documents and targets, in their order.
pub enum Met<'a, T> {
    /// A document that cannot be read, or whose targets cannot be told, among others that can.
    Failed(Error),
    /// A document that was read, and those of its targets that are looked at; `None` if it has none to look at, as it is
    /// not valid.
    Document(&'a Document, Option<&'a [TargetDir]>),
    /// A document that names no target, and is there for others to extend.
    Parent(&'a Document),
    /// A target, and what came of it.
    Target(&'a Document, TargetName, Result<T, Error>),
}

impl Documents {
    /// Reads all documents of a run, except those that are only there for others to extend.
    ///
    /// # Errors
    /// The selection names none, or a target that none of them has. A document that cannot be read is an error of its
    /// own, when the run gets to it.
    pub fn load(selection: &Selection) -> Result<Self, Error> {
        let (mut parents, mut all) = (Parents::default(), Vec::new());
        let named = named_documents(selection)?;
        let read = |named: Named| {
            let read = load(&named, selection).map(Box::new);
            let read = read.map_err(|error| error.of(&named.path.display().to_string(), None));
            (named, read)
        };
        each(selection.jobs_for(named.len()), named.into_iter(), read, |(named, read)| {
            if let Ok(document) = &read {
                parents.add(document);
                document.paths().try_for_each(|path| selection.outputs.check_file(path))?;
            }
            selection.outputs.check_file(&named.path)?;
            all.push((named, read));
            Ok::<(), Error>(())
        })?;
        all.retain(|(named, read)| {
            let lacks = read.as_ref().is_ok_and(|document| lacks_only_keys(named, document));
            !(lacks && parents.contains(named))
        });
        // The targets of one that cannot be read are not known.
        let desired: Option<Vec<_>> = all.iter().map(|(_, read)| read.as_ref().ok()?.desired()).collect();
        check_chosen(desired.unwrap_or_default(), selection)?;
        let entry = |(named, read): (Named, Result<Box<Document>, Error>)| {
            let role = read.as_ref().map_or(Role::None, |document| role(&named, document, selection));
            Entry { read, role }
        };
        Ok(Self { all: all.into_iter().map(entry).collect(), selection: selection.clone() })
    }

    /// Reads the documents of a run that can do without: there are none for a tree that the command line names alone.
    ///
    /// # Errors
    /// Those of [`Documents::load`].
    pub fn load_unless_named(selection: &Selection) -> Result<Option<Self>, Error> {
        let is_named = selection.tree.is_some() && selection.documents.is_empty();
        if is_named { Ok(None) } else { Self::load(selection).map(Some) }
    }

    /// Accepts documents that were read already.
    ///
    /// # Errors
    /// The selection names a target that none of them has.
    pub(crate) fn of(documents: Vec<Document>, selection: &Selection) -> Result<Self, Error> {
        check_chosen(documents.iter().filter_map(Document::desired), selection)?;
        let entry = |document: Document| {
            let role = role(&Named::of(&document.name), &document, selection);
            Entry { read: Ok(Box::new(document)), role }
        };
        Ok(Self { all: documents.into_iter().map(entry).collect(), selection: selection.clone() })
    }

    /// Returns the documents whose targets are looked at, in their order.
    pub fn with_targets(&self) -> impl Iterator<Item = (&Document, &[TargetDir])> {
        self.all.iter().filter_map(|entry| Some((entry.document()?, entry.dirs()?)))
    }

    /// Lists the targets of a document, for a run that does not get to them.
    pub fn names(&self, document: &Document, dirs: &[TargetDir]) -> impl Iterator<Item = TargetName> {
        dirs.iter().map(|dir| self.name(document, dir))
    }

    /// Returns whether every document could be read and is valid, and its targets can be told.
    pub fn are_all_usable(&self) -> bool {
        self.all.iter().all(|entry| matches!(entry.role, Role::Parent | Role::Targets(_)))
    }

    /// Turns the documents into ones that declare nothing of their targets any more, but how to stop, start and reach the
    /// database. `keep` leaves what was declared.
    pub(crate) fn release(&mut self, keep: bool) {
        for entry in &mut self.all {
            if let Ok(document) = &mut entry.read {
                let desired = document.reading.desired.take();
                document.reading.desired = desired.map(|desired| desired.released(keep));
            }
        }
    }

    /// Lists every target of every document, for a run that begins only if all documents are valid.
    ///
    /// # Errors
    /// A document cannot be read or is not valid, or none names a target. Several such errors are told together.
    pub fn every_target(&self) -> Result<Vec<Declared<'_>>, Error> {
        let unread: Vec<_> = self.all.iter().filter_map(|entry| entry.read.as_ref().err().cloned()).collect();
        if let Some(error) = Error::all(unread) {
            return Err(error);
        }
        if let Some(document) = self.documents().find(|document| document.desired().is_none()) {
            let error = Error::new(Outcome::Invalid, format!("{} is not valid", document.name));
            return Err(error.of(&document.name, None));
        }
        let mut all = Vec::new();
        for entry in &self.all {
            let Ok(document) = &entry.read else { continue };
            match (&entry.role, document.desired()) {
                (Role::Unusable(error), _) => return Err(error.clone()),
                (Role::Targets(dirs), Some(desired)) => {
                    let declared = |dir| Declared { name: self.name(document, dir), document, desired, dir };
                    all.extend(dirs.iter().map(declared));
                }
                _ => {}
            }
        }
        let is_none = self.all.iter().all(|entry| matches!(entry.role, Role::Parent));
        if is_none { Err(no_targets()) } else { Ok(all) }
    }

    /// Returns each document with its targets. One that is there for others to extend has none, which is an error.
    #[allow(clippy::type_complexity, reason = "a document may be unreadable, and its targets untold")]
    pub(crate) fn into_targets(
        self,
    ) -> impl Iterator<Item = (Result<Document, Error>, Result<Vec<TargetDir>, Error>)> {
        self.all.into_iter().map(|entry| {
            let dirs = match entry.role {
                Role::None => Ok(Vec::new()),
                Role::Parent => Err(no_target()),
                Role::Unusable(error) => Err(error),
                Role::Targets(dirs) => Ok(dirs),
            };
            (entry.read.map(|document| *document), dirs)
        })
    }

    /// Returns the documents that name no target, and are there for others to extend.
    pub fn parents(&self) -> impl Iterator<Item = &Document> {
        let parents = self.all.iter().filter(|entry| matches!(entry.role, Role::Parent));
        parents.filter_map(Entry::document)
    }

    /// Returns the documents that could be read and are not only there for others to extend.
    pub fn others(&self) -> impl Iterator<Item = &Document> {
        let others = self.all.iter().filter(|entry| !matches!(entry.role, Role::Parent));
        others.filter_map(Entry::document)
    }

    /// Returns whether every document could be read.
    pub fn are_all_read(&self) -> bool {
        self.all.iter().all(|entry| entry.read.is_ok())
    }

    /// Returns the documents that could be read.
    pub fn documents(&self) -> impl Iterator<Item = &Document> {
        self.all.iter().filter_map(Entry::document)
    }

    /// Returns whether there are several, so that one that fails does not end the run.
    pub fn are_several(&self) -> bool {
        self.all.len() > 1
    }

    /// Works on each target of each document, several side by side, and hands out what is met in the order of the
    /// documents. Returns the worst outcome: that of what failed, and those that `take` returns.
    ///
    /// # Errors
    /// The only document failed, or no document names a target, or `take` failed.
    pub fn each_target<T: Send>(
        &self,
        work: impl Fn(&Document, &DesiredState, &TargetDir) -> Result<T, Error> + Sync,
        mut take: impl FnMut(Met<'_, T>) -> Result<Outcome, Error> + Send,
    ) -> Result<Outcome, Error> {
        let targets = self.with_targets().map(|(_, dirs)| dirs.len()).sum();
        let steps = self.all.iter().flat_map(|entry| {
            let targets =
                entry.dirs().unwrap_or_default().iter().map(move |dir| Step { entry, dir: Some(dir) });
            std::iter::once(Step { entry, dir: None }).chain(targets)
        });
        let work = |step| Worked::of(step, &work);
        let mut worst = Outcome::Done;
        each(self.selection.jobs_for(targets), steps, work, |Worked { step, result }| {
            let met = match (&step.entry.read, step.dir, result) {
                (Ok(document), Some(dir), Some(result)) => self.target(document, dir, result, &mut take)?,
                _ => self.document(step.entry, &mut take)?,
            };
            worst = worst.worse(met);
            Ok::<(), Error>(())
        })?;
        if targets == 0 && worst == Outcome::Done { Err(no_targets()) } else { Ok(worst) }
    }

    /// Works on each document that has targets, one after the other. Returns the worst outcome.
    ///
    /// # Errors
    /// The only document failed, or no document names a target.
    pub fn each_document(
        &self,
        mut work: impl FnMut(&Document, &[TargetDir]) -> Result<Outcome, Error>,
        mut see: impl FnMut(Met<'_, ()>),
    ) -> Result<Outcome, Error> {
        let mut worst = None;
        for entry in &self.all {
            let met = self.document(entry, &mut |met| {
                see(met);
                Ok(Outcome::Done)
            })?;
            let worked = match (&entry.read, &entry.role) {
                (Ok(document), Role::Targets(dirs)) => {
                    work(document, dirs).map_err(|error| error.of(&document.name, None))
                }
                (Ok(_), Role::Parent) => continue,
                _ => Ok(met),
            };
            let outcome = match worked {
                Ok(outcome) => outcome,
                Err(error) if self.are_several() => {
                    let kind = error.kind;
                    see(Met::Failed(error));
                    kind
                }
                Err(error) => return Err(error),
            };
            worst = Some(worst.map_or(outcome, |worst: Outcome| worst.worse(outcome)));
        }
        worst.ok_or_else(no_targets)
    }

    fn target<T>(
        &self,
        document: &Document,
        dir: &TargetDir,
        result: Result<T, Error>,
        take: &mut impl FnMut(Met<'_, T>) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        let result = result.map_err(|error| error.of(&document.name, Some(&dir.target.name)));
        let kind = result.as_ref().err().map_or(Outcome::Done, |error| error.kind);
        Ok(kind.worse(take(Met::Target(document, self.name(document, dir), result))?))
    }

    fn document<T>(
        &self,
        entry: &Entry,
        take: &mut impl FnMut(Met<'_, T>) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        let fail = |error: &Error, take: &mut dyn FnMut(Met<'_, T>) -> Result<Outcome, Error>| {
            if !self.are_several() {
                return Err(error.clone());
            }
            Ok(error.kind.worse(take(Met::Failed(error.clone()))?))
        };
        let document = match &entry.read {
            Ok(document) => document,
            Err(error) => return fail(error, take),
        };
        let shown = take(Met::Document(document, entry.dirs()))?;
        Ok(shown.worse(match &entry.role {
            Role::None => Outcome::Invalid,
            Role::Parent => take(Met::Parent(document))?,
            Role::Unusable(error) => fail(error, take)?,
            Role::Targets(_) => Outcome::Done,
        }))
    }

    fn name(&self, document: &Document, dir: &TargetDir) -> TargetName {
        TargetName {
            document: document.name.clone(),
            target: dir.target.name.clone(),
            kind: dir.target.kind.clone(),
            several: self.are_several(),
        }
    }
}

/// A document, or one of its targets.
#[derive(Clone, Copy)]
struct Step<'a> {
    entry: &'a Entry,
    dir: Option<&'a TargetDir>,
}

/// A step, and what came of its target.
struct Worked<'a, T> {
    step: Step<'a>,
    result: Option<Result<T, Error>>,
}

impl<'a, T> Worked<'a, T> {
    fn of(step: Step<'a>, work: &impl Fn(&Document, &DesiredState, &TargetDir) -> Result<T, Error>) -> Self {
        let result = || {
            let document = step.entry.document()?;
            Some(work(document, document.desired()?, step.dir?))
        };
        Self { step, result: result() }
    }
}

/// Returns whether a document was found in a folder and has no targets: it is there for others to extend.
pub(crate) fn is_parent(named: &Named, document: &Document, selection: &Selection) -> bool {
    let has_none = document.desired().is_some_and(|desired| desired.targets().is_empty());
    named.searched.is_some() && has_none && selection.tree.is_none()
}

fn role(named: &Named, document: &Document, selection: &Selection) -> Role {
    let Some(desired) = document.desired() else { return Role::None };
    if is_parent(named, document, selection) {
        return Role::Parent;
    }
    match target_dirs(desired, &document.folder, selection) {
        Ok(dirs) => {
            let of_document = |dir| TargetDir { document: Some(document.name.clone()), ..dir };
            Role::Targets(dirs.into_iter().map(of_document).collect())
        }
        Err(error) => Role::Unusable(error.of(&document.name, None)),
    }
}

/// Works on each target of a run that needs of the documents nothing but their targets, in their order. A tree that is
/// named without a document needs none. `see` gets what else is met. Returns the worst outcome.
///
/// # Errors
/// The only document failed, or none names a target.
pub fn only_targets(
    selection: &Selection,
    see: &mut dyn FnMut(Met<'_, ()>),
    work: &mut dyn FnMut(&TargetDir) -> Result<Outcome, Error>,
) -> Result<Outcome, Error> {
    if let Some(dir) = named_tree(selection) {
        return work(&dir);
    }
    let each = |document: &Document, dirs: &[TargetDir]| {
        let digest = document.digest();
        dirs.iter().try_fold(Outcome::Done, |worst, dir| {
            let dir = TargetDir { digest: Some(digest.clone()), ..dir.clone() };
            work(&dir).map(|outcome| worst.worse(outcome))
        })
    };
    Documents::load(selection)?.each_document(each, see)
}

/// Returns the error of a run whose documents are all there for others to extend.
pub(crate) fn no_targets() -> Error {
    Error::usage("no document that was found names a target")
        .help("add `targets:` to one, or use `--deployment DIR` or `--installer DIR`")
}

/// Returns whether a document that was found may be a parent: its children may bring the keys that it lacks.
pub(crate) fn lacks_only_keys(named: &Named, document: &Document) -> bool {
    let mut errors = document.reading.diagnostics.iter().filter(|d| d.is_error()).peekable();
    named.searched.is_some()
        && errors.peek().is_some()
        && errors.all(|error| error.code == model::Code::MissingKey)
}

/// The documents that others extend.
#[derive(Default)]
pub(crate) struct Parents(HashSet<PathBuf>);

impl Parents {
    /// Notes the parents of a document.
    pub(crate) fn add(&mut self, document: &Document) {
        self.0.extend(document.reading.parents.iter().map(|(path, _)| PathBuf::from(path)));
    }

    /// Returns whether one of them is this file, whatever way their paths take.
    pub(crate) fn contains(&self, named: &Named) -> bool {
        let real = named.path.canonicalize().ok();
        self.0.contains(&named.path)
            || self.0.iter().any(|path| real.is_some() && path.canonicalize().ok() == real)
    }
}
