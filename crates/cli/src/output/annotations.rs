//! Problems with their places, for services that show them beside the lines of a merge request.

use std::path::{Component, Path, PathBuf};

use live::Verdict;
use model::{Code, Diagnostic, Location, Severity};
use ops::verify::{Looked, Verified};
use ops::{Document, Error, Outcome, TargetName};

use super::emitter::{Emitter, PlanHead, PlanRow, target_name};
use super::report::Report;
use super::sink::Sink;

/// The reports whose problems have places.
pub(super) const REPORTS: &[Report] = &[Report::Validate, Report::Plan, Report::Show];

/// What a run came to.
pub(super) struct Gathered {
    pub(super) report: Report,
    /// Whether the plans are of several documents.
    several: bool,
    /// The worst first.
    pub(super) problems: Vec<Annotation>,
    /// What somebody should know besides: nothing is wrong.
    pub(super) notes: Vec<String>,
    pub(super) outcome: Outcome,
}

/// A problem beside a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Annotation {
    pub(super) severity: Severity,
    /// Which rule; `None` for an error of the run.
    pub(super) code: Option<Code>,
    pub(super) message: String,
    pub(super) place: Option<Place>,
    /// A second place that has to do with it, and why.
    pub(super) related: Option<(Place, String)>,
    /// The document that it is of, relative as a place is.
    pub(super) document: Option<String>,
    /// The key or target that it is about, which does not move with the lines.
    pub(super) about: String,
}

/// A place in a file of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The file, relative to the folder in which the program runs, which is that of the repository.
    pub(super) path: String,
    /// From 1.
    pub(super) line: usize,
    /// In characters, from 1.
    pub(super) column: usize,
}

impl Annotation {
    /// Returns the name of the rule, such as `no-digest`; `error` for an error of the run.
    pub(super) fn name(&self) -> &'static str {
        self.code.map_or("error", Code::name)
    }

    /// Returns a place for services that want one of each problem: its own, or else the start of its document.
    pub(super) fn place_or_document(&self) -> Place {
        let document = || self.document.clone().unwrap_or_else(|| "kasm-db.yaml".into());
        self.place.clone().unwrap_or_else(|| Place { path: document(), line: 1, column: 1 })
    }
}

/// Gathers problems for a format; they are written at the end of the run, also if it fails.
pub(super) struct Annotated {
    sink: Sink,
    gathered: Gathered,
    text: fn(&Gathered) -> String,
    is_for_programs: bool,
}

impl Annotated {
    /// Starts a result for people.
    pub(super) fn for_people(report: Report, sink: Sink, text: fn(&Gathered) -> String) -> Self {
        let (problems, notes) = (Vec::new(), Vec::new());
        let gathered = Gathered { report, several: false, problems, notes, outcome: Outcome::Done };
        Self { sink, gathered, text, is_for_programs: false }
    }

    /// Starts a result for programs.
    pub(super) fn for_programs(report: Report, sink: Sink, text: fn(&Gathered) -> String) -> Self {
        Self { is_for_programs: true, ..Self::for_people(report, sink, text) }
    }
}

impl Emitter for Annotated {
    fn is_for_programs(&self) -> bool {
        self.is_for_programs
    }

    fn begin_plans(&mut self, head: &PlanHead<'_>) -> Result<(), Error> {
        self.gathered.several = head.documents.len() > 1;
        Ok(())
    }

    fn read(&mut self, document: &Document) -> Result<(), Error> {
        self.gathered.document(document);
        Ok(())
    }

    fn checked(&mut self, document: &Document) -> Result<(), Error> {
        self.gathered.document(document);
        Ok(())
    }

    fn plan(&mut self, row: &PlanRow<'_>) -> Result<(), Error> {
        self.gathered.plan(row);
        Ok(())
    }

    fn verified(&mut self, name: &TargetName, verified: &Verified) -> Result<(), Error> {
        self.gathered.verified(name, verified);
        Ok(())
    }

    fn error(&mut self, error: &Error) -> Result<(), Error> {
        self.gathered.error(error);
        Ok(())
    }

    fn warning(&mut self, message: &str, help: Option<&str>) {
        self.gathered.notes.push(with_help(message, help));
    }

    fn end(&mut self, outcome: Outcome) -> Result<(), Error> {
        self.gathered.outcome = outcome;
        self.gathered.problems.sort_by_key(|one| one.severity);
        let text = (self.text)(&self.gathered);
        self.sink.bytes(text.as_bytes())?;
        self.sink.complete();
        self.sink.end()
    }

