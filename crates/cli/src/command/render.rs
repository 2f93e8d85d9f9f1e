//! `kasm-db render`

mod section;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use commit::Root;
use model::DesiredState;
use render::{FileKind, Rendered};

use crate::args::{Global, Render};
use crate::disk::Disk;
use crate::document::{Loaded, Named, load_all, only, parent};
use crate::exit::{Exit, Failure};
use crate::folder::{Files, Folder, LIST};
use crate::output::human::count;
use crate::output::{Terminal, escape, review};
use crate::target::{Place, name_of, places, relative};
use section::Section;

/// The files beside the targets' folders.
const PLAN: &str = "plan.txt";
const DOCUMENT: &str = "document.yaml";

/// Writes what every target comes to into a folder, or compares it with what is there.
pub(crate) fn run(args: &Render, global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    super::check_allowed(global)?;
    if global.show_secrets {
        return Err(Failure::new(Exit::Usage, "`--show-secrets` is not for a folder that is committed")
            .help("use `kasm-db plan --show-secrets` where nobody else reads the output"));
    }
    if !global.target.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            "the folder is one of all targets; `--target` would remove others",
        )
        .help("leave `--target` and KASM_DB_TARGET out"));
    }
    if args.out.is_some() {
        only(global)?;
    }
    let documents = load_all(global)?;
    let several = documents.len() > 1;
    let mut folders: HashSet<PathBuf> = HashSet::new();
    let mut exit = None;
    for (named, loaded) in documents {
        let ended = loaded.and_then(|loaded| {
            let folder = folder_of(args, &loaded);
            if !folders.insert(folder.clone()) {
                let message = format!("{} is the folder of two documents", folder.display());
                return Err(Failure::new(Exit::Usage, message)
                    .help("render each by itself, into a folder of its own with `--out DIR`"));
            }
            document(&named, &loaded, &folder, args, global, terminal)
        });
        let ended = match ended {
            Ok(ended) => ended,
            Err(failure) if several => {
                terminal.failure(&failure);
                Some(failure.exit)
            }
            Err(failure) => return Err(failure),
        };
        exit = ended.map(|ended| exit.map_or(ended, |exit: Exit| exit.worse(ended))).or(exit);
    }
    exit.ok_or_else(super::no_targets)
}

fn folder_of(args: &Render, loaded: &Loaded) -> PathBuf {
    let beside = if loaded.folder == Path::new(".") { PathBuf::new() } else { loaded.folder.clone() };
    args.out.clone().unwrap_or_else(|| beside.join("rendered"))
}

/// Renders one document; `None` for one that is only there for others to extend.
fn document(
    named: &Named,
    loaded: &Loaded,
    path: &Path,
    args: &Render,
    global: &Global,
    terminal: &Terminal,
) -> Result<Option<Exit>, Failure> {
    let desired = match super::desired(loaded, terminal) {
        Ok(desired) => desired,
        Err(exit) => return Ok(Some(exit)),
    };
    if super::is_for_others(named, desired, global, terminal) {
        return Ok(None);
    }
    let folder = Folder::open(path)?;
    let (files, kinds) = wanted(desired, loaded, &folder, global, terminal)?;
    let differences = folder.compare(&files)?;
    let shown = escape(&path.display().to_string());
    if args.check {
        let kind = |path: &str| kinds.iter().find(|(known, _)| known == path).map(|(_, kind)| *kind);
        terminal.result(&review::check(&shown, files.len(), &differences, desired, &kind, global.context))?;
        return Ok(Some(if differences.is_empty() { Exit::Done } else { Exit::Differences }));
    }
    folder.write(&files, &differences)?;
    let ours = || differences.iter().filter(|difference| difference.path != LIST);
    let of = |gone: bool| ours().filter(|difference| difference.after.is_none() == gone).count();
    let (written, removed) = (of(false), of(true));
    let files = count(files.len(), "file", "files");
    terminal.result(&format!("{shown}: {files}, {written} written, {removed} removed.\n"))?;
    Ok(Some(Exit::Done))
}

