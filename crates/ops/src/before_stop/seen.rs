//! What was seen before a database is stopped.

use model::Diagnostic;
use render::{Foreign, NeededImage};

use crate::error::Error;

/// What was seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// What keeps the database from being stopped; warnings, if that is allowed.
    pub(crate) findings: Vec<Diagnostic>,
    /// Settings that the document does not name and that get another value with the restart, each with its place.
    pub(crate) also: Vec<String>,
    /// What files set that are not the target's.
    pub(crate) foreign: Vec<Foreign>,
    /// The conf that was replaced on the host while the container keeps the old one, which a reload would read.
    pub(crate) stale: Option<String>,
    /// Whether the server answers.
    pub(crate) is_up: bool,
    /// The images that are pulled before the database is stopped.
    pub(crate) pulls: Vec<ToPull>,
}

/// An image that is pulled before the database is stopped.
#[derive(Clone, Debug)]
pub(crate) struct ToPull {
    /// The image.
    pub(crate) image: NeededImage,
    /// Its reference, as it is said.
    pub(crate) shown: String,
    /// Whether the engine does not have it; otherwise Compose would pull it again at the start.
    pub(crate) is_missing: bool,
}

/// More suspects are not worth a line each.
const SUSPECTS: usize = 5;

impl Seen {
    /// Reports for a server that does not come up what else it reads, and how that goes without it; `why` is what it said last.
    pub(crate) fn suspects(&self, why: &str) -> Option<(String, String)> {
        let said = |finding: &Diagnostic| {
            let place = finding.location.as_ref().map(|at| format!("{}:{}: ", at.path, at.line));
            (format!("{}{}", place.unwrap_or_default(), finding.message), finding.help.clone())
        };
        if let Some((what, help)) = self.findings.first().map(said) {
            return Some((what, help?));
        }
        // What its last words repeat is suspected first.
        let is_named = |foreign: &&Foreign| {
            let value = String::from_utf8_lossy(&foreign.value).into_owned();
            why.contains(&foreign.name) || value.len() > 2 && why.contains(value.trim_matches('"'))
        };
        let (named, others): (Vec<_>, Vec<_>) = self.foreign.iter().partition(is_named);
        let all: Vec<_> = named.into_iter().chain(others).take(SUSPECTS).collect();
        let first = all.first()?;
        let listed: Vec<_> = all.iter().map(|one| format!("{} ({})", one.name, one.place)).collect();
        let what = format!("besides the files of this target the server reads {}", listed.join(", "));
        Some((what, format!("if {} is the reason, {}", first.name, first.way_out)))
    }

    /// Returns whether the database is to be left alone.
    pub(crate) fn is_blocked(&self) -> bool {
        self.findings.iter().any(Diagnostic::is_error)
    }

    /// Returns the error that says so: the files are written, and the database runs as before.
    pub(crate) fn error(&self) -> Option<Error> {
        let errors = self.findings.iter().filter(|finding| finding.is_error());
        let error = |finding: &Diagnostic| {
            let place = finding.location.as_ref().map(|at| format!("{}:{}: ", at.path, at.line));
            let message = format!("{}{} [{}]", place.unwrap_or_default(), finding.message, finding.code);
            let help = finding.help.as_deref().unwrap_or(finding.code.fix());
            Error::not_followed(message).help(help)
        };
        let mut errors: Vec<_> = errors.map(error).collect();
        let last = errors.last_mut()?;
        let help = last.help.take().unwrap_or_default();
        last.help =
            Some(format!("{help}; then run `kasm-db apply` or `kasm-db recover`, which continue here"));
        Error::all(errors)
    }
}
