//! Going on with what is logged from now on.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use auditlog::{Ending, Entry, Prefix, Scanner};

use super::input::Buffer;
use super::{Input, Query, Reading, Tally};
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
}

/// What a run that follows needs besides its files.
pub(crate) struct Following<'a> {
    pub(crate) query: &'a Query,
    pub(crate) prefix: Option<&'a Prefix>,
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
    let mut done: Vec<PathBuf> = Vec::new();
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
                if files.iter().any(|file| file.path == path) || done.contains(&path) {
                    continue;
                }
                let input = match Input::open(&path) {
                    Ok(input) => input,
                    Err(_) if !first => continue,
                    Err(failure) => return Err(failure),
                };
                if input.is_compressed() {
                    following.whole(&input);
                    done.push(path);
                } else {
                    files.extend(Followed::new(path, input.into_file(), following.prefix));
                }
            }
        }
        for file in &mut files {
            following.go_on(file);
        }
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

    /// Reads what was added, and starts again where there is another file of the name, or a shorter one.
    fn go_on(&mut self, file: &mut Followed) {
        self.read(file, Ending::Pause);
        let Ok(now) = std::fs::metadata(&file.path) else { return };
        let is_same = (now.dev(), now.ino()) == file.identity;
        if is_same && now.len() >= file.read {
            return;
        }
        if !is_same {
            // What was written between the last look and the rotation.
            self.read(file, Ending::Pause);
        }
        self.read(file, Ending::End);
        let again = Input::open(&file.path).ok();
        if let Some(new) =
            again.and_then(|input| Followed::new(file.path.clone(), input.into_file(), self.prefix))
        {
            *file = new;
            self.read(file, Ending::Pause);
        }
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
        let identity = (metadata.dev(), metadata.ino());
        Some(Self { path, file, identity, read: 0, scanner: Scanner::new(prefix), buffer: Buffer::new() })
    }
}
