//! What an upgrade must know of the database of a target.

use model::{Image, Release, Series};

use crate::observe::ObservedState;
use crate::reconcile::current_image;

/// What an upgrade must know of the database of a target, as far as its files tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpgradeFacts {
    /// The service.
    pub service: String,
    /// The name of its container.
    pub container: Option<String>,
    /// The compose file that runs it.
    pub compose_file: Option<String>,
    /// Its image, if it is one that is published: any other may hold a secret.
    pub image: Option<Image>,
    /// Its PostgreSQL.
    pub series: Option<Series>,
    /// The volume with its data, which Compose does not make.
    pub volume: Option<String>,
    /// The Kasm release that its other services are of.
    pub release: Option<String>,
}

impl ObservedState {
    /// Returns what an upgrade must know; `None` if the target has no database.
    pub fn upgrade_facts(&self) -> Option<UpgradeFacts> {
        let main = self.main_database()?;
        let needed = main.database.needed();
        let own = |names: &[crate::compose::NeededName]| {
            names.iter().find(|named| named.service == main.database.service).map(|named| named.name.clone())
        };
        let image = current_image(&main.database);
        Some(UpgradeFacts {
            service: main.database.service.clone(),
            container: own(&needed.names),
            compose_file: main.project.files.first().cloned(),
            series: self
                .data
                .as_ref()
                .map(|data| data.series)
                .or_else(|| Release::of(image.as_ref()?).series),
            image: image.filter(Release::is_published),
            volume: own(&needed.volumes),
            release: self.kasm_release(),
        })
    }
}
