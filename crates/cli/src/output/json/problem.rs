//! Errors and warnings, each with all that a program needs to act on it.

use live::Scrubber;
use model::{Diagnostic, Location};
use ops::Error;
use schemars::JsonSchema;
use serde::Serialize;

use super::words::{FilesState, Outcome, Severity};

/// An error or a warning.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Problem {
    /// The code that `kasm-db explain` explains; null if there is none for it.
    code: Option<&'static str>,
    /// The name of the code.
    name: Option<&'static str>,
    severity: Severity,
    /// What is wrong.
    message: String,
    /// What to do now.
    help: Option<String>,
    /// The document that it is about.
    document: Option<String>,
    /// The target that it is about.
    target: Option<String>,
    place: Option<Place>,
    /// A second place that has to do with it.
    related: Option<Related>,
    fix: Option<Fix>,
    /// The name to pass to `--allow` so that it no longer blocks; null if that is not possible.
    allow: Option<&'static str>,
    /// How the run ends because of it; null for findings, of which the worst decides.
    outcome: Option<Outcome>,
    /// What holds for the files of the target; null for findings.
    state: Option<FilesState>,
}

/// A place in a file. Lines and columns count from 1, columns in characters; start and end are offsets in bytes.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct Place {
    path: String,
    base: Base,
    line: usize,
    column: usize,
    start: usize,
    end: usize,
}

/// What a path that is not absolute is relative to.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Base {
    /// The folder in which kasm-db ran: of documents.
    WorkingDirectory,
    /// The folder of the target: of its compose files and its postgresql.conf.
    Target,
}

#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct Related {
    #[serde(flatten)]
    place: Place,
    why: String,
}

/// Bytes of the file at the place, and what to write instead of them.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct Fix {
    start: usize,
    end: usize,
    replacement: String,
}

impl Place {
    fn new(place: &Location, base: Base) -> Self {
        let Location { path, span, line, column } = place;
        Self { path: path.clone(), base, line: *line, column: *column, start: span.start, end: span.end }
    }
}

/// What a problem is about.
#[derive(Clone, Copy, Default)]
pub(super) struct About<'a> {
    pub(super) document: Option<&'a str>,
    pub(super) target: Option<&'a str>,
}

impl About<'_> {
    /// Returns whether it is about the run as a whole.
    pub(super) fn is_nothing(self) -> bool {
        self.document.is_none() && self.target.is_none()
    }

    /// Returns the names of the document and of the target.
    pub(super) fn names(self) -> (Option<String>, Option<String>) {
        (self.document.map(String::from), self.target.map(String::from))
    }
}

impl Problem {
    /// Accepts what was found in a document.
    pub(super) fn of_document(diagnostic: &Diagnostic, document: &str) -> Self {
        let place = |at| Place::new(at, Base::WorkingDirectory);
        Self {
            place: diagnostic.location.as_ref().map(place),
            related: diagnostic
                .related
                .as_ref()
                .map(|(at, why)| Related { place: place(at), why: why.clone() }),
            document: Some(document.to_string()),
            ..Self::of(diagnostic)
        }
    }

    /// Accepts what was found in a target. What is wrong is in its files, and what asks for it in the document, which is the
    /// place if the files have none.
    pub(super) fn of_target(diagnostic: &Diagnostic) -> Self {
        let place = diagnostic.location.as_ref().map(|at| Place::new(at, Base::Target));
        let declared =
            diagnostic.related.as_ref().map(|(at, why)| (Place::new(at, Base::WorkingDirectory), why));
        let (place, related) = match (place, declared) {
            (None, Some((declared, _))) => (Some(declared), None),
            (place, declared) => (place, declared.map(|(place, why)| Related { place, why: why.clone() })),
        };
        Self { place, related, ..Self::of(diagnostic) }
    }

    fn of(diagnostic: &Diagnostic) -> Self {
        let code = diagnostic.code;
        let fix = diagnostic.fix.as_ref();
        Self {
            code: Some(code.id()),
            name: Some(code.name()),
            fix: fix.map(|(range, replacement)| Fix {
                start: range.start,
                end: range.end,
                replacement: replacement.clone(),
            }),
            allow: code.risk().map(|_| code.name()),
            ..Self::said(diagnostic.severity.into(), &diagnostic.message, diagnostic.help.clone())
        }
    }

    /// Accepts an error, and what was wrong besides it.
    pub(super) fn all_of(error: &Error) -> Vec<Self> {
        let hide = |text: &str| Scrubber::default().hide(text);
        let one = |error: &Error, whole: &Error| Self {
            outcome: Some(error.kind.into()),
            state: Some(whole.state.into()),
            document: error.document.as_ref().or(whole.document.as_ref()).map(ToString::to_string),
            target: error.target.as_ref().or(whole.target.as_ref()).map(ToString::to_string),
            ..Self::said(Severity::Error, &hide(&error.message), error.help.as_deref().map(hide))
        };
        std::iter::once(error).chain(&error.others).map(|each| one(each, error)).collect()
    }

    /// Accepts a warning that is not a finding.
    pub(super) fn warning(message: &str, help: Option<&str>) -> Self {
        Self::said(Severity::Warning, message, help.map(String::from))
    }

    /// Returns what it is about, if it does not say so itself.
    pub(super) fn is_about(&mut self, about: About<'_>) {
        let (document, target) = about.names();
        self.document = self.document.take().or(document);
        self.target = self.target.take().or(target);
    }

    fn said(severity: Severity, message: &str, help: Option<String>) -> Self {
        Self {
            code: None,
            name: None,
            severity,
            message: message.to_string(),
            help,
            document: None,
            target: None,
            place: None,
            related: None,
            fix: None,
            allow: None,
            outcome: None,
            state: None,
        }
    }

    /// Returns how the run ends because of it; nothing for a finding.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Returns problems on one line each: where, what, and what to do. One cause in several files is one.
    pub(super) fn lines(all: &[Self]) -> Vec<String> {
        let same = |one: &Self, other: &Self| (one.code, &one.message) == (other.code, &other.message);
        let is_first = |(at, one): &(usize, &Self)| !all[..*at].iter().any(|before| same(one, before));
        let line = |(_, one): (usize, &Self)| {
            let others = all.iter().filter(|other| same(one, other)).count() - 1;
            one.line(&if others == 0 { String::new() } else { format!(", and in {others} more") })
        };
        all.iter().enumerate().filter(is_first).map(line).collect()
    }

    fn line(&self, others: &str) -> String {
        let is_of_document = self.place.as_ref().is_some_and(|at| at.base == Base::WorkingDirectory);
        let target = self.target.as_ref().filter(|_| !is_of_document).map(|name| format!("{name}: "));
        let place = self.place.as_ref();
        let place = place.map(|at| format!("{}:{}:{}{others}: ", at.path, at.line, at.column));
        let code = self.code.map(|code| format!(" [{code}]"));
        let allow = self.allow.map(|name| format!("`allow: [{name}]` proceeds anyway"));
        let help: Vec<_> = self.help.iter().cloned().chain(allow).collect();
        let help = if help.is_empty() { String::new() } else { format!(" ({})", help.join("; ")) };
        let [target, place, code] = [target, place, code].map(Option::unwrap_or_default);
        format!("{target}{place}{}{code}{help}", self.message)
    }

    /// Returns whether it is an error.
    pub(super) fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
