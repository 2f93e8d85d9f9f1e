//! Files and folders that results go to: every one of them is opened here, and no link is followed below what was named.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use commit::{Folder, There};

use crate::document::Document;
use crate::error::Error;
use crate::top::{Beneath, Refused, Top};

pub use commit::Readers;

/// Where the folder of a result is: looked up once, and opened from there without following a link.
#[derive(Clone, Debug)]
pub struct OutputFolder {
    /// As it was named, for messages.
    named: PathBuf,
    beneath: Beneath,
}

/// A file that a result goes to, whole or not at all.
#[derive(Debug)]
pub struct OutputFile {
    /// As it was named, for messages.
    named: PathBuf,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// A name in a folder that is open.
    In(Folder, OsString),
    /// A descriptor that the caller opened and handed over, by its name in `/dev`.
    HandedOver,
}

impl OutputFolder {
    /// Looks up a folder that the command line names.
    ///
    /// # Errors
    /// A link of a Git work tree leads out of it.
    pub fn named(path: &Path) -> Result<Self, Error> {
        let beneath = Top::of_output(path).map_err(|refused| outside(path, &refused))?;
        Ok(Self { named: path.to_path_buf(), beneath })
    }

    /// Looks up a folder that has its usual name beside a document.
    ///
    /// # Errors
    /// A link leads out of the top of the document.
    pub fn beside(document: &Document, name: &str) -> Result<Self, Error> {
        let path = beside(document, name);
        let beneath = document.top.look_up(&path).map_err(|refused| outside(&path, &refused))?;
        Ok(Self { named: path, beneath })
    }

    /// Returns the path as it was named.
    pub fn path(&self) -> &Path {
        &self.named
    }

    /// Opens the folder; `None` if it is not there.
    pub(crate) fn open(&self) -> Result<Option<Folder>, commit::Error> {
        match Folder::open(self.beneath.top_path(), &self.beneath.path) {
            // A file in its place is there, and is not the folder.
            Err(commit::Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Opens the folder, and creates it if it is not there.
    pub(crate) fn create(&self) -> Result<Folder, commit::Error> {
        Folder::create(self.beneath.top_path(), &self.beneath.path)
    }
}

impl OutputFile {
    /// Opens the folder of a file that the command line names.
    ///
    /// # Errors
    /// There is no such folder, or a link of a Git work tree leads out of it.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let named = path.to_path_buf();
        if is_handed_over(path) {
            return Ok(Self { named, place: Place::HandedOver });
        }
        let Some(name) = path.file_name() else { return Err(not_regular(path)) };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let beneath = Top::of_output(folder).map_err(|refused| outside(path, &refused))?;
        let folder = Folder::open(beneath.top_path(), &beneath.path)
            .map_err(|error| failed(path, "create the file", &error))?;
        Ok(Self { named, place: Place::In(folder, name.to_os_string()) })
    }

    /// Returns the path as it was named.
    pub fn path(&self) -> &Path {
        &self.named
    }

    /// Writes the file: beside its place, synced and renamed. A link is replaced; a device or a pipe is written to.
    ///
    /// # Errors
    /// It cannot be written, or a folder is there.
    pub fn replace(
        &self,
        readers: Readers,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Error> {
        let failed = |error| failed(&self.named, "write the file", &error);
        match &self.place {
            Place::HandedOver => File::options()
                .write(true)
                .open(&self.named)
                .and_then(|mut file| write(&mut file))
                .map_err(|error| system(&self.named, "write the file", &error)),
            Place::In(folder, name) => match folder.special(Path::new(name)).map_err(failed)? {
                None | Some(commit::SpecialFile::Directory) => folder
                    .write(Path::new(name), readers, There::Replaced, |file| write(file))
                    .map_err(failed),
                Some(_) => write(&mut folder.open_special(Path::new(name)).map_err(failed)?)
                    .map_err(|error| system(&self.named, "write the file", &error)),
            },
        }
    }

    /// Writes a file that somebody reads as a whole later: not to a device, a pipe or a descriptor.
    ///
    /// # Errors
    /// It cannot be written, or something else than a file or a link is there.
    pub fn replace_regular(&self, readers: Readers, bytes: &[u8]) -> Result<(), Error> {
        let special = match &self.place {
            Place::HandedOver => true,
            Place::In(folder, name) => folder
                .special(Path::new(name))
                .map_err(|error| failed(&self.named, "write the file", &error))?
                .is_some(),
        };
        if special {
            return Err(not_regular(&self.named));
        }
        self.replace(readers, |file| file.write_all(bytes))
    }

    /// Writes a file that must not be there yet. The inner value is `false` if something is there.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create_new(&self, readers: Readers, bytes: &[u8]) -> Result<bool, Error> {
        let Place::In(folder, name) = &self.place else { return Err(not_regular(&self.named)) };
        match folder.write(Path::new(name), readers, There::Nothing, |file| file.write_all(bytes)) {
            Ok(()) => Ok(true),
            Err(commit::Error::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                Ok(false)
            }
            Err(error) => Err(failed(&self.named, "write the file", &error)),
        }
    }

    /// Opens a file without a name beside it, for a result that is kept back.
    ///
    /// # Errors
    /// There can be none.
    pub fn without_name(&self) -> io::Result<File> {
        match &self.place {
            Place::In(folder, _) => folder.without_name(),
            Place::HandedOver => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// Returns the path of what has its usual name beside a document.
pub fn beside(document: &Document, name: &str) -> PathBuf {
    let folder = if document.folder == Path::new(".") { Path::new("") } else { &document.folder };
    folder.join(name)
}

/// Returns whether a path names a descriptor that the caller opened: standard output, or what a shell's `>(…)` makes.
fn is_handed_over(path: &Path) -> bool {
    ["/dev/stdout", "/dev/stderr"].iter().any(|name| path == Path::new(name))
        || path.parent() == Some(Path::new("/dev/fd"))
}

fn outside(path: &Path, refused: &Refused) -> Error {
    let message = format!("{}: cannot write there: {}", path.display(), refused.why());
    Error::failed(message).help("replace the link by a folder, or name the folder that it leads to")
}

fn failed(path: &Path, what: &str, error: &commit::Error) -> Error {
    match error {
        commit::Error::Io { operation: commit::Operation::CreateResult, source, .. } => {
            system(path, "create the file", source)
        }
        commit::Error::Io { source, .. } => system(path, what, source),
        commit::Error::NotRegular { .. } => not_regular(path),
        commit::Error::Symlink { path: link } => {
            let message = format!("{}: {} became a link meanwhile", path.display(), link.display());
            Error::failed(message)
        }
        other => Error::from(other),
    }
}

fn system(path: &Path, what: &str, error: &io::Error) -> Error {
    let failed = Error::of_system(format!("{}: cannot {what}", path.display()), error);
    match error.kind() {
        io::ErrorKind::PermissionDenied => failed.help("name a file in a folder that you can write to"),
        _ => failed,
    }
}

fn not_regular(path: &Path) -> Error {
    Error::failed(format!("{} is not a regular file", path.display()))
        .help("name a file, which is created or replaced")
}
