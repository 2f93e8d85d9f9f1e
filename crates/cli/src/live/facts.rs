//! What was found out about a running server. Plain data: `check` judges it without asking anybody.

use std::collections::BTreeMap;

use model::audit::Class;

use crate::live::docker::Container;
use crate::live::session::Unreachable;

/// Everything that was found out, for one target.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// The container, where it was asked for; over TCP there is none.
    pub(crate) container: Option<Container>,
    /// The id that the declared image has on the engine now.
    pub(crate) declared_id: Option<String>,
    /// The way that was taken to the server.
    pub(crate) way: String,
    pub(crate) server: Result<Server, Unreachable>,
}

/// What the server says of itself, in a session that was opened for this.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Such as 150018.
    pub(crate) version: u32,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) superuser: bool,
    pub(crate) standby: bool,
    /// By name in lower case.
    pub(crate) settings: BTreeMap<String, Setting>,
    /// What stands in the files now, in reading order; the error where that can not be seen.
    pub(crate) lines: Result<Vec<Line>, String>,
    /// What `ALTER DATABASE` and `ALTER ROLE` set; the error where that can not be seen.
    pub(crate) overrides: Result<Vec<Override>, String>,
    /// What the server makes of a text: by the setting's name in lower case, and the text.
    pub(crate) meanings: BTreeMap<(String, String), String>,
    /// The names of the files of loaded libraries.
    pub(crate) libraries: Result<Vec<String>, String>,
    pub(crate) confs: Vec<ConfFile>,
    /// By database.
    pub(crate) extensions: Vec<(String, Extension)>,
    pub(crate) probe: Option<Probe>,
}

/// A row of `pg_settings`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Setting {
    /// In the setting's own unit.
    pub(crate) value: String,
    /// As `SHOW` writes it.
    pub(crate) shown: String,
    /// `default`, `configuration file`, `command line`, `database`, …
    pub(crate) source: String,
    /// Empty where no file sets it, or this user may not know.
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) pending_restart: bool,
    /// `bool`, `integer`, `real`, `string` or `enum`.
    pub(crate) vartype: String,
    /// Such as `8kB`; empty where a number counts nothing with a unit.
    pub(crate) unit: String,
    /// What it is where nothing sets it, in its own unit.
    pub(crate) boot: String,
}

/// A row of `pg_file_settings`: what a reload would find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// In lower case.
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) error: String,
}

/// An item of `pg_db_role_setting`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Override {
    /// In lower case.
    pub(crate) name: String,
    pub(crate) value: String,
    /// The statement that takes it away, complete.
    pub(crate) reset: String,
    /// Which sessions it is for: `role x in database y`.
    pub(crate) whom: String,
}

/// A file that the server reads, and the one on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfFile {
    /// The path that the server has for it.
    pub(crate) path: String,
    pub(crate) state: ConfState,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConfState {
    /// The same file, or one with the same bytes where nothing more can be told.
    Same,
    /// Other bytes than the host's file.
    Differs,
    /// Another file of the host.
    Elsewhere(String),
    Unknown(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Extension {
    Version(String),
    /// It is there, and these of its event triggers do nothing.
    Idle(String),
    Missing,
    NoDatabase,
    /// The database lets nobody in.
    Closed,
    Unknown(String),
}

/// What came of the probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Each class, and the class of the entry that its statement left in the log.
    Ran { log: String, classes: Vec<(Class, Found)> },
    /// It could not be run, or the log could not be read.
    Not(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Logged,
    /// Nothing, or entries of these classes only.
    NotLogged(Vec<String>),
    /// The statement itself failed.
    Failed(String),
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
            probe: None,
        }
    }
}

impl Server {
    /// Gives the major.
    pub(crate) fn major(&self) -> u16 {
        u16::try_from(self.version / 10_000).unwrap_or(u16::MAX)
    }

    /// Gives the version as people write it: `15.18`.
    pub(crate) fn version_text(&self) -> String {
        format!("{}.{}", self.version / 10_000, self.version % 10_000)
    }

    pub(crate) fn setting(&self, name: &str) -> Option<&Setting> {
        self.settings.get(&name.to_ascii_lowercase())
    }

    /// Gives the text of a setting, empty where the server shows none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.setting(name).map_or("", |setting| &setting.shown)
    }

    /// Gives the line of the files that counts for a setting.
    pub(crate) fn last_line(&self, name: &str) -> Option<&Line> {
        let name = name.to_ascii_lowercase();
        self.lines.as_ref().ok()?.iter().rev().find(|line| line.name == name)
    }
}
