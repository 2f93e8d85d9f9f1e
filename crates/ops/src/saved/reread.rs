//! Reads again what a saved plan was made from.

use std::path::PathBuf;

use super::compare::{Standing, common, standing};
use super::format::{PlanFile, SavedTarget};
use crate::document::{Document, load};
use crate::document_search::Named;
use crate::error::Error;
use crate::opened::Rooted;
use crate::outcome::Outcome;
use crate::planned::Planned;
use crate::selection::{Selection, Tree};
use crate::target_dir::{TargetDir, check_chosen, target_dirs};

/// The document and the choices of a saved plan, as they are now.
pub struct Reread {
    /// The document.
    pub document: Document,
    /// The run's selection, with the choices of the plan.
    pub selection: Selection,
    /// Whether the plan alone says which document it is.
    pub(crate) is_plans_choice: bool,
}

/// Reads the document of a saved plan: the one that the selection names, or else the plan.
///
/// # Errors
/// It cannot be read, or the selection is about other targets than the plan.
pub fn reread(saved: &PlanFile, selection: &Selection) -> Result<Reread, Error> {
    let chosen = chosen(saved, selection)?;
    let name = saved.documents.first().map_or("", |document| &document.path);
    let path = match &selection.documents[..] {
        [file] => file.clone(),
        [_, ..] => return Err(Error::usage("a saved plan is that of one document")),
        [] if name == "<stdin>" => {
            return Err(Error::usage("the document of this plan came from standard input")
                .help("name it with `-f FILE`"));
        }
        [] => PathBuf::from(name),
    };
    let document = load(&Named::of(path), selection).map_err(|error| match selection.documents[..] {
        [_, ..] => error,
        [] => error.help("use `-f FILE` if the document that the plan was made from is elsewhere"),
    })?;
    Ok(Reread { document, selection: chosen, is_plans_choice: selection.documents.is_empty() })
}

/// Accepts the targets of the plan. Others in the selection are refused: they would be a plan of their own. Where the files are
/// is for whoever applies to say: a plan that was made from a copy is applied on the host.
fn chosen(saved: &PlanFile, selection: &Selection) -> Result<Selection, Error> {
    let saved = &saved.selection;
    if !selection.targets.is_empty() && selection.targets != saved.targets {
        return Err(Error::usage("the plan was made with another `--target`")
            .help("remove the option: a saved plan has its own targets"));
    }
    let tree = match (&saved.deployment, &saved.installer) {
        (Some(folder), _) => Some(Tree::Deployment(folder.into())),
        (_, Some(folder)) => Some(Tree::Installer(folder.into())),
        (None, None) => None,
    };
    let tree = match (&selection.tree, tree) {
        (None, tree) => tree,
        (Some(given), Some(planned)) if given.kind() == planned.kind() => Some(given.clone()),
        (Some(given), _) => {
            let option = if matches!(given, Tree::Deployment(_)) { "--deployment" } else { "--installer" };
            return Err(Error::usage(format!("the plan was not made with `{option}`"))
                .help("remove the option: a saved plan has its own targets"));
        }
    };
    Ok(Selection { targets: saved.targets.clone(), tree, ..selection.clone() })
}

impl Reread {
    /// Returns the folders of the plan's targets, in their order.
    ///
    /// `Err` says what changed, if they cannot be the same any more.
    pub(crate) fn dirs(&self, saved: &PlanFile) -> Result<Result<Vec<TargetDir>, Vec<String>>, Error> {
        let changed = common(saved, &self.document);
        let Some(desired) = self.document.desired() else {
            let invalid = || vec![format!("{} is no longer valid", self.document.name)];
            return Ok(Err(if changed.is_empty() { invalid() } else { changed }));
        };
        let chosen = check_chosen([desired], &self.selection);
        let dirs = match chosen.and_then(|()| target_dirs(desired, &self.document.folder, &self.selection)) {
            Ok(dirs) => dirs,
            Err(_) if !changed.is_empty() => return Ok(Err(changed)),
            Err(error) => return Err(error),
        };
        let is_same = dirs.len() == saved.targets.len()
            // A tree that was named without a document has its path for a name, which may be another here.
            && dirs.iter().zip(&saved.targets).all(|(dir, target)| {
                self.selection.tree.is_some() || dir.target.name == target.name
            });
        Ok(match (is_same, changed.is_empty()) {
            (_, false) => Err(changed),
            (true, true) => Ok(dirs),
            (false, true) => return Err(foreign("targets")),
        })
    }

    /// Plans every target again, without a lock.
    ///
    /// `Err` says what changed, if the targets cannot be the same any more.
    ///
    /// # Errors
    /// A target's folder cannot be opened.
    #[allow(clippy::type_complexity, reason = "two ways to end, and what each has to say")]
    pub fn plan(&self, saved: &PlanFile) -> Result<Result<Vec<(Standing, Planned)>, Vec<String>>, Error> {
        let dirs = match self.dirs(saved)? {
            Ok(dirs) => dirs,
            Err(changed) => return Ok(Err(changed)),
        };
        let Some(desired) = self.document.desired() else { return Ok(Ok(Vec::new())) };
        let plan = |(dir, target): (&TargetDir, &SavedTarget)| {
            let rooted = Rooted::open(dir, &self.selection)?;
            let opened = rooted.read();
            let planned = Planned::new(opened.plan(desired), desired, &opened);
            Ok((standing(target, &planned, &saved.selection), planned))
        };
        dirs.iter().zip(&saved.targets).map(plan).collect::<Result<_, _>>().map(Ok)
    }
}

/// Turns what is not as it was into the error that it is for an apply; anything else it hands back.
pub(crate) fn refuse(standing: Standing) -> Result<Standing, Error> {
    match standing {
        Standing::Fresh | Standing::Applied => Ok(standing),
        Standing::Stale(changed) => Err(stale(&changed)),
        Standing::Foreign(part) => Err(foreign(part)),
    }
}

/// Returns for what changed which target it is of, if there are several.
pub fn of_target(changed: &[String], target: &str, targets: usize) -> Vec<String> {
    let named = |one: &String| if targets > 1 { format!("{target}: {one}") } else { one.clone() };
    changed.iter().map(named).collect()
}

/// Builds the error of a plan that is stale.
pub fn stale(changed: &[String]) -> Error {
    let mut message = "the plan is stale: this has changed since it was saved".to_string();
    for one in changed {
        message.push_str("\n  ");
        message.push_str(one);
    }
    Error::new(Outcome::Stale, message)
        .help("run `kasm-db plan --out FILE` again, review the new plan, and apply that")
}

fn foreign(part: &str) -> Error {
    let verb = if part == "summary" { "does" } else { "do" };
    let message = format!(
        "the plan was edited after it was saved: its `{part}` {verb} not match the document and the files"
    );
    Error::failed(message).help("run `kasm-db plan --out FILE` again, and apply the new plan")
}
