//! The folder that names from a repository may not lead out of: its top.
//!
//! Whoever may propose a change to a repository chooses its documents, the parents that these name, and its links. A link
//! may lead anywhere on the machine that looks at the change, so it is followed only if it leads to something beneath the
//! same top. What is opened then is opened from the top's descriptor without following any link, so that a link which
//! appears in the meantime leads nowhere.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use commit::{Root, reason};

use crate::error::Error;

/// As many links are followed for one path as Linux follows.
const LINKS: usize = 40;

/// Git's own folder: nothing in it is part of a work tree.
const GIT: &str = ".git";

/// A folder beneath which names of a repository are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Top {
    /// Absolute and without links.
    path: PathBuf,
    kind: Kind,
}

/// Why a folder is the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It has a `.git`.
    WorkTree,
    /// It is the folder of the document, or that in which documents are searched for.
    Folder,
    /// `--top` names it.
    Chosen,
}

/// A folder in which documents are searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SearchFolder {
    /// Absolute and without links.
    pub(crate) path: PathBuf,
    /// The Git work tree that it is in.
    work_tree: Option<Top>,
}

/// Something beneath a top: no part of the way to it that was there when it was looked up is a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Beneath {
    pub(crate) top: Top,
    /// The way from the top.
    pub(crate) path: PathBuf,
}

/// Why a path is not looked up.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It leads out of the top.
    Outside(Top),
    /// It leads into `.git`.
    Git,
    /// The operating system refused it.
    System(std::io::Error),
}

impl Top {
    /// Accepts the folder that `--top` names.
    ///
    /// # Errors
    /// It cannot be resolved.
    pub(crate) fn chosen(path: &Path) -> Result<Self, Error> {
        let named = || format!("{}: cannot resolve the path", path.display());
        let path = path
            .canonicalize()
            .map_err(|error| Error::of_system(named(), &error).help("check the folder that `--top` names"))?;
        Ok(Self { path, kind: Kind::Chosen })
    }

    /// Accepts a folder, which is absolute and without links, or the Git work tree that it is in.
    fn around(folder: &Path) -> Self {
        work_tree(folder).unwrap_or_else(|| Self { path: folder.to_path_buf(), kind: Kind::Folder })
    }

    /// Returns the top of a document that comes from standard input: that of the working directory.
    ///
    /// # Errors
    /// The working directory cannot be told.
    pub(crate) fn of_working_directory(chosen: Option<&Self>) -> Result<Self, Error> {
        if let Some(chosen) = chosen {
            return Ok(chosen.clone());
        }
        let here = Path::new(".").canonicalize();
        let here = here.map_err(|error| Error::of_system("the working directory", &error))?;
        Ok(Self::around(&here))
    }

    /// Looks up a document that the command line names, or that was found in `searched`, which has no links.
    pub(crate) fn of_document(
        path: &Path,
        searched: Option<&SearchFolder>,
        chosen: Option<&Self>,
    ) -> Result<Beneath, Refused> {
        let around = |folder: &Path, is_last: bool| match chosen {
            Some(chosen) => Some(chosen.clone()).filter(|chosen| chosen.holds(folder)),
            None => work_tree(folder).or_else(|| {
                let path = match searched {
                    Some(searched) => Some(searched.path.as_path()).filter(|path| folder.starts_with(path)),
                    None => is_last.then_some(folder),
                };
                Some(Self { path: path?.to_path_buf(), kind: Kind::Folder })
            }),
        };
        let (found, top) = resolved(path, &around)?;
        let folder = found.parent().unwrap_or(&found);
        let top = top.or_else(|| chosen.cloned()).or_else(|| work_tree(folder)).unwrap_or_else(|| Self {
            path: searched.map_or(folder, |searched| &searched.path).to_path_buf(),
            kind: Kind::Folder,
        });
        top.beneath(&found)
    }

    /// Looks up a document that was found in a folder. Its path has no links.
    pub(crate) fn of_found(
        real: &Path,
        searched: &SearchFolder,
        chosen: Option<&Self>,
    ) -> Result<Beneath, Refused> {
        // The folder's own work tree is known; there may be another one in it.
        let between = || real.ancestors().skip(1).take_while(|folder| **folder != searched.path);
        let top = chosen
            .cloned()
            .or_else(|| between().find(|folder| is_work_tree(folder)).map(Self::work_tree))
            .or_else(|| searched.work_tree.clone())
            .unwrap_or_else(|| Self { path: searched.path.clone(), kind: Kind::Folder });
        top.beneath(real)
    }

    /// Looks up a folder in which documents are searched for.
    pub(crate) fn of_search(path: &Path, chosen: Option<&Self>) -> Result<SearchFolder, Refused> {
        let around = |folder: &Path, _: bool| match chosen {
            Some(chosen) => Some(chosen.clone()).filter(|chosen| chosen.holds(folder)),
            None => work_tree(folder),
        };
        let (path, _) = resolved(path, &around)?;
        Ok(SearchFolder { work_tree: work_tree(&path), path })
    }

    fn work_tree(path: &Path) -> Self {
        Self { path: path.to_path_buf(), kind: Kind::WorkTree }
    }

