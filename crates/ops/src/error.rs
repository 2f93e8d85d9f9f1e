//! The error that ends an operation.

use live::Scrubber;
use rustix::io::Errno;

use crate::outcome::Outcome;

/// An error that ends an operation: what is wrong, what to do now, and what holds for the files.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// How the run ends because of it.
    pub kind: Outcome,
    /// What is wrong, and where.
    pub message: String,
    /// What to do now.
    pub help: Option<String>,
    /// What else is wrong: told with it, so that one run tells all.
    pub others: Vec<Error>,
    /// What holds for the files.
    pub state: FilesState,
    /// The document that it is about, if it is about one.
    pub document: Option<Box<str>>,
    /// The target of that document.
    pub target: Option<Box<str>>,
    /// Whether it is about the result, which cannot be written: it says nothing of the files of the run.
    pub is_of_result: bool,
}

/// What holds for the files of a target when a run ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilesState {
    /// As they were.
    NothingChanged,
    /// As they were, after some of them had been changed.
    RolledBack,
    /// Some old, some new: [`recover`](crate::recover::recover) makes them all one or the other.
    RecoveryPending,
    /// Written; nothing follows them.
    Applied,
    /// Written; what follows them is not done.
    NotFollowed,
    /// Written, and what follows them is done.
    AllDone,
    /// Written in some of the targets, and not in others.
    PartlyApplied,
    /// Written, as far as they are not files of a target: a document, a folder of rendered files; or those of an
    /// interrupted run were put back.
    Written,
}

impl Error {
    /// Starts an error before which nothing was changed.
    pub fn new(kind: Outcome, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            help: None,
            others: Vec::new(),
            state: FilesState::NothingChanged,
            document: None,
            target: None,
            is_of_result: false,
        }
    }

    /// Starts an error of [`Outcome::Failed`].
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Outcome::Failed, message)
    }

    /// Starts an error of the operating system, with what failed and where, and what to do if a right is missing.
    pub fn of_system(what: impl std::fmt::Display, error: &std::io::Error) -> Self {
        let failed = Self::failed(format!("{what}: {}", commit::reason(error)));
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => failed.help("run as root or with `sudo`"),
            _ if Errno::from_io_error(error) == Some(Errno::MFILE) => {
                failed.help(commit::TOO_MANY_OPEN_FILES)
            }
            _ => failed,
        }
    }

    /// Starts the error of a result that cannot be written.
    pub fn of_result(what: impl std::fmt::Display, error: &std::io::Error) -> Self {
        Self { is_of_result: true, ..Self::of_system(what, error) }
    }

    /// Starts an error of [`Outcome::Usage`].
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Outcome::Usage, message)
    }

    /// Starts the error of a step that follows written files, and is not done.
    pub(crate) fn not_followed(message: impl Into<String>) -> Self {
        Self::new(Outcome::Unfinished, message).state(FilesState::NotFollowed)
    }

    /// Turns it into the error that it is for a step that follows written files.
    pub(crate) fn not_done(self) -> Self {
        Self { kind: Outcome::Unfinished, ..self.state(FilesState::NotFollowed) }
    }

    /// Combines several errors into one; the worst decides how the run ends.
    pub fn all(errors: Vec<Self>) -> Option<Self> {
        let kind = errors.iter().map(|error| error.kind).reduce(Outcome::worse)?;
        let mut errors = errors.into_iter();
        let mut first = errors.next()?;
        first.others.extend(errors);
        Some(Self { kind, ..first })
    }

    /// Sets what holds for the files, if not that nothing changed.
    #[must_use]
    pub fn state(mut self, state: FilesState) -> Self {
        self.state = state;
        self
    }

    /// Sets which document it is about, and which target of it.
    #[must_use]
    pub(crate) fn of(mut self, document: &str, target: Option<&str>) -> Self {
        self.document.get_or_insert_with(|| document.into());
        if self.target.is_none() {
            self.target = target.map(Box::from);
        }
        self
    }

    /// Turns it into the error that it is once the files are written.
    pub(crate) fn after_files(self) -> Self {
        Self { kind: Outcome::Unfinished, ..self.state(FilesState::Applied) }
    }

    /// Sets what to do now.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Hides what is secret in everything that it says: parts of it may come from a child or a server.
    #[must_use]
    pub fn scrubbed(mut self, scrubber: &Scrubber) -> Self {
        self.message = scrubber.hide(&self.message);
        self.help = self.help.map(|help| scrubber.hide(&help));
        self.others = self.others.into_iter().map(|other| other.scrubbed(scrubber)).collect();
        self
    }
}

impl From<&commit::Error> for Error {
    fn from(error: &commit::Error) -> Self {
        Self::failed(error.to_string()).help_of(error)
    }
}

impl Error {
    /// Adds the help of an error of the commit.
    #[must_use]
    pub(crate) fn help_of(self, error: &commit::Error) -> Self {
        match error {
            commit::Error::Locked { .. } => {
                self.help("wait until that run has ended, or pass `--lock-timeout 60` to wait for it")
            }
            commit::Error::Interrupted { .. } => self.help("run `kasm-db recover`"),
            commit::Error::NoGeneration { .. } => self.help("run `kasm-db history` to list the generations"),
            _ => match error.help() {
                Some(help) => self.help(help),
                None => self,
            },
        }
    }
}
