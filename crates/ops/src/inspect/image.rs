//! An image of the engine or of an archive, and what it holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use live::{Caller, Docker, Environment, Scrubber};
use model::{Contents, Image};

use super::archive::{Archived, Wanted, open, read, same_platform};
use super::cache::Cache;
use super::fault::Fault;
use super::limits::Limits;
use super::{cache, index, server};
use crate::error::Error;
use crate::outcome::Outcome;
use crate::path::quoted;

/// Where an image was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the engine that `docker` asks.
    Engine,
    /// In an archive, or in the folder of a layout.
    Archive(PathBuf),
}

/// An image that was looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// What was asked for, as it was written.
    pub subject: String,
    /// Where it was found.
    pub place: Place,
    /// What it holds.
    pub contents: Contents,
}

/// Which of several images is meant.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// The reference of an image in an archive of several.
    pub image: Option<Image>,
    /// The platform, `linux/arm64`.
    pub platform: Option<String>,
}

/// Looks into an image: a path that is there is an archive or a layout, anything else is asked of the engine.
///
/// # Errors
/// There is no such image, it cannot be read, or it is not what it should be.
pub fn inspect(
    subject: &str,
    choice: &Choice,
    environment: &Environment,
    cache: &Cache,
) -> Result<Inspected, Error> {
    let path = Path::new(subject);
    // A reference has no dot or slash in front.
    let is_path = subject.starts_with(['/', '.']) || path.exists() || subject.ends_with(".tar");
    let (place, contents) = if is_path {
        (Place::Archive(path.to_path_buf()), of_archive(path, choice)?)
    } else {
        let image = Image::parse(subject).map_err(|_| {
            Error::usage(format!("{subject}: neither a file or folder that is there, nor an image reference"))
                .help("name an image such as kasmweb/postgres:1.16.0, an archive, or the folder of an OCI layout")
        });
        // An id is not a reference.
        let is_id =
            subject.strip_prefix("sha256:").unwrap_or(subject).bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_id {
            image?;
        }
        let found = of_engine(subject, choice, environment, cache)?.ok_or_else(|| {
            Error::failed(format!("the engine does not have the image {subject}"))
                .help(format!("run `docker pull {}`, or name an archive of it", quoted(subject)))
        })?;
        (Place::Engine, found)
    };
    Ok(Inspected { subject: subject.to_string(), place, contents })
}

/// Looks into an image of an archive.
///
/// # Errors
/// It cannot be read.
pub fn of_archive(path: &Path, choice: &Choice) -> Result<Contents, Error> {
    let wanted = Wanted { image: choice.image.as_ref(), platform: choice.platform.as_deref(), id: None };
    let found = open(path, wanted, &Limits::default()).and_then(|archived| contents(&archived));
    found.map_err(|fault| of_fault(&path.display().to_string(), &fault))
}

/// Looks into an image of the engine, or into the cache for its id; `None` if the engine does not have it.
///
/// # Errors
/// The engine does not answer, or the image cannot be read.
pub fn of_engine(
    reference: &str,
    choice: &Choice,
    environment: &Environment,
    cache: &Cache,
) -> Result<Option<Contents>, Error> {
    let scrubber = Scrubber::default();
    let caller = Caller { environment, scrubber: &scrubber };
    let unreachable = |error: live::Unreachable| Error::failed(error.why).help(error.fix);
    let docker = Docker::find(&caller).map_err(unreachable)?;
    let Some(image) = docker.engine_image(reference).map_err(unreachable)? else { return Ok(None) };
    let id = image.id;
    // The id may be that of an index: together with a platform it means one image.
    let is_it = |contents: &Contents| {
        let is_of = |platform: &str| same_platform(&contents.platform, platform);
        is_of(&image.platform) && choice.platform.as_deref().is_none_or(is_of)
    };
    let digits = cache::digits(&id);
    if let Some(contents) = digits.and_then(|digits| cache.get(digits)).filter(is_it) {
        return Ok(Some(Contents { id, ..contents }));
    }
    let wanted = Wanted { image: None, platform: choice.platform.as_deref(), id: digits };
    let mut found = None;
    let mut is_proved = false;
    let saved = docker.save(&id, &mut |from| {
        let archived = read(from, wanted, &Limits::default());
        is_proved = archived.as_ref().is_ok_and(|archived| archived.is_proved);
        let read = archived.and_then(|archived| contents(&archived));
        let is_read = read.is_ok();
        found = Some(read);
        is_read
    });
    match (found, saved) {
        // An engine may count something else than the configuration: what it says is what it is asked for next time.
        (Some(Ok(contents)), Ok(())) => {
            if let Some(digits) = digits.filter(|_| is_proved && is_it(&contents)) {
                cache.put(digits, &contents);
            }
            Ok(Some(Contents { id, ..contents }))
        }
        // What the engine says is better than that its archive ends too early.
        (None | Some(Ok(_) | Err(Fault::Io(_) | Fault::NoImage)), Err(error)) => Err(unreachable(error)),
        (Some(Err(fault)), _) => Err(of_fault(reference, &fault)),
        (None, Ok(())) => Err(Error::failed(format!("the engine sent no archive of {reference}"))),
    }
}

fn of_fault(name: &str, fault: &Fault) -> Error {
    let error = Error::new(Outcome::Failed, format!("{name}: {fault}"));
    match fault.help() {
        Some(help) => error.help(help),
        None => error,
    }
}

/// Puts together what an image holds.
fn contents(archived: &Archived) -> Result<Contents, Fault> {
    let config = &archived.config;
    let own = &config["config"];
    let environment = index::strings(&own["Env"]);
    let path = environment.iter().find_map(|one| one.strip_prefix("PATH=")).unwrap_or_default();
    let labels = own["Labels"].as_object().into_iter().flatten();
    let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_string())));
    Ok(Contents {
        id: archived.id.clone(),
        platform: index::platform(config).unwrap_or_default(),
        user: own["User"].as_str().unwrap_or_default().to_string(),
        entrypoint: index::strings(&own["Entrypoint"]),
        command: index::strings(&own["Cmd"]),
        labels: labels.collect::<BTreeMap<_, _>>(),
        server: server::find(&archived.tree, path)?,
    })
}
