//! What was found out about a running server. Plain data: `check` judges it without asking anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use auditlog::Format;
use model::audit::Class;

use crate::docker::Container;
use crate::session::Unreachable;

/// Everything that was found out, for one target.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The container, where it was asked for; over TCP there is none.
    pub container: Option<Container>,
    /// The id that the declared image has on the engine now, if the engine has it; or why that is not known.
    pub declared_id: Result<Option<String>, Unreachable>,
    /// The way that was taken to the server.
    pub way: String,
    /// What the server says; or why it could not be asked.
    pub server: Result<Server, Unreachable>,
}

/// What the server says of itself, in a session that was opened for this.
#[derive(Clone, Debug)]
pub struct Server {
    /// Such as 150018.
    pub version: u32,
    /// Who asked.
    pub user: String,
    /// The database of the session.
    pub database: String,
    /// Whether that user is one.
    pub superuser: bool,
    /// Whether it follows a primary.
    pub standby: bool,
    /// By name in lower case.
    pub settings: BTreeMap<String, Setting>,
    /// What stands in the files now, in reading order; the error where that cannot be seen.
    pub lines: Result<Vec<Line>, String>,
    /// What `ALTER DATABASE` and `ALTER ROLE` set; the error where that cannot be seen.
    pub overrides: Result<Vec<Override>, String>,
    /// What the server makes of a text: by the setting's name in lower case, and the text.
    pub meanings: BTreeMap<(String, String), String>,
    /// The names of the files of loaded libraries.
    pub libraries: Result<Vec<String>, String>,
    /// The files that it reads, compared with the host's.
    pub confs: Vec<ConfFile>,
    /// The extension pgaudit, by database.
    pub extensions: Vec<(String, Extension)>,
    /// The file that it writes its log to, if there is one; the error if that cannot be seen.
    pub log_file: Result<Option<LogFile>, String>,
    /// What came of a line that was written to the log; `None` if none was.
    pub traced: Option<Traced>,
    /// What came of the probe; `None` without one.
    pub probe: Option<Probe>,
}

/// A row of `pg_settings`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// In the setting's own unit.
    pub value: String,
    /// As `SHOW` writes it.
    pub shown: String,
    /// `default`, `configuration file`, `command line`, `database`, …
    pub source: String,
    /// Empty where no file sets it, or this user may not know.
    pub file: String,
    /// The line of that file.
    pub line: u32,
    /// Whether a file has another value, which counts after a restart.
    pub pending_restart: bool,
    /// `bool`, `integer`, `real`, `string` or `enum`.
    pub vartype: String,
    /// Such as `8kB`; empty where a number counts nothing with a unit.
    pub unit: String,
    /// What it is where nothing sets it, in its own unit.
    pub boot: String,
}

/// A row of `pg_file_settings`: what a reload would find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// In lower case.
    pub name: String,
    /// Without the quotes of the file.
    pub value: String,
    /// The file that it is in.
    pub file: String,
    /// Its number.
    pub line: u32,
    /// Why the server does not take it; empty if it does.
    pub error: String,
}

/// An item of `pg_db_role_setting`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// In lower case.
    pub name: String,
    /// What it is set to.
    pub value: String,
    /// The statement that takes it away, complete.
    pub reset: String,
    /// Which sessions it is for: `role x in database y`.
    pub whom: String,
}

/// The file that a server writes its log to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Its absolute path, as the server has it.
    pub path: String,
    /// The first format that it is written in: in words, as csvlog, as jsonlog.
    pub format: Format,
    /// How long it is; `None` if it is not there, or that may not be known.
    pub size: Option<u64>,
}

/// A file that the server reads, and the one on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfFile {
    /// The path that the server has for it.
    pub path: String,
    /// How it compares with the host's.
    pub state: ConfState,
}

/// How a file that the server reads compares with the host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfState {
    /// The same file, or one with the same bytes where nothing more can be told.
    Same,
    /// Other bytes than the host's file.
    Differs,
    /// The same bytes in another file: that of the host was replaced since the container was started.
    Stale,
    /// Another file of the host.
    Elsewhere(String),
    /// They cannot be compared; why.
    Unknown(String),
}

/// The extension pgaudit in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extension {
    /// It is there, in this version.
    Version(String),
    /// It is there, in a schema that somebody who is not a superuser can drop, and the extension with it.
    Droppable {
        /// Its version.
        version: String,
        /// The schema.
        schema: String,
        /// The owner of the schema.
        owner: String,
    },
    /// It is there, and these of its event triggers do nothing.
    Idle(String),
    /// The database does not have it.
    Missing,
    /// There is no such database.
    NoDatabase,
    /// The database lets nobody in.
    Closed,
    /// The database could not be asked; why.
    Unknown(String),
}

/// What came of the probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Each class, and the class of the entry that its statement left in the log.
    Ran {
        /// Where the log is.
        log: String,
        /// In the order of the document.
        classes: Vec<(Class, Logged)>,
        /// Whether a line that is no entry got there.
        grows: bool,
        /// Why it did not, if that can be seen.
        fault: Option<LogFault>,
    },
    /// It was not run, or its entries could not be looked for.
    Not(NotRun),
}

