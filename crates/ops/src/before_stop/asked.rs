//! Whoever answers before a database is stopped: the server, and the engine.

use live::{Container, Docker, ImageFacts, Running, Unreachable, Way, reach};
use render::ObservedState;

use super::stopping::BeforeStop;

/// The image that the server is to start from.
pub(super) enum NextImage {
    /// That of the running server.
    Same,
    /// Another one, or none runs: its name, and what is in it if the engine has it and it can be looked into.
    Other(String, Option<ImageFacts>),
    /// Nothing tells it, or nobody can be asked.
    Unknown,
}

/// Whoever answered.
pub(super) struct Asked {
    /// The engine of the server's container.
    pub(super) docker: Option<Docker>,
    pub(super) container: Option<Container>,
    pub(super) way: Option<Way>,
    pub(super) running: Option<Running>,
    /// The engine that starts the database, however the server is reached.
    pub(super) engine: Result<Docker, Unreachable>,
}

impl BeforeStop<'_> {
    pub(super) fn ask(&self) -> Asked {
        let caller = self.context.caller();
        let (container, way) = reach(&self.verify, self.sslmode, &caller);
        let engine = Docker::find(&caller);
        let way = way.ok();
        let running = way.as_ref().and_then(|way| live::running(way).ok());
        let docker = container.as_ref().and_then(|_| engine.as_ref().ok().cloned());
        Asked { docker, container, way, running, engine }
    }
}

impl Asked {
    pub(super) fn next_image(&self, after: &ObservedState) -> NextImage {
        let (Some(docker), Some(image)) = (&self.docker, after.image()) else {
            return NextImage::Unknown;
        };
        let id = docker.image_id(image.as_str());
        let runs =
            self.container.as_ref().filter(|_| self.running.is_some()).map(|container| &container.image_id);
        match id {
            Ok(Some(id)) if Some(&id) == runs => NextImage::Same,
            Ok(id) => NextImage::Other(image.as_str().to_string(), id.and_then(|id| docker.image_facts(&id))),
            Err(_) => NextImage::Unknown,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.running.is_some()
            || self.container.as_ref().is_some_and(|container| container.status == "running")
    }
}
