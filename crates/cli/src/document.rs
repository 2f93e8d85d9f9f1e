//! The document from disk or standard input.

use std::io::Read;
use std::path::{Path, PathBuf};

use model::Reading;

use crate::exit::{Exit, Failure};

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

/// Reads the document that the command line names, or `./kasm-db.yaml`.
pub(crate) fn load(file: Option<&Path>) -> Result<Loaded, Failure> {
    if file == Some(Path::new("-")) {
        let bytes = read(&mut std::io::stdin().lock(), "<stdin>")?;
        return Ok(loaded("<stdin>".into(), PathBuf::from("."), bytes));
    }
    let path = match file {
        Some(path) => path.to_path_buf(),
        None => default()?,
    };
    let name = path.display().to_string();
    let opened = std::fs::File::open(&path).map_err(|error| {
        let failure = Failure::new(Exit::Error, format!("{name}: {}", reason(&error)));
        if file.is_none() {
            failure.help("write a kasm-db.yaml here, or name one with `-f FILE`")
        } else {
            failure
        }
    })?;
    let bytes = read(&mut { opened }, &name)?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(loaded(name, folder.to_path_buf(), bytes))
}

fn loaded(name: String, folder: PathBuf, bytes: Vec<u8>) -> Loaded {
    let reading = model::read_with(&name, &bytes, &parent);
    Loaded { name, folder, bytes, reading }
}

/// Reads a document that another one extends.
pub(crate) fn parent(path: &str) -> Result<Vec<u8>, String> {
    let told = |error: &std::io::Error| reason(error);
    // A pipe or a device would not end, or block.
    if !std::fs::metadata(path).map_err(|error| told(&error))?.is_file() {
        return Err("not a file".into());
    }
    let mut opened = std::fs::File::open(path).map_err(|error| told(&error))?;
    read(&mut opened, path).map_err(|failure| failure.message)
}

fn default() -> Result<PathBuf, Failure> {
    let [yaml, yml] = ["kasm-db.yaml", "kasm-db.yml"].map(PathBuf::from);
    match (yaml.exists(), yml.exists()) {
        (true, true) => Err(Failure::new(Exit::Error, "both kasm-db.yaml and kasm-db.yml are here")
            .help("remove one of them, or name one with `-f FILE`")),
        (false, true) => Ok(yml),
        _ => Ok(yaml),
    }
}

/// Reads at most one byte more than a document may have: enough to say that it is too large.
fn read(from: &mut dyn Read, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let limit = model::yaml::MAX_BYTES as u64 + 1;
    from.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new(Exit::Error, format!("{name}: {}", reason(&error))))?;
    Ok(bytes)
}

/// Gives an IO error in words, without the number that Rust appends.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}
