//! Where the server writes its log, and how its lines start.

use pgconf::Conf;
use pgconf::value::parse_bool;

use crate::compose::{Host, Mounts, usual_data};
use crate::conf::ObservedConf;
use crate::observe::ObservedState;
use crate::source::{Found, Source, join};

/// What the configuration says about the server's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLog {
    /// Where the files are.
    pub folder: LogFolder,
    /// Where they are by other values of `log_directory`: those that do not apply, are commented out, or were there before.
    pub former: Vec<LogFolder>,
    /// Other values of `log_filename`, as for the folders.
    pub former_filenames: Vec<String>,
    /// The folder of the host that is mounted into the container, with the log folder in it.
    pub mounted: Option<String>,
    /// `log_filename`, with its `%` escapes.
    pub filename: String,
    /// `log_line_prefix`.
    pub prefix: Vec<u8>,
    /// `log_timezone`, if a file sets it.
    pub timezone: Option<String>,
    /// Whether `log_error_verbosity` and `log_min_error_statement` hide the context and the statement of a message of the
    /// severity LOG.
    pub hides_functions: bool,
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
    /// Tells where the server's log is; `None` where there is no postgresql.conf to tell it. `earlier` is what was in its files
    /// before.
    pub fn server_log(&self, source: &dyn Source, earlier: &[Vec<u8>]) -> Option<ServerLog> {
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
        let data = database.and_then(|database| database.data.clone()).unwrap_or_else(|| usual_data(None));
        let data = text("data_directory", &data);
        let none = Mounts::default();
        let mounts = database.map_or(&none, |database| &database.mounts);
        let of = |log_directory: &str| self.log_folder(join(&data, log_directory), mounts, source);
        let log_directory = text("log_directory", "log");
        let folder = if parse_bool(text("logging_collector", "off").as_bytes()) == Ok(true) {
            of(&log_directory)
        } else {
            LogFolder::Printed
        };
        let mut former: Vec<_> =
            conf.values("log_directory", earlier).iter().map(|value| of(value)).collect();
        former.retain(|former| *former != folder);
        former.dedup();
        let mounted = mounts.root(&join(&data, &log_directory));
        let mounted = mounted.map(|root| match self.log_folder(root, mounts, source) {
            LogFolder::Host(path) => Some(path),
            LogFolder::Volume(_) | LogFolder::Container(_) | LogFolder::Printed => None,
        });
        let filename = text("log_filename", "postgresql-%Y-%m-%d_%H%M%S.log");
        let mut former_filenames = conf.values("log_filename", earlier);
        former_filenames.retain(|former| *former != filename);
        let destinations = text("log_destination", "stderr");
        let is = |name: &str, values: &[&str]| values.contains(&text(name, "").to_ascii_lowercase().as_str());
        let hides_functions =
            is("log_error_verbosity", &["terse"]) && is("log_min_error_statement", &["fatal", "panic"]);
        Some(ServerLog {
            folder,
            former,
            mounted: mounted.flatten(),
            filename,
            former_filenames,
            prefix: value("log_line_prefix").unwrap_or_else(|| b"%m [%p] ".to_vec()),
            timezone: value("log_timezone").map(|value| String::from_utf8_lossy(&value).into_owned()),
            hides_functions,
            destinations: destinations.split(',').map(|name| name.trim().to_ascii_lowercase()).collect(),
        })
    }

    fn log_folder(&self, folder: String, mounts: &Mounts, source: &dyn Source) -> LogFolder {
        match mounts.host(&folder) {
            Some(Host::Path(host)) => {
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
            Some(Host::Volume(_)) => LogFolder::Volume(folder),
            // Without a container, the path is one of this host.
            None if self.main_database().is_none() => LogFolder::Host(folder),
            Some(Host::Unknown) | None => LogFolder::Container(folder),
        }
    }
}

impl ObservedConf {
    /// Lists the values of a setting in the files of now and of before, also those that are commented out.
    fn values(&self, name: &str, earlier: &[Vec<u8>]) -> Vec<String> {
        let before: Vec<_> = earlier.iter().map(|bytes| Conf::parse(bytes.as_slice())).collect();
        let sets = std::iter::once(&self.set).chain(&self.auto);
        let now = sets.flat_map(|set| set.files().map(|(_, conf)| conf));
        let mut all = Vec::new();
        for conf in now.chain(&before) {
            all.extend(conf.assignments(name).map(|entry| conf.value(entry)));
            all.extend(conf.commented(name).iter().map(|commented| conf.value(&commented.entry)));
        }
        all.sort();
        all.dedup();
        all.into_iter()
            .filter_map(|value| String::from_utf8(value).ok())
            .filter(|value| !value.is_empty())
            .collect()
    }
}
