//! The texts of all targets, twice: kept if memory should hold them, and otherwise rendered again and held to be the same.

use super::folder::Seal;
use super::targets::{RenderedFile, Targets};
use crate::error::Error;

/// What is known of the texts of the targets once they were rendered, in the order of their paths.
#[derive(Default)]
pub(super) struct Texts {
    kept: Vec<Vec<RenderedFile>>,
    bytes: usize,
    is_full: bool,
    /// The seals of the targets that are not kept.
    seals: Vec<String>,
}

/// So many bytes of rendered files are kept; those of a fleet are rendered again when they are needed.
const KEPT: usize = 1 << 20;

impl Texts {
    /// Accepts the files of the next target.
    pub(super) fn add(&mut self, files: Vec<RenderedFile>) {
        self.bytes += files.iter().map(|file| file.text.len()).sum::<usize>();
        self.is_full |= self.bytes > KEPT;
        if self.is_full {
            self.seals.push(seal(&files));
        } else {
            self.kept.push(files);
        }
    }

    /// Returns the files of each target once more.
    ///
    /// # Errors
    /// A target is no longer what it was when it was compared; or `see` failed.
    pub(super) fn each(
        &self,
        targets: &Targets<'_>,
        mut see: impl FnMut(&[RenderedFile]) -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        self.kept.iter().try_for_each(|files| see(files))?;
        let mut seals = self.seals.iter();
        targets.each(self.kept.len(), |_, rendered| {
            let rendered = rendered?;
            let files = rendered.files?;
            if seals.next() != Some(&seal(&files)) {
                let message = format!("{}: its files changed meanwhile", rendered.plan.target.name);
                return Err(Error::failed(message).help("run it again"));
            }
            see(&files)
        })
    }
}

fn seal(files: &[RenderedFile]) -> String {
    let mut seal = Seal::default();
    files.iter().for_each(|file| seal.add(&file.path, &file.text));
    seal.finish()
}