/// What came of a line that was written to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Traced {
    /// It is there.
    Yes {
        /// Where the log is.
        log: String,
    },
    /// It is not there.
    No {
        /// Where the log is.
        log: String,
        /// Why, if that can be seen.
        fault: Option<LogFault>,
    },
    /// It was not written, or could not be looked for.
    Not(NotRun),
}

/// Why what the server logs does not get into its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFault {
    /// What is wrong.
    pub why: String,
    /// What to do about it, as an imperative.
    pub fix: String,
}

/// Why the probe was not run, or its entries could not be looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotRun {
    /// pgaudit is not loaded: there is nothing that could log them.
    NotLoaded,
    /// With this value of a setting, nobody here can see them.
    Setting {
        /// Its name.
        name: &'static str,
        /// What it is, and why that keeps them from being seen.
        why: String,
    },
    /// Something went wrong.
    Failed(Unreachable),
}

/// What the log has of a statement of the probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logged {
    /// As an entry of this class.
    Yes,
    /// Nothing was, or entries of these classes only.
    No(Vec<String>),
    /// The statement itself failed.
    Failed(String),
    /// The server is a standby, which runs no statement of this class.
    Impossible,
}

impl Facts {
    /// Returns where the file that the server writes its log to is on the host, if a mount brings it there, and what it is
    /// called in the settings that the server has.
    pub fn log_on_host(&self) -> Option<(PathBuf, &str)> {
        let server = self.server.as_ref().ok()?;
        let file = server.log_file.as_ref().ok()?.as_ref()?;
        let path = self.container.as_ref()?.host_path(&file.path)?;
        Some((path, server.text("log_filename")))
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            version: 0,
            user: String::new(),
            database: String::new(),
            superuser: false,
            standby: false,
            settings: BTreeMap::new(),
            lines: Ok(Vec::new()),
            overrides: Ok(Vec::new()),
            meanings: BTreeMap::new(),
            libraries: Ok(Vec::new()),
            confs: Vec::new(),
            extensions: Vec::new(),
            log_file: Ok(None),
            traced: None,
            probe: None,
        }
    }
}

impl Server {
    /// Returns the major.
    pub fn major(&self) -> u16 {
        u16::try_from(self.version / 10_000).unwrap_or(u16::MAX)
    }

    /// Returns the version as people write it: `15.18`.
    pub fn version_text(&self) -> String {
        format!("{}.{}", self.version / 10_000, self.version % 10_000)
    }

    /// Returns a setting by its name, in whatever letter case.
    pub fn setting(&self, name: &str) -> Option<&Setting> {
        self.settings.get(&name.to_ascii_lowercase())
    }

    /// Returns the text of a setting, empty where the server shows none.
    pub fn text(&self, name: &str) -> &str {
        self.setting(name).map_or("", |setting| &setting.shown)
    }

    /// Returns whether a setting has another value from the next start on: a reload was told so, or will be.
    ///
    /// Before a reload only the lines of the files show it.
    pub fn waits(&self, name: &str) -> bool {
        self.setting(name).is_some_and(|now| now.pending_restart)
            || self
                .lines
                .iter()
                .flatten()
                .any(|line| self.waiting(line).is_some_and(|waiting| waiting == name))
    }

    /// Returns all settings that have another value from the next start on.
    pub fn all_waiting(&self) -> Vec<&str> {
        let told = self.settings.iter().filter(|(_, setting)| setting.pending_restart);
        // What the command line sets stays as it is, whatever a file says.
        let is_free = |name: &&str| self.setting(name).is_none_or(|now| now.source != "command line");
        let lines = self.lines.iter().flatten().filter_map(|line| self.waiting(line)).filter(is_free);
        let all: BTreeSet<&str> = told.map(|(name, _)| name.as_str()).chain(lines).collect();
        all.into_iter().collect()
    }

    /// Returns the setting of a row that the server does not apply only because it cannot without a restart.
    ///
    /// Of a setting that no file sets any more the row has neither a name nor a place, only a sentence with the name in the
    /// server's language (PostgreSQL 12 to 18, `ProcessConfigFileInternal`). Of one with another value it says what it says
    /// of a value that is wrong, too.
    pub fn waiting<'a>(&'a self, line: &'a Line) -> Option<&'a str> {
        if line.error.is_empty() {
            return None;
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        if line.name.is_empty() && line.file.is_empty() && line.line == 0 {
            let mut words = line.error.split(|c: char| !is_name(c)).filter(|word| !word.is_empty());
            return words.find(|word| self.is_postmaster(word));
        }
        let major = self.major();
        let setting = model::postgres::lookup(&line.name, major)?;
        let is_last = self.last_line(&line.name).is_some_and(|last| last == line);
        let is_sound = model::postgres::check(setting, line.value.as_bytes(), major).is_ok();
        (is_last && is_sound && self.is_postmaster(&line.name)).then_some(&line.name)
    }

    fn is_postmaster(&self, name: &str) -> bool {
        let setting = model::postgres::lookup(name, self.major());
        setting.is_some_and(|setting| setting.context == model::postgres::Context::Postmaster)
    }

    /// Returns the line of the files that counts for a setting.
    pub fn last_line(&self, name: &str) -> Option<&Line> {
        let name = name.to_ascii_lowercase();
        self.lines.as_ref().ok()?.iter().rev().find(|line| line.name == name)
    }
}
