//! Where a result goes: standard output or a file.

use std::io::{Write as _, stdout};
use std::path::PathBuf;
use std::sync::Arc;

use anstream::ColorChoice;
use ops::output::{OutputFile, Readers};
use ops::{Error, Outputs};

use super::held::Held;
use super::terminal::{Terminal, coloured, ended};

/// Where a result goes, piece by piece.
pub(crate) struct Sink {
    terminal: Terminal,
    file: Option<Place>,
    /// What is not written before the result is complete.
    held: Option<Held>,
    complete: bool,
}

/// A file that a result goes to; its folder is open from the beginning.
struct Place {
    path: PathBuf,
    file: Result<Arc<OutputFile>, Error>,
    readers: Readers,
    outputs: Outputs,
}

impl Place {
    fn write(&self, held: Held) -> Result<(), Error> {
        self.file.clone()?.replace(self.readers, |file| held.write_to(file))
    }
}

impl Sink {
    /// Accepts standard output; every piece is written as it comes.
    pub(crate) fn stream(terminal: Terminal) -> Self {
        Self { terminal, file: None, held: None, complete: false }
    }

    /// Accepts a file, or else standard output, and writes nothing before the result is complete. A run that fails leaves
    /// a file as it is; and several results on standard output are not mixed.
    pub(crate) fn whole(
        terminal: Terminal,
        file: Option<PathBuf>,
        readers: Readers,
        outputs: Outputs,
    ) -> Self {
        // What is wrong with the folder of the file is told when the result is complete.
        let file =
            file.map(|path| Place { file: OutputFile::open(&path).map(Arc::new), path, readers, outputs });
        let held = match file.as_ref().and_then(|place| place.file.as_ref().ok()) {
            None => Held::new(&std::env::temp_dir()),
            Some(file) => {
                let file = Arc::clone(file);
                Held::kept_in(move || file.without_name())
            }
        };
        Self { terminal, file, held: Some(held), complete: false }
    }

    /// Writes text; its colours stay on a terminal that wants them.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Error> {
        if text.is_empty() {
            return Ok(());
        }
        let choice = match self.file {
            None => self.terminal.choice_for(&stdout()),
            Some(_) => ColorChoice::Never,
        };
        self.bytes(&coloured(text, choice))
    }

    /// Returns the columns of the terminal; `None` if there is none to fit.
    pub(crate) fn width(&self) -> Option<usize> {
        if self.file.is_none() { self.terminal.width() } else { None }
    }

    /// Writes exact bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match &mut self.held {
            None => self.terminal.bytes(bytes),
            Some(held) => held.write_all(bytes).map_err(|error| self.failed(&error)),
        }
    }

    /// Writes bytes that were kept back.
    pub(super) fn kept(&mut self, kept: Held) -> Result<(), Error> {
        match &mut self.held {
            None => kept.write_to(&mut stdout().lock()).or_else(|error| ended(&error)),
            Some(held) => kept.write_to(held).map_err(|error| self.failed(&error)),
        }
    }

    /// Reports that the result is complete.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    /// Ends the result: one that is complete and was held back is written; a file is there then, even if it is empty.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        let Some(held) = self.held.take_if(|_| self.complete) else { return Ok(()) };
        match &self.file {
            None => held.write_to(&mut stdout().lock()).or_else(|error| ended(&error)),
            // What was refused is an input.
            Some(place) if place.outputs.are_refused() => Ok(()),
            Some(place) => place.write(held).map_err(|error| Error { is_of_result: true, ..error }),
        }
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        let name =
            self.file.as_ref().map_or("standard output".into(), |place| place.path.display().to_string());
        Error::of_result(format!("{name}: cannot write the file"), error)
    }
}
