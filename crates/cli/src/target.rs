//! From the document's targets and the command line to trees on disk.

use std::path::{Path, PathBuf};

use commit::Root;
use model::DesiredState;
use model::document::Files;
use render::{Target, TargetKind};

use crate::args::Global;
use crate::disk::{normalize, prefixed};
use crate::exit::{Exit, Failure};

/// A target and the folder that its paths start from.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) target: Target,
    pub(crate) folder: PathBuf,
}

impl Place {
    /// Opens the folder.
    pub(crate) fn open(&self) -> Result<Root, Failure> {
        Root::open(&self.folder).map_err(|error| {
            let failure = Failure::new(Exit::Error, error.to_string());
            match error.help() {
                Some(help) => failure.help(help.to_string()),
                None => failure.help(format!("check the path of the target `{}`", self.target.name)),
            }
        })
    }
}

/// Lists the targets of a document that the command line does not leave out. Whether it names one that is not there
/// is seen from all documents of a run: see [`check_chosen`].
pub(crate) fn places(
    desired: &DesiredState,
    document: &Path,
    global: &Global,
) -> Result<Vec<Place>, Failure> {
    let root = global.root.as_deref();
    if let Some(place) = named(global) {
        return Ok(vec![place]);
    }
    if desired.targets().is_empty() {
        return Err(Failure::new(Exit::Usage, "the document names no target")
            .help("add `targets:` to it, or use `--deployment DIR` or `--installer DIR`"));
    }
    let chosen = |name: &str| global.target.is_empty() || global.target.iter().any(|p| matches(p, name));
    let chosen = desired.targets().iter().filter(|target| chosen(&target.name));
    chosen.map(|target| place_of(target, document, root)).collect()
}

/// Refuses a `--target` that none of the documents has: a misspelt one would do nothing and say nothing.
pub(crate) fn check_chosen<'a>(
    documents: impl IntoIterator<Item = &'a DesiredState>,
    global: &Global,
) -> Result<(), Failure> {
    let documents: Vec<_> = documents.into_iter().collect();
    let names: Vec<&str> =
        documents.iter().flat_map(|desired| desired.targets()).map(|target| target.name.as_str()).collect();
    // Without any target there is something else to say, and a tree of the command line stands for all.
    let is_open = !names.is_empty() && named(global).is_none();
    for pattern in global.target.iter().filter(|_| is_open) {
        if !names.iter().any(|name| matches(pattern, name)) {
            let whose =
                if documents.len() > 1 { "the documents' targets are" } else { "the document's targets are" };
            let failure = Failure::new(Exit::Usage, format!("no target matches `{pattern}`"));
            return Err(match model::nearest(pattern, names.iter().copied()) {
                Some(meant) => failure.help(format!("did you mean `{meant}`?")),
                None => failure.help(format!("{whose} {}", names.join(", "))),
            });
        }
    }
    Ok(())
}

/// Gives the tree that the command line names.
pub(crate) fn named(global: &Global) -> Option<Place> {
    let (folder, kind) = match (&global.deployment, &global.installer) {
        (Some(folder), _) => (folder, TargetKind::Deployment),
        (_, Some(folder)) => (folder, TargetKind::Installer),
        (None, None) => return None,
    };
    let target = Target { name: folder.display().to_string(), kind };
    Some(Place { target, folder: prefixed(global.root.as_deref(), folder) })
}

/// Gives the tree or the files of a document's target; relative paths start at the document's folder.
pub(crate) fn place_of(
    target: &model::document::Target,
    document: &Path,
    root: Option<&Path>,
) -> Result<Place, Failure> {
    let below = |path: &str| document.join(prefixed(root, Path::new(path)));
    let (kind, folder) = match (&target.deployment, &target.installer, &target.files) {
        (Some(folder), ..) => (TargetKind::Deployment, below(folder)),
        (_, Some(folder), _) => (TargetKind::Installer, below(folder)),
        (.., Some(files)) => of_files(files, document, below)?,
        // The checks leave no target without a kind.
        _ => (TargetKind::Deployment, document.to_path_buf()),
    };
    Ok(Place { target: Target { name: target.name.clone(), kind }, folder })
}

/// Gives the last part of a path as a target's name, or `otherwise` where it can not be one.
pub(crate) fn name_of(path: &Path, otherwise: &str) -> String {
    let fits = |name: &&str| {
        name.len() <= 63
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
    };
    path.file_name().and_then(|name| name.to_str()).filter(fits).unwrap_or(otherwise).to_string()
}

/// Gives the way from one folder to a path, both absolute and without `.` and `..`.
pub(crate) fn relative(base: &Path, path: &Path) -> PathBuf {
    let shared = base.components().zip(path.components()).take_while(|(a, b)| a == b).count();
    let up = base.components().skip(shared).map(|_| Path::new(".."));
    let way: PathBuf =
        up.chain(path.components().skip(shared).map(|part| Path::new(part.as_os_str()))).collect();
    if way.as_os_str().is_empty() { PathBuf::from(".") } else { way }
}

/// Finds the folder that holds all files: the document's, or one above where they lie outside it.
fn of_files(
    files: &Files,
    document: &Path,
    below: impl Fn(&str) -> PathBuf,
) -> Result<(TargetKind, PathBuf), Failure> {
    let absolute = |path: &Path| {
        std::path::absolute(path).map(|path| normalize(&path)).map_err(|error| {
            let why = commit::reason(&error);
            Failure::new(Exit::Error, format!("{}: can not resolve the path: {why}", path.display()))
        })
    };
    let mut folder = absolute(document)?;
    let compose = files.compose.iter().map(|path| absolute(&below(path))).collect::<Result<Vec<_>, _>>()?;
    let conf = files.postgresql_conf.as_ref().map(|path| absolute(&below(path))).transpose()?;
    for path in compose.iter().chain(&conf) {
        while !path.starts_with(&folder) && folder.pop() {}
    }
    let relative = |path: &PathBuf| path.strip_prefix(&folder).unwrap_or(path).display().to_string();
    let kind = TargetKind::Files {
        compose: compose.iter().map(relative).collect(),
        postgresql_conf: conf.as_ref().map(relative),
        service: files.service.clone(),
    };
    Ok((kind, folder))
}

/// Matches a name against a pattern in which `*` is any text and `?` one character.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name) in [("eu-*", "eu-1"), ("*", ""), ("a?c", "abc"), ("*b*d", "abcbd"), ("x", "x")] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("eu", "eu-1"), ("a?c", "ac"), ("*b", "abc"), ("", "a")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
