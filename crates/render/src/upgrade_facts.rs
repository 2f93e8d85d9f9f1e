//! What an upgrade must know of the database of a target.

use model::{Image, Release, Series};

use crate::kasm_image::is_of_kasm;
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
    /// All compose files with a database: that one, and the copies that Kasm's scripts start it from.
    pub compose_files: Vec<String>,
    /// Whether Kasm's other services run on this host, too; not on one that has the database alone.
    pub has_kasm: bool,
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
            compose_files: self.database_files(),
            has_kasm: main.database.other_images().is_none_or(|others| {
                others
                    .into_values()
                    .flatten()
                    .any(|text| Image::parse(text.trim()).is_ok_and(|image| is_of_kasm(&image)))
            }),
            series: self
                .data
                .as_ref()
                .map(|data| data.series)
                .or_else(|| Release::of(image.as_ref()?).series),
            image: image.filter(Release::is_published),
            volume: main.database.data_volume(),
            release: self.kasm_release(),
        })
    }

    fn database_files(&self) -> Vec<String> {
        let mut paths: Vec<String> = Vec::new();
        for file in self.databases.iter().flat_map(|observed| &observed.database.stack.files) {
            if !paths.contains(&file.path) {
                paths.push(file.path.clone());
            }
        }
        paths
    }
}
