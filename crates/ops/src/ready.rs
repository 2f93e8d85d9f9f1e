//! A change of files that was checked: written by an apply and by a rollback in the same way.

use std::path::PathBuf;

use commit::{Change, CommitError, Options, Report, State};
use render::{FileKind, Needs};

use crate::context::Context;
use crate::error::{Error, FilesState};
use crate::follow_up::record::{Record, pending};
use crate::note::Note;
use crate::opened::Locked;
use crate::outcome::Outcome;
use crate::progress::Writing;
use crate::written_record::{self, Sets};

/// A change of a target's files, ready to be written.
pub(crate) struct Ready<'a> {
    pub(crate) locked: &'a Locked<'a>,
    /// What is written down in the history: `apply`, `rollback to 3`.
    pub(crate) what: String,
    pub(crate) changes: Vec<Change>,
    /// Whether the files are written in place.
    pub(crate) in_place: bool,
    /// What follows the files.
    pub(crate) record: Option<Record>,
    /// What the history tells about it.
    pub(crate) note: Note,
    /// What the record of what was set is to know.
    pub(crate) sets: Sets,
}

/// Returns whether files are to be written in place: if a reload is enough, the container must see them, and under a
/// single-file bind mount it keeps the old file when that is replaced.
pub(crate) fn in_place(needs: Needs, mut kinds: impl Iterator<Item = FileKind>) -> bool {
    needs == Needs::Reload && kinds.all(|kind| kind == FileKind::Conf)
}

/// A change that was written.
pub(crate) struct Written {
    /// The folder.
    pub(crate) root: PathBuf,
    pub(crate) report: Report,
    /// What follows it.
    pub(crate) record: Option<Record>,
    /// The error that ends the run here: a signal came while files were written.
    pub(crate) interrupted: Result<(), Error>,
}

/// What is written down beside the files.
pub(crate) struct Bound {
    /// What follows them.
    pub(crate) record: Option<Record>,
    /// What was set; `None` leaves it as it is.
    managed: Option<render::Record>,
}

impl Ready<'_> {
    /// Performs every check that comes before the first write.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.locked.lock.check(&self.changes, &self.options(None, None)).map_err(|error| failed(&error, None))
    }

    /// Writes all files or none, and what follows them beside them. A signal waits for the end of `writing`.
    pub(crate) fn write(&self, writing: Writing<'_>, context: &Context<'_>) -> Result<Written, Error> {
        let bound = self.bound()?;
        let committed = self.commit(&bound);
        if committed.is_ok() {
            let root = self.locked.rooted.root.path();
            let paths = self.changes.iter().map(|change| root.join(&change.path).display().to_string());
            context.progress.changed(paths);
            if let Some(record) = &self.record {
                context.progress.next(Some(record.follow_up.step.name()));
            }
        }
        let interrupted = writing.end(committed.is_ok());
        let report = committed.map_err(|error| failed(&error, interrupted.as_ref().err()))?;
        let root = self.locked.rooted.root.path().to_path_buf();
        Ok(Written { root, report, record: bound.record.filter(|_| self.record.is_some()), interrupted })
    }

    /// Returns the records that are written with the files, bound to the generation that they become. What an earlier run has
    /// left to be done is still to be done after a change that nothing follows.
    ///
    /// # Errors
    /// What an earlier run wrote down cannot be read: it would be lost.
    pub(crate) fn bound(&self) -> Result<Bound, Error> {
        let root = &self.locked.rooted.root;
        let record = match &self.record {
            Some(record) => Some(record.clone()),
            None => pending(root)?,
        };
        let number = self.locked.lock.next_number().map_err(|error| Error::from(&error))?;
        let kept = root.managed().map_err(|error| Error::from(&error))?;
        // One that is damaged has kept an apply from getting here; a rollback leaves it as it is.
        let managed = written_record::decode(kept.as_deref(), root).ok();
        let managed =
            managed.and_then(|managed| written_record::after(&managed, &self.changes, &self.sets, number));
        Ok(Bound { record: record.map(|record| Record { generation: Some(number), ..record }), managed })
    }

    /// Writes all files or none, and the records beside them.
    pub(crate) fn commit(&self, bound: &Bound) -> Result<Report, Box<CommitError>> {
        self.locked
            .lock
            .commit_with(&self.changes, &self.options(bound.record.as_ref(), bound.managed.as_ref()))
    }

    fn options(&self, record: Option<&Record>, managed: Option<&render::Record>) -> Options {
        let root = &self.locked.rooted.root;
        Options {
            tool: concat!("kasm-db ", env!("CARGO_PKG_VERSION")).into(),
            what: self.what.clone(),
            in_place: self
                .changes
                .iter()
                .filter(|_| self.in_place)
                .map(|change| change.path.clone())
                .collect(),
            follow_up: record.map(Record::encode),
            note: self.note.encode(),
            managed: managed.map(written_record::encode),
            managed_is_secret: managed.is_some_and(|managed| !written_record::is_public(managed, root)),
        }
    }
}

impl Written {
    /// Returns how the run ends as far as the files matter: something may be left over, though they are all written.
    pub(crate) fn outcome(&self) -> Outcome {
        if self.report.leftovers.is_empty() { Outcome::Done } else { Outcome::Unfinished }
    }
}

/// Returns what holds now for the files; `interrupted` is the error of a signal that came meanwhile.
fn failed(error: &CommitError, interrupted: Option<&Error>) -> Error {
    let (kind, state) = match &error.state {
        State::NothingChanged => (Outcome::Failed, FilesState::NothingChanged),
        State::RolledBack => (Outcome::RolledBack, FilesState::RolledBack),
        State::RecoveryPending(_) => (Outcome::RecoveryPending, FilesState::RecoveryPending),
    };
    let mut message = error.cause.to_string();
    if let State::RecoveryPending(pending) = &error.state {
        for file in pending {
            message.push_str(&format!("\n  {}: {}", file.path.display(), file.why));
            if let Some(kept) = &file.kept {
                message.push_str(&format!("\n    its other content is kept in {}", kept.path.display()));
            }
        }
    }
    let kind = match interrupted {
        // Files that could not be put back matter more than what else happened.
        Some(signal) if kind != Outcome::RecoveryPending => {
            message = format!("{message}; {}", signal.message);
            signal.kind
        }
        _ => kind,
    };
    let help = match &error.state {
        State::RecoveryPending(_) => error.help().map(String::from),
        _ => Error::from(&error.cause).help,
    };
    let others = error.others.iter().map(Error::from).collect();
    Error { kind, help, others, state, ..Error::failed(message) }
}