    fn break_off(&mut self, error: &Error) -> Result<(), Error> {
        self.gathered.error(error);
        self.end(error.kind)
    }
}

impl Gathered {
    /// Adds what is wrong with a document.
    fn document(&mut self, document: &Document) {
        for finding in &document.reading.diagnostics {
            let at = |place: &Location| self::place(place, None);
            self.push(Annotation {
                place: finding.location.as_ref().and_then(at),
                related: finding.related.as_ref().and_then(|(place, why)| Some((at(place)?, why.clone()))),
                ..annotation(finding, &document.name, &document.name)
            });
        }
    }

    /// Adds what was found in the files of a target. If those are not in the repository, the place is the line of the document
    /// that asks for it.
    fn plan(&mut self, row: &PlanRow<'_>) {
        for finding in &row.plan.findings {
            let folder = Some(Path::new(row.folder));
            let own = finding.location.as_ref().and_then(|at| place(at, folder));
            let related = finding.related.as_ref();
            let declared = related.and_then(|(at, why)| Some((place(at, None)?, why.clone())));
            let (place, related) = match (own, declared) {
                (None, Some((place, _))) => (Some(place), None),
                both => both,
            };
            self.push(Annotation { place, related, ..annotation(finding, row.document, &row.name()) });
        }
    }

    /// Adds the checks of a server that fail; what was not looked at is a note.
    fn verified(&mut self, name: &TargetName, verified: &Verified) {
        let hide = |text: &str| verified.scrubber.hide(text);
        if let Looked::Not(why) = &verified.looked {
            self.notes.push(format!("{}: the server was not asked: {why}", name.label()));
        }
        for check in verified.checks() {
            let about = hide(&format!("{}: {}", name.label(), check.subject));
            let says = format!("{about}: {}", check.says);
            match &check.verdict {
                Verdict::Ok => {}
                Verdict::Skip => self.notes.push(hide(&says)),
                Verdict::Fail { code, fix, .. } => self.push(Annotation {
                    severity: Severity::Error,
                    code: Some(*code),
                    message: hide(&with_help(&says, Some(fix))),
                    place: None,
                    related: None,
                    document: below(Path::new(&name.document)),
                    about,
                }),
            }
        }
    }

    /// Adds an error of the run or of a target.
    fn error(&mut self, error: &Error) {
        for error in std::iter::once(error).chain(&error.others) {
            let about = match (error.document.as_deref(), error.target.as_deref()) {
                (Some(document), Some(target)) => target_name(self.several, document, target),
                (document, target) => target.or(document).unwrap_or_default().to_string(),
            };
            self.push(Annotation {
                severity: Severity::Error,
                code: None,
                message: with_help(&error.message, error.help.as_deref()),
                place: None,
                related: None,
                document: error.document.as_ref().and_then(|name| below(Path::new(&**name))),
                about,
            });
        }
    }

    /// Adds a problem once: a plan of several targets repeats those that are about a document.
    fn push(&mut self, annotation: Annotation) {
        if !self.problems.contains(&annotation) {
            self.problems.push(annotation);
        }
    }
}

/// Returns the annotation of a finding, without its places.
fn annotation(finding: &Diagnostic, document: &str, about: &str) -> Annotation {
    Annotation {
        severity: finding.severity,
        code: Some(finding.code),
        message: with_help(&finding.message, finding.help.as_deref()),
        place: None,
        related: None,
        document: below(Path::new(document)),
        about: about.to_owned(),
    }
}

/// Joins a message and what to do.
fn with_help(message: &str, help: Option<&str>) -> String {
    help.map_or_else(|| message.to_owned(), |help| format!("{message}\n{help}"))
}

/// Returns a place as one of the repository; `None` if it is not below the folder in which the program runs.
fn place(at: &Location, folder: Option<&Path>) -> Option<Place> {
    let path = Path::new(&at.path);
    let path = folder.map_or_else(|| path.to_path_buf(), |folder| folder.join(path));
    Some(Place { path: below(&path)?, line: at.line.max(1), column: at.column.max(1) })
}

/// Returns a path from the folder in which the program runs; `None` if it is not below it.
fn below(path: &Path) -> Option<String> {
    let path = match path.is_absolute() {
        true => path.strip_prefix(std::path::absolute(".").ok()?.canonicalize().ok()?).ok()?,
        false => path,
    };
    let parts: PathBuf = path.components().filter(|part| !matches!(part, Component::CurDir)).collect();
    let is_below = parts.components().all(|part| matches!(part, Component::Normal(_)));
    (is_below && parts != Path::new("-")).then(|| parts.display().to_string())
}
