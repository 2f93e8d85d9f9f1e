//! Making a document from what is there.

use std::path::{Path, PathBuf};

use model::Diagnostic;
use model::document::{Files, Target};
use render::{Adoption, TargetKind};

use crate::chroot::Chroot;
use crate::error::Error;
use crate::opened::Rooted;
use crate::output::{OutputFile, Readers};
use crate::path::{normalize, relative};
use crate::planned::say_folder;
use crate::selection::{Selection, Tree};
use crate::target_dir::{dir_of, name_of};

/// Where Kasm's own installer puts the tree that runs.
const USUAL: &str = "/opt/kasm/current";

/// What to make a document from, besides the tree of the selection.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Compose files, in the order in which Compose merges them.
    pub compose: Vec<PathBuf>,
    /// The postgresql.conf that the server reads.
    pub conf: Option<PathBuf>,
    /// The database's service in the compose files, if it cannot be told.
    pub service: Option<String>,
    /// Whether every setting is taken that differs from PostgreSQL's sample and is not a secret.
    pub all_settings: bool,
}

/// A document that was made; a plan from it is empty.
#[derive(Debug)]
pub struct Imported {
    /// Its text.
    pub text: String,
    /// What it was made from.
    pub adoption: Adoption,
}

/// Builds a document for a folder. A plan from it is empty, and that is tried before it is returned; what stands in the way
/// of one is the inner `Err`.
///
/// # Errors
/// A file is not there, or a plan from the document would not be empty.
pub fn import(
    folder: &Path,
    options: &Options,
    selection: &Selection,
) -> Result<Result<Imported, Vec<Diagnostic>>, Error> {
    let target = target(options, selection, folder)?;
    let dir = dir_of(&target, folder, selection.chroot().as_ref().map(Chroot::path))?;
    if let TargetKind::Files { compose, postgresql_conf, .. } = &dir.target.kind {
        let named = options.compose.iter().map(|path| ("--compose", path));
        let named = named.chain(options.conf.iter().map(|path| ("--conf", path)));
        let paths = compose.iter().chain(postgresql_conf).map(|path| dir.folder.join(path));
        if let Some(((option, missing), _)) = named.zip(paths).find(|(_, path)| !path.exists()) {
            return Err(Error::failed(format!("`{option}`: {} does not exist", missing.display()))
                .help(format!("check the path given with `{option}`")));
        }
    }
    let rooted = Rooted::open(&dir, selection)?;
    let opened = rooted.read();
    let adoption = match render::adopt(&opened.observed, options.all_settings) {
        Ok(adoption) => adoption,
        Err(mut refused) => {
            say_folder(&mut refused, &rooted, None, selection);
            return Ok(Err(refused));
        }
    };
    let text = adoption.document(&target);
    try_it(&text, &adoption, folder, selection)?;
    Ok(Ok(Imported { text, adoption }))
}

/// Builds the document's target from what was chosen.
fn target(options: &Options, selection: &Selection, folder: &Path) -> Result<Target, Error> {
    let written = |path: &PathBuf| from_document(path, folder);
    let mut target = Target { name: String::new(), deployment: None, installer: None, files: None };
    match &selection.tree {
        Some(Tree::Installer(installer)) => {
            target.name = name_of(installer, "installer");
            target.installer = Some(written(installer)?);
        }
        tree if options.compose.is_empty() && options.conf.is_none() => {
            let usual = PathBuf::from(USUAL);
            let deployment = tree.as_ref().map_or(&usual, Tree::folder);
            target.name = name_of(deployment, "deployment");
            target.deployment = Some(written(deployment)?);
        }
        _ => {
            target.name = "files".into();
            target.files = Some(Files {
                compose: options.compose.iter().map(written).collect::<Result<_, _>>()?,
                postgresql_conf: options.conf.as_ref().map(written).transpose()?,
                service: options.service.clone(),
            });
        }
    }
    Ok(target)
}

/// Returns a path of the command line as a document in `folder` names it: an absolute one as it is.
fn from_document(path: &Path, folder: &Path) -> Result<String, Error> {
    let io = |path: &Path, error: &std::io::Error| {
        Error::of_system(format!("{}: cannot resolve the path", path.display()), error)
    };
    let text = |path: &Path| {
        path.to_str().map(String::from).ok_or_else(|| {
            Error::failed(format!("{}: the path is not UTF-8", path.display()))
                .help("rename the folder, or link to it: a document is UTF-8")
        })
    };
    if path.is_absolute() {
        return text(path);
    }
    let here = std::path::absolute(".").map_err(|error| io(Path::new("."), &error))?;
    let base = folder.canonicalize().map_err(|error| io(folder, &error))?;
    let absolute = normalize(&here.join(path));
    // `..` behind a link leads elsewhere than its text says.
    if base != normalize(&here.join(folder)) {
        return text(&absolute);
    }
    text(&relative(&base, &absolute))
}

/// Plans from the document as anybody would, and refuses to write one that changes something.
fn try_it(text: &str, adoption: &Adoption, folder: &Path, selection: &Selection) -> Result<(), Error> {
    let fail = |why: String| {
        Error::failed(format!("no document is written: a plan from it would not be empty: {why}"))
            .help("write the document by hand, and report this")
    };
    let reading = model::read("kasm-db.yaml", text.as_bytes());
    let (Some(desired), None) = (&reading.desired, reading.diagnostics.iter().find(|d| d.is_error())) else {
        let errors = reading.diagnostics.iter().filter(|d| d.is_error()).map(|d| d.message.clone());
        return Err(fail(errors.collect::<Vec<_>>().join("; ")));
    };
    for target in desired.targets() {
        let dir = dir_of(target, folder, selection.chroot().as_ref().map(Chroot::path))?;
        let plan = Rooted::open(&dir, selection)?.read().plan(desired);
        if let Some(change) = plan.changes.first() {
            return Err(fail(format!("`{}` would change", change.subject)));
        }
        if let Some(blocker) = plan.blockers().find(|blocker| !adoption.is_known(blocker)) {
            return Err(fail(blocker.message.clone()));
        }
    }
    Ok(())
}

/// Returns the error of a document that is there already.
pub fn there_already(path: &Path) -> Error {
    Error::failed(format!("{} already exists and was not overwritten", path.display()))
        .help("name another file with `-o FILE`, or print the document with `-o -`")
}

/// Writes a document that must not be there yet.
///
/// # Errors
/// It is there, or cannot be written.
pub fn write(output: &OutputFile, bytes: &[u8]) -> Result<(), Error> {
    if output.create_new(Readers::ByUmask, bytes)? { Ok(()) } else { Err(there_already(output.path())) }
}
