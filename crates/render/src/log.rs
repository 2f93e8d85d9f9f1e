//! Where the server writes its log, and how its lines start.

use pgconf::value::parse_bool;

use crate::compose::{Mounts, USUAL_DATA};
use crate::observe::ObservedState;
use crate::source::{Found, Source, join};

/// What the configuration says about the server's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLog {
    /// Where the files are.
    pub folder: LogFolder,
    /// `log_filename`, with its `%` escapes.
    pub filename: String,
    /// `log_line_prefix`.
    pub prefix: Vec<u8>,
    /// `log_destination`: `stderr`, `csvlog`, `jsonlog`, `syslog`.
    pub destinations: Vec<String>,
}

/// Where a server's log files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFolder {
    /// Below the target's root, or absolute on the host.
    Host(String),
    /// At this path of the container, in a volume that Docker keeps.
    Volume(String),
    /// At this path of the container, and nowhere else.
    Container(String),
    /// `logging_collector` is off: there are no files, Docker keeps what the server prints.
    Printed,
}

impl ObservedState {
    /// Tells where the server's log is; `None` where there is no postgresql.conf to tell it.
    pub fn server_log(&self, source: &dyn Source) -> Option<ServerLog> {
        let conf = self.conf.as_ref()?;
        let database = self.main_database().map(|observed| &observed.database);
        let value = |name: &str| -> Option<Vec<u8>> {
            let options = database.iter().flat_map(|database| &database.command.options);
            let option = options.chain(&self.arguments).rfind(|option| option.name == name);
            if let Some(option) = option {
                return Some(option.value.clone().into_bytes());
            }
            let auto = conf.auto.as_ref().and_then(|auto| auto.effective(name));
            Some(auto.or_else(|| conf.set.effective(name))?.value())
        };
        let text = |name: &str, default: &str| {
            value(name)
                .map_or_else(|| default.to_string(), |value| String::from_utf8_lossy(&value).into_owned())
        };
        let folder = if parse_bool(text("logging_collector", "off").as_bytes()) == Ok(true) {
            let data = database.and_then(|database| database.data.as_deref()).unwrap_or(USUAL_DATA);
            let folder = join(&text("data_directory", data), &text("log_directory", "log"));
            let none = Mounts::default();
            self.log_folder(folder, database.map_or(&none, |database| &database.mounts), source)
        } else {
            LogFolder::Printed
        };
        let destinations = text("log_destination", "stderr");
        Some(ServerLog {
            folder,
            filename: text("log_filename", "postgresql-%Y-%m-%d_%H%M%S.log"),
            prefix: value("log_line_prefix").unwrap_or_else(|| b"%m [%p] ".to_vec()),
            destinations: destinations.split(',').map(|name| name.trim().to_ascii_lowercase()).collect(),
        })
    }

    fn log_folder(&self, folder: String, mounts: &Mounts, source: &dyn Source) -> LogFolder {
        match mounts.host(&folder) {
            Some(Some(host)) => {
                let below = if host.starts_with('/') { source.below_root(&host) } else { Some(host.clone()) };
                // A copy of a deployment names the paths of the one that it was copied from.
                let copy = || {
                    let parts = host.match_indices('/').map(|(at, _)| &host[at + 1..]);
                    parts
                        .filter(|part| part.contains('/'))
                        .find(|part| matches!(source.list(part), Found::Yes(_)))
                        .map(String::from)
                };
                LogFolder::Host(below.or_else(copy).unwrap_or(host))
            }
            Some(None) => LogFolder::Volume(folder),
            // Without a container, the path is one of this host.
            None if self.main_database().is_none() => LogFolder::Host(folder),
            None => LogFolder::Container(folder),
        }
    }
}
