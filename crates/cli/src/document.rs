//! The document from disk or standard input.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use model::Reading;

use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::target::check_chosen;

/// The document's usual name.
const DEFAULT: &str = "kasm-db.yaml";

/// A document that was read.
pub(crate) struct Loaded {
    /// The name that messages give to it.
    pub(crate) name: String,
    /// The folder that its relative paths start from.
    pub(crate) folder: PathBuf,
    pub(crate) bytes: Vec<u8>,
    pub(crate) reading: Reading,
}

impl Loaded {
    /// Gives the bytes of the document or of one that it extends, by the path in a diagnostic.
    pub(crate) fn text(&self, path: &str) -> &[u8] {
        let parent = self.reading.parents.iter().find(|(parent, _)| parent == path);
        parent.map_or(&self.bytes, |(_, bytes)| bytes)
    }
}

/// A document of a run, before it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) path: PathBuf,
    /// Whether it was found in a folder, where nobody named it.
    pub(crate) found: bool,
}

/// Lists the documents of a run: those that the command line names, or `./kasm-db.yaml`.
///
/// What `-R` finds in a folder comes in the order of the paths; links to folders are not followed, and folders
/// whose name starts with a dot are left out.
pub(crate) fn documents(global: &Global) -> Result<Vec<Named>, Failure> {
    let (mut all, mut seen) = (Vec::new(), HashSet::new());
    if global.file.is_empty() {
        all.push(Named { path: default()?, found: false });
    }
    for path in &global.file {
        let folder = path.is_dir().then(|| Folder { path, real: path.canonicalize().ok() });
        if folder.is_some() && !global.recursive {
            let message = format!("{} is a folder", path.display());
            return Err(Failure::new(Exit::Usage, message).help("`-R` takes every document below it"));
        }
        let found = if folder.is_some() { below(path)? } else { vec![path.clone()] };
        for path in found {
            // A document that is named twice is one, whatever way its paths take.
            if seen.insert(real(&path, folder.as_ref()).unwrap_or_else(|| path.clone())) {
                all.push(Named { path, found: folder.is_some() });
            }
        }
    }
    Ok(all)
}

/// A folder that is searched for documents.
struct Folder<'a> {
    path: &'a Path,
    real: Option<PathBuf>,
}

/// Gives a document's path without links. No link leads into what was found in a folder, so that only the
/// document itself can be one.
fn real(path: &Path, folder: Option<&Folder<'_>>) -> Option<PathBuf> {
    match folder {
        Some(folder) if !path.is_symlink() => {
            Some(folder.real.as_ref()?.join(path.strip_prefix(folder.path).ok()?))
        }
        _ => path.canonicalize().ok(),
    }
}

/// Gives the document of a command that takes one.
pub(crate) fn only(global: &Global) -> Result<Named, Failure> {
    let mut all = documents(global)?;
    match (all.pop(), all.len()) {
        (Some(one), 0) => Ok(one),
        (_, others) => {
            let message = format!("{} documents are named, and only one can be taken here", others + 1);
            Err(Failure::new(Exit::Usage, message).help("name one with `-f FILE`"))
        }
    }
}

/// Reads a document.
pub(crate) fn load(named: &Named) -> Result<Loaded, Failure> {
    let path = &named.path;
    if path == Path::new("-") {
        let bytes = read(&mut std::io::stdin().lock(), "<stdin>")?;
        return Ok(loaded("<stdin>".into(), PathBuf::from("."), bytes));
    }
    let name = path.display().to_string();
    let opened = std::fs::File::open(path).map_err(|error| {
        let failure = Failure::new(
            Exit::Error,
            format!("{name}: can not open the document: {}", commit::reason(&error)),
        );
        if name == DEFAULT {
            failure.help("write a kasm-db.yaml here, or name one with `-f FILE`")
        } else {
            failure
        }
    })?;
    let bytes = read(&mut { opened }, &name)?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(loaded(name, folder.to_path_buf(), bytes))
}

/// A document, or why it can not be had.
pub(crate) type Read = Result<Loaded, Failure>;