    /// Looks up where a result goes that the command line names: a folder, or the folder of a file. A link of the caller's
    /// own is followed; one in a work tree only beneath that.
    pub(crate) fn of_output(path: &Path) -> Result<Beneath, Refused> {
        let (found, top) = resolved(path, &|folder, _| work_tree(folder))?;
        match top {
            Some(top) => top.beneath(&found),
            None => {
                let there = found.ancestors().find(|above| std::fs::symlink_metadata(above).is_ok());
                let there = there.unwrap_or(&found);
                let path = found.strip_prefix(there).unwrap_or(Path::new("")).to_path_buf();
                Ok(Beneath { top: Self { path: there.to_path_buf(), kind: Kind::Folder }, path })
            }
        }
    }

    /// Looks up a path that a repository names, as text that starts at the working directory.
    pub(crate) fn look_up(&self, path: &Path) -> Result<Beneath, Refused> {
        let around = |folder: &Path, _: bool| Some(self.clone()).filter(|top| top.holds(folder));
        let (found, _) = resolved(path, &around)?;
        self.beneath(&found)
    }

    fn holds(&self, path: &Path) -> bool {
        path.starts_with(&self.path)
    }

    fn beneath(&self, found: &Path) -> Result<Beneath, Refused> {
        let Ok(path) = found.strip_prefix(&self.path) else { return Err(Refused::Outside(self.clone())) };
        if path.components().any(|part| part.as_os_str() == GIT) {
            return Err(Refused::Git);
        }
        Ok(Beneath { top: self.clone(), path: path.to_path_buf() })
    }
}

impl Beneath {
    /// Reads up to `limit` bytes of a regular file.
    pub(crate) fn read_start(&self, limit: u64) -> Result<commit::File, commit::Error> {
        Root::open_resolved(&self.top.path)?.read_start(&self.path, limit)
    }

    /// Returns whether it is a regular file now.
    pub(crate) fn is_file(&self) -> bool {
        std::fs::symlink_metadata(self.top.path.join(&self.path)).is_ok_and(|metadata| metadata.is_file())
    }

    /// Returns the absolute path of the top.
    pub(crate) fn top_path(&self) -> &Path {
        &self.top.path
    }
}

impl Refused {
    /// Returns why, as a part of a sentence.
    pub(crate) fn why(&self) -> String {
        match self {
            Self::Outside(top) => format!("it leads out of {top}"),
            Self::Git => "it leads into Git's own folder".into(),
            Self::System(error) => reason(error),
        }
    }

    /// Returns what to do about it, if it is about the top.
    pub(crate) fn help(&self) -> Option<&'static str> {
        match self {
            Self::Outside(_) => {
                Some("use `--top DIR` with a folder that holds all documents, or replace the link by a copy")
            }
            Self::Git => Some("move the file out of `.git`"),
            Self::System(_) => None,
        }
    }
}

impl std::fmt::Display for Top {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.display();
        match self.kind {
            Kind::WorkTree => write!(f, "{path}, the Git work tree"),
            Kind::Folder => write!(f, "{path}, the folder of the document"),
            Kind::Chosen => write!(f, "{path}, which `--top` names"),
        }
    }
}

/// Finds the nearest folder with a `.git`, which a submodule and a further work tree have as a file. Git is not run: what
/// it does is for the configuration to say, and that may be somebody else's.
fn work_tree(folder: &Path) -> Option<Top> {
    folder.ancestors().find(|folder| is_work_tree(folder)).map(Top::work_tree)
}

fn is_work_tree(folder: &Path) -> bool {
    std::fs::symlink_metadata(folder.join(GIT)).is_ok()
}

/// Follows the links of a path, one after the other. `around` returns the top that a link in a folder must stay beneath, and
/// gets whether the link is the last part of the path; without one the link belongs to the caller and leads anywhere. From the
/// first link with a top on everything stays beneath that.
///
/// Parts that are not there are taken as they are written: opening the path tells.
fn resolved(
    path: &Path,
    around: &dyn Fn(&Path, bool) -> Option<Top>,
) -> Result<(PathBuf, Option<Top>), Refused> {
    let absolute = std::path::absolute(path).map_err(Refused::System)?;
    let mut ahead: VecDeque<OsString> = names(&absolute).map(OsStr::to_os_string).collect();
    let (mut found, mut top, mut links) = (PathBuf::from("/"), None::<Top>, 0);
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            found.pop();
        } else if let Ok(to) = std::fs::read_link(found.join(&name)) {
            links += 1;
            if links > LINKS {
                return Err(Refused::System(rustix::io::Errno::LOOP.into()));
            }
            top = top.or_else(|| around(&found, ahead.is_empty()));
            let mut rest = to.as_path();
            if to.is_absolute() {
                // Of an absolute link the text decides: to look would follow links outside.
                found = match &top {
                    Some(top) => {
                        rest = to.strip_prefix(&top.path).map_err(|_| Refused::Outside(top.clone()))?;
                        top.path.clone()
                    }
                    None => PathBuf::from("/"),
                };
            }
            for name in names(rest).collect::<Vec<_>>().into_iter().rev() {
                ahead.push_front(name.to_os_string());
            }
        } else {
            found.push(&name);
        }
        if let Some(top) = top.as_ref().filter(|top| !top.holds(&found)) {
            return Err(Refused::Outside(top.clone()));
        }
    }
    Ok((found, top))
}

fn names(path: &Path) -> impl Iterator<Item = &OsStr> {
    path.components().filter_map(|component| match component {
        Component::Normal(_) | Component::ParentDir => Some(component.as_os_str()),
        _ => None,
    })
}
