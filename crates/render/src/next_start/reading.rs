//! What the server reads: its files and its command line, the setting that counts, and how a line goes.

use model::{Code, Diagnostic, postgres};
use pgconf::Assignment;

use crate::conf::{ObservedConf, ServersFiles};
use crate::observe::ObservedState;
use crate::reconcile::{PRELOAD, current_image, in_force_at, usable};

/// More findings of a kind than this have one cause.
pub(super) const MAX: usize = 20;

/// What the server reads at its next start.
pub struct NextStart<'a> {
    pub(super) observed: &'a ObservedState,
    pub(super) conf: ObservedConf,
    pub(super) major: Option<u16>,
    pub(super) ways: Ways,
}

/// How a line of a file goes that is not one of the target's.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    /// Whether the server answers, so that SQL can be run.
    pub has_server: bool,
    /// The path of `postgresql.auto.conf` on the host, or a command that edits it where it is.
    pub edit: Option<Edit>,
}

/// How `sed` is run on `postgresql.auto.conf`.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The command in front of `-i`.
    pub sed: String,
    /// The path, quoted for a shell.
    pub path: String,
}

/// A setting that something else than a file of the target sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Vec<u8>,
    /// Where it is set, as `FILE:LINE`.
    pub place: String,
    /// How it goes.
    pub way_out: String,
}

/// A value that counts at the next start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextValue {
    /// The value.
    pub value: Vec<u8>,
    /// Where it is set, as `FILE:LINE`; the command line if no file sets it.
    pub place: String,
    /// Whether the command line sets it.
    pub by_command: bool,
}

impl ObservedState {
    /// Returns what a server of this major reads at its next start, if these files count besides the target's; `None` if
    /// the target has no `postgresql.conf` that can be read.
    pub fn next_start(
        &self,
        major: Option<u16>,
        servers: &ServersFiles,
        ways: Ways,
    ) -> Option<NextStart<'_>> {
        let path = &self.conf.as_ref()?.path;
        let conf = self.read_conf(path, self.snapshot(), servers).ok()??;
        Some(NextStart { observed: self, conf, major, ways })
    }

    /// Returns the image that the database's container is made from, if the compose files tell it.
    pub fn image(&self) -> Option<model::Image> {
        current_image(&self.main_database()?.database)
    }

    /// Returns the path that the server has for `postgresql.auto.conf`, if the compose files tell it.
    pub fn auto_conf_path(&self) -> Option<String> {
        let data = self.main_database()?.database.data.as_deref()?;
        Some(crate::source::join(data, "postgresql.auto.conf"))
    }
}

impl NextStart<'_> {
    /// Returns the value that a setting gets; `None` if nothing sets it.
    pub fn value(&self, name: &str) -> Option<NextValue> {
        let at = in_force_at(name, self.major, self.observed, &self.conf)?;
        let place = at.location.map(|at| format!("{}:{}", at.path, at.line));
        Some(NextValue {
            value: at.value,
            by_command: at.file.is_none(),
            place: place.unwrap_or_else(|| "the command line".into()),
        })
    }

    /// Lists what files set that are not the target's: each setting once, by the line that counts.
    pub fn foreign(&self) -> Vec<Foreign> {
        let mut names: Vec<String> = Vec::new();
        for assignment in self.assignments().filter(|assignment| !self.is_own(assignment.path)) {
            let name = String::from_utf8_lossy(assignment.name()).to_ascii_lowercase();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let foreign = |name: String| {
            let at = in_force_at(&name, self.major, self.observed, &self.conf)?;
            let file = at.file.filter(|file| !self.is_own(file))?;
            let line = at.location.as_ref().map_or(0, |at| at.line);
            let way_out = self.way_out(&file, line, Some(&name));
            Some(Foreign { name, value: at.value, place: format!("{file}:{line}"), way_out })
        };
        names.into_iter().filter_map(foreign).collect()
    }

    /// Lists the libraries that the server loads, as they are written.
    pub fn libraries(&self) -> Vec<String> {
        let value = self.value(PRELOAD).map(|at| at.value).unwrap_or_default();
        let items = usable(&value).unwrap_or_default();
        items.iter().map(|item| String::from_utf8_lossy(item).into_owned()).collect()
    }

    /// Reports that the server does not find a library; `whose` is the image that it runs from.
    pub fn library_missing(&self, library: &str, whose: &str) -> Diagnostic {
        let message = format!(
            "the server would not start: {whose} has no library `{}`, which {PRELOAD} names",
            library.escape_debug()
        );
        self.of_setting(PRELOAD, Diagnostic::error(Code::WouldNotStart, message))
    }

    pub(super) fn assignments(&self) -> impl Iterator<Item = Assignment<'_>> {
        self.conf.set.assignments().chain(self.conf.auto.iter().flat_map(pgconf::ConfSet::assignments))
    }

    pub(super) fn is_auto(&self, path: &str) -> bool {
        self.conf.auto.as_ref().is_some_and(|auto| auto.files().any(|(file, _)| file == path))
    }

    /// Returns whether a file is one of the target's, which a plan sees.
    pub(super) fn is_own(&self, path: &str) -> bool {
        let own = self.observed.conf.iter().flat_map(|conf| conf.set.files());
        own.into_iter().any(|(file, _)| file == path)
    }

    /// Returns the major if its settings are known.
    pub(super) fn known_major(&self) -> Option<u16> {
        self.major.filter(|major| postgres::MAJORS.contains(major))
    }

    /// Adds where a setting gets the value that counts, and how that goes.
    pub(super) fn of_setting(&self, name: &str, mut finding: Diagnostic) -> Diagnostic {
        let Some(at) = in_force_at(name, self.major, self.observed, &self.conf) else { return finding };
        let help = match &at.file {
            Some(file) => {
                let line = at.location.as_ref().map_or(0, |at| at.line);
                self.way_out(file, line, Some(name))
            }
            None => format!("remove `{name}` from the service's `command:` in the compose file"),
        };
        finding.location = at.location;
        finding.help(help)
    }

    /// Returns how a line of a file goes; `setting` is the name that it sets, if the server knows it.
    pub(super) fn way_out(&self, path: &str, line: usize, setting: Option<&str>) -> String {
        if self.is_own(path) {
            return "correct this line, or remove it".into();
        }
        if !self.is_auto(path) {
            return format!(
                "remove line {line} of {path}; a volume or the image of the container has that file"
            );
        }
        match (setting, &self.ways.edit) {
            (Some(name), _) if self.ways.has_server => {
                format!("run `ALTER SYSTEM RESET {name}; SELECT pg_reload_conf();` in psql")
            }
            (Some(name), Some(Edit { sed, path })) => {
                format!("remove line {line}: `{sed} -i '/^{name}[ =]/d' {path}`")
            }
            (None, Some(Edit { sed, path })) => format!("remove line {line}: `{sed} -i '{line}d' {path}`"),
            (_, None) => format!("remove line {line} of {path} in the volume of the container's data"),
        }
    }
}
