//! The image with pgaudit that fits the Kasm release of a target.

use model::{Image, Release, Series};

use crate::observe::{ObservedDatabase, ObservedState};
use crate::reconcile::current_image;

/// Where Kasm publishes the image of its database, which includes pgaudit.
const REPOSITORY: &str = "kasmweb/postgres";

impl ObservedState {
    /// Returns `kasmweb/postgres` with the tag of the Kasm release that is here; `None` if that is not known, or if its
    /// PostgreSQL cannot open the data that is here.
    ///
    /// The other services of Kasm tell the release: they have its tag. On a host that runs the database alone
    /// they are in the copies of `docker/.conf`.
    pub(crate) fn kasm_image(&self) -> Option<Image> {
        let (image, series) = self.databases.iter().find_map(of_release)?;
        let here = self.data.as_ref().map(|data| data.series).or_else(|| self.current_series());
        here.is_none_or(|here| here == series).then_some(image)
    }

    /// Returns the tag that the services of Kasm share, if it is that of a release.
    pub(crate) fn kasm_release(&self) -> Option<String> {
        let (image, _) = self.databases.iter().find_map(of_release)?;
        Release::is_published(&image).then(|| image.tag().map(String::from))?
    }

    fn current_series(&self) -> Option<Series> {
        Release::of(&current_image(&self.main_database()?.database)?).series
    }
}

/// Returns the image for the tag that the services of Kasm in a project share, and its PostgreSQL; `None` if they differ.
fn of_release(observed: &ObservedDatabase) -> Option<(Image, Series)> {
    let images = observed.database.other_images()?;
    let parsed = images.into_values().flatten().filter_map(|text| Image::parse(text.trim()).ok());
    // A tag that names no release, such as `latest`, says nothing.
    let mut fitting = parsed.filter(is_of_kasm).filter_map(|other| {
        let image = Image::parse(&format!("{REPOSITORY}:{}", other.tag()?)).ok()?;
        let series = Release::of(&image).series?;
        Some((image, series))
    });
    let first = fitting.next()?;
    fitting.all(|other| other == first).then_some(first)
}

/// Returns whether an image is one of Kasm's own, also in a mirror: `example.org/proxy/kasmweb/api`.
pub(crate) fn is_of_kasm(image: &Image) -> bool {
    let repository = image.repository();
    repository.rsplit('/').nth(1) == Some("kasmweb") && !repository.ends_with(&format!("/{REPOSITORY}"))
}
