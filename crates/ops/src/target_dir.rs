//! From the targets of a document, or a tree that is named without one, to folders on disk.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use commit::Root;
use model::DesiredState;
use model::document::Files;
use render::{Target, TargetKind};

use crate::chroot::Chroot;
use crate::error::Error;
use crate::glob::matches;
use crate::nearby;
use crate::path::{normalize, prefixed};
use crate::selection::{Selection, use_or};

/// A target and the folder that its paths start from.
#[derive(Clone, Debug)]
pub struct TargetDir {
    /// The target.
    pub target: Target,
    /// Its folder, as it was named: links are not resolved yet.
    pub folder: PathBuf,
    /// The document that it is of; none if it was named without one.
    pub document: Option<String>,
    /// The digest of that document and those that it extends, in a run that has no more of them.
    pub(crate) digest: Option<String>,
    /// The key of its path in the document, and where that is.
    pub declared: Option<String>,
}

impl TargetDir {
    /// Opens the folder.
    ///
    /// # Errors
    /// It is not there, or may not be entered.
    pub(crate) fn open(&self, chroot: Option<&Chroot>) -> Result<Root, Error> {
        let whose = |error: String| Error::failed(format!("{error} (target `{}`)", self.target.name));
        let check = || {
            let near = || nearby::misspelt(&self.folder).or_else(|| nearby::around(&self.folder));
            let meant = chroot.is_none().then(near).flatten();
            let meant = meant.map(|meant| nearby::plain(&meant));
            let meant = meant.map(|meant| format!("; did you mean {}?", meant.display())).unwrap_or_default();
            match &self.declared {
                Some(declared) => format!("correct {declared}{meant}"),
                None => format!("check the path of the target `{}`{meant}", self.target.name),
            }
        };
        let resolved = chroot.and_then(|chroot| Some(chroot.resolve(chroot.inside(&self.folder)?)));
        let folder = match resolved {
            Some(Ok(folder)) => folder,
            Some(Err(error)) => {
                let (folder, why) = (self.folder.display(), commit::reason(&error));
                return Err(whose(format!("{folder}: cannot resolve the path: {why}")).help(check()));
            }
            None => nearby::plain(&self.folder),
        };
        Root::open(&folder).map_err(|error| {
            let failed = whose(match &error {
                commit::Error::Io { path, operation: commit::Operation::OpenDirectory, source }
                    if source.kind() == std::io::ErrorKind::NotADirectory =>
                {
                    format!("{} is a file, not a folder", path.display())
                }
                error => error.to_string(),
            });
            match (error.help(), &self.declared) {
                (Some(help), _) if error.is_permission_denied() => failed.help(help.to_string()),
                _ => failed.help(check()),
            }
        })
    }
}

/// Lists the targets of a document that the command line does not leave out. Whether it names one that is not there
/// is seen from all documents of a run: see [`check_chosen`].
pub(crate) fn target_dirs(
    desired: &DesiredState,
    document: &Path,
    selection: &Selection,
) -> Result<Vec<TargetDir>, Error> {
    let chroot = selection.chroot();
    let root = chroot.as_ref().map(Chroot::path);
    if let Some(dir) = named_tree(selection) {
        return Ok(vec![dir]);
    }
    if desired.targets().is_empty() {
        return Err(no_target());
    }
    let chosen =
        |name: &str| selection.targets.is_empty() || selection.targets.iter().any(|p| matches(p, name));
    let chosen = desired.targets().iter().filter(|target| chosen(&target.name));
    let dir = |target: &model::document::Target| {
        let declared = desired.target_place(&target.name);
        let declared = declared.map(|(key, at)| format!("`{key}` at {}:{}:{}", at.path, at.line, at.column));
        Ok(TargetDir { declared, ..dir_of(target, document, root)? })
    };
    let mut dirs = chosen.map(dir).collect::<Result<Vec<_>, Error>>()?;
    // Of each document of a fleet they are kept until the end.
    dirs.shrink_to_fit();
    Ok(dirs)
}

/// Returns the error of a document without targets.
pub(crate) fn no_target() -> Error {
    Error::usage("the document names no target")
        .help("add `targets:` to it, or use `--deployment DIR` or `--installer DIR`")
}

/// Refuses a `--target` that none of the documents has: a misspelt one would do nothing and say nothing.
pub(crate) fn check_chosen<'a>(
    documents: impl IntoIterator<Item = &'a DesiredState>,
    selection: &Selection,
) -> Result<(), Error> {
    let documents: Vec<_> = documents.into_iter().collect();
    let mut names: Vec<&str> =
        documents.iter().flat_map(|desired| desired.targets()).map(|target| target.name.as_str()).collect();
    // Several documents may have targets of the same name.
    let mut seen = HashSet::new();
    names.retain(|name| seen.insert(*name));
    // Without any target there is something else to say, and a tree of the command line stands for all.
    let is_open = !names.is_empty() && named_tree(selection).is_none();
    for pattern in selection.targets.iter().filter(|_| is_open) {
        if !names.iter().any(|name| matches(pattern, name)) {
            let whose = if documents.len() > 1 { "the documents declare" } else { "the document declares" };
            let error = Error::usage(format!("no target matches `{pattern}`"));
            return Err(match model::nearest(pattern, names.iter().copied()) {
                Some(meant) => error.help(use_or("targets", &[meant], &names)),
                None => error.help(format!("use a target that {whose}: {}", names.join(", "))),
            });
        }
    }
    Ok(())
}

