//! Folders to review: every target's files as they would be after an apply, secrets hidden, beside the plan and the document.
//!
//! A fleet has more of them than memory should hold. So targets are rendered in the order of their paths, compared
//! one after the other, and rendered once more if something has to be written or shown.

pub(crate) mod folder;
mod section;
mod targets;
mod texts;
mod wording;

use std::collections::BTreeMap;

use model::DesiredState;
use render::{FileKind, Plan};

use self::folder::{Folder, Seal};
use self::section::{Section, is_joined, joined, still_holds};
use self::targets::{DOCUMENT, PLAN, Rendered, RenderedFile, Targets};
use self::texts::Texts;
use crate::document::Document;
use crate::error::Error;
use crate::outcome::Outcome;
use crate::output::OutputFolder;
use crate::selection::Selection;
use crate::target_dir::TargetDir;

pub use self::folder::{By, LIST};
pub use self::wording::Wording;

/// A document's folder, compared with what it should be.
pub struct Review<'a> {
    folder: Folder,
    source: Targets<'a>,
    texts: Texts,
    /// The texts of the files beside the targets' folders.
    beside: BTreeMap<&'static str, Vec<u8>>,
    /// Every path that should be there, but for the list.
    paths: Vec<String>,
    differences: Vec<Difference>,
    /// Of all files as they should be; unknown where the text of the plan is new.
    seal: Option<String>,
}

/// A file that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its path below the folder.
    pub path: String,
    /// What it is of a target; `None` for the files beside the targets' folders, and for those that should not be there.
    pub kind: Option<FileKind>,
    /// How it differs.
    pub how: How,
}

/// How a file differs from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It is not there.
    Missing,
    /// It has other bytes.
    Changed,
    /// It was written for something that is no longer there.
    Extra,
}

/// A target whose files were compared.
struct Compared {
    plan: Plan,
    outcome: Outcome,
    section: Section,
    /// The error of a file whose name cannot be written.
    unsafe_name: Option<Error>,
}

/// Compares the folder of a document with what it should be.
///
/// # Errors
/// A target cannot be read or has a name that the folder has no place for; what is in the folder cannot be read.
pub fn review<'a>(
    place: &OutputFolder,
    document: &'a Document,
    desired: &'a DesiredState,
    dirs: &'a [TargetDir],
    selection: &'a Selection,
    wording: &'a dyn Wording,
    see: &mut dyn FnMut(&Plan),
) -> Result<Review<'a>, Error> {
    let folder = Folder::open(place, &folder::REVIEW)?;
    let source = Targets::new(desired, document, dirs, selection, wording);
    let resolved = document.resolved().into_bytes();
    // What is wrong with the folder is told when all has been said of the targets.
    let there = folder.read(PLAN);
    let mut before = BTreeMap::from([(DOCUMENT, resolved.clone())]);
    before.extend(there.clone().ok().flatten().map(|there| (PLAN, there)));
    let mut sealed = Sealed::new(&before);
    let (mut paths, mut differences, mut unread) = (Vec::new(), Vec::new(), None::<Error>);
    let mut ended: Vec<Option<Result<Compared, Error>>> = dirs.iter().map(|_| None).collect();
    let mut texts = Texts::default();
    source.each(0, |index, rendered| {
        ended[index] = Some(match rendered {
            Err(error) => Err(error),
            Ok(Rendered { plan, outcome, section, files: Err(error) }) => {
                Ok(Compared { plan, outcome, section, unsafe_name: Some(error) })
            }
            Ok(Rendered { plan, outcome, section, files: Ok(files) }) => {
                for file in &files {
                    sealed.add(&file.path, &file.text);
                    match compared(&folder, &file.path, Some(file.kind), &file.text) {
                        Ok(difference) => differences.extend(difference),
                        Err(error) => {
                            unread.get_or_insert(error);
                        }
                    }
                    paths.push(file.path.clone());
                }
                texts.add(files);
                Ok(Compared { plan, outcome, section, unsafe_name: None })
            }
        });
        Ok(())
    })?;
    let mut sections = Vec::new();
    for ended in ended.into_iter().flatten() {
        let Compared { plan, outcome, section, unsafe_name } = ended?;
        see(&plan);
        if outcome == Outcome::Failed {
            let message =
                format!("{}: not every file of it can be read, so nothing is rendered", plan.target.name);
            return Err(Error::failed(message));
        }
        if let Some(error) = unsafe_name {
            return Err(error);
        }
        sections.push(section);
    }
    let there = there?;
    if let Some(error) = unread {
        return Err(error);
    }
    // Applying a plan must not make a difference to review again: the text that was reviewed stays, if all of it is done
    // or still to be done. That it is a render's own, for these very files, is what the folder's list tells.
    let seal = sealed.finish();
    let is_reviewed =
        there.as_ref().is_some_and(|there| folder.was_written_with(&seal) && still_holds(there, &sections));
    let is_known = is_reviewed || there.as_ref().is_some_and(|there| is_joined(there, &sections));
    // The text of a fleet's plans is long: it is held once.
    let plan = match there {
        Some(there) if is_known => there,
        _ => joined(sections).into_bytes(),
    };
    let seal = is_known.then_some(seal);
    let beside = BTreeMap::from([(DOCUMENT, resolved), (PLAN, plan)]);
    for (path, text) in &beside {
        differences.extend(compared(&folder, path, None, text)?);
        paths.push((*path).to_string());
    }
    paths.sort();
    for path in folder.ours().iter().filter(|path| paths.binary_search(path).is_err() && *path != LIST) {
        if folder.read(path)?.is_some() {
            differences.push(Difference { path: path.clone(), kind: None, how: How::Extra });
        }
    }
    let is_listed = match &seal {
        Some(seal) => compared(&folder, LIST, None, &folder::list(&folder::REVIEW, &paths, Some(seal)))?,
        None => compared(&folder, LIST, None, b"")?,
    };
    differences.extend(is_listed);
    differences.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(Review { folder, source, texts, beside, paths, differences, seal })
}

