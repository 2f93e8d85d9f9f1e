//! What is there: everything that a plan depends on, read once.

use std::sync::Arc;

use model::{Code, Diagnostic, Series};

use crate::compose::{CommandOption, ComposeFile, Database, Mounts, Needed, Stack, Trees, from_arguments};
use crate::conf::{ObservedConf, ServersFiles, located};
use crate::images::Images;
use crate::source::{Found, Recorder, Snapshot, Source, join, unreadable};
use crate::target::{Project, Target, TargetKind};

/// What is there, for one target.
#[derive(Debug)]
pub struct ObservedState {
    pub(crate) target: Target,
    pub(crate) databases: Vec<ObservedDatabase>,
    pub(crate) conf: Option<ObservedConf>,
    /// What the data directory says, where it is a folder of this host that can be read.
    pub(crate) data: Option<DataSeries>,
    /// Settings on the server's command line that no compose file shows.
    pub(crate) arguments: Vec<CommandOption>,
    pub(crate) skipped: Vec<String>,
    pub(crate) findings: Vec<Diagnostic>,
    pub(crate) snapshot: Snapshot,
    /// Who is asked what images hold.
    pub(crate) images: Option<Arc<dyn Images>>,
    /// What was parsed for it.
    trees: Trees,
}

/// A project with a database service.
#[derive(Debug)]
pub(crate) struct ObservedDatabase {
    pub(crate) project: Project,
    pub(crate) database: Database,
}

/// The PostgreSQL that a data directory was made by, and the file that says so.
#[derive(Debug)]
pub(crate) struct DataSeries {
    pub(crate) series: Series,
    pub(crate) path: String,
}

/// Observes a target.
///
/// Never fails: what cannot be read is among the findings.
pub fn observe(target: &Target, source: &dyn Source) -> ObservedState {
    observe_with(target, &[], source)
}

/// Observes a target whose server is started with these arguments besides its files.
pub fn observe_with(target: &Target, arguments: &[String], source: &dyn Source) -> ObservedState {
    observed(target, from_arguments(arguments), source, &|_| true, Trees::default())
}

/// Observes the projects that pass `wanted`, and the one that runs: the others are as they were.
pub(crate) fn observe_again(
    before: &ObservedState,
    source: &dyn Source,
    wanted: &dyn Fn(&Project) -> bool,
) -> ObservedState {
    observed(&before.target, before.arguments.clone(), source, wanted, before.trees.clone())
}

fn observed(
    target: &Target,
    arguments: Vec<CommandOption>,
    source: &dyn Source,
    wanted: &dyn Fn(&Project) -> bool,
    trees: Trees,
) -> ObservedState {
    let recorder = Recorder::new(source);
    let mut state = ObservedState {
        target: target.clone(),
        databases: Vec::new(),
        conf: None,
        data: None,
        arguments,
        skipped: Vec::new(),
        findings: Vec::new(),
        snapshot: Snapshot::default(),
        images: None,
        trees,
    };
    state.compose(&recorder, wanted);
    state.conf(&recorder);
    state.data = state.data_series(&recorder);
    state.snapshot = recorder.finish();
    state
}

impl ObservedState {
    /// Returns everything that was read.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Returns why a file cannot be read that is there, if there is one.
    pub fn unreadable(&self) -> Option<&Diagnostic> {
        self.findings.iter().find(|finding| finding.code == Code::Unreadable)
    }

    /// Lists the conf files that the server reads: the path that it knows each by, and the one here.
    pub fn conf_files(&self) -> impl Iterator<Item = (&str, &str)> {
        let conf = self.conf.iter();
        conf.flat_map(|conf| conf.set.files().map(|(path, _)| (path, conf.here(path))))
    }

    /// Returns the path of the target's conf if it is not there or cannot be read.
    pub fn lost_conf(&self) -> Option<&str> {
        self.target.kind.conf().filter(|_| self.conf.is_none())
    }

    /// Returns what Compose needs to start the project of the database; `None` if there is none.
    pub fn needed(&self) -> Option<Needed> {
        self.main_database().map(|observed| observed.database.needed())
    }

    /// Lists the compose files of the project of the database.
    pub fn compose_files(&self) -> impl Iterator<Item = &str> {
        let stack = self.main_database().map(|observed| &observed.database.stack);
        stack.into_iter().flat_map(|stack| stack.files.iter().map(|file| file.path.as_str()))
    }

    fn compose(&mut self, source: &dyn Source, look: &dyn Fn(&Project) -> bool) {
        let projects = self.target.kind.projects(source, &mut self.findings);
        let mut ambiguous = false;
        let mut is_of_version_1 = false;
        let active = projects.iter().find(|project| project.runs).map(|project| project.files.clone());
        for project in projects {
            let is_first = project.runs && self.databases.is_empty();
            if !is_first && !look(&project) {
                continue;
            }
            let stack = Stack::read(source, &project.files, &self.trees);
            is_of_version_1 |= stack.is_of_version_1();
            self.findings.extend(stack.problems.iter().cloned());
            match Database::find(stack, &self.target.kind, source) {
                // What no profile starts does not run, whatever it is called.
                Ok(Some(database))
                    if self.target.kind == TargetKind::Deployment && project.runs && !database.starts =>
                {
                    self.skipped.extend(project.files);
                    self.findings.push(database.not_started());
                    ambiguous = true;
                }
                Ok(Some(database)) => {
                    // Two images are an error of their own.
                    let reported = database.site.as_ref().err().map(|error| &error.location);
                    let duplicates = database.stack.files.iter().filter_map(ComposeFile::duplicate_keys);
                    self.findings
                        .extend(duplicates.filter(|duplicate| reported != Some(&duplicate.location)));
                    if database.stack.files.iter().any(ComposeFile::merges_too_deep) {
                        let message = "merge keys chain too deep to be followed";
                        self.findings.push(Diagnostic::error(Code::ComposeReference, message));
                    }
                    self.databases.push(ObservedDatabase { project, database });
                }
                Ok(None) => self.skipped.extend(project.files),
                Err(problem) => {
                    ambiguous = true;
                    self.findings.push(problem);
                }
            }
        }
        let is_clear = !ambiguous && !self.findings.iter().any(Diagnostic::is_error);
        if is_clear && self.target.kind == TargetKind::Deployment && !self.databases.is_empty() {
            self.require_active(active);
            return;
        }
        if self.databases.is_empty() && !ambiguous && !self.findings.iter().any(Diagnostic::is_error) {
            self.findings.extend(self.no_database(is_of_version_1));
        }
    }