/// Returns the tree that the command line names.
pub fn named_tree(selection: &Selection) -> Option<TargetDir> {
    let tree = selection.tree.as_ref()?;
    let target = Target { name: tree.folder().display().to_string(), kind: tree.kind() };
    let folder = prefixed(selection.chroot().as_ref().map(Chroot::path), tree.folder());
    Some(TargetDir { target, folder, document: None, digest: None, declared: None })
}

/// Returns the tree or the files of a document's target; relative paths start at the document's folder.
pub(crate) fn dir_of(
    target: &model::document::Target,
    document: &Path,
    root: Option<&Path>,
) -> Result<TargetDir, Error> {
    let below = |path: &str| document.join(prefixed(root, Path::new(path)));
    let (kind, folder) = match (&target.deployment, &target.installer, &target.files) {
        (Some(folder), ..) => (TargetKind::Deployment, below(folder)),
        (_, Some(folder), _) => (TargetKind::Installer, below(folder)),
        (.., Some(files)) => of_files(files, document, below)?,
        // The checks leave no target without a kind.
        _ => (TargetKind::Deployment, document.to_path_buf()),
    };
    let target = Target { name: target.name.clone(), kind };
    Ok(TargetDir { target, folder, document: None, digest: None, declared: None })
}

/// Returns the last part of a path as a target's name, or `otherwise` where it cannot be one.
pub(crate) fn name_of(path: &Path, otherwise: &str) -> String {
    let fits = |name: &&str| {
        name.len() <= 63
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
    };
    path.file_name().and_then(|name| name.to_str()).filter(fits).unwrap_or(otherwise).to_string()
}

/// Finds the folder that holds all files: the document's, or one above where they lie outside it. If that is `/`, which would
/// lock and watch the whole host, it is the nearest one that holds all files.
fn of_files(
    files: &Files,
    document: &Path,
    below: impl Fn(&str) -> PathBuf,
) -> Result<(TargetKind, PathBuf), Error> {
    let absolute = |path: &Path| {
        std::path::absolute(path).map(|path| normalize(&path)).map_err(|error| {
            let why = commit::reason(&error);
            Error::failed(format!("{}: cannot resolve the path: {why}", path.display()))
        })
    };
    let mut folder = absolute(document)?;
    let compose = files.compose.iter().map(|path| absolute(&below(path))).collect::<Result<Vec<_>, _>>()?;
    let conf = files.postgresql_conf.as_ref().map(|path| absolute(&below(path))).transpose()?;
    let shrink = |folder: &mut PathBuf| {
        for path in compose.iter().chain(&conf) {
            while !path.starts_with(&*folder) && folder.pop() {}
        }
    };
    shrink(&mut folder);
    let nearest = compose.iter().chain(&conf).next().and_then(|path| path.parent());
    if let Some(nearest) = nearest.filter(|_| folder.parent().is_none()) {
        folder = nearest.to_path_buf();
        shrink(&mut folder);
    }
    let relative = |path: &PathBuf| path.strip_prefix(&folder).unwrap_or(path).display().to_string();
    let kind = TargetKind::Files {
        compose: compose.iter().map(relative).collect(),
        postgresql_conf: conf.as_ref().map(relative),
        service: files.service.clone(),
    };
    Ok((kind, folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(document: &str, compose: &str, conf: &str) -> String {
        let files =
            Files { compose: vec![compose.into()], postgresql_conf: Some(conf.into()), service: None };
        let (_, folder) = of_files(&files, Path::new(document), |path| PathBuf::from(path)).unwrap();
        folder.display().to_string()
    }

    #[test]
    fn files_are_kept_in_the_folder_of_the_document_or_above_it_and_below_the_root() {
        assert_eq!(folder("/srv/kasm", "/srv/kasm/a/compose.yaml", "/srv/kasm/b/conf"), "/srv/kasm");
        assert_eq!(folder("/srv/git", "/srv/kasm/a/compose.yaml", "/srv/kasm/b/conf"), "/srv");
        for document in ["/", "/etc/kasm-db"] {
            assert_eq!(folder(document, "/srv/kasm/a/compose.yaml", "/srv/kasm/b/conf"), "/srv/kasm");
            assert_eq!(folder(document, "/srv/kasm/compose.yaml", "/opt/conf"), "/");
        }
    }
}