/// How a folder was brought up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brought {
    /// How many files were written.
    pub written: usize,
    /// How many were removed.
    pub removed: usize,
}

impl Review<'_> {
    /// Returns how many files the folder should hold, not counting its list.
    pub fn files(&self) -> usize {
        self.paths.len()
    }

    /// Returns which version of this program rendered the folder as it is; `None` if none did. Files that another version
    /// rendered differ though nothing has changed.
    pub fn by(&self) -> Option<By> {
        self.folder.by()
    }

    /// Returns the files that are not as they should be, in the order of their paths.
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// Finds out whether the folder's list is as it should be, if that is not known: with another plan it holds another
    /// digest of all files.
    ///
    /// # Errors
    /// A target or the list cannot be read any more.
    pub fn with_list(mut self) -> Result<Self, Error> {
        if self.seal.is_none() {
            let mut seal = Seal::default();
            self.each_text(|path, text| {
                seal.add(path, text);
                Ok(())
            })?;
            let list = folder::list(&folder::REVIEW, &self.paths, Some(&seal.finish()));
            self.differences.retain(|difference| difference.path != LIST);
            self.differences.extend(compared(&self.folder, LIST, None, &list)?);
            self.differences.sort_by(|one, other| one.path.cmp(&other.path));
        }
        Ok(self)
    }

    /// Returns each file that has other bytes: what is there, and what should be.
    ///
    /// # Errors
    /// A file cannot be read any more, or `see` failed.
    pub fn each_changed(
        &self,
        mut see: impl FnMut(&Difference, &[u8], &[u8]) -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        let is_changed = |difference: &Difference| difference.how == How::Changed && difference.path != LIST;
        self.each_text(|path, text| {
            let at = self.differences.binary_search_by(|difference| difference.path.as_str().cmp(path));
            let Some(difference) = at.ok().map(|at| &self.differences[at]).filter(|d| is_changed(d)) else {
                return Ok(());
            };
            let before = self.folder.read(path)?.unwrap_or_default();
            see(difference, &before, text)
        })
    }

    /// Brings the folder to what it should be: each file wholly or not at all, and those that are right untouched.
    ///
    /// # Errors
    /// A file of somebody else is where one is needed: then nothing was written. Or a file cannot be written.
    pub fn write(&self) -> Result<Brought, Error> {
        let changed = |how| self.differences.iter().filter(move |d| d.how == how && d.path != LIST);
        changed(How::Changed).try_for_each(|difference| self.folder.check_ours(&difference.path))?;
        let removed = changed(How::Extra).count();
        let written = self.differences.iter().filter(|d| d.path != LIST).count() - removed;
        if self.differences.is_empty() {
            return Ok(Brought { written, removed });
        }
        // First the list of both: a run that ends half-way must know its own files again.
        let both: std::collections::BTreeSet<_> = self.folder.ours().iter().chain(&self.paths).collect();
        self.folder.put_list(both, None)?;
        changed(How::Extra).try_for_each(|difference| self.folder.remove(&difference.path))?;
        let mut seal = Seal::default();
        if written > 0 || self.seal.is_none() {
            self.each_text(|path, text| {
                seal.add(path, text);
                let is_here = |difference: &Difference| difference.path.as_str().cmp(path);
                match self.differences.binary_search_by(is_here) {
                    Ok(_) => self.folder.put(path, text),
                    Err(_) => Ok(()),
                }
            })?;
        }
        let seal = self.seal.clone().unwrap_or_else(|| seal.finish());
        self.folder.put_list(&self.paths, Some(&seal))?;
        Ok(Brought { written, removed })
    }

    /// Returns every file with its text, in the order of the paths.
    fn each_text(&self, mut see: impl FnMut(&str, &[u8]) -> Result<(), Error> + Send) -> Result<(), Error> {
        let mut beside = self.beside.iter().peekable();
        self.texts.each(&self.source, |files: &[RenderedFile]| {
            for file in files {
                while let Some((path, text)) = beside.next_if(|(path, _)| ***path < *file.path) {
                    see(path, text)?;
                }
                see(&file.path, &file.text)?;
            }
            Ok(())
        })?;
        beside.try_for_each(|(path, text)| see(path, text))
    }
}

/// The seal of files that come in the order of their paths, with some that are known before between them.
struct Sealed<'a> {
    seal: Seal,
    between: std::iter::Peekable<std::collections::btree_map::Iter<'a, &'static str, Vec<u8>>>,
}

impl<'a> Sealed<'a> {
    fn new(between: &'a BTreeMap<&'static str, Vec<u8>>) -> Self {
        Self { seal: Seal::default(), between: between.iter().peekable() }
    }

    fn add(&mut self, path: &str, text: &[u8]) {
        while let Some((known, text)) = self.between.next_if(|(known, _)| **known < path) {
            self.seal.add(known, text);
        }
        self.seal.add(path, text);
    }

    fn finish(mut self) -> String {
        self.between.by_ref().for_each(|(known, text)| self.seal.add(known, text));
        self.seal.finish()
    }
}

fn compared(
    folder: &Folder,
    path: &str,
    kind: Option<FileKind>,
    text: &[u8],
) -> Result<Option<Difference>, Error> {
    let how = match folder.read(path)? {
        None => How::Missing,
        Some(there) if there != text => How::Changed,
        Some(_) => return Ok(None),
    };
    Ok(Some(Difference { path: path.to_string(), kind, how }))
}
