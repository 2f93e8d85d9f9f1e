//! The container: what Docker says of it.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::caller::Caller;
use crate::child::{self, ChildError, Ended, Job};
use crate::environment::Environment;
use crate::program::{self, Program};
use crate::scrub::{Said, Scrubber};
use crate::session::{ANSWER_BYTES, Unreachable};
use crate::watch::Commanding;

/// How long one question may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// How long a server that ends at its start may take for that.
const AGAIN: Duration = Duration::from_secs(3);

/// How many characters of an error of several lines are shown.
const LENGTH: usize = 600;

/// The `docker` program.
#[derive(Clone, Debug)]
pub struct Docker {
    program: Program,
    environment: Environment,
    scrubber: Scrubber,
}

/// What Docker says of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Its name, as the document has it.
    pub name: String,
    /// Its id on the engine.
    pub id: String,
    /// `running`, `exited`, `restarting`, …
    pub status: String,
    /// When it was started last.
    pub started: String,
    /// How often Docker has started it again by itself.
    pub restarts: u64,
    /// What its process ended with last.
    pub exit_code: String,
    /// `healthy`, `unhealthy`, `starting`; empty without a health check.
    pub health: String,
    /// The image that it was made from, as it was written then.
    pub image: String,
    /// The id of that image.
    pub image_id: String,
    /// What Compose says of it, if that made it.
    pub compose: ComposeLabels,
    /// Paths in the container and on the host.
    pub mounts: Vec<(String, String)>,
}

/// What Compose writes down with a container that it makes; empty if something else made it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComposeLabels {
    /// The project.
    pub project: String,
    /// The service.
    pub service: String,
    /// The compose files, with commas between them.
    pub config_files: String,
}

/// One field on each line, then pairs of lines. The names are those of Docker's types: with those of its JSON,
/// such as `Id`, a container without a health check is an error.
///
/// No field of these can hold a line feed but a mount's path;
/// such a one would be compared with a path and not be it.
const FORMAT: &str = "{{.ID}}\n{{.State.Status}}\n{{.State.StartedAt}}\n{{.RestartCount}}\n{{.State.ExitCode}}\n\
    {{with .State.Health}}{{.Status}}{{end}}\n{{.Config.Image}}\n{{.Image}}\n\
    {{printf \"%q\" (index .Config.Labels \"com.docker.compose.project\")}}\n\
    {{printf \"%q\" (index .Config.Labels \"com.docker.compose.service\")}}\n\
    {{printf \"%q\" (index .Config.Labels \"com.docker.compose.project.config_files\")}}\n\
    {{range .Mounts}}{{.Destination}}\n{{.Source}}\n{{end}}";

impl Container {
    fn parse(name: &str, text: &str) -> Option<Self> {
        let mut lines = text.lines().map(String::from);
        let mut next = || lines.next();
        let mut container = Self {
            name: name.to_string(),
            id: next()?,
            status: next()?,
            started: next()?,
            restarts: next()?.parse().ok()?,
            exit_code: next()?,
            health: next()?,
            image: next()?,
            image_id: next()?,
            compose: ComposeLabels {
                project: unquoted(next()),
                service: unquoted(next()),
                config_files: unquoted(next()),
            },
            mounts: Vec::new(),
        };
        while let (Some(inside), Some(host)) = (next(), next()) {
            container.mounts.push((inside, host));
        }
        Some(container)
    }

    /// Returns whether it runs, or Docker is about to start it.
    pub fn is_up_or_on_its_way(&self) -> bool {
        matches!(self.status.as_str(), "running" | "restarting")
    }

    /// Returns the path on the engine's host of a path in the container; `None` if it is in no mount.
    pub fn on_host(&self, inside: &str) -> Option<PathBuf> {
        self.host_path(inside)
    }

