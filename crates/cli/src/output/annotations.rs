//! Problems with their places, for services that show them beside the lines of a merge request.

use std::path::{Component, Path, PathBuf};

use model::{Diagnostic, Location, Severity};
use ops::{Document, Error, Outcome};

use super::emitter::{Emitter, PlanRow};
use super::report::Report;
use super::sink::Sink;

/// The reports whose problems have places.
pub(super) const REPORTS: &[Report] = &[Report::Validate, Report::Plan, Report::Show];

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

/// Gathers problems for a format; they are written at the end of the run, also if it fails.
pub(super) struct Annotated {
    sink: Sink,
    annotations: Annotations,
    /// Writes the problems, the worst first.
    text: fn(&[Annotation]) -> String,
    is_for_programs: bool,
}

impl Annotated {
    /// Starts a result for people.
    pub(super) fn for_people(sink: Sink, text: fn(&[Annotation]) -> String) -> Self {
        Self { sink, annotations: Annotations::default(), text, is_for_programs: false }
    }

    /// Starts a result for programs.
    pub(super) fn for_programs(sink: Sink, text: fn(&[Annotation]) -> String) -> Self {
        Self { is_for_programs: true, ..Self::for_people(sink, text) }
    }
}

impl Emitter for Annotated {
    fn is_for_programs(&self) -> bool {
        self.is_for_programs
    }

    fn read(&mut self, document: &Document) -> Result<(), Error> {
        self.annotations.document(document);
        Ok(())
    }

    fn checked(&mut self, document: &Document) -> Result<(), Error> {
        self.annotations.document(document);
        Ok(())
    }

    fn plan(&mut self, row: &PlanRow<'_>) -> Result<(), Error> {
        self.annotations.plan(row);
        Ok(())
    }

    fn error(&mut self, error: &Error) -> Result<(), Error> {
        self.annotations.error(error);
        Ok(())
    }

    fn end(&mut self, _: Outcome) -> Result<(), Error> {
        let text = (self.text)(self.annotations.sorted());
        self.sink.bytes(text.as_bytes())?;
        self.sink.complete();
        self.sink.end()
    }
}

/// Gathers problems, each once: a plan of several targets repeats those that are about a document.
#[derive(Default)]
struct Annotations {
    all: Vec<Annotation>,
}

impl Annotations {
    /// Adds what is wrong with a document.
    fn document(&mut self, document: &Document) {
        for finding in &document.reading.diagnostics {
            let place = finding.location.as_ref().and_then(|at| place(at, None));
            self.add(finding, place, &document.name);
        }
    }

    /// Adds what was found in the files of a target. If those are not in the repository, the place is the line of the document
    /// that asks for it.
    fn plan(&mut self, row: &PlanRow<'_>) {
        for finding in &row.plan.findings {
            let folder = Some(Path::new(row.folder));
            let own = finding.location.as_ref().and_then(|at| place(at, folder));
            let declared = finding.related.as_ref().and_then(|(at, _)| place(at, None));
            self.add(finding, own.or(declared), &row.plan.target.name);
        }
    }

    /// Adds an error of the run or of a target.
    fn error(&mut self, error: &Error) {
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
    fn sorted(&mut self) -> &[Annotation] {
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
