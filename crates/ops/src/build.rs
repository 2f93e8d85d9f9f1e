//! Images: the build context of a document, compared with the folder that holds it, and the builders that run it.

mod base;
mod builder;
mod context;
mod dockerfile;
mod input;

use std::collections::BTreeMap;

use model::DesiredState;

use self::context::DOCKERFILE;
use self::input::{Input, Proof};
use crate::document::Document;
use crate::error::Error;
use crate::output::OutputFolder;
use crate::review::folder::{Folder, Kind, Seal, list};
use crate::review::{Brought, Difference, How};

pub use self::base::with_base;
pub use self::builder::{Builder, Built, Caller, Wanted, load, run, save};

/// The list of the files of a context.
pub const LIST: &str = ".kasm-db-build";

/// The folder of a context. Its form changes with what the same document becomes.
const CONTEXT: Kind = Kind { list: LIST, command: "build", form: 1 };

/// A certificate is some kilobytes; a file of more is something else.
const CERTIFICATES: u64 = 1 << 20;

/// A folder with a build context, compared with what it should be.
pub struct Context {
    folder: Folder,
    files: BTreeMap<String, Vec<u8>>,
    differences: Vec<Difference>,
    /// The base that the Dockerfile there names, if it is not the declared one.
    other_base: Option<String>,
}

/// Compares a folder with the context that the document asks for.
///
/// # Errors
/// The document has no `build`; a certificate or what is in the folder cannot be read.
pub fn context(place: &OutputFolder, document: &Document, desired: &DesiredState) -> Result<Context, Error> {
    let Some(build) = desired.build() else {
        return Err(Error::failed(format!("{} does not say what the image is built from", document.name))
            .help("add `build:` with the base and the extensions; `kasm-db explain build` describes it"));
    };
    let certificates =
        build.ca_certificates.iter().map(|path| certificate(document, path)).collect::<Result<_, _>>()?;
    let input = Input { build, image: desired.image(), proof: Proof::of(desired, build), certificates };
    let mut files = context::files(&input);
    let mut seal = Seal::default();
    files.iter().for_each(|(path, text)| seal.add(path, text));
    let paths: Vec<_> = files.keys().cloned().collect();
    files.insert(LIST.into(), list(&CONTEXT, &paths, Some(&seal.finish())));
    let folder = Folder::open(place, &CONTEXT)?;
    let (mut differences, mut other_base) = (Vec::new(), None);
    for (path, text) in &files {
        let there = folder.read(path)?;
        if path == DOCKERFILE {
            let base = there.as_deref().and_then(dockerfile::base).map(|base| base.to_string());
            other_base = base.filter(|base| base != build.base.as_str());
        }
        let how = match there {
            None => How::Missing,
            Some(there) if there != *text => How::Changed,
            Some(_) => continue,
        };
        differences.push(Difference { path: path.clone(), kind: None, how });
    }
    for path in folder.ours().iter().filter(|path| !files.contains_key(*path)) {
        if folder.read(path)?.is_some() {
            differences.push(Difference { path: path.clone(), kind: None, how: How::Extra });
        }
    }
    differences.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(Context { folder, files, differences, other_base })
}

impl Context {
    /// Returns how many files the folder should hold, not counting its list.
    pub fn files(&self) -> usize {
        self.files.len() - 1
    }

    /// Returns the files that are not as they should be, in the order of their paths.
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// Returns the base that the Dockerfile in the folder names, if it is not the declared one.
    pub fn other_base(&self) -> Option<&str> {
        self.other_base.as_deref()
    }

    /// Returns each file that has other bytes: its path, what is there, and what should be.
    ///
    /// # Errors
    /// A file cannot be read any more, or `see` failed.
    pub fn each_changed(
        &self,
        mut see: impl FnMut(&str, &[u8], &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let changed = self.differences.iter().filter(|one| one.how == How::Changed && one.path != LIST);
        for Difference { path, .. } in changed {
            let before = self.folder.read(path)?.unwrap_or_default();
            see(path, &before, self.files.get(path).map(Vec::as_slice).unwrap_or_default())?;
        }
        Ok(())
    }

    /// Brings the folder to what it should be: each file wholly or not at all, and those that are right untouched.
    ///
    /// # Errors
    /// A file of somebody else is where one is needed: then nothing was written. Or a file cannot be written.
    pub fn write(&self) -> Result<Brought, Error> {
        let changed = |how| self.differences.iter().filter(move |one| one.how == how && one.path != LIST);
        changed(How::Changed).try_for_each(|difference| self.folder.check_ours(&difference.path))?;
        let removed = changed(How::Extra).count();
        let written = self.differences.iter().filter(|one| one.path != LIST).count() - removed;
        if self.differences.is_empty() {
            return Ok(Brought { written, removed });
        }
        // First the list of both: a run that ends half-way must know its own files again.
        let paths = self.files.keys().filter(|path| *path != LIST);
        let both: std::collections::BTreeSet<_> = self.folder.ours().iter().chain(paths).collect();
        self.folder.put_list(both, None)?;
        changed(How::Extra).try_for_each(|difference| self.folder.remove(&difference.path))?;
        for difference in changed(How::Missing).chain(changed(How::Changed)) {
            let text = self.files.get(&difference.path).map(Vec::as_slice).unwrap_or_default();
            self.folder.put(&difference.path, text)?;
        }
        self.folder.put(LIST, self.files.get(LIST).map(Vec::as_slice).unwrap_or_default())?;
        Ok(Brought { written, removed })
    }
}

/// Reads a file with certificates beside the document.
fn certificate(document: &Document, path: &str) -> Result<Vec<u8>, Error> {
    let at = document.folder.join(path);
    let name = at.display().to_string();
    let refused = |why: &str| {
        Error::failed(format!("{name}: {why}")).help("correct `build.ca_certificates` in the document")
    };
    let found = document.top.look_up(&at).map_err(|error| {
        let failed = Error::failed(format!("{name}: cannot read the certificates: {}", error.why()));
        failed.help(error.help().unwrap_or("correct `build.ca_certificates` in the document"))
    })?;
    let file = found.read_start(CERTIFICATES + 1).map_err(|error| match error {
        commit::Error::Io { source, .. } => refused(&format!("cannot read: {}", commit::reason(&source))),
        _ => refused("not a regular file"),
    })?;
    let text = String::from_utf8_lossy(&file.bytes).into_owned();
    if file.bytes.len() as u64 > CERTIFICATES {
        return Err(refused("larger than 1 MiB"));
    }
    // A layer of an image is not the place for a key.
    if text.contains("PRIVATE KEY") {
        return Err(refused("it holds a private key, which must not get into an image"));
    }
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        return Err(refused("it holds no certificate in PEM"));
    }
    Ok(file.bytes)
}
