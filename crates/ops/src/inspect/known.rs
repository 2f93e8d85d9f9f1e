//! What a run knows of images: each is looked into once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use live::Environment;
use model::{Contents, Image};

use super::cache::Cache;
use super::image::{Choice, Place, of_archive, of_engine};

/// Looks into the images that the plans of a run are about: in archives first, then on the engine.
#[derive(Debug, Default)]
pub struct Known {
    archives: Vec<PathBuf>,
    environment: Environment,
    found: Mutex<BTreeMap<String, Arc<Looked>>>,
}

/// What came of looking into an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Its reference; `None` if that may hold a secret.
    pub reference: Option<String>,
    /// Where it was found.
    pub place: Option<Place>,
    /// What it holds.
    pub contents: Option<Arc<Contents>>,
    /// Why it was not looked into.
    pub why: Option<String>,
}

impl Known {
    /// Looks into these archives, and on the engine that the environment names.
    pub fn new(archives: Vec<PathBuf>, environment: Environment) -> Self {
        Self { archives, environment, found: Mutex::default() }
    }

    /// Lists the archives.
    pub fn archives(&self) -> &[PathBuf] {
        &self.archives
    }

    /// Looks into an image, once.
    pub(crate) fn look(&self, image: &Image) -> Arc<Looked> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.entry(image.to_string()).or_insert_with(|| Arc::new(self.ask(image))).clone()
    }

    fn ask(&self, image: &Image) -> Looked {
        let choice = Choice { image: Some(image.clone()), platform: None };
        let mut why = None;
        let found = |place, contents| Looked {
            place: Some(place),
            contents: Some(Arc::new(contents)),
            ..Looked::default()
        };
        for archive in &self.archives {
            match of_archive(archive, &choice) {
                Ok(contents) => return found(Place::Archive(archive.clone()), contents),
                Err(error) => why = Some(error.message),
            }
        }
        let cache = Cache::of(&self.environment);
        match of_engine(image.as_str(), &choice, &self.environment, &cache) {
            Ok(Some(contents)) => return found(Place::Engine, contents),
            Ok(None) => why = why.or_else(|| Some("the engine does not have it".into())),
            Err(error) => why = why.or(Some(error.message)),
        }
        Looked { why, ..Looked::default() }
    }
}

impl render::Images for Known {
    fn contents(&self, image: &Image) -> Option<Arc<Contents>> {
        self.look(image).contents.clone()
    }
}