/// Gives every file of the folder, and the kinds of those that are a target's.
fn wanted(
    desired: &DesiredState,
    loaded: &Loaded,
    folder: &Folder,
    global: &Global,
    terminal: &Terminal,
) -> Result<(Files, Vec<(String, FileKind)>), Failure> {
    let (mut files, mut kinds, mut sections) = (Files::new(), Vec::new(), Vec::new());
    let places = places(desired, &loaded.folder, global)?;
    let several = places.len() > 1;
    for mut place in places {
        let written = written(&place, desired, loaded, global);
        if global.deployment.is_some() || global.installer.is_some() {
            place.target.name = name_of(Path::new(&place.target.name), "target");
        }
        let name = place.target.name.clone();
        if [PLAN, DOCUMENT].contains(&name.as_str()) {
            let message = format!("a target called `{name}` leaves no place for the file of that name");
            return Err(Failure::new(Exit::Error, message).help("give the target another name"));
        }
        let root = place.open()?;
        let (plan, rendered) = one(desired, &place, &root, global);
        super::findings(&plan, several, terminal);
        if super::exit_of(&plan, false) == Exit::Error {
            let message = format!("{name}: not every file of it can be read, so nothing is rendered");
            return Err(Failure::new(Exit::Error, message));
        }
        for file in rendered {
            let path = format!("{name}/{}", file.path);
            if path.chars().any(crate::output::is_unsafe) {
                let message = format!("{path}: the name holds a control character");
                return Err(Failure::new(Exit::Error, message).help("rename the file"));
            }
            files.insert(path.clone(), review::text(&file.text).into_bytes());
            kinds.push((path, file.kind));
        }
        sections.push(Section::new(&plan, review::plan(&plan, &written, global)));
    }
    // A document without errors always has one.
    let document = model::resolved(&loaded.name, &loaded.bytes, &parent).unwrap_or_default();
    files.insert(DOCUMENT.into(), document.into_bytes());
    let plan = plan_text(&sections, &files, folder)?;
    files.insert(PLAN.into(), plan);
    Ok((files, kinds))
}

/// Gives the text of the plan: the one that was reviewed, where all of it is done or still to be done.
///
/// Applying a plan must not make a difference to review again. That the text is a render's own, for these very
/// files, is what the folder's list tells.
fn plan_text(sections: &[Section], others: &Files, folder: &Folder) -> Result<Vec<u8>, Failure> {
    let now = section::joined(sections);
    let Some(there) = folder.read(PLAN)? else { return Ok(now.into_bytes()) };
    let mut files = others.clone();
    files.insert(PLAN.into(), there.clone());
    let reviewed = folder.was_written_with(&files) && section::still_holds(&there, sections);
    Ok(if reviewed { there } else { now.into_bytes() })
}

fn one(desired: &DesiredState, place: &Place, root: &Root, global: &Global) -> (render::Plan, Vec<Rendered>) {
    let disk = Disk::new(root, global.root.as_deref());
    let observed = render::observe(&place.target, &disk);
    let mut plan = render::reconcile(desired, &observed);
    plan.allow(&global.allow);
    let rendered = render::rendered(desired, &observed, &plan);
    (plan, rendered)
}

/// Gives a target's folder as it is written: where it leads to is another place on every machine.
fn written(place: &Place, desired: &DesiredState, loaded: &Loaded, global: &Global) -> String {
    let given = global.deployment.as_ref().or(global.installer.as_ref());
    let target = desired.targets().iter().find(|target| target.name == place.target.name);
    let of_document = target.and_then(|target| target.deployment.as_ref().or(target.installer.as_ref()));
    let path = match (given, of_document) {
        (Some(given), _) => given.clone(),
        (None, Some(path)) => PathBuf::from(path),
        (None, None) => {
            let base = std::path::absolute(&loaded.folder).unwrap_or_else(|_| loaded.folder.clone());
            relative(&crate::disk::normalize(&base), &place.folder)
        }
    };
    path.display().to_string()
}
