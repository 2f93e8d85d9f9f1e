//! What a target is made of.

use model::{Code, Diagnostic};

use crate::source::{Found, Source};

/// One tree or one set of files, with paths relative to its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name in the output.
    pub name: String,
    /// Its kind.
    pub kind: TargetKind,
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
    /// Gives the path of the conf, if the target has one.
    pub(crate) fn conf(&self) -> Option<&str> {
        match self {
            Self::Deployment | Self::Installer => Some(KASM_CONF),
            Self::Files { postgresql_conf, .. } => postgresql_conf.as_deref(),
        }
    }

    /// Gives the service that the document names.
    pub(crate) fn service(&self) -> Option<&str> {
        match self {
            Self::Files { service, .. } => service.as_deref(),
            _ => None,
        }
    }

    /// Tells whether a data directory is there that the new server must be able to open.
    pub(crate) fn has_data(&self) -> bool {
        !matches!(self, Self::Installer)
    }

    /// Lists the projects of the target; a folder that can not be listed is a problem.
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
                let mut projects = Vec::new();
                // Compose takes the first of these, and its override beside it.
                let main = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
                if let Some(main) = main.iter().find(|name| names.iter().any(|n| n == *name)) {
                    let overrides = [
                        "compose.override.yml",
                        "compose.override.yaml",
                        "docker-compose.override.yml",
                        "docker-compose.override.yaml",
                    ];
                    let over = overrides.iter().find(|name| names.iter().any(|n| n == *name));
                    let files =
                        std::iter::once(main).chain(over).map(|name| format!("docker/{name}")).collect();
                    projects.push(Project { files, runs: true });
                }
                let copies = kasm_files(source, "docker/.conf", problems).into_iter();
                projects.extend(copies.map(|file| Project { files: vec![file], runs: false }));
                projects
            }
        }
    }
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
            problems.push(Diagnostic::error(Code::Unreadable, format!("{folder}: {why}")));
            Vec::new()
        }
    }
}
