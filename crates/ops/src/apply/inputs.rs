//! What the first pass made a plan from, in digests.

use std::path::PathBuf;

use commit::Digest;
use render::{Bytes, Found, Plan, Snapshot, Source};

use crate::error::Error;
use crate::opened::Rooted;
use crate::overlap::Touched;

/// Every file that a plan was made from.
#[derive(Default)]
pub(super) struct Inputs {
    /// The target's folder.
    folder: PathBuf,
    files: Vec<Input>,
}

struct Input {
    path: String,
    found: Found<Digest>,
    /// Whether the plan changes it.
    is_changed: bool,
}

impl Inputs {
    /// Accepts the digests of what was read.
    pub(super) fn of(snapshot: &Snapshot, plan: &Plan, rooted: &Rooted) -> Self {
        let input = |(path, found): (&str, &Found<Bytes>)| Input {
            path: path.to_string(),
            found: digest(found),
            is_changed: plan.files.iter().any(|file| file.path == path),
        };
        Self { folder: rooted.root.path().to_path_buf(), files: snapshot.files().map(input).collect() }
    }

    /// Returns how many files the plan changes.
    pub(super) fn changed(&self) -> usize {
        self.files.iter().filter(|input| input.is_changed).count()
    }

    /// Returns the files that are there.
    pub(super) fn touched(&self) -> Touched {
        let there = self.files.iter().filter(|input| matches!(input.found, Found::Yes(_)));
        Touched::below(&self.folder, there.map(|input| (input.path.as_str(), input.is_changed)))
    }

    /// Compares them with what a source has now.
    ///
    /// # Errors
    /// Something has changed.
    pub(super) fn check(&self, source: &impl Source) -> Result<(), Error> {
        let Some(changed) = self.files.iter().find(|input| digest(&source.read(&input.path)) != input.found)
        else {
            return Ok(());
        };
        let path = self.folder.join(&changed.path);
        let message = format!("{} changed since the plan was made", path.display());
        Err(Error::failed(message).help("run it again: it creates a new plan"))
    }
}

fn digest(found: &Found<Bytes>) -> Found<Digest> {
    match found {
        Found::Yes(bytes) => Found::Yes(Digest::of(bytes)),
        Found::No => Found::No,
        Found::Unknown(why) => Found::Unknown(why.clone()),
    }
}
