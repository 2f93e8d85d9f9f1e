//! What images hold, if somebody looked into them; otherwise what their names tell.

use std::sync::Arc;

use model::{Contents, DesiredState, Image, Release, Series};

use crate::images::Images;
use crate::observe::ObservedState;

impl ObservedState {
    /// Sets who is asked what images hold; without one their names are all that is known of them.
    #[must_use]
    pub fn with_images(mut self, images: Option<Arc<dyn Images>>) -> Self {
        self.images = images;
        self
    }

    /// Lists the images that a plan is about: the declared one, and the one that the database has now. Of each, whether it may
    /// be named: what a variable became in one may be a secret.
    pub fn images_of(&self, desired: &DesiredState) -> Vec<(Image, bool)> {
        let declared = desired.image().cloned();
        let current = self.main_database().and_then(|observed| observed.database.site.as_ref().ok()?.image());
        let current = current.filter(|current| Some(current) != declared.as_ref());
        let current = current.map(|image| {
            let may = Release::is_published(&image);
            (image, may)
        });
        declared.map(|image| (image, true)).into_iter().chain(current).collect()
    }

    fn contents(&self, image: &Image) -> Option<Arc<Contents>> {
        self.images.as_ref()?.contents(image)
    }

    /// Returns the PostgreSQL in an image.
    pub(crate) fn series_of(&self, image: &Image) -> Option<Series> {
        match self.contents(image) {
            Some(contents) => contents.server.as_ref()?.series(),
            None => Release::of(image).series,
        }
    }

    /// Returns whether the server in an image would find a preloaded library; `None` where that is not known.
    pub(crate) fn has_library(&self, image: &Image, name: &str) -> Option<bool> {
        match self.contents(image) {
            Some(contents) => contents.server.as_ref().map_or(Some(false), |server| server.has_library(name)),
            None => Release::of(image).has_library(name),
        }
    }
}
