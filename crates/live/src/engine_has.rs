//! What the engine has, and what it can get: images, networks, volumes.

use std::io::Read;
use std::time::Duration;

use crate::docker::{Docker, refused};
use crate::session::Unreachable;
use crate::watch::Commanding;

/// How long an image may take to be pulled.
const PULL: Duration = Duration::from_secs(30 * 60);

/// How long an image may take to be written as an archive.
const SAVE: Duration = Duration::from_secs(10 * 60);

/// How the engines say that they do not have something: Docker and Podman.
const MISSING: &[&str] = &["no such", "not found", "not known", "unable to find"];

/// What an engine has by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A network.
    Network,
    /// A volume.
    Volume,
}

/// What the engine means by a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineImage {
    /// The id.
    pub id: String,
    /// The operating system and the architecture, without a variant: `linux/arm64`.
    pub platform: String,
}

impl Docker {
    /// Returns the image that a reference means now, if the engine has it.
    ///
    /// # Errors
    /// The engine does not answer.
    pub fn engine_image(&self, reference: &str) -> Result<Option<EngineImage>, Unreachable> {
        // Podman's images have no field for the variant.
        let Some(said) = self.image(reference, "{{.ID}}\n{{.Os}}/{{.Architecture}}")? else {
            return Ok(None);
        };
        let (id, platform) = said.split_once('\n').unwrap_or((&said, ""));
        let image = EngineImage { id: id.trim().into(), platform: platform.trim().into() };
        Ok(Some(image).filter(|image| !image.id.is_empty()))
    }

    /// Returns which of these images the engine does not have.
    ///
    /// # Errors
    /// The engine does not answer.
    pub fn missing_images<'a>(&self, references: &[&'a str]) -> Result<Vec<&'a str>, Unreachable> {
        let all = [&["image", "inspect", "--format", "{{.ID}}", "--"], references].concat();
        if references.is_empty() || self.run(&all, String::new())?.status.success() {
            return Ok(Vec::new());
        }
        let mut missing = Vec::new();
        for reference in references {
            if self.image_id(reference)?.is_none() {
                missing.push(*reference);
            }
        }
        Ok(missing)
    }

    /// Returns whether the engine has a network or a volume.
    ///
    /// # Errors
    /// The engine does not answer.
    pub fn has(&self, kind: Kind, name: &str) -> Result<bool, Unreachable> {
        let kind = match kind {
            Kind::Network => "network",
            Kind::Volume => "volume",
        };
        let ended = self.run(&[kind, "inspect", "--format", "{{.Name}}", "--", name], String::new())?;
        if ended.status.success() {
            return Ok(true);
        }
        let words = self.last_words_of(&ended);
        let lower = words.to_lowercase();
        match MISSING.iter().any(|part| lower.contains(part)) && !lower.contains("daemon running") {
            true => Ok(false),
            false => Err(refused(&words)),
        }
    }

    /// Returns whether the numbers of users in containers are others on the host.
    ///
    /// # Errors
    /// The engine does not answer.
    pub fn maps_users(&self) -> Result<bool, Unreachable> {
        let ended = self.run(&["info", "--format", "{{.SecurityOptions}}"], String::new())?;
        let words = self.last_words_of(&ended);
        match ended.status.success() {
            true => Ok(["name=userns", "name=rootless"].iter().any(|name| words.contains(name))),
            false => Err(refused(&words)),
        }
    }

    /// Lets the engine write an image as an archive; `read` gets that as a stream, and returns whether it was read to its end.
    ///
    /// # Errors
    /// The engine does not write it.
    pub fn save(&self, id: &str, read: &mut dyn FnMut(&mut dyn Read) -> bool) -> Result<(), Unreachable> {
        let ended = self.stream(&["image", "save", "--", id], SAVE, read)?;
        match ended.status.success() || ended.stopped {
            true => Ok(()),
            false => Err(refused(&self.last_words_of(&ended))),
        }
    }

    /// Pulls an image.
    ///
    /// # Errors
    /// It cannot be pulled; what the engine says of it.
    pub fn pull(
        &self,
        reference: &str,
        platform: Option<&str>,
        commanding: &dyn Commanding,
    ) -> Result<(), String> {
        let platform = platform.map(|platform| format!("--platform={platform}"));
        let mut arguments = vec!["pull", "--quiet"];
        arguments.extend(platform.as_deref());
        arguments.extend(["--", reference]);
        let ended = self.run_within(&arguments, String::new(), PULL, Some(commanding));
        match ended {
            Ok(ended) if ended.status.success() => Ok(()),
            Ok(ended) => Err(self.words_of(&ended)),
            Err(unreachable) => Err(unreachable.why),
        }
    }
}
