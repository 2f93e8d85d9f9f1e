//! The programs that build images, and the arguments that each takes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use live::child::{self, Job};
use live::program::{self, Program};
use live::{Environment, Scrubber, Watch as _};
use model::Image;

use crate::error::Error;
use crate::progress::Progress;

/// How long a builder may take: it downloads the base and may compile.
const TIMEOUT: Duration = Duration::from_secs(3600);

/// How long a line of its output may be.
const LINE: usize = 2 << 10;

/// A program that builds images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builder {
    /// Docker.
    Docker,
    /// podman.
    Podman,
    /// buildah.
    Buildah,
}

/// Whoever runs a builder.
pub struct Caller<'a> {
    /// The environment that a builder gets a part of.
    pub environment: &'a Environment,
    /// How far the run has come, for a signal.
    pub progress: &'a Progress,
}

/// What is built, and how.
pub struct Wanted<'a> {
    /// The name of the image.
    pub image: &'a Image,
    /// The base that it is built on.
    pub base: &'a Image,
    /// The folder with the context.
    pub folder: &'a Path,
    /// The document, whose commit becomes a label.
    pub document: &'a Path,
    /// The platform; that of the builder without one.
    pub platform: Option<&'a str>,
    /// The network of the steps; that of the builder without one.
    pub network: Option<&'a str>,
    /// The time of everything that is added, in seconds since 1970; the time of the build without one.
    pub timestamp: Option<u32>,
    /// Whether every step is repeated.
    pub no_cache: bool,
}

/// How an image was built.
pub struct Built {
    /// The builder.
    pub builder: Builder,
    /// Whether the health check of the base was lost with the form of the image.
    pub lost_health_check: bool,
}

impl Builder {
    /// Every builder, in the order in which they are looked for.
    pub const ALL: [Self; 3] = [Self::Docker, Self::Podman, Self::Buildah];

    /// Returns the name of the program.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Buildah => "buildah",
        }
    }

    /// Finds a builder by its name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|builder| builder.name() == name)
    }

    /// Returns the arguments that build an image.
    fn build(self, wanted: &Wanted<'_>, revision: &str) -> Vec<String> {
        let mut arguments: Vec<String> = vec!["build".into()];
        let mut option = |name: &str, value: &str| arguments.push(format!("--{name}={value}"));
        option("tag", without_digest(wanted.image));
        option("build-arg", &format!("REVISION={revision}"));
        wanted.platform.iter().for_each(|platform| option("platform", platform));
        wanted.network.iter().for_each(|network| option("network", network));
        if let Some(timestamp) = wanted.timestamp {
            match self {
                // Docker has no option for it. BuildKit knows this argument.
                Self::Docker => option("build-arg", &format!("SOURCE_DATE_EPOCH={timestamp}")),
                Self::Podman | Self::Buildah => option("timestamp", &timestamp.to_string()),
            }
        }
        // The others take the form of OCI, which has no health check: that of the base would be lost. Docker's form has the
        // id of a container, which is another one each time.
        match (self, wanted.timestamp) {
            (Self::Docker, _) => {}
            (_, None) => option("format", "docker"),
            (_, Some(_)) => option("format", "oci"),
        }
        if wanted.no_cache {
            arguments.push("--no-cache".into());
        }
        arguments.push(wanted.folder.display().to_string());
        arguments
    }

    /// Returns the arguments that show the health check of an image; `None` if it is never lost.
    fn health_check(self, image: &Image) -> Option<Vec<String>> {
        let image = image.to_string();
        match self {
            Self::Docker => None,
            Self::Podman => {
                Some(vec!["image".into(), "inspect".into(), "--format={{.HealthCheck}}".into(), image])
            }
            Self::Buildah => {
                let format = "--format={{.Docker.Config.Healthcheck}}".into();
                Some(vec!["inspect".into(), "--type=image".into(), format, image])
            }
        }
    }

    /// Returns the arguments that write an image to an archive.
    fn save(self, image: &str, file: &str) -> Vec<String> {
        let words: Vec<String> = match self {
            Self::Docker => vec!["save".into(), "--output".into(), file.into(), image.into()],
            Self::Podman => {
                let format = "--format=docker-archive".into();
                vec!["save".into(), format, "--output".into(), file.into(), image.into()]
            }
            Self::Buildah => vec!["push".into(), image.into(), format!("docker-archive:{file}:{image}")],
        };
        words
    }

    /// Returns the arguments that read an archive.
    fn load(self, file: &str) -> Vec<String> {
        match self {
            Self::Docker | Self::Podman => vec!["load".into(), "--input".into(), file.into()],
            Self::Buildah => vec!["pull".into(), format!("docker-archive:{file}")],
        }
    }
}

