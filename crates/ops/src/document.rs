//! One document, from disk or standard input.

use std::cell::RefCell;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use commit::{Digest, reason};
use live::trust::{Weakness, has_acl, weakness};
use model::{DesiredState, Reading};

use crate::document_search::{DEFAULT, Named, Searched, TEXT, has_document_name};
use crate::error::Error;
use crate::selection::Selection;
use crate::top::{Refused, Top};

/// One byte more than a document may have.
const LIMIT: u64 = model::yaml::MAX_BYTES as u64 + 1;

/// A document that was read; it need not be valid.
pub struct Document {
    /// The name that messages give to it.
    pub name: String,
    /// The folder that its relative paths start from.
    pub folder: PathBuf,
    /// Its text.
    pub bytes: Vec<u8>,
    /// What came of reading it.
    pub reading: Reading,
    /// What it names of its repository is beneath this.
    pub(crate) top: Top,
    /// Which of it and those that it extends somebody else could have written, by their names. It is that of the very files
    /// that were read, as their folders may be somebody's who exchanges them.
    pub(crate) weak: Vec<(String, Weakness)>,
}

impl Document {
    /// Lists the paths of the document and of those that it extends.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let parents = self.reading.parents.iter().map(|(path, _)| Path::new(path));
        std::iter::once(Path::new(&self.name)).chain(parents)
    }

    /// Returns the bytes of the document or of one that it extends, by the path in a diagnostic.
    pub fn text(&self, path: &str) -> &[u8] {
        let parent = self.reading.parents.iter().find(|(parent, _)| parent == path);
        parent.map_or(&self.bytes, |(_, bytes)| bytes)
    }

    /// Returns the SHA-256 of its bytes, and with parents that of all digests.
    pub(crate) fn digest(&self) -> String {
        let own = Digest::of(&self.bytes).to_string();
        let parents = self.reading.parents.iter().map(|(_, bytes)| Digest::of(bytes).to_string());
        let all: Vec<_> = std::iter::once(own.clone()).chain(parents).collect();
        if all.len() == 1 { own } else { Digest::of(all.join("\n").as_bytes()).to_string() }
    }

    /// Returns it and those that it extends as one text; without errors it always has one.
    pub fn resolved(&self) -> String {
        model::resolved(&self.name, &self.bytes, &|path: &str| Ok(parent(path, &self.top)?.bytes))
            .unwrap_or_default()
    }

    /// Returns the same as a value; `None` for a document with errors.
    pub fn resolved_value(&self) -> Option<serde_json::Value> {
        model::resolved_value(&self.name, &self.bytes, &|path: &str| Ok(parent(path, &self.top)?.bytes))
    }

    /// Reads the document as it would be with another text.
    pub(crate) fn read_again(&self, bytes: &[u8]) -> Reading {
        model::read_with(&self.name, bytes, &|path: &str| Ok(parent(path, &self.top)?.bytes))
    }

    /// Returns what it declares, if it is valid.
    pub fn desired(&self) -> Option<&DesiredState> {
        self.reading.desired.as_ref()
    }
}

/// Reads a document.
///
/// # Errors
/// It cannot be read, or a link in its path leads out of its top. What is wrong with its text is in [`Document::reading`].
pub(crate) fn load(named: &Named, selection: &Selection) -> Result<Document, Error> {
    let mut document = opened(named, selection)?;
    document.reading.ignore(&selection.ignore);
    if let Some(policy) = selection.restart {
        document.reading.restart(policy);
    }
    Ok(document)
}

