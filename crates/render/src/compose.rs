//! The view of compose files: finds the database's service and its image, and changes it.

mod command;
mod data;
mod edit;
mod file;
mod image;
mod include;
mod line;
mod mounts;
mod parts;
mod same;
mod service;
mod stack;
mod variables;

pub use command::CommandOption;
pub(crate) use command::{Command, from_arguments};
pub(crate) use data::USUAL as USUAL_DATA;
pub(crate) use file::ComposeFile;
pub(crate) use image::{ImageSite, Origin};
pub(crate) use mounts::Mounts;
pub(crate) use service::Found as ServiceFound;
pub(crate) use stack::Stack;
pub(crate) use variables::{Variables, interpolate, read_env};

use model::Diagnostic;

use crate::compose::parts::Service;
use crate::source::Source;
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
}

impl Database {
    /// Finds the database's service; `None` where the stack has none.
    pub(crate) fn find(
        mut stack: Stack,
        wanted: Option<&str>,
        source: &dyn Source,
    ) -> Result<Option<Self>, Diagnostic> {
        let (service, found) = match service::find(&stack, wanted) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            Err(diagnostic) => return Err(diagnostic),
        };
        let parts = Service::read(&mut stack, source, &service);
        let site = image::find(&stack, &parts);
        let command = command::read(&stack, &parts);
        let mounts = Mounts::read(&stack, &parts);
        let data = data::directory(&stack, &parts, &command);
        Ok(Some(Self { stack, service, found, site, command, mounts, data, problems: parts.problems }))
    }

    /// Gives the file in which the image takes effect.
    pub(crate) fn file(&self, site: &ImageSite) -> &ComposeFile {
        self.stack.file(&self.stack.layers[site.layer])
    }

    /// Gives the place of the image, or of the service's key where it has none of its own.
    pub(crate) fn image_place(&self, site: &ImageSite) -> model::Place {
        let file = self.file(site);
        let node = match &site.origin {
            Origin::Own(entry, _) if !file.tree.written(entry.value).span.is_empty() => entry.value,
            Origin::Own(entry, _) => entry.key,
            _ => site.service.key,
        };
        file.place(file.tree.written(node).span.clone())
    }

    /// Gives the replacements that make `image` the service's image.
    pub(crate) fn edit(&self, site: &ImageSite, image: &str) -> Result<Vec<Replacement>, Diagnostic> {
        edit::edit(&self.stack, &self.service, site, image)
    }
}

/// Tells whether two texts of one compose file mean the same, but for one service's image.
pub(crate) fn same_but_image(before: &ComposeFile, after: &ComposeFile, service: &str) -> bool {
    same::same_but_image(before, after, service)
}
