//! Reads again what a saved plan was made from.

use std::path::{Path, PathBuf};

use super::format::PlanFile;
use super::{Planned, Standing, common, standing};
use crate::args::Global;
use crate::document::{Loaded, Named, load};
use crate::exit::{Exit, Failure};
use crate::target::{Place, check_chosen, places};

/// The document and the choices of a saved plan, as they are now.
pub(crate) struct Again {
    pub(crate) loaded: Loaded,
    /// The command line, with the choices of the plan.
    pub(crate) global: Global,
}

/// Reads the document of a saved plan: the one that the command line names, or else the plan.
pub(crate) fn again(saved: &PlanFile, global: &Global) -> Result<Again, Failure> {
    let chosen = chosen(saved, global)?;
    let name = saved.documents.first().map_or("", |document| &document.path);
    let path = match &global.file[..] {
        [file] => file.clone(),
        [_, ..] => {
            return Err(Failure::new(Exit::Usage, "a saved plan is that of one document"));
        }
        [] if name == "<stdin>" => {
            return Err(Failure::new(Exit::Usage, "the document of this plan came from standard input")
                .help("name it with `-f FILE`"));
        }
        [] => PathBuf::from(name),
    };
    let loaded = load(&Named { path, found: false }).map_err(|failure| match global.file[..] {
        [_, ..] => failure,
        [] => failure
            .help("this is the document that the plan was made from; where it is elsewhere, use `-f FILE`"),
    })?;
    Ok(Again { loaded, global: chosen })
}

/// Takes the targets of the plan. Others on the command line are refused: they would be a plan of their own.
fn chosen(saved: &PlanFile, global: &Global) -> Result<Global, Failure> {
    let is_other = |given: &Option<PathBuf>, saved: &Option<String>| {
        given.as_deref().is_some_and(|given| saved.as_deref() != given.to_str())
    };
    let selection = &saved.selection;
    let other = if !global.target.is_empty() && global.target != selection.targets {
        Some("target")
    } else if is_other(&global.deployment, &selection.deployment) {
        Some("deployment")
    } else if is_other(&global.installer, &selection.installer) {
        Some("installer")
    } else if is_other(&global.root, &selection.root) {
        Some("root")
    } else {
        None
    };
    if let Some(name) = other {
        let message = format!("the plan was made with another `--{name}`");
        return Err(Failure::new(Exit::Usage, message)
            .help("a saved plan says what its targets are; make another plan for others"));
    }
    let path = |path: &Option<String>| path.as_deref().map(|path| Path::new(path).to_path_buf());
    Ok(Global {
        target: selection.targets.clone(),
        deployment: path(&selection.deployment),
        installer: path(&selection.installer),
        root: path(&selection.root),
        ..global.clone()
    })
}

impl Again {
    /// Gives the places of the plan's targets, in their order.
    ///
    /// `Err` says what changed, where they can not be the same any more.
    pub(crate) fn places(&self, saved: &PlanFile) -> Result<Result<Vec<Place>, Vec<String>>, Failure> {
        let changed = common(saved, &self.loaded);
        let Some(desired) = &self.loaded.reading.desired else {
            let invalid = || vec![format!("{}: is not valid any more", self.loaded.name)];
            return Ok(Err(if changed.is_empty() { invalid() } else { changed }));
        };
        let chosen = check_chosen([desired], &self.global);
        let places = match chosen.and_then(|()| places(desired, &self.loaded.folder, &self.global)) {
            Ok(places) => places,
            Err(_) if !changed.is_empty() => return Ok(Err(changed)),
            Err(failure) => return Err(failure),
        };
        let is_same = places.len() == saved.targets.len()
            && places.iter().zip(&saved.targets).all(|(place, target)| place.target.name == target.name);
        Ok(match (is_same, changed.is_empty()) {
            (_, false) => Err(changed),
            (true, true) => Ok(places),
            (false, true) => return Err(foreign("targets")),
        })
    }
}

/// Turns what is not as it was into the error that it is for `apply`.
pub(crate) fn refuse(standing: Standing) -> Result<(), Failure> {
    match standing {
        Standing::Fresh | Standing::Applied => Ok(()),
        Standing::Stale(changed) => Err(stale(&changed)),
        Standing::Foreign(part) => Err(foreign(part)),
    }
}

pub(crate) fn stale(changed: &[String]) -> Failure {
    let mut message = "the plan is stale".to_string();
    for one in changed {
        message.push_str("\n  ");
        message.push_str(one);
    }
    Failure::new(Exit::Stale, message).help("plan again, and look at what it says now")
}

fn foreign(part: &str) -> Failure {
    let message = format!(
        "the plan is not what this document and these files lead to: its `{part}` differ, and no file has changed"
    );
    Failure::new(Exit::Error, message).help("it was changed after it was saved; make it again")
}

/// Plans every target again, without a lock.
pub(crate) fn look(
    saved: &PlanFile,
    places: &[Place],
    mut plan: impl FnMut(&Place) -> Result<Planned, Failure>,
) -> Result<Vec<(Standing, Planned)>, Failure> {
    let mut all = Vec::new();
    for (place, target) in places.iter().zip(&saved.targets) {
        let planned = plan(place)?;
        all.push((standing(target, &planned, &saved.selection), planned));
    }
    Ok(all)
}
