//! One command, one file, one function.

pub(crate) mod ansible;
pub(crate) mod apply;
pub(crate) mod audit;
pub(crate) mod build;
pub(crate) mod completions;
pub(crate) mod explain;
pub(crate) mod forget;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod inspect;
pub(crate) mod man;
pub(crate) mod plan;
pub(crate) mod recover;
pub(crate) mod render;
pub(crate) mod resolve;
pub(crate) mod rollback;
pub(crate) mod schema;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod upgrade_plan;
pub(crate) mod validate;
pub(crate) mod verify;
pub(crate) mod version;

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

use live::Environment;
use model::document::Policy;
use ops::{Document, Documents, Error, FilesState, Met, Outcome, Outputs, Progress, Selection, TargetDir};

use crate::args::Global;
use crate::output::results::Results;
use crate::output::{Detail, Terminal, diagnostics, escape, is_repeated, progress};

/// What every command gets.
pub(crate) struct Setting {
    pub(crate) terminal: Terminal,
    pub(crate) progress: Progress,
    pub(crate) environment: Environment,
    pub(crate) global: Global,
    pub(crate) results: Results,
    /// Whether warnings are shown that every run on the document would repeat.
    pub(crate) shows_repeated: bool,
    /// Hashes of what was said of documents: several may extend one, and what is wrong with that is said once.
    pub(crate) said: Mutex<HashSet<u64>>,
    /// The text of a document that is handed over in place of files.
    pub(crate) text: Option<Arc<str>>,
    /// Replaces `restart.policy` of the documents.
    pub(crate) restart: Option<Policy>,
    /// The files that results go to.
    pub(crate) outputs: Outputs,
}

impl Setting {
    fn selection(&self) -> Selection {
        Selection {
            text: self.text.clone(),
            restart: self.restart,
            outputs: self.outputs.clone(),
            environment: self.environment.clone(),
            ..self.global.selection()
        }
    }

    fn detail(&self) -> Detail {
        self.global.detail()
    }

    /// Returns who words what an operation says.
    fn observer(&self) -> progress::Progress<'_> {
        progress::Progress {
            terminal: &self.terminal,
            detail: self.detail(),
            no_input: self.global.no_input,
            results: &self.results,
        }
    }

    /// Writes a result for people, if standard output is for them.
    fn say(&self, text: &str) -> Result<(), Error> {
        if self.results.are_for_programs() { Ok(()) } else { self.terminal.result(text) }
    }

    /// Tells an error.
    pub(crate) fn error(&self, error: &Error) {
        self.terminal.error(error);
        self.results.error(error);
    }

    /// Tells an error of a target.
    fn target_error(&self, dir: &TargetDir, error: Error) {
        let document = dir.document.as_deref().map(Box::from);
        self.error(&Error { document, target: Some(dir.target.name.as_str().into()), ..error });
    }

    /// Returns what somebody should know.
    fn warning(&self, message: &str, help: Option<&str>) {
        self.terminal.warning(message, help);
        self.results.warning(message, help);
    }

    /// Shows what is wrong with a document.
    fn show_document(&self, document: &Document) -> Result<(), Error> {
        self.note_document(document);
        self.results.each(|emitter| emitter.read(document))
    }

    /// Shows what is wrong with a document on standard error.
    fn note_document(&self, document: &Document) {
        let terminal = &self.terminal;
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = |said: &dyn Fn(&mut DefaultHasher)| {
            let mut hasher = DefaultHasher::new();
            said(&mut hasher);
            hasher.finish()
        };
        let is_first = said.insert(hash(&|hasher| document.name.hash(hasher)));
        let mut shared = BTreeSet::new();
        for diagnostic in &document.reading.diagnostics {
            let is_new = diagnostic.location.as_ref().is_none_or(|at| {
                said.insert(hash(&|hasher| (&at.path, &at.span, &diagnostic.message).hash(hasher)))
            });
            match diagnostic.is_error() {
                true if !is_new => {
                    shared.extend(diagnostic.location.as_ref().map(|at| at.path.as_str()));
                }
                _ if !is_new => {}
                false if terminal.quiet => {}
                false if is_repeated(diagnostic) && !self.shows_repeated => {}
                false if is_repeated(diagnostic) => terminal.note(&diagnostics::in_one_line(diagnostic)),
                _ => terminal.note(&diagnostics::with_source(
                    diagnostic,
                    &document.reading.diagnostics,
                    &|path| document.text(path),
                )),
            }
        }
        for parent in shared.into_iter().filter(|parent| is_first && *parent != document.name) {
            let (name, parent) = (escape(&document.name), escape(parent));
            terminal.note(&format!("{name} has the errors of {parent} too: it extends that document\n"));
        }
        if document.desired().is_none() {
            terminal.state(FilesState::NothingChanged);
        }
    }

    /// Reports that a document names no target, if that is of interest.
    fn show_parent(&self, document: &Document) {
        if self.global.verbose > 0 {
            self.terminal.note(&format!("{}: skipped, it names no target\n", escape(&document.name)));
        }
    }

    /// Reports for every document of a run that writes what is to be said of it; tells whether all of them are valid.
    fn show_documents(&self, documents: &Documents) -> bool {
        documents.parents().for_each(|document| self.show_parent(document));
        // What cannot be written here cannot be written at the end either, and is an error then.
        documents.others().for_each(|document| drop(self.show_document(document)));
        // One that cannot be read is an error of its own.
        !documents.are_all_read() || documents.others().all(|document| document.desired().is_some())
    }

    /// Returns which target a run is about that takes one.
    fn begin_target(&self, dir: &TargetDir) -> Result<(), Error> {
        self.results.each(|emitter| {
            emitter.target(dir);
            Ok(())
        })
    }

    /// Shows what a run meets besides its targets; the rest is for the caller.
    fn show_met<T>(&self, met: Met<'_, T>) -> Option<Target<T>> {
        match met {
            Met::Failed(error) => self.error(&error),
            Met::Document(document, _) => {
                // What cannot be written here cannot be written at the end either, and is an error then.
                let _ = self.show_document(document);
            }
            Met::Parent(document) => self.show_parent(document),
            Met::Target(_, _, Err(error)) => self.error(&error),
            Met::Target(document, name, Ok(result)) => {
                return Some(Target { document: document.name.clone(), name, result });
            }
        }
        None
    }

    /// Works on each target of a run that is about none of the documents but their targets. Returns the worst outcome.
    fn only_targets(
        &self,
        selection: &Selection,
        work: &mut dyn FnMut(&TargetDir) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        let mut see = |met: Met<'_, ()>| {
            self.show_met(met);
        };
        ops::only_targets(selection, &mut see, work)
    }
}

/// Returns the document of a command that takes one; `what` is what it cannot do to several.
fn only_document<'a>(documents: &'a Documents, what: &str) -> Result<&'a Document, Error> {
    let all: Vec<_> = documents.documents().collect();
    let [document] = all[..] else {
        let names: Vec<_> = all.iter().map(|document| document.name.as_str()).collect();
        let message = format!("cannot {what}: {}", names.join(", "));
        return Err(Error::usage(message).help("name one document"));
    };
    Ok(document)
}

/// A target that a run met, and what came of it.
struct Target<T> {
    document: String,
    name: ops::TargetName,
    result: T,
}

/// Returns the outcome of a plan that is shown: differences count only if they are asked for.
fn outcome_of(plan: &::render::Plan, detailed: bool) -> Outcome {
    match ops::outcome_of(plan) {
        Outcome::Differences if !detailed => Outcome::Done,
        outcome => outcome,
    }
}
