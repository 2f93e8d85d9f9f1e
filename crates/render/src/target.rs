//! What a target is made of.

use model::{Code, Diagnostic};

use crate::compose::read_env;
use crate::source::{Found, Source, join, unreadable};

/// One tree or one set of files, with paths relative to its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name in the output.
    pub name: String,
    /// Its kind.
    pub kind: TargetKind,
}

impl Target {
    /// Creates a target of this name and kind.
    pub fn new(name: impl Into<String>, kind: TargetKind) -> Self {
        Self { name: name.into(), kind }
    }
}

/// The kinds of [`Target`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// An installed tree: what Compose runs, and the copies that Kasm's own tools start from.
    Deployment,
    /// An unpacked installer.
    Installer,
    /// Files by name.
    Files {
        /// The compose files in Compose's override order.
        compose: Vec<String>,
        /// The conf that the server reads.
        postgresql_conf: Option<String>,
        /// The database's service.
        service: Option<String>,
    },
}

/// The conf of a Kasm tree, relative to its root.
pub(crate) const KASM_CONF: &str = "conf/database/postgresql.conf";

/// A project that Compose would read: its files in override order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Project {
    pub(crate) files: Vec<String>,
    /// Whether this is what runs, rather than a copy that tools start from.
    pub(crate) runs: bool,
}

impl TargetKind {
    /// Returns the path of the conf, if the target has one.
    pub fn conf(&self) -> Option<&str> {
        match self {
            Self::Deployment | Self::Installer => Some(KASM_CONF),
            Self::Files { postgresql_conf, .. } => postgresql_conf.as_deref(),
        }
    }

    /// Returns the service that the document names.
    pub(crate) fn service(&self) -> Option<&str> {
        match self {
            Self::Files { service, .. } => service.as_deref(),
            _ => None,
        }
    }

    /// Returns the advice by which the user says which service is the database: only a target of `files` has `service`.
    pub(crate) fn service_advice(&self) -> &'static str {
        match self {
            Self::Files { .. } => "name the database's service with `service:` under `files`",
            Self::Deployment | Self::Installer => {
                "give `container_name: kasm_db` to the service that runs PostgreSQL, and to no other"
            }
        }
    }

    /// Returns whether a data directory is there that the new server must be able to open.
    pub(crate) fn has_data(&self) -> bool {
        !matches!(self, Self::Installer)
    }

    /// Lists the projects of the target; a folder that cannot be listed is a problem.
    pub(crate) fn projects(&self, source: &dyn Source, problems: &mut Vec<Diagnostic>) -> Vec<Project> {
        match self {
            Self::Files { compose, .. } if compose.is_empty() => Vec::new(),
            Self::Files { compose, .. } => vec![Project { files: compose.clone(), runs: true }],
            Self::Installer => kasm_files(source, "docker", problems)
                .into_iter()
                .map(|file| Project { files: vec![file], runs: true })
                .collect(),
            Self::Deployment => {
                let names = list(source, "docker", problems);
                let files = named_files(source, problems).or_else(|| usual_files(&names));
                let main = files.map(|files| Project { files, runs: true });
                let copies = kasm_files(source, "docker/.conf", problems).into_iter();
                let copies = copies.map(|file| Project { files: vec![file], runs: false });
                main.into_iter().chain(copies).collect()
            }
        }
    }
}

/// The variables that Compose reads from the `.env` of a deployment, besides those of its files.
const COMPOSE_FILE: &str = "COMPOSE_FILE";
const COMPOSE_PATH_SEPARATOR: &str = "COMPOSE_PATH_SEPARATOR";

/// Returns the files that `COMPOSE_FILE` in a deployment's `.env` names; `None` if it names none.
fn named_files(source: &dyn Source, problems: &mut Vec<Diagnostic>) -> Option<Vec<String>> {
    let Found::Yes(bytes) = source.read("docker/.env") else { return None };
    let variables = read_env(&bytes);
    let files = variables.get(COMPOSE_FILE)?;
    let separator = variables.get(COMPOSE_PATH_SEPARATOR).map_or(Some(":"), |text| text.as_deref());
    let (Some(files), Some(separator)) = (files.as_deref(), separator) else {
        let message = format!("docker/.env: {COMPOSE_FILE} names a variable that no file sets");
        let help = "which files Compose reads cannot be told; write their names there";
        problems.push(Diagnostic::error(Code::ComposeReference, message).help(help));
        return Some(Vec::new());
    };
    let separator = if separator.is_empty() { ":" } else { separator };
    let names = files.split(separator).filter(|name| !name.is_empty());
    let files: Vec<_> = names.map(|name| join("docker", name)).collect();
    (!files.is_empty()).then_some(files)
}

/// Returns the files that Compose takes by itself: the first of these, and its override beside it.
fn usual_files(names: &[String]) -> Option<Vec<String>> {
    let main = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
    let overrides = [
        "compose.override.yml",
        "compose.override.yaml",
        "docker-compose.override.yml",
        "docker-compose.override.yaml",
    ];
    let first = |of: &[&'static str]| of.iter().copied().find(|name| names.iter().any(|other| other == name));
    let main = first(&main)?;
    Some(std::iter::once(main).chain(first(&overrides)).map(|name| format!("docker/{name}")).collect())
}

/// Lists Kasm's own `docker-compose-*.yaml` in a folder.
fn kasm_files(source: &dyn Source, folder: &str, problems: &mut Vec<Diagnostic>) -> Vec<String> {
    let mut names = list(source, folder, problems);
    names.retain(|name| {
        name.starts_with("docker-compose-") && (name.ends_with(".yaml") || name.ends_with(".yml"))
    });
    names.sort();
    names.into_iter().map(|name| format!("{folder}/{name}")).collect()
}

fn list(source: &dyn Source, folder: &str, problems: &mut Vec<Diagnostic>) -> Vec<String> {
    match source.list(folder) {
        Found::Yes(names) => names,
        Found::No => Vec::new(),
        Found::Unknown(why) => {
            problems.push(unreadable(folder, &why));
            Vec::new()
        }
    }
}
