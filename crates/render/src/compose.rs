//! The view of compose files: finds the database's service and its image, and changes it.

mod command;
mod data;
mod edit;
mod file;
mod image;
mod include;
mod line;
mod mounts;
mod needed;
mod parts;
mod profiles;
mod project_name;
mod same;
mod scalar;
mod service;
mod stack;
mod variables;

pub use command::CommandOption;
pub(crate) use command::{Command, from_arguments};
pub(crate) use data::usual as usual_data;
pub(crate) use file::{ComposeFile, Trees};
pub(crate) use image::{ImageSite, Origin};
pub(crate) use mounts::{Host, Mounts};
pub use needed::{Needed, NeededImage, NeededName, PullPolicy};
pub(crate) use service::ServiceFound;
pub(crate) use stack::{Stack, Text};
pub(crate) use variables::interpolate;
pub use variables::{Variables, read_env};

use std::collections::BTreeMap;

use model::{Code, Diagnostic, Release};

use crate::compose::parts::Service;
use crate::source::Source;
use crate::target::TargetKind;
use crate::text_edit::Replacement;

/// A stack with its database service.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) stack: Stack,
    pub(crate) service: String,
    pub(crate) found: ServiceFound,
    pub(crate) site: Result<ImageSite, Diagnostic>,
    pub(crate) command: Command,
    pub(crate) mounts: Mounts,
    /// The data directory in the container, where it can be told.
    pub(crate) data: Option<String>,
    /// What the service inherits and could not be read.
    pub(crate) problems: Vec<Diagnostic>,
    /// Whether `docker compose up` starts the service: it has no profile, or one that `COMPOSE_PROFILES` names.
    pub(crate) starts: bool,
    /// The service, put together.
    own: Service,
    /// Every other service of the project; `None` if there are too many to put them all together.
    others: Option<Vec<Service>>,
}

impl Database {
    /// Finds the database's service; `None` where the stack has none.
    pub(crate) fn find(
        mut stack: Stack,
        kind: &TargetKind,
        source: &dyn Source,
    ) -> Result<Option<Self>, Diagnostic> {
        let (service, found) = match service::find(&stack, kind) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            Err(diagnostic) => return Err(diagnostic),
        };
        let parts = Service::read(&mut stack, source, &service);
        let site = image::find(&stack, &parts, kind);
        let command = command::read(&stack, &parts);
        let mounts = Mounts::read(&stack, &parts);
        let image = site.as_ref().ok().and_then(ImageSite::image);
        let series = image.and_then(|image| Release::of(&image).series);
        let data = data::directory(&stack, &parts, &command, series, source);
        let starts = profiles::starts(&stack, &parts);
        let others = Service::others(&mut stack, source, &service);
        let mut own = parts;
        let problems = std::mem::take(&mut own.problems);
        Ok(Some(Self { stack, service, found, site, command, mounts, data, problems, starts, own, others }))
    }

    /// Returns the error of a database that `docker compose up` does not start.
    pub(crate) fn not_started(&self) -> Diagnostic {
        let message =
            format!("`{}` belongs to a profile that is not enabled: Compose does not start it", self.service);
        let finding = Diagnostic::error(Code::NoService, message)
            .help("name one of its `profiles` with COMPOSE_PROFILES in docker/.env, or remove them");
        match service::location(&self.stack, &self.service) {
            Some(location) => finding.at(location),
            None => finding,
        }
    }

    /// Returns the file in which the image takes effect.
    pub(crate) fn file(&self, site: &ImageSite) -> &ComposeFile {
        self.stack.file(&self.stack.layers[site.layer])
    }

    /// Returns the place of the image, or of the service's key where it has none of its own.
    pub(crate) fn image_location(&self, site: &ImageSite) -> model::Location {
        let file = self.file(site);
        let node = match &site.origin {
            Origin::Own(entry, _) if !file.tree.written(entry.value).span.is_empty() => entry.value,
            Origin::Own(entry, _) => entry.key,
            _ => site.service.key,
        };
        file.location(file.tree.written(node).span.clone())
    }

    /// Returns the replacements that make `image` the service's image, each with its file.
    pub(crate) fn edit(
        &self,
        site: &ImageSite,
        image: &str,
    ) -> Result<Vec<(&ComposeFile, Replacement)>, Diagnostic> {
        let Some(others) = &self.others else {
            let message = "the project has too many services to tell which of them share the image";
            return Err(Diagnostic::error(Code::ImageShape, message).at(self.image_location(site)));
        };
        let edit = edit::edit(&self.stack, others, &self.service, site, image)?;
        Ok(edit.into_iter().map(|(file, replacement)| (self.stack.file_at(file), replacement)).collect())
    }

    /// Returns what Compose needs to start the project.
    pub(crate) fn needed(&self) -> Needed {
        needed::read(&self.stack, &self.own, self.others.as_deref())
    }

    /// Returns the volume with the data, if Compose does not make it.
    pub(crate) fn data_volume(&self) -> Option<String> {
        let Host::Volume(Some(key)) = self.mounts.host(self.data.as_deref()?)? else { return None };
        needed::external_volume(&self.stack, &self.own, &key)
    }

    /// Returns the image of every other service: with its variables replaced, or as it is written where one is not known.
    pub(crate) fn other_images(&self) -> Option<BTreeMap<&str, Option<String>>> {
        let image = |service: &Service| {
            let (_, part, image) = service.image(&self.stack)?;
            let text = self.stack.text(&self.stack.layers[part.layer], image.value)?;
            Some(text.resolved.unwrap_or(text.raw))
        };
        let others = self.others.as_ref()?.iter();
        Some(others.map(|service| (service.name.as_str(), image(service))).collect())
    }
}

/// Returns whether two texts of one compose file mean the same, but for one service's image.
pub(crate) fn same_but_image(before: &ComposeFile, after: &ComposeFile, service: &str) -> bool {
    same::same_but_image(before, after, service)
}