fn opened(named: &Named, selection: &Selection) -> Result<Document, Error> {
    let path = &named.path;
    if let Some(text) = &selection.text {
        let root = Path::new("/");
        return Ok(document(TEXT.into(), root.into(), text.as_bytes().to_vec(), Top::chosen(root)?, None));
    }
    let chosen = selection.top.as_deref().map(Top::chosen).transpose()?;
    if path == Path::new("-") {
        let bytes = read(&mut (selection.stdin)(), "<stdin>")?;
        let top = Top::of_working_directory(chosen.as_ref())?;
        return Ok(document("<stdin>".into(), PathBuf::from("."), bytes, top, None));
    }
    let name = path.display().to_string();
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error: &std::io::Error| {
        let failed = Error::of_system(format!("{name}: cannot open the document"), error);
        match error.kind() {
            std::io::ErrorKind::NotFound if name == DEFAULT => failed.help(
                "name a document with `-f FILE`, or run `kasm-db import` to write one from a deployment",
            ),
            std::io::ErrorKind::NotFound => failed.help(match beside(folder, path) {
                Some(meant) => format!("check the path; did you mean {}?", meant.display()),
                None => "check the path".to_string(),
            }),
            _ => failed,
        }
    };
    if is_handed_over(path) {
        let mut opened = std::fs::File::open(path).map_err(|error| failed(&error))?;
        // A pipe is of whoever opened it.
        let found = opened.metadata().ok().filter(std::fs::Metadata::is_file);
        let weak = found.and_then(|found| {
            let group = (found.mode() & 0o020 == 0 || !has_acl(&opened)).then_some(found.gid());
            weakness(found.mode(), found.uid(), group)
        });
        let bytes = read(&mut opened, &name)?;
        let top = Top::of_working_directory(chosen.as_ref())?;
        return Ok(document(name, folder.to_path_buf(), bytes, top, weak));
    }
    let chosen = chosen.as_ref();
    let found = match &named.searched {
        Some(Searched { folder, real: Some(real) }) => Top::of_found(real, folder, chosen),
        Some(Searched { folder, real: None }) => Top::of_document(path, Some(folder), chosen),
        None => Top::of_document(path, None, chosen),
    };
    let found = found.map_err(|refused| match &refused {
        Refused::System(error) => failed(error),
        other => {
            let error = Error::failed(format!("{name}: cannot open the document: {}", other.why()));
            other.help().map_or(error.clone(), |help| error.help(help))
        }
    })?;
    let file = found.read_start(LIMIT).map_err(|error| match &error {
        commit::Error::Io { source, .. } => failed(source),
        commit::Error::NotRegular { kind, .. } => {
            let message = format!("{name}: cannot open the document: it is a {kind}, not a regular file");
            Error::failed(message).help("name a regular file, or `-` for standard input")
        }
        // A link that was not there a moment ago.
        _ => Error::failed(format!("{name}: cannot open the document: it became a link meanwhile")),
    })?;
    let weak = weakness_of(&file);
    Ok(document(name, folder.to_path_buf(), file.bytes, found.top, weak))
}

/// Finds a document beside a path that is not there.
fn beside(folder: &Path, path: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.take(1000);
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let names: Vec<_> = names.filter(|name| has_document_name(Path::new(name))).collect();
    let meant = model::nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(crate::nearby::plain(&folder.join(meant)))
}

/// Returns whether a path names a descriptor that the caller opened and handed over, as a shell's `<(…)` does.
fn is_handed_over(path: &Path) -> bool {
    path == Path::new("/dev/stdin") || path.parent() == Some(Path::new("/dev/fd"))
}

fn document(name: String, folder: PathBuf, bytes: Vec<u8>, top: Top, weak: Option<Weakness>) -> Document {
    let weak: Vec<_> = weak.into_iter().map(|why| (name.clone(), why)).collect();
    let weak = RefCell::new(weak);
    let reading = model::read_with(&name, &bytes, &|path: &str| {
        let file = parent(path, &top)?;
        weak.borrow_mut().extend(weakness_of(&file).map(|why| (path.to_string(), why)));
        Ok(file.bytes)
    });
    Document { name, folder, bytes, reading, top, weak: weak.into_inner() }
}

fn weakness_of(commit::File { metadata, .. }: &commit::File) -> Option<Weakness> {
    weakness(metadata.mode, metadata.uid, (!metadata.acl).then_some(metadata.gid))
}

/// Reads a document that another one extends.
fn parent(path: &str, top: &Top) -> Result<commit::File, String> {
    let told = |refused: Refused| match refused {
        Refused::Outside(_) => format!("{}; `--top DIR` names a folder that holds both", refused.why()),
        _ => refused.why(),
    };
    let found = top.look_up(Path::new(path)).map_err(told)?;
    found.read_start(LIMIT).map_err(|error| match error {
        commit::Error::Io { source, .. } => reason(&source),
        commit::Error::NotRegular { kind, .. } => format!("it is a {kind}, not a regular file"),
        _ => "it became a link meanwhile".into(),
    })
}

/// Reads at most one byte more than a document may have: enough to say that it is too large.
fn read(from: &mut dyn std::io::Read, name: &str) -> Result<Vec<u8>, Error> {
    // Room for most documents: without it, a file is read by a few bytes first.
    let mut bytes = Vec::with_capacity(8192);
    from.take(LIMIT)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::of_system(format!("{name}: cannot read the document"), &error))?;
    Ok(bytes)
}