    /// Returns the host's path of a path in the container, where a mount brings it.
    pub(crate) fn host_path(&self, inside: &str) -> Option<PathBuf> {
        let below = |folder: &str| {
            let rest = inside.strip_prefix(folder.trim_end_matches('/'))?;
            (rest.is_empty() || rest.starts_with('/')).then_some(rest.trim_start_matches('/'))
        };
        let found =
            self.mounts.iter().filter_map(|(folder, host)| Some((folder.len(), host, below(folder)?)));
        let (_, host, rest) = found.max_by_key(|(length, ..)| *length)?;
        let host = PathBuf::from(host);
        Some(if rest.is_empty() { host } else { host.join(rest) })
    }
}

impl Docker {
    /// Finds the program.
    ///
    /// # Errors
    /// It is not there, or cannot be trusted.
    pub fn find(caller: &Caller<'_>) -> Result<Self, Unreachable> {
        let program = program::find("docker", caller.environment).map_err(|error| {
            let fix = match &error {
                program::NotFound::Missing(_) | program::NotFound::NoProgram(_) => {
                    "install the Docker command line, or write `verify: {connect: tcp}` in the document"
                }
                program::NotFound::NoInterpreter { .. } => "install what its first line names",
                program::NotFound::Open { .. } => "remove the write permission of others",
                program::NotFound::Foreign { .. } => "give it to root, or put another folder first in PATH",
            };
            Unreachable::new(error.to_string(), fix)
        })?;
        Ok(Self { program, environment: caller.environment.clone(), scrubber: caller.scrubber.clone() })
    }

    pub(crate) fn run(&self, arguments: &[&str], input: String) -> Result<Ended, Unreachable> {
        self.run_within(arguments, input, TIMEOUT, None)
    }

    /// Runs `docker` for at most so long; `commanding` may end it before.
    pub(crate) fn run_within(
        &self,
        arguments: &[&str],
        input: String,
        timeout: Duration,
        commanding: Option<&dyn Commanding>,
    ) -> Result<Ended, Unreachable> {
        let job = Job {
            program: &self.program,
            arguments: arguments.iter().map(ToString::to_string).collect(),
            input,
            environment: &self.environment,
            timeout,
            limit: ANSWER_BYTES,
            commanding,
        };
        let ended = child::answer(&job).map_err(|error| self.not_run(&error, arguments))?;
        if ended.stopped {
            return Err(Unreachable::new(
                format!("`docker {}` wrote more than {} MiB", arguments[0], ANSWER_BYTES >> 20),
                "check the docker program, and psql in the container",
            ));
        }
        Ok(ended)
    }

    /// Runs `docker` whose output is too long to keep.
    pub(crate) fn stream(
        &self,
        arguments: &[&str],
        timeout: Duration,
        read: &mut dyn FnMut(&mut dyn std::io::Read) -> bool,
    ) -> Result<Ended, Unreachable> {
        let job = Job {
            program: &self.program,
            arguments: arguments.iter().map(ToString::to_string).collect(),
            input: String::new(),
            environment: &self.environment,
            timeout,
            limit: ANSWER_BYTES,
            commanding: None,
        };
        child::stream(&job, read).map_err(|error| self.not_run(&error, arguments))
    }

    fn not_run(&self, error: &ChildError, arguments: &[&str]) -> Unreachable {
        match &error {
            ChildError::Start { .. } => Unreachable::new(error.to_string(), "check the docker program"),
            ChildError::Timeout { after, .. } => Unreachable::new(
                format!("`docker {}` did not end within {}", arguments[0], child::seconds(after)),
                "check that the Docker engine answers: `docker version`",
            ),
        }
    }

    /// Asks what a container is.
    ///
    /// # Errors
    /// The engine does not answer, or has no such container.
    pub fn inspect(&self, name: &str) -> Result<Container, Unreachable> {
        self.look(name)?.ok_or_else(|| self.missing(name))
    }

