//! The documents that a run is about: those that are named, and those that are found in folders.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Error;
use crate::selection::Selection;
use crate::top::{Refused, SearchFolder, Top};

/// The document's usual name.
pub(crate) const DEFAULT: &str = "kasm-db.yaml";

/// The name that messages give to a document whose text the caller hands over.
pub(crate) const TEXT: &str = "<document>";

/// A document of a run, before it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its path; `-` is standard input.
    pub path: PathBuf,
    /// How it was found; `None` if it was named.
    pub searched: Option<Searched>,
}

/// Where a document was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Searched {
    /// The folder in which documents were searched for.
    pub(crate) folder: Arc<SearchFolder>,
    /// The document's own path without links, unless it is a link.
    pub(crate) real: Option<PathBuf>,
}

impl Named {
    /// Accepts a document that the caller names.
    pub fn of(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), searched: None }
    }
}

/// Lists the documents of a run: those that the command line names, or `./kasm-db.yaml`.
///
/// What `-R` finds in a folder comes in the order of the paths; links to folders are not followed, and folders
/// whose name starts with a dot are left out.
///
/// # Errors
/// A folder is named and not to be searched, or cannot be listed, or none is in it.
pub fn named_documents(selection: &Selection) -> Result<Vec<Named>, Error> {
    if selection.text.is_some() {
        return Ok(vec![Named::of(TEXT)]);
    }
    let (mut all, mut seen) = (Vec::new(), HashSet::new());
    if selection.documents.is_empty() {
        all.push(Named::of(default()?));
    }
    for path in &selection.documents {
        if !path.is_dir() {
            // A document that is named twice is one, whatever way its paths take.
            let is_alone = selection.documents.len() == 1;
            if is_alone || seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
                all.push(Named::of(path));
            }
            continue;
        }
        if !selection.recursive {
            let message = format!("{} is a folder, not a document", path.display());
            return Err(Error::usage(message)
                .help("name a document, or pass `-R` to read all documents below the folder"));
        }
        let chosen = selection.top.as_deref().map(Top::chosen).transpose()?;
        let searched =
            Arc::new(Top::of_search(path, chosen.as_ref()).map_err(|refused| unsearched(path, &refused))?);
        let is_file = |link: &Path| leads_to_a_file(link, &searched, chosen.as_ref());
        for found in below(path, &is_file)? {
            // No link leads into what was found, so that only the document itself can be one.
            let beneath = found.strip_prefix(path).ok().filter(|_| !found.is_symlink());
            let real = beneath.map(|beneath| searched.path.join(beneath));
            let identity = real.clone().or_else(|| found.canonicalize().ok());
            if seen.insert(identity.unwrap_or_else(|| found.clone())) {
                let searched = Searched { folder: Arc::clone(&searched), real };
                all.push(Named { path: crate::nearby::plain(&found), searched: Some(searched) });
            }
        }
    }
    Ok(all)
}

/// Returns the error of a folder that is not searched.
fn unsearched(path: &Path, refused: &Refused) -> Error {
    let error = Error::failed(format!("{}: cannot search the folder: {}", path.display(), refused.why()));
    refused.help().map_or(error.clone(), |help| error.help(help))
}

/// Returns the document of a command that takes one.
///
/// # Errors
/// Several are named, or none is there.
pub fn only(selection: &Selection) -> Result<Named, Error> {
    let mut all = named_documents(selection)?;
    match (all.pop(), all.len()) {
        (Some(one), 0) => Ok(one),
        (_, others) => {
            let message = format!("{} documents are named, and only one is allowed here", others + 1);
            Err(Error::usage(message).help("name one with `-f FILE`"))
        }
    }
}

/// Returns whether a link that was found leads to a file. One that leads out of its top is taken for one, whatever is there:
/// reading it is an error.
fn leads_to_a_file(link: &Path, searched: &SearchFolder, chosen: Option<&Top>) -> bool {
    match Top::of_document(link, Some(searched), chosen) {
        Ok(beneath) => beneath.is_file(),
        Err(Refused::Outside(_) | Refused::Git) => true,
        Err(Refused::System(_)) => false,
    }
}

/// Finds every document below a folder, sorted. `is_file` gets the links.
fn below(folder: &Path, is_file: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>, Error> {
    let told = |path: &Path, error: &std::io::Error| {
        Error::of_system(format!("{}: cannot list the folder", path.display()), error)
    };
    let (mut found, mut open) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| told(&folder, &error))? {
            let entry = entry.map_err(|error| told(&folder, &error))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(|error| told(&path, &error))?;
            if kind.is_dir() {
                // What a tool keeps for itself is no document of the author's.
                if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                    open.push(path);
                }
            } else if has_document_name(&path) && (kind.is_file() || kind.is_symlink() && is_file(&path)) {
                found.push(path);
            }
        }
    }
    if found.is_empty() {
        let message = format!("no document below {}", folder.display());
        return Err(Error::failed(message)
            .help("name documents `kasm-db.yaml` or `….kasm-db.yaml`: no others are found"));
    }
    found.sort();
    Ok(found)
}

/// Returns whether a file is called as documents are: `kasm-db.yaml`, `….kasm-db.yaml`.
pub fn has_document_name(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = [DEFAULT, "kasm-db.yml"].iter().find_map(|end| name.strip_suffix(end));
    stem.is_some_and(|stem| stem.is_empty() || stem.ends_with('.'))
}

/// Returns the document that nobody named.
fn default() -> Result<PathBuf, Error> {
    let [yaml, yml] = [DEFAULT, "kasm-db.yml"].map(PathBuf::from);
    match (yaml.exists(), yml.exists()) {
        (true, true) => Err(Error::failed("both kasm-db.yaml and kasm-db.yml are here")
            .help("remove one of them, or name one with `-f FILE`")),
        (false, true) => Ok(yml),
        _ => Ok(yaml),
    }
}