/// Returns the name that a builder can give to an image: it finds out the digest itself.
fn without_digest(image: &Image) -> &str {
    image.as_str().split('@').next().unwrap_or_default()
}

/// Finds the builder that was chosen, or the first one that is there.
fn found(chosen: Option<Builder>, environment: &Environment) -> Result<(Builder, Program), Error> {
    let mut first = None;
    for builder in chosen.map_or(Builder::ALL.to_vec(), |chosen| vec![chosen]) {
        match program::find(builder.name(), environment) {
            Ok(program) => return Ok((builder, program)),
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    let message = match (chosen, first) {
        (Some(_), Some(error)) => error.to_string(),
        _ => "neither docker, podman nor buildah was found".into(),
    };
    Err(Error::failed(message)
        .help("install one of docker, podman and buildah, or build the folder elsewhere"))
}

/// Builds an image; the output of the builder is told line by line, without secrets.
///
/// # Errors
/// There is no builder, or it failed.
pub fn run(
    chosen: Option<Builder>,
    wanted: &Wanted<'_>,
    caller: &Caller<'_>,
    tell: &mut dyn FnMut(&str),
) -> Result<Built, Error> {
    let (builder, program) = found(chosen, caller.environment)?;
    let revision = crate::git_commit::checked_out(wanted.document).unwrap_or_default();
    child(&program, builder.build(wanted, &revision), caller, tell)?;
    let mut lost_health_check = false;
    if let (Some(_), Some(question)) = (wanted.timestamp, builder.health_check(wanted.base)) {
        let mut answer = String::new();
        child(&program, question, caller, &mut |line| answer.push_str(line))?;
        lost_health_check = !matches!(answer.trim(), "" | "<nil>");
    }
    Ok(Built { builder, lost_health_check })
}

/// Writes an image to an archive, whole or not at all.
///
/// # Errors
/// There is no builder, it does not have the image, or the archive cannot be written.
pub fn save(
    chosen: Option<Builder>,
    image: &Image,
    file: &Path,
    caller: &Caller<'_>,
    tell: &mut dyn FnMut(&str),
) -> Result<Builder, Error> {
    let (builder, program) = found(chosen, caller.environment)?;
    let mut part = file.as_os_str().to_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    // Some builders add to an archive that is there.
    let _ = std::fs::remove_file(&part);
    let saved =
        child(&program, builder.save(without_digest(image), &part.display().to_string()), caller, tell);
    let renamed = saved.and_then(|()| {
        std::fs::rename(&part, file).map_err(|error| {
            Error::of_system(format!("{}: cannot write the archive", file.display()), &error)
        })
    });
    if renamed.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    renamed.map(|()| builder)
}

/// Reads an archive into the images of a builder.
///
/// # Errors
/// There is no builder, or it cannot read the archive.
pub fn load(
    chosen: Option<Builder>,
    file: &Path,
    caller: &Caller<'_>,
    tell: &mut dyn FnMut(&str),
) -> Result<Builder, Error> {
    let (builder, program) = found(chosen, caller.environment)?;
    child(&program, builder.load(&file.display().to_string()), caller, tell)?;
    Ok(builder)
}

/// Runs a builder to its end.
fn child(
    program: &Program,
    arguments: Vec<String>,
    caller: &Caller<'_>,
    tell: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let shown = format!("{} {}", program.path().display(), arguments.join(" "));
    // A signal waits for it for a while, and ends it then: it would continue by itself.
    let commanding = caller.progress.commanding(&shown);
    let environment = caller.environment.of_builders();
    let job = Job {
        program,
        arguments,
        input: String::new(),
        environment: &environment,
        timeout: TIMEOUT,
        limit: 16 << 10,
        commanding: Some(&*commanding),
    };
    let scrubber = Scrubber::default();
    scrubber.learn(environment.proxy_passwords());
    let mut part = Vec::new();
    let mut line = |part: &mut Vec<u8>| {
        let text = scrubber.hide(&String::from_utf8_lossy(std::mem::take(part).trim_ascii_end()));
        tell(&text);
    };
    let ended = child::run(&job, &mut |piece| {
        for chunk in piece.split_inclusive(|&byte| byte == b'\n') {
            let room = LINE.saturating_sub(part.len());
            part.extend(&chunk[..chunk.len().min(room)]);
            if chunk.ends_with(b"\n") {
                line(&mut part);
            }
        }
    })
    .map_err(|error| Error::failed(error.to_string()));
    drop(commanding);
    caller.progress.interrupted()?;
    let ended = ended?;
    if !part.is_empty() {
        line(&mut part);
    }
    if ended.status.success() {
        return Ok(());
    }
    let words = scrubber.shown(&ended.last_words());
    let said = if words.is_empty() { String::new() } else { format!(": {words}") };
    Err(Error::failed(format!("`{shown}` {}{said}", ended.how())))
}