    /// Asks what a container is; `None` if the engine has none of this name.
    ///
    /// # Errors
    /// The engine does not answer.
    pub fn look(&self, name: &str) -> Result<Option<Container>, Unreachable> {
        let ended = self.run(&["container", "inspect", "--format", FORMAT, "--", name], String::new())?;
        if !ended.status.success() {
            let words = self.last_words_of(&ended);
            return if words.to_lowercase().contains("no such container") {
                Ok(None)
            } else {
                Err(refused(&words))
            };
        }
        let text = String::from_utf8_lossy(&ended.stdout).into_owned();
        let container = Container::parse(name, &text).ok_or_else(|| {
            Unreachable::new(
                format!("cannot understand what `docker container inspect` says about {name}"),
                "check the version of Docker: `docker version`",
            )
        });
        container.map(Some)
    }

    /// Reports that there is no container of this name.
    pub fn missing(&self, name: &str) -> Unreachable {
        Unreachable::new(
            format!("there is no container {name}"),
            "start the deployment, or name its container under `verify: {container: …}` of the document",
        )
    }

    /// Waits a moment for a container to end or to be restarted, and returns it then; `None` if it stays as it is.
    pub(crate) fn restarts_again(&self, before: &Container) -> Option<Container> {
        let started = Instant::now();
        while started.elapsed() < AGAIN {
            sleep(Duration::from_millis(250));
            let now = self.inspect(&before.name).ok()?;
            if now.status != "running" || now.started != before.started {
                return Some(now);
            }
        }
        None
    }

    /// Reads a file of a container, whether that runs or not; `None` if it is not there.
    ///
    /// # Errors
    /// It cannot be read; why.
    pub(crate) fn read(&self, name: &str, path: &str, limit: u64) -> Result<Option<Vec<u8>>, String> {
        let from = format!("{name}:{path}");
        let ended =
            self.run(&["container", "cp", "--", &from, "-"], String::new()).map_err(|error| error.why)?;
        if !ended.status.success() {
            let words = self.last_words_of(&ended);
            let is_missing = ["no such file", "could not find the file", "no such container:path"];
            let lower = words.to_lowercase();
            return if is_missing.iter().any(|part| lower.contains(part)) { Ok(None) } else { Err(words) };
        }
        only_file(&ended.stdout, limit)
            .map(Some)
            .ok_or_else(|| format!("{path} is not a regular file of at most {limit} bytes"))
    }

    /// Returns the id of the image that a reference means now, if the engine has it.
    ///
    /// # Errors
    /// The engine does not answer.
    pub fn image_id(&self, reference: &str) -> Result<Option<String>, Unreachable> {
        Ok(self.image(reference, "{{.ID}}")?.filter(|id| !id.is_empty()))
    }

    /// Returns what the engine says of an image in a format of Docker; `None` if it does not have it.
    pub(crate) fn image(&self, reference: &str, format: &str) -> Result<Option<String>, Unreachable> {
        let ended = self.run(&["image", "inspect", "--format", format, "--", reference], String::new())?;
        if ended.status.success() {
            return Ok(Some(String::from_utf8_lossy(&ended.stdout).trim().to_string()));
        }
        let words = self.last_words_of(&ended);
        let lower = words.to_lowercase();
        // Docker's words, and those of Podman.
        match ["no such image", "image not known", "no such object"].iter().any(|part| lower.contains(part)) {
            true => Ok(None),
            false => Err(refused(&words)),
        }
    }

    /// Returns who hides the secrets in what is said.
    pub(crate) fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }

    /// Returns the lines of an error of a child that was run, without the secrets in them; of many, the last one.
    pub(crate) fn words_of(&self, ended: &Ended) -> String {
        let text = String::from_utf8_lossy(&ended.stderr).into_owned();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        match lines[..] {
            [_, _] | [_, _, _] => self.scrubber.shown(&Said::new(lines.join("; "), LENGTH)),
            _ => self.last_words_of(ended),
        }
    }

    /// Returns the last line of a child that was run, without the secrets in it.
    pub(crate) fn last_words_of(&self, ended: &Ended) -> String {
        self.scrubber.shown(&ended.last_words())
    }

    /// Returns the last lines that the container wrote, for a server that logs to standard error.
    ///
    /// Lines are counted, and no time is named: the engine's clock may be another one.
    ///
    /// # Errors
    /// The engine keeps no output, or more was written than is looked at.
    pub(crate) fn logs(&self, name: &str) -> Result<Vec<u8>, String> {
        let arguments = ["container", "logs", "--tail", "20000", "--", name];
        let ended = self.run(&arguments, String::new()).map_err(|unreachable| unreachable.why)?;
        if !ended.status.success() {
            return Err(format!(
                "Docker does not show the container's output: {}",
                self.last_words_of(&ended)
            ));
        }
        Ok([ended.stdout, ended.stderr].concat())
    }
}

