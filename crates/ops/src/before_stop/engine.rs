//! Whether the engine has what Compose needs to start the project: images, networks, volumes, and free names.

use live::{Container, Docker, Kind, Unreachable};
use model::{Code, Diagnostic};
use render::{Needed, NeededImage, NeededName, ObservedState, PullPolicy};

use super::asked::Asked;
use super::seen::{Seen, ToPull};
use super::stopping::BeforeStop;
use super::unknown::Unknown;
use crate::opened::on_disk;
use crate::path::quoted;

impl BeforeStop<'_> {
    /// Looks for what a start needs on the engine. Compose starts no service at all if something is missing for one of them.
    pub(super) fn engine(
        &self,
        asked: &Asked,
        after: &ObservedState,
        seen: &mut Seen,
        unknown: &mut Unknown,
    ) {
        let Some(needed) = after.needed() else { return };
        for open in &needed.unknown {
            unknown.push(format!("{} ({}:{})", open.name, open.place.path, open.place.line));
        }
        let all = match &asked.engine {
            Ok(docker) => self.on_engine(docker, asked, after, &needed, unknown),
            Err(unreachable) => Err(unreachable.clone()),
        };
        match all {
            // Whoever is started in another way may need less.
            Ok((findings, _)) if !self.is_composed(asked) => {
                findings.into_iter().for_each(|finding| unknown.push(finding.message));
            }
            Ok((findings, pulls)) => {
                seen.findings.extend(findings);
                seen.pulls = pulls;
            }
            Err(unreachable) => {
                unknown.push(format!(
                    "whether the engine has the image, the networks and the volumes: {}",
                    unreachable.why
                ));
                unknown.help(unreachable.fix);
            }
        }
    }

    /// Returns whether Compose starts the database, as far as that can be told.
    fn is_composed(&self, asked: &Asked) -> bool {
        let by_compose = |container: &Container| !container.compose.project.is_empty();
        self.has_own_start() || asked.container.as_ref().is_some_and(by_compose)
    }

    fn on_engine(
        &self,
        docker: &Docker,
        asked: &Asked,
        after: &ObservedState,
        needed: &Needed,
        unknown: &mut Unknown,
    ) -> Result<(Vec<Diagnostic>, Vec<ToPull>), Unreachable> {
        let mut findings = Vec::new();
        let pulls = self.images(docker, needed, &mut findings, unknown)?;
        for (kind, names, what) in
            [(Kind::Network, &needed.networks, "network"), (Kind::Volume, &needed.volumes, "volume")]
        {
            for one in names {
                if !docker.has(kind, &one.name)? {
                    let message = format!(
                        "there is no {what} `{}`, which the service `{}` needs and Compose does not make",
                        one.name, one.service
                    );
                    let help = format!(
                        "run `docker {what} create {}`, or correct its name in the compose file",
                        quoted(&one.name)
                    );
                    findings.push(missing(message, one, help));
                }
            }
        }
        for one in &needed.joined {
            if docker.look(&one.name)?.is_none_or(|container| container.status != "running") {
                let message = format!(
                    "the container `{}` does not run, whose network the service `{}` joins",
                    one.name, one.service
                );
                findings.push(missing(message, one, format!("run `docker start {}`", quoted(&one.name))));
            }
        }
        for one in &needed.files {
            if !on_disk(self.rooted, &one.name).is_ok_and(|path| path.exists()) {
                let message = format!(
                    "{} does not exist, which the service `{}` needs and Compose does not make",
                    one.name, one.service
                );
                findings.push(missing(message, one, "create it, or correct the compose file".into()));
            }
        }
        for one in &needed.names {
            let own = asked.container.as_ref().filter(|container| container.name == one.name);
            let container = match own {
                Some(container) => Some(container.clone()),
                None => docker.look(&one.name)?,
            };
            if let Some(container) = container.filter(|container| !self.is_own(container, one, needed, after))
            {
                findings.push(taken(&container, one));
            }
        }
        Ok((findings, pulls))
    }

    /// Returns the images that are to be pulled.
    fn images(
        &self,
        docker: &Docker,
        needed: &Needed,
        findings: &mut Vec<Diagnostic>,
        unknown: &mut Unknown,
    ) -> Result<Vec<ToPull>, Unreachable> {
        let mut references: Vec<&str> = needed.images.iter().map(|image| image.reference.as_str()).collect();
        references.sort_unstable();
        references.dedup();
        let gone = docker.missing_images(&references)?;
        let may_pull = !self.context.selection.no_pull;
        let mut pulls: Vec<ToPull> = Vec::new();
        for image in &needed.images {
            let is_missing = gone.contains(&image.reference.as_str());
            match (is_missing, &image.pull) {
                (false, PullPolicy::Missing | PullPolicy::Never) => {}
                (false, PullPolicy::Build) => unknown.push(format!(
                    "whether Compose can build the image of `{}`, which it does at every start",
                    image.service
                )),
                (false, PullPolicy::Often) if !may_pull => {
                    let message = format!(
                        "Compose pulls the image {} of the service `{}` at the start, and `--no-pull` forbids to see whether it can",
                        image.reference, image.service
                    );
                    let help = "leave `--no-pull` out, or write `pull_policy: missing` in the compose file";
                    let finding = Diagnostic::error(Code::WouldNotStart, message);
                    findings.push(finding.at(image.place.clone()).help(help));
                }
                (_, PullPolicy::Other(word)) => unknown
                    .push(format!("what `pull_policy: {word}` of the service `{}` means", image.service)),
                (true, PullPolicy::Never) => {
                    findings.push(no_image(image, "`pull_policy: never` forbids to pull it", ""));
                }
                (true, _) if image.is_built => {
                    let message = format!(
                        "the engine does not have the image {} of the service `{}`, and Compose would build it while the \
                         database is down",
                        image.reference, image.service
                    );
                    let help = format!(
                        "build it first: run `docker compose build {}` where the compose file is",
                        quoted(&image.service)
                    );
                    let finding = Diagnostic::error(Code::WouldNotStart, message);
                    findings.push(finding.at(image.place.clone()).help(help));
                }
                (true, _) if !may_pull => findings.push(no_image(
                    image,
                    "`--no-pull` forbids to pull it",
                    ", or leave `--no-pull` out",
                )),
                _ if pulls.iter().any(|known| known.image.reference == image.reference) => {}
                _ => pulls.push(ToPull { image: image.clone(), shown: String::new(), is_missing }),
            }
        }
        Ok(pulls)
    }

    /// Returns whether Compose takes a container for that of the service, and replaces it.
    fn is_own(
        &self,
        container: &Container,
        named: &NeededName,
        needed: &Needed,
        after: &ObservedState,
    ) -> bool {
        let labels = &container.compose;
        let root = self.rooted.root.path();
        let files: Vec<_> = after.compose_files().map(|path| root.join(path).display().to_string()).collect();
        let is_of_files = labels.config_files.split(',').any(|path| files.iter().any(|file| file == path));
        // The command line of Compose may name the project.
        let is_of_project =
            is_of_files || needed.project.as_ref().is_none_or(|project| *project == labels.project);
        labels.service == named.service && is_of_project
    }
}

fn missing(message: String, named: &NeededName, help: String) -> Diagnostic {
    Diagnostic::error(Code::WouldNotStart, message).at(named.place.clone()).help(help)
}

fn no_image(image: &NeededImage, why: &str, or: &str) -> Diagnostic {
    let message = format!(
        "the engine does not have the image {} of the service `{}`, and {why}",
        image.reference, image.service
    );
    let help = format!("run `docker pull {}`{or}", quoted(&image.reference));
    Diagnostic::error(Code::WouldNotStart, message).at(image.place.clone()).help(help)
}

fn taken(container: &Container, named: &NeededName) -> Diagnostic {
    let labels = &container.compose;
    let whose = match (labels.project.as_str(), labels.service.as_str()) {
        ("", _) => "which Compose did not make".to_string(),
        (project, service) => format!("of the service `{service}` in the project `{project}`"),
    };
    let message = format!(
        "the name `{}` of the service `{}` is taken by a container {whose}",
        named.name, named.service
    );
    let name = quoted(&named.name);
    let help = format!("rename or remove that container: `docker rename {name} {name}-other`");
    missing(message, named, help)
}
