//! Problems with their places, for services that show them beside the lines of a merge request.

use std::path::{Component, Path, PathBuf};

use model::{Diagnostic, Location, Severity};
use ops::{Document, Error};

use super::emitter::PlanRow;

/// A problem beside a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Annotation {
    pub(super) severity: Severity,
    /// `KDB221`; empty for an error of the run.
    pub(super) code: &'static str,
    /// `no-digest`; empty for an error of the run.
    pub(super) name: &'static str,
    pub(super) message: String,
    /// The file, relative to the folder in which the program runs, which is that of the repository.
    pub(super) place: Option<(String, usize, usize)>,
    /// The key or target that it is about, which does not move with the lines.
    pub(super) about: String,
}

/// Gathers problems, each once: a plan of several targets repeats those that are about a document.
#[derive(Default)]
pub(super) struct Annotations {
    all: Vec<Annotation>,
}

impl Annotations {
    /// Adds what is wrong with a document.
    pub(super) fn document(&mut self, document: &Document) {
        for finding in &document.reading.diagnostics {
            let place = finding.location.as_ref().and_then(|at| place(at, None));
            self.add(finding, place, &document.name);
        }
    }

    /// Adds what was found in the files of a target. If those are not in the repository, the place is the line of the document
    /// that asks for it.
    pub(super) fn plan(&mut self, row: &PlanRow<'_>) {
        for finding in &row.plan.findings {
            let folder = Some(Path::new(row.folder));
            let own = finding.location.as_ref().and_then(|at| place(at, folder));
            let declared = finding.related.as_ref().and_then(|(at, _)| place(at, None));
            self.add(finding, own.or(declared), &row.plan.target.name);
        }
    }

    /// Adds an error of the run or of a target.
    pub(super) fn error(&mut self, error: &Error) {
        for error in std::iter::once(error).chain(&error.others) {
            let help = error.help.as_ref().map_or(String::new(), |help| format!("\n{help}"));
            let about = error.target.as_ref().or(error.document.as_ref());
            self.push(Annotation {
                severity: Severity::Error,
                code: "",
                name: "",
                message: format!("{}{help}", error.message),
                place: None,
                about: about.map_or(String::new(), ToString::to_string),
            });
        }
    }

    /// Returns all of them, the worst first.
    pub(super) fn sorted(&mut self) -> &[Annotation] {
        self.all.sort_by_key(|one| one.severity);
        &self.all
    }

    fn add(&mut self, finding: &Diagnostic, place: Option<(String, usize, usize)>, about: &str) {
        let help = finding.help.as_ref().map_or(String::new(), |help| format!("\n{help}"));
        self.push(Annotation {
            severity: finding.severity,
            code: finding.code.id(),
            name: finding.code.name(),
            message: format!("{}{help}", finding.message),
            place,
            about: about.to_owned(),
        });
    }

    fn push(&mut self, annotation: Annotation) {
        if !self.all.contains(&annotation) {
            self.all.push(annotation);
        }
    }
}

/// Returns a place as a path of the repository; `None` if it is not below the folder in which the program runs.
fn place(at: &Location, folder: Option<&Path>) -> Option<(String, usize, usize)> {
    let path = Path::new(&at.path);
    let path = folder.map_or_else(|| path.to_path_buf(), |folder| folder.join(path));
    let path = match path.is_absolute() {
        true => path.strip_prefix(std::path::absolute(".").ok()?.canonicalize().ok()?).ok()?.to_path_buf(),
        false => path,
    };
    let parts: PathBuf = path.components().filter(|part| !matches!(part, Component::CurDir)).collect();
    let is_below = parts.components().all(|part| matches!(part, Component::Normal(_)));
    is_below.then(|| (parts.display().to_string(), at.line, at.column))
}