/// Reads a text that is quoted so that it is on one line. One with characters that are escaped is compared with nothing.
fn unquoted(text: Option<String>) -> String {
    text.unwrap_or_default().trim_matches('"').to_string()
}

/// Returns the content of the only file of a tar archive, as `docker cp` writes it.
fn only_file(archive: &[u8], limit: u64) -> Option<Vec<u8>> {
    let (header, rest) = archive.split_at_checked(512)?;
    let is_regular = matches!(header[156], b'0' | 0);
    let size = std::str::from_utf8(&header[124..136]).ok()?.trim_matches(['\0', ' ']);
    let size = u64::from_str_radix(size, 8).ok().filter(|size| is_regular && *size <= limit)?;
    Some(rest.get(..usize::try_from(size).ok()?)?.to_vec())
}

/// Returns why `docker` refused.
pub(crate) fn refused(words: &str) -> Unreachable {
    let lower = words.to_lowercase();
    if lower.contains("permission denied") {
        Unreachable::new(
            format!("this user may not use the Docker engine: {words}"),
            "run as root or as a member of the group `docker`",
        )
    } else {
        Unreachable::new(
            format!("the Docker engine does not answer: {words}"),
            "start it (`systemctl start docker`), or name another one in DOCKER_HOST",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_file_of_an_archive_is_taken_if_it_is_regular_and_not_too_long() {
        let archive = |kind: u8, size: &[u8]| {
            let mut header = vec![0; 512];
            header[124..124 + size.len()].copy_from_slice(size);
            header[156] = kind;
            [header, b"text\n".to_vec(), vec![0; 507]].concat()
        };
        let read = |kind, size: &[u8], limit| only_file(&archive(kind, size), limit);
        assert_eq!(read(b'0', b"00000000005\0", 5), Some(b"text\n".to_vec()));
        assert_eq!(read(b'0', b"00000000005\0", 4), None);
        assert_eq!(read(b'2', b"00000000005\0", 5), None, "a link");
        assert_eq!(read(b'0', b"no number", 5), None);
        assert_eq!(only_file(b"short", 5), None);
    }

    #[test]
    fn a_path_of_the_container_is_found_on_the_host_by_its_deepest_mount() {
        let text = "id\nrunning\nnow\n3\n0\nhealthy\npostgres:15\nsha256:1\n\"docker\"\n\"db\"\n\"\"\n/var/log\n/h/log\n/var/log/postgres\n/h/pg\n";
        let container = Container::parse("db", text).unwrap();
        assert_eq!(
            (container.compose.project.as_str(), container.compose.config_files.as_str()),
            ("docker", "")
        );
        assert_eq!((container.restarts, container.health.as_str()), (3, "healthy"));
        let host = |path: &str| container.host_path(path).map(|path| path.display().to_string());
        assert_eq!(host("/var/log/postgres/a.log").as_deref(), Some("/h/pg/a.log"));
        assert_eq!(host("/var/log/postgres").as_deref(), Some("/h/pg"));
        assert_eq!(host("/var/log/postgresql/a.log").as_deref(), Some("/h/log/postgresql/a.log"));
        assert_eq!(host("/var/lib"), None);
        assert_eq!(Container::parse("db", "id\nrunning\n"), None);
    }
}
