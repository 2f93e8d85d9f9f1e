//! Reads again what a saved plan was made from.

use std::sync::Arc;

use model::DesiredState;

use super::compare::{Standing, common, standing};
use super::format::{DocumentPlan, PlanFile, SavedTarget};
use crate::document::{Document, load};
use crate::document_search::{Named, named_documents};
use crate::documents::is_parent;
use crate::each::each;
use crate::error::Error;
use crate::inspect::Known;
use crate::opened::Rooted;
use crate::outcome::Outcome;
use crate::planned::Planned;
use crate::selection::{Selection, Tree};
use crate::target_dir::{TargetDir, check_chosen, target_dirs};

/// The documents and the choices of a saved plan, as they are now.
pub struct Reread {
    /// The documents, in the order of the plan.
    pub documents: Vec<Document>,
    /// The run's selection, with the choices of the plan.
    pub selection: Selection,
    /// Whether the plan alone says which documents they are.
    pub(crate) is_plans_choice: bool,
}

/// Reads the documents of a saved plan: those that the selection names, or else the plan.
///
/// # Errors
/// One of them cannot be read, or the selection is about other documents or targets than the plan.
pub fn reread(saved: &PlanFile, selection: &Selection) -> Result<Reread, Error> {
    let chosen = chosen(saved, selection)?;
    let is_plans_choice = selection.documents.is_empty();
    let documents =
        if is_plans_choice { of_plan(saved, selection)? } else { of_selection(saved, selection)? };
    Ok(Reread { documents, selection: chosen, is_plans_choice })
}

/// Reads the documents that the plan names.
fn of_plan(saved: &PlanFile, selection: &Selection) -> Result<Vec<Document>, Error> {
    let read = |name: &str| {
        if name == "<stdin>" {
            return Err(Error::usage("the document of this plan came from standard input")
                .help("name it with `-f FILE`"));
        }
        load(&Named::of(name), selection).map_err(|error| {
            error.help("use `-f FILE` if the document that the plan was made from is elsewhere")
        })
    };
    saved.plans.iter().map(|plan| read(plan.document())).collect()
}

/// Reads the documents that the selection names, which must be as many as those of the plan.
fn of_selection(saved: &PlanFile, selection: &Selection) -> Result<Vec<Document>, Error> {
    let mut documents = Vec::new();
    for named in named_documents(selection)? {
        let document = load(&named, selection)?;
        if !is_parent(&named, &document, selection) {
            documents.push(document);
        }
    }
    if documents.len() == saved.plans.len() {
        return Ok(documents);
    }
    let count = |number: usize| format!("{number} {}", if number == 1 { "document" } else { "documents" });
    let message =
        format!("the plan is of {}, and `-f` names {}", count(saved.plans.len()), count(documents.len()));
    Err(Error::usage(message).help("use the same `-f` as for the plan, or none"))
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
    let known = |archives: &Vec<String>| {
        let archives = archives.iter().map(std::path::PathBuf::from).collect();
        Arc::new(Known::new(archives, selection.environment.clone()))
    };
    let inspect = saved.inspect.as_ref().map(known);
    Ok(Selection { targets: saved.targets.clone(), tree, inspect, ..selection.clone() })
}

impl Reread {
    /// Returns the folders of the plan's targets, in their order.
    ///
    /// `Err` says what changed, if they cannot be the same any more.
    #[allow(clippy::type_complexity, reason = "two ways to end, and what each has to say")]
    fn dirs(&self, saved: &PlanFile) -> Result<Result<Vec<(&DesiredState, TargetDir)>, Vec<String>>, Error> {
        let changed = common(saved, &self.documents);
        if let Some(invalid) = self.documents.iter().find(|document| document.desired().is_none()) {
            let invalid = || vec![format!("{} is no longer valid", invalid.name)];
            return Ok(Err(if changed.is_empty() { invalid() } else { changed }));
        }
        let dirs = match self.all_dirs() {
            _ if !changed.is_empty() => return Ok(Err(changed)),
            Ok(dirs) => dirs,
            Err(error) => return Err(error),
        };
        // A tree that was named without a document has its path for a name, which may be another here.
        let is_named = |dir: &TargetDir, name: &str| self.selection.tree.is_some() || dir.target.name == name;
        let are_same = |dirs: &[TargetDir], plan: &DocumentPlan| {
            let mut pairs = dirs.iter().zip(&plan.targets);
            dirs.len() == plan.targets.len() && pairs.all(|(dir, target)| is_named(dir, &target.name))
        };
        if !dirs.iter().zip(&saved.plans).all(|((_, dirs), plan)| are_same(dirs, plan)) {
            return Err(foreign("targets"));
        }
        let each = |(desired, dirs): (_, Vec<TargetDir>)| dirs.into_iter().map(move |dir| (desired, dir));
        Ok(Ok(dirs.into_iter().flat_map(each).collect()))
    }

    /// Returns the folders of the targets of each document.
    fn all_dirs(&self) -> Result<Vec<(&DesiredState, Vec<TargetDir>)>, Error> {
        check_chosen(self.documents.iter().filter_map(Document::desired), &self.selection)?;
        let each = self.documents.iter().filter_map(|document| Some((document, document.desired()?)));
        each.map(|(document, desired)| {
            Ok((desired, target_dirs(desired, &document.folder, &self.selection)?))
        })
        .collect()
    }

    /// Plans every target again, without a lock. `take` gets each in the order of the plan: memory does not grow with their
    /// number.
    ///
    /// `Err` says what changed, if the targets cannot be the same any more.
    ///
    /// # Errors
    /// A target's folder cannot be opened, or `take` fails.
    pub fn plan(
        &self,
        saved: &PlanFile,
        mut take: impl FnMut(Standing, Planned) -> Result<(), Error> + Send,
    ) -> Result<Result<(), Vec<String>>, Error> {
        let dirs = match self.dirs(saved)? {
            Ok(dirs) => dirs,
            Err(changed) => return Ok(Err(changed)),
        };
        let plan = |((desired, dir), (_, target)): (&(&DesiredState, TargetDir), (_, &SavedTarget))| {
            let rooted = Rooted::open(dir, &self.selection)?;
            let opened = rooted.read();
            let planned = Planned::new(opened.plan(desired), desired, &opened);
            Ok((standing(target, &planned, &saved.selection), planned))
        };
        let take =
            |planned: Result<_, Error>| planned.and_then(|(standing, planned)| take(standing, planned));
        each(self.selection.jobs_for(dirs.len()), dirs.iter().zip(saved.targets()), plan, take).map(Ok)
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

/// Returns for what changed which target it is of, and of which document, if there are several.
pub fn of_target(
    changed: &[String],
    plan: &DocumentPlan,
    target: &SavedTarget,
    saved: &PlanFile,
) -> Vec<String> {
    let name = match saved.targets().nth(1) {
        None => String::new(),
        Some(_) if saved.plans.len() == 1 => format!("{}: ", target.name),
        Some(_) => format!("{}: {}: ", plan.document(), target.name),
    };
    changed.iter().map(|one| format!("{name}{one}")).collect()
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
