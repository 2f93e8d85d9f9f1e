//! One thing that was looked at, and what came of it.

use std::fmt;

use model::Code;
use model::audit::Class;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub subject: Subject,
    /// What came of it.
    pub verdict: Verdict,
    /// What was found, or why nothing could be. It may repeat what the server or a program said, secrets included.
    pub says: String,
    /// What the document asks for, if that can be said by itself.
    pub expected: Option<Fact>,
    /// What is there instead, or as well. As what it says, it may be a secret.
    pub actual: Option<Fact>,
    /// What set the value that is there.
    pub source: Option<Source>,
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A text, such as a setting's value.
    Text(String),
    /// A number, such as a major.
    Number(u64),
    /// Whether something is so.
    Bool(bool),
}

/// What set a setting's value, as `pg_settings` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// `default`, `configuration file`, `command line`, `database`, …
    pub kind: String,
    /// The file, by the path that the server has for it.
    pub file: Option<String>,
    /// The line of that file.
    pub line: Option<u32>,
}

impl From<&str> for Fact {
    fn from(text: &str) -> Self {
        Self::Text(text.to_string())
    }
}

impl From<bool> for Fact {
    fn from(is_so: bool) -> Self {
        Self::Bool(is_so)
    }
}

/// What a [`Check`] is about. Its text, such as `setting pgaudit.log`, names it for people and programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Whether the server can be asked.
    Connect,
    /// The image of the container.
    Image,
    /// PostgreSQL's major.
    Major,
    /// A configuration file, by the path that the server has for it.
    File(String),
    /// Whether the server takes the lines of all its configuration files.
    Files,
    /// A setting that the document names.
    Setting(String),
    /// A setting that no file may set.
    Unset(String),
    /// A library of the preload list.
    Library(String),
    /// Whether a restart is pending.
    PendingRestart,
    /// Whether entries get into any log at all.
    Log,
    /// The extension pgaudit, by database.
    Extension(String),
    /// Whether a statement of a class gets into the log.
    Audit(Class),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("connect"),
            Self::Image => f.write_str("image"),
            Self::Major => f.write_str("major"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Files => f.write_str("files"),
            Self::Setting(name) => write!(f, "setting {name}"),
            Self::Unset(name) => write!(f, "unset {name}"),
            Self::Library(name) => write!(f, "library {name}"),
            Self::PendingRestart => f.write_str("pending_restart"),
            Self::Log => f.write_str("log"),
            Self::Extension(database) => write!(f, "extension pgaudit in {database}"),
            Self::Audit(class) => write!(f, "audit {}", class.name()),
        }
    }
}

/// What came of a [`Check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as the document says.
    Ok,
    /// The document or the caller rules it out.
    Skip,
    /// It is not as the document says, or it is not known whether it is.
    Fail {
        /// The code of what is wrong.
        code: Code,
        /// What to do about it, as an imperative.
        fix: String,
        /// What `apply` would have to do about it.
        remedy: Remedy,
    },
}

/// What `apply` would have to do about a failure; the greater includes the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// Nothing that it can do: a person has to.
    Hand,
    /// Create the extension.
    Extension,
    /// Let the server read its files again.
    Reload,
    /// Stop and start the deployment.
    Restart,
}

impl Check {
    pub(crate) fn ok(subject: Subject, says: impl Into<String>) -> Self {
        Self::new(subject, Verdict::Ok, says.into())
    }

    pub(crate) fn skip(subject: Subject, why: impl Into<String>) -> Self {
        Self::new(subject, Verdict::Skip, why.into())
    }

    pub(crate) fn fail(
        subject: Subject,
        code: Code,
        why: impl Into<String>,
        fix: impl Into<String>,
        remedy: Remedy,
    ) -> Self {
        Self::new(subject, Verdict::Fail { code, fix: fix.into(), remedy }, why.into())
    }

    /// Makes one that could not be made.
    pub(crate) fn unknown(subject: Subject, why: &str, fix: impl Into<String>) -> Self {
        let says = format!("not checked: {why}");
        Self::fail(subject, Code::NotChecked, says, fix, Remedy::Hand)
    }

    fn new(subject: Subject, verdict: Verdict, says: String) -> Self {
        Self { subject, verdict, says, expected: None, actual: None, source: None }
    }

    /// Adds what is compared.
    pub(crate) fn compared(self, expected: impl Into<Fact>, actual: Option<Fact>) -> Self {
        Self { expected: Some(expected.into()), actual, ..self }
    }

    /// Adds what is compared if the check could be made at all: it is as asked if that did not fail.
    pub(crate) fn judged(self) -> Self {
        let is_known = self.verdict != Verdict::Skip && !self.is_unknown();
        let actual = is_known.then(|| Fact::Bool(!self.is_failure()));
        self.compared(true, actual)
    }

    /// Adds what set the value that is there.
    pub(crate) fn set_by(self, source: Option<Source>) -> Self {
        Self { source, ..self }
    }

    /// Returns whether it is not as the document says, or it is not known whether it is.
    pub fn is_failure(&self) -> bool {
        matches!(self.verdict, Verdict::Fail { .. })
    }

    /// Returns whether it could not be made.
    pub fn is_unknown(&self) -> bool {
        matches!(self.verdict, Verdict::Fail { code: Code::NotChecked, .. })
    }

    /// Returns what `apply` would have to do; nothing if all is well.
    pub fn remedy(&self) -> Option<Remedy> {
        match self.verdict {
            Verdict::Fail { remedy, .. } => Some(remedy),
            _ => None,
        }
    }

    /// Returns whether it fails only because the server was not restarted.
    pub fn waits_for_restart(&self) -> bool {
        match self.verdict {
            Verdict::Fail { code, remedy, .. } => remedy == Remedy::Restart || code == Code::RestartPending,
            _ => false,
        }
    }
}
