//! Going on with what is logged from now on.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use auditlog::{Ending, Entry, Prefix, Scanner};

use super::input::Buffer;
use super::{Input, Query, Reading, Tally};
use crate::disk::identity;
use crate::exit::Failure;
use crate::output::stream::Stream;

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(200);

/// How long to wait before looking for new files.
const LOOK: Duration = Duration::from_secs(1);

/// A file that grows.
struct Followed {
    path: PathBuf,
    file: File,
    /// What tells one file from another of the same name.
    identity: (u64, u64),
    read: u64,
    scanner: Scanner,
    buffer: Buffer,
    /// Nothing is added to it; it is kept so that it is known under another name.
    is_done: bool,
}

/// What a run that follows needs besides its files.
pub(crate) struct Following<'a> {
    pub(crate) query: &'a Query,
    pub(crate) prefix: Option<&'a Prefix>,
    /// Opens a file; one of a server follows no link.
    pub(crate) open: fn(&Path) -> Result<Input, Failure>,
    pub(crate) stream: &'a mut Stream,
    /// Shows an entry of the file of this name.
    pub(crate) show: &'a dyn Fn(&mut Stream, &str, &Entry<'_>),
    /// Says what could not be read.
    pub(crate) report: &'a dyn Fn(&str, &Tally, Option<&str>),
}

/// Reads files and what is added to them, until nobody listens any more. `list` gives those that there are now.
pub(crate) fn follow(
    mut following: Following<'_>,
    list: &dyn Fn() -> Result<Vec<PathBuf>, Failure>,
) -> Result<(), Failure> {
    let mut files: Vec<Followed> = Vec::new();
    let mut looked: Option<Instant> = None;
    while following.stream.is_open() {
        if looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            let first = looked.is_none();
            looked = Some(Instant::now());
            let listed = match list() {
                Ok(listed) => listed,
                // What was there once may be moved for a moment.
                Err(_) if !first => Vec::new(),
                Err(failure) => return Err(failure),
            };
            for path in listed {
                // Who rotates files gives them other names, also those of each other.
                if identity(&path).is_some_and(|found| files.iter().any(|file| file.identity == found)) {
                    continue;
                }
                let input = match (following.open)(&path) {
                    Ok(input) => input,
                    Err(_) if !first => continue,
                    Err(failure) => return Err(failure),
                };
                let is_compressed = input.is_compressed();
                // What is compressed now was read while it was written.
                if is_compressed && first {
                    following.whole(&input);
                }
                let followed = Followed::new(path, input.into_file(), following.prefix);
                files.extend(followed.map(|followed| Followed { is_done: is_compressed, ..followed }));
            }
        }
        files.retain_mut(|file| following.goes_on(file));
        following.stream.flush();
        following.stream.wait(PAUSE);
    }
    Ok(())
}

impl Following<'_> {
    fn whole(&mut self, input: &Input) {
        let mut scanner = Scanner::new(self.prefix);
        let Self { query, stream, show, report, .. } = self;
        let mut reading = Reading::new(query, |entry: &Entry<'_>| show(stream, &input.name, entry));
        let wrong = input.read(&mut scanner, &mut reading, || true);
        let tally = reading.tally;
        report(&input.name, &tally, wrong.as_deref());
    }

    /// Reads what was added, and starts again where the file is shorter by now; `false` where it is no more.
    fn goes_on(&mut self, file: &mut Followed) -> bool {
        if !file.is_done {
            self.read(file, Ending::Pause);
        }
        // A name does not matter: the server writes on to a file that was moved until it is told.
        let Ok(now) = file.file.metadata() else { return true };
        if now.nlink() == 0 && identity(&file.path).is_some() {
            if !file.is_done {
                self.read(file, Ending::End);
            }
            return false;
        }
        if now.len() < file.read {
            self.read(file, Ending::End);
            if file.file.rewind().is_err() {
                return false;
            }
            file.scanner = Scanner::new(self.prefix);
            file.buffer.clear();
            file.read = 0;
            self.read(file, Ending::Pause);
        }
        true
    }

    fn read(&mut self, file: &mut Followed, ending: Ending) {
        let name = file.path.display().to_string();
        let Self { query, stream, show, report, .. } = self;
        let mut reading = Reading::new(query, |entry: &Entry<'_>| show(stream, &name, entry));
        let Followed { file, read, scanner, buffer, .. } = file;
        let mut wrong = None;
        loop {
            match buffer.more(file as &mut dyn Read) {
                Ok(0) => break,
                Ok(length) => {
                    *read += length as u64;
                    buffer.scan(scanner, Ending::More, &mut reading);
                }
                Err(error) => {
                    wrong = Some(format!("{name}: {}", commit::reason(&error)));
                    break;
                }
            }
        }
        match ending {
            Ending::End => buffer.end(scanner, &mut reading),
            _ => buffer.scan(scanner, ending, &mut reading),
        }
        let tally = reading.tally;
        report(&name, &tally, wrong.as_deref());
    }
}

impl Followed {
    fn new(path: PathBuf, file: File, prefix: Option<&Prefix>) -> Option<Self> {
        let metadata = file.metadata().ok()?;
        let (scanner, buffer) = (Scanner::new(prefix), Buffer::new());
        let identity = (metadata.dev(), metadata.ino());
        Some(Self { path, file, identity, read: 0, scanner, buffer, is_done: false })
    }
}
