//! The files that the results of a run go to, none of which the run may read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use render::{Found, Snapshot};

use crate::error::Error;

/// kasm-db's own folder in that of a target.
const STATE: &str = ".kasm-db";

/// The files that the results of a run go to. Clones share whether one of them was refused.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    all: Arc<Vec<Output>>,
    refused: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Output {
    named: PathBuf,
    places: Vec<PathBuf>,
}

impl Outputs {
    /// Accepts the files that results go to, and those that the command line names for the run to read.
    ///
    /// # Errors
    /// One of them is another one of them, or is read.
    pub fn new(named: Vec<PathBuf>, inputs: &[PathBuf]) -> Result<Self, Error> {
        let mut all: Vec<Output> = Vec::new();
        for named in named {
            let places = places(&named);
            if all.iter().any(|other| meet(&other.places, &places)) {
                return Err(overwritten(&named));
            }
            all.push(Output { named, places });
        }
        let outputs = Self { all: Arc::new(all), refused: Arc::default() };
        inputs.iter().try_for_each(|input| outputs.check_file(input))?;
        Ok(outputs)
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns whether one of them was refused: then none of them is written.
    pub fn are_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Refuses a file that a result would overwrite.
    ///
    /// # Errors
    /// There is such a result.
    pub fn check_file(&self, path: &Path) -> Result<(), Error> {
        // Without results in files nobody looks where inputs are; standard input is nowhere.
        if self.all.is_empty() || path == Path::new("-") {
            return Ok(());
        }
        let places = places(path);
        self.refuse(|output| meet(&output.places, &places))
    }

    /// Refuses files of a target that a result would overwrite: those that were read, and what kasm-db keeps there.
    ///
    /// # Errors
    /// There are some.
    pub fn check_target(&self, folder: &Path, snapshot: &Snapshot) -> Result<(), Error> {
        if self.all.is_empty() {
            return Ok(());
        }
        let state = folder.join(STATE);
        self.refuse(|output| output.places.iter().any(|place| place.starts_with(&state)))?;
        let there = snapshot.files().filter(|(_, found)| !matches!(found, Found::No));
        for (path, _) in there {
            if path.starts_with('/') || path.split('/').any(|part| part == "..") {
                self.check_file(&folder.join(path))?;
            } else {
                // No link is followed below the folder of a target.
                let path = folder.join(path);
                self.refuse(|output| output.places.contains(&path))?;
            }
        }
        Ok(())
    }

    fn refuse(&self, is_read: impl Fn(&Output) -> bool) -> Result<(), Error> {
        match self.all.iter().find(|output| is_read(output)) {
            Some(output) => {
                self.refused.store(true, Ordering::Relaxed);
                Err(overwritten(&output.named))
            }
            None => Ok(()),
        }
    }
}

/// Returns where a file is, with the links of its folder resolved, and where it leads to if it is a link.
fn places(path: &Path) -> Vec<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().or_else(|_| std::path::absolute(folder)).ok();
    let place = folder.zip(path.file_name()).map(|(folder, name)| folder.join(name));
    let mut places: Vec<_> = place.into_iter().chain(path.canonicalize().ok()).collect();
    places.dedup();
    places
}

fn meet(some: &[PathBuf], others: &[PathBuf]) -> bool {
    some.iter().any(|place| others.contains(place))
}

fn overwritten(named: &Path) -> Error {
    let message = format!("{} is read by this run, or gets another result of it", named.display());
    Error::usage(message).help("write the result to a file of its own")
}