/// Reads all documents of a run, but for those that are only there for others to extend.
pub(crate) fn load_all(global: &Global) -> Result<Vec<(Named, Read)>, Failure> {
    let mut parents = Parents::default();
    let mut all = Vec::new();
    for named in documents(global)? {
        let loaded = load(&named);
        if let Ok(loaded) = &loaded {
            parents.of(loaded);
        }
        all.push((named, loaded));
    }
    all.retain(|(named, loaded)| {
        let lacks = loaded.as_ref().is_ok_and(|loaded| lacks_only_keys(named, loaded));
        !(lacks && parents.has(named))
    });
    // What one that can not be read has in it is not known.
    let desired: Option<Vec<_>> =
        all.iter().map(|(_, loaded)| loaded.as_ref().ok()?.reading.desired.as_ref()).collect();
    check_chosen(desired.unwrap_or_default(), global)?;
    Ok(all)
}

/// Tells whether a document that was found may be a parent: its children may bring the keys that it lacks.
pub(crate) fn lacks_only_keys(named: &Named, loaded: &Loaded) -> bool {
    let mut errors = loaded.reading.diagnostics.iter().filter(|d| d.is_error()).peekable();
    named.found && errors.peek().is_some() && errors.all(|error| error.code == model::Code::MissingKey)
}

/// The documents that others extend.
#[derive(Default)]
pub(crate) struct Parents(HashSet<PathBuf>);

impl Parents {
    /// Notes the parents of a document.
    pub(crate) fn of(&mut self, loaded: &Loaded) {
        self.0.extend(loaded.reading.parents.iter().map(|(path, _)| PathBuf::from(path)));
    }

    /// Tells whether one of them is this file, whatever way their paths take.
    pub(crate) fn has(&self, named: &Named) -> bool {
        let real = named.path.canonicalize().ok();
        self.0.contains(&named.path)
            || self.0.iter().any(|path| real.is_some() && path.canonicalize().ok() == real)
    }
}

/// Finds every document below a folder, sorted.
fn below(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let told = |path: &Path, error: &std::io::Error| {
        Failure::new(
            Exit::Error,
            format!("{}: can not list the folder: {}", path.display(), commit::reason(error)),
        )
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
            } else if has_document_name(&path) && (kind.is_file() || path.is_file()) {
                found.push(path);
            }
        }
    }
    if found.is_empty() {
        let message = format!("no document below {}", folder.display());
        return Err(
            Failure::new(Exit::Error, message).help("documents are called kasm-db.yaml or ….kasm-db.yaml")
        );
    }
    found.sort();
    Ok(found)
}

/// Tells whether a file is called as documents are: `kasm-db.yaml`, `….kasm-db.yaml`.
pub(crate) fn has_document_name(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = [DEFAULT, "kasm-db.yml"].iter().find_map(|end| name.strip_suffix(end));
    stem.is_some_and(|stem| stem.is_empty() || stem.ends_with('.'))
}

fn loaded(name: String, folder: PathBuf, bytes: Vec<u8>) -> Loaded {
    let reading = model::read_with(&name, &bytes, &parent);
    Loaded { name, folder, bytes, reading }
}

/// Reads a document that another one extends.
pub(crate) fn parent(path: &str) -> Result<Vec<u8>, String> {
    let told = |error: &std::io::Error| commit::reason(error);
    // A pipe or a device would not end, or block.
    if !std::fs::metadata(path).map_err(|error| told(&error))?.is_file() {
        return Err("not a file".into());
    }
    let mut opened = std::fs::File::open(path).map_err(|error| told(&error))?;
    read(&mut opened, path).map_err(|failure| failure.message)
}

/// Gives the document that nobody named.
fn default() -> Result<PathBuf, Failure> {
    let [yaml, yml] = [DEFAULT, "kasm-db.yml"].map(PathBuf::from);
    match (yaml.exists(), yml.exists()) {
        (true, true) => Err(Failure::new(Exit::Error, "both kasm-db.yaml and kasm-db.yml are here")
            .help("remove one of them, or name one with `-f FILE`")),
        (false, true) => Ok(yml),
        _ => Ok(yaml),
    }
}

/// Reads at most one byte more than a document may have: enough to say that it is too large.
fn read(from: &mut dyn std::io::Read, name: &str) -> Result<Vec<u8>, Failure> {
    // Room for most documents: without it, a file is read by a few bytes first.
    let mut bytes = Vec::with_capacity(8192);
    let limit = model::yaml::MAX_BYTES as u64 + 1;
    from.take(limit).read_to_end(&mut bytes).map_err(|error| {
        Failure::new(Exit::Error, format!("{name}: can not read the document: {}", commit::reason(&error)))
    })?;
    Ok(bytes)
}