    /// Refuses a deployment whose active compose file has no database: what only the copies have does not run.
    fn require_active(&mut self, active: Option<Vec<String>>) {
        if self.databases.iter().any(|observed| observed.project.runs) {
            return;
        }
        let copies = self.databases.drain(..).flat_map(|observed| observed.project.files);
        self.skipped.extend(copies);
        self.findings.push(match active {
            Some(files) => Diagnostic::error(
                Code::NoService,
                format!("no database container here: Compose runs {}, which has no database service", files.join(", ")),
            )
            .help(
                "run this on the database host: hosts with the app, agent or proxy role have none; \
                 if its service was renamed, give it `container_name: kasm_db`, or the key `kasm_db` or `db`",
            ),
            None => Diagnostic::error(
                Code::NoComposeFile,
                "no docker/docker-compose.yaml below the deployment: the files in docker/.conf are copies that nothing runs",
            )
            .help("use the folder that Compose runs, such as /opt/kasm/current"),
        });
    }

    fn no_database(&self, is_of_version_1: bool) -> Option<Diagnostic> {
        if !self.skipped.is_empty() {
            let files = self.skipped.join(", ");
            if is_of_version_1 {
                let message = format!("no `services` in {files}");
                let help = "put `services:` above its services, and indent them: the file is written for Compose 1, which \
                            current versions do not read";
                return Some(Diagnostic::error(Code::NoService, message).help(help));
            }
            if let Some(service) = self.target.kind.service() {
                let message = format!("no service `{service}` in {files}");
                let help = "check the name under `service:` of the target's `files`";
                return Some(Diagnostic::error(Code::NoService, message).help(help));
            }
            let message = format!("no database service in {files}");
            return Some(Diagnostic::error(Code::NoService, message).help(
                "give the database's service `container_name: kasm_db`, or the key `kasm_db` or `db`; \
                 if its database is an external one, there is nothing here to change",
            ));
        }
        match &self.target.kind {
            TargetKind::Files { .. } => None,
            TargetKind::Deployment => Some(
                Diagnostic::error(Code::NoComposeFile, "no docker/docker-compose.yaml below the deployment")
                    .help(
                        "use the folder that holds `docker/` and `conf/`, such as /opt/kasm/current; \
                         for an unpacked installer, use `--installer` or the key `installer`",
                    ),
            ),
            TargetKind::Installer => Some(
                Diagnostic::error(Code::NoComposeFile, "no docker/docker-compose-*.yaml below the installer")
                    .help(
                        "use the unpacked `kasm_release` folder; \
                         for an installed tree, use `--deployment` or the key `deployment`",
                    ),
            ),
        }
    }

    fn conf(&mut self, source: &dyn Source) {
        let Some(path) = self.target.kind.conf().map(String::from) else { return };
        match self.read_conf(&path, source, &ServersFiles::default()) {
            Ok(conf) => self.conf = conf,
            Err(why) => self.findings.push(unreadable(&path, &why)),
        }
    }

    /// Reads the conf at `path` with what it includes, and with files that only the server has.
    pub(crate) fn read_conf(
        &self,
        path: &str,
        source: &dyn Source,
        servers: &ServersFiles,
    ) -> Result<Option<ObservedConf>, String> {
        let none = Mounts::default();
        let database = self.main_database().map(|observed| &observed.database);
        let mounts = database.map_or(&none, |database| &database.mounts);
        let data = database.and_then(|database| database.data.as_deref());
        ObservedConf::read(path, data, mounts, source, self.target.kind.has_data(), servers)
    }

    /// Reads the file by which the server itself tells whether it can open the data directory.
    fn data_series(&self, source: &dyn Source) -> Option<DataSeries> {
        let database = self.main_database().filter(|_| self.target.kind.has_data()).map(|d| &d.database)?;
        let in_conf = self.conf.as_ref().is_some_and(|conf| conf.set.effective("data_directory").is_some());
        if in_conf && !database.command.options.iter().any(|option| option.name == "data_directory") {
            return None;
        }
        let host = database.mounts.host(&join(database.data.as_deref()?, "PG_VERSION"))?.path()?;
        let path = located(source, &host, true)?;
        let Found::Yes(bytes) = source.read(&path) else { return None };
        let series = Series::parse(std::str::from_utf8(&bytes).ok()?.trim())?;
        Some(DataSeries { series, path })
    }

    /// Returns a compose file that was read.
    pub(crate) fn compose_file(&self, path: &str) -> Option<(&ComposeFile, &str)> {
        self.databases.iter().find_map(|observed| {
            let database = &observed.database;
            let file = database.stack.files.iter().find(|file| file.path == path)?;
            Some((file, database.service.as_str()))
        })
    }

    /// Returns the project that runs; of an installer's several ones the first.
    pub(crate) fn main_database(&self) -> Option<&ObservedDatabase> {
        self.databases.iter().find(|observed| observed.project.runs).or_else(|| self.databases.first())
    }
}
