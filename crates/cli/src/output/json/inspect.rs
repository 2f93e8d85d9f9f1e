//! What an image holds.

use std::collections::BTreeMap;

use model::Contents;
use model::contents::Server;
use ops::inspect::{Inspected, Place};
use schemars::JsonSchema;
use serde::Serialize;

/// An image that was looked into.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Part {
    /// What was asked for, as it was written; null if nothing was found.
    subject: Option<String>,
    /// Whether the engine has it; false for an archive.
    on_engine: bool,
    image: Option<Image>,
}

/// An image.
#[derive(Serialize, JsonSchema)]
struct Image {
    /// Its id, `sha256:…`.
    id: String,
    /// The operating system and the architecture: `linux/amd64`.
    platform: String,
    /// The user that its processes run as; empty for root.
    user: String,
    entrypoint: Vec<String>,
    command: Vec<String>,
    labels: BTreeMap<String, String>,
    /// The PostgreSQL server in it; null if there is none.
    postgres: Option<Postgres>,
}

/// A PostgreSQL server.
#[derive(Serialize, JsonSchema)]
struct Postgres {
    /// What it says of itself: `15.18 (Debian 15.18-1)`.
    version: String,
    /// The major version; before PostgreSQL 10 two numbers: `9.6`.
    major: Option<String>,
    /// The path of its program.
    program: String,
    /// The folder of its libraries; null if it was not found.
    library_folder: Option<String>,
    /// The libraries that can be preloaded.
    libraries: Vec<String>,
    /// The extensions that can be created.
    extensions: Vec<Extension>,
    /// The settings that these libraries add.
    settings: Vec<String>,
}

/// An extension.
#[derive(Serialize, JsonSchema)]
struct Extension {
    name: String,
    /// The version that `CREATE EXTENSION` installs.
    version: Option<String>,
    requires: Vec<String>,
}

/// What the image comes to.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub(super) struct Totals {
    libraries: usize,
    extensions: usize,
}

/// Returns what an image holds.
pub(super) fn part(inspected: &Inspected) -> Part {
    Part {
        subject: Some(inspected.subject.clone()),
        on_engine: inspected.place == Place::Engine,
        image: Some(image(&inspected.contents)),
    }
}

impl Part {
    /// Counts what it has.
    pub(super) fn totals(&self) -> Totals {
        let postgres = self.image.as_ref().and_then(|image| image.postgres.as_ref());
        postgres.map_or_else(Totals::default, |postgres| Totals {
            libraries: postgres.libraries.len(),
            extensions: postgres.extensions.len(),
        })
    }
}

fn image(contents: &Contents) -> Image {
    Image {
        id: contents.id.clone(),
        platform: contents.platform.clone(),
        user: contents.user.clone(),
        entrypoint: contents.entrypoint.clone(),
        command: contents.command.clone(),
        labels: contents.labels.clone(),
        postgres: contents.server.as_ref().map(postgres),
    }
}

fn postgres(server: &Server) -> Postgres {
    let extensions = server.extensions.iter().map(|(name, extension)| Extension {
        name: name.clone(),
        version: extension.version.clone(),
        requires: extension.requires.clone(),
    });
    Postgres {
        version: server.version.clone(),
        major: server.series().map(|series| series.to_string()),
        program: server.program.clone(),
        library_folder: server.library_folder.clone(),
        libraries: server.libraries.clone(),
        extensions: extensions.collect(),
        settings: server.settings.clone(),
    }
}
