//! Going on with what is logged from now on.

use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use auditlog::{AuditEntry, Ending, Format, Prefix, Scanner};

use super::LogSettings;
use super::input::{Buffer, HEAD, Input, scanner};
use super::listener::Listener;
use super::logs::is_mixed;
use super::once::{Once, Times};
use super::reading::{Query, Reading, Tally};
use crate::disk::{identity, identity_of};
use crate::error::Error;

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(200);

/// So many files are kept open, those that were changed last. The others are opened again when they change.
const OPEN: usize = 200;

/// How long to wait before looking for new files.
const LOOK: Duration = Duration::from_secs(1);

/// So many bytes before the place up to which a file was read show that it is still the same.
const TAIL: u64 = 256;

/// A file that grows.
struct Followed {
    /// The index of its server.
    server: usize,
    path: PathBuf,
    /// Nothing while it is closed: there may be more files than descriptors.
    file: Option<File>,
    /// The format that it must have, if that is known.
    format: Option<Format>,
    /// What tells one file from another of the same name.
    identity: (u64, u64),
    read: u64,
    /// What it starts with, and what stands before the place up to which it was read.
    head: Vec<u8>,
    tail: Vec<u8>,
    modified: Option<SystemTime>,
    scanner: Scanner,
    buffer: Buffer,
    /// Its entries, if other files may have the same.
    entries: Times,
    /// It is a copy of that file, which is read instead until it is truncated.
    copy_of: Option<(u64, u64)>,
    /// How often nothing had its name while it was closed.
    missed: u32,
    /// Nothing is added to it; it is kept so that it is known under another name.
    is_done: bool,
}

/// What a run that follows needs besides its files.
pub struct Following<'a> {
    /// What is asked for.
    pub query: &'a Query,
    /// How the files of each server are read.
    pub servers: &'a [LogSettings],
    /// Opens a file; one of a server follows no link.
    pub open: &'a dyn Fn(&Path) -> Result<Input, Error>,
    /// Gets the entries.
    pub listener: &'a mut dyn Listener,
}

/// The files of a run, and what they have in common.
#[derive(Default)]
struct Files {
    all: Vec<Followed>,
    /// What the files of each server have in common.
    servers: Vec<Server>,
}

/// The files of one server.
#[derive(Default)]
struct Server {
    once: Once,
    /// Whether they are of several formats, which may have the same entries.
    is_mixed: bool,
    /// Starts of files that were truncated, and how far each was done with.
    past: Vec<(Vec<u8>, u64)>,
}

/// The files that there are now of each server, in the order of [`Following::servers`].
pub(super) type List<'a> = &'a dyn Fn() -> Result<Vec<Vec<PathBuf>>, Error>;

/// Reads files and what is added to them, until nobody listens any more. `list` gives those that there are now of each server.
///
/// # Errors
/// The first look at the files failed, or none could be opened.
pub fn follow(mut following: Following<'_>, list: List<'_>) -> Result<(), Error> {
    let mut files = Files::default();
    files.servers.resize_with(following.servers.len(), Server::default);
    let mut looked: Option<Instant> = None;
    while following.listener.is_open() {
        if looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            following.look(&mut files, list, looked.is_none())?;
            looked = Some(Instant::now());
        }
        let mut truncated = Vec::new();
        for index in 0..files.all.len() {
            if following.is_truncated(&mut files.all[index]) {
                truncated.push(index);
            }
        }
        if !truncated.is_empty() {
            // A copy was made before: it has what was not read yet.
            following.look(&mut files, list, false)?;
            looked = Some(Instant::now());
            truncated.into_iter().for_each(|index| following.start_again(&mut files, index));
        }
        let mut index = 0;
        while index < files.all.len() {
            if following.goes_on(&mut files, index) {
                index += 1;
            } else {
                files.all.remove(index);
            }
        }
        following.listener.flush();
        following.listener.wait(PAUSE);
    }
    Ok(())
}

impl Following<'_> {
    /// Looks for files that are new.
    fn look(&mut self, files: &mut Files, list: List<'_>, first: bool) -> Result<(), Error> {
        let listed = match list() {
            Ok(listed) => listed,
            // What was there once may be moved for a moment.
            Err(_) if !first => Vec::new(),
            Err(failure) => return Err(failure),
        };
        let is_alone = listed.iter().map(Vec::len).sum::<usize>() == 1;
        for (server, listed) in files.servers.iter_mut().zip(&listed) {
            server.is_mixed |= is_mixed(listed);
        }
        let of_servers = listed.iter().enumerate();
        for (server, path) in
            of_servers.flat_map(|(server, paths)| paths.iter().map(move |path| (server, path)))
        {
            // Who rotates files gives them other names, also those of each other.
            let found = identity(path);
            if let Some(known) = files.all.iter_mut().find(|file| Some(file.identity) == found) {
                if known.file.is_none() && identity(&known.path) != found {
                    known.path.clone_from(path);
                }
                continue;
            }
            match (self.open)(path) {
                Ok(input) => {
                    self.add(files, server, path, input);
                    self.close_some(files);
                }
                Err(_) if !first => {}
                Err(failure) if is_alone => return Err(failure),
                Err(failure) => {
                    self.listener.read(
                        &path.display().to_string(),
                        &Tally::default(),
                        Some(&failure.message),
                    );
                }
            }
        }
        Ok(())
    }

    /// Accepts a file that is new: what it has of another one is not read again.
    fn add(&mut self, files: &mut Files, server: usize, path: &Path, input: Input) {
        let head = input.head();
        let is_compressed = input.is_compressed();
        let starts_alike = |known: &[u8]| !known.is_empty() && head.starts_with(known);
        let past =
            files.servers[server].past.iter().find(|(known, _)| starts_alike(known)).map(|(_, done)| *done);
        let original = files
            .all
            .iter()
            .position(|file| file.server == server && file.copy_of.is_none() && starts_alike(&file.head));
        if is_compressed {
            let skip = match original {
                // It is open still, and read to its end.
                Some(original) if !self.is_truncated(&mut files.all[original]) => None,
                Some(original) => Some(files.all[original].done()),
                None => Some(past.unwrap_or(0)),
            };
            if let Some(skip) = skip {
                self.whole(&mut files.servers[server], server, &input, skip);
            }
        }
        let prefix = self.servers[server].prefix();
        let Some(mut followed) = Followed::new(server, path, input, head, prefix) else { return };
        followed.is_done = is_compressed;
        if !is_compressed {
            match (original, past) {
                (Some(original), _) => followed.copy_of = Some(files.all[original].identity),
                // All of it was read when it had another name.
                (None, Some(u64::MAX)) => followed.is_done = true,
                (None, Some(done)) => followed.go_to(done),
                (None, None) => {}
            }
        }
        files.all.push(followed);
    }

    /// Closes those of too many files that were not changed for longest. What they hold is read before.
    fn close_some(&mut self, files: &mut Files) {
        let mut open: Vec<_> = files.all.iter().enumerate().filter(|(_, file)| file.file.is_some()).collect();
        if open.len() <= OPEN {
            return;
        }
        open.sort_by_key(|(_, file)| file.modified);
        let oldest: Vec<usize> = open.iter().take(OPEN / 4).map(|(index, _)| *index).collect();
        for index in oldest {
            let Files { all, servers, .. } = files;
            let file = &mut all[index];
            if !file.is_done && file.copy_of.is_none() {
                self.take(file, &mut servers[file.server], Ending::Pause, true);
            }
            file.close();
        }
    }

    fn whole(&mut self, files: &mut Server, server: usize, input: &Input, skip: u64) {
        let mut scanner = input.scanner(self.servers[server].prefix());
        let Self { query, servers, listener, .. } = self;
        let mut reading = Reading::new(query, &servers[server], |entry: &AuditEntry<'_>| {
            listener.entry(&input.name, entry);
        });
        if files.is_mixed {
            files.once.begin();
            reading.once = Some(&mut files.once);
        }
        let wrong = input.read(&mut scanner, &mut reading, skip, || true);
        let tally = reading.finish(&scanner);
        listener.read(&input.name, &tally, wrong.as_deref());
    }

    /// Returns whether a file starts again: it is shorter by now, or what was read of it is not there any more.
    fn is_truncated(&mut self, file: &mut Followed) -> bool {
        if file.is_done || file.copy_of.is_some() {
            return false;
        }
        let Some(now) = file.metadata() else { return false };
        let modified = now.modified().ok();
        if now.len() == file.read && modified == file.modified || !file.open(self.open) {
            return false;
        }
        if now.len() < file.read {
            return true;
        }
        let is_as_it_was = file.is_as_it_was();
        if is_as_it_was {
            file.modified = modified;
        }
        !is_as_it_was
    }

    /// Reads a truncated file from its start, and its copy on from where it was read to.
    fn start_again(&mut self, files: &mut Files, index: usize) {
        let file = &files.all[index];
        let (identity, done) = (file.identity, file.done());
        files.servers[file.server].past.push((file.head.clone(), done));
        let mut has_copy = false;
        for copy in files.all.iter_mut().filter(|copy| copy.copy_of == Some(identity)) {
            copy.copy_of = None;
            copy.go_to(done);
            has_copy = true;
        }
        if !has_copy {
            let Files { all, servers, .. } = files;
            let file = &mut all[index];
            self.take(file, &mut servers[file.server], Ending::End, false);
        }
        let file = &mut files.all[index];
        file.scanner = scanner(file.format, self.servers[file.server].prefix());
        file.buffer.clear();
        file.go_to(0);
        (file.head, file.tail) = (Vec::new(), Vec::new());
    }

    /// Reads what was added; `false` where it is no more.
    fn goes_on(&mut self, files: &mut Files, index: usize) -> bool {
        let Files { all, servers, .. } = files;
        let file = &mut all[index];
        let server = &mut servers[file.server];
        if file.copy_of.is_some() {
            return true;
        }
        let is_changed = |file: &Followed| {
            let now = file.metadata();
            now.is_some_and(|now| now.len() != file.read || now.modified().ok() != file.modified)
        };
        if !file.is_done && (file.file.is_some() || is_changed(file) && file.open(self.open)) {
            self.take(file, server, Ending::Pause, true);
        }
        // A name does not matter: the server writes on to a file that was moved until it is told.
        let now = file.metadata();
        let is_gone = match &file.file {
            Some(_) => now.is_some_and(|now| now.nlink() == 0),
            // One that was moved has its new name since the last look, if it is still a log.
            None => now.is_none() && file.missed(),
        };
        if is_gone && identity(&file.path).is_some() {
            if !file.is_done && file.file.is_some() {
                self.take(file, server, Ending::End, true);
            }
            server.past.push((std::mem::take(&mut file.head), u64::MAX));
            return false;
        }
        true
    }

    /// Accepts what was read before, and more if it is wanted.
    fn take(&mut self, file: &mut Followed, of: &mut Server, ending: Ending, more: bool) {
        let name = file.path.display().to_string();
        let Self { query, servers, listener, .. } = self;
        let Server { once, is_mixed, .. } = of;
        let mut reading = Reading::new(query, &servers[file.server], |entry: &AuditEntry<'_>| {
            listener.entry(&name, entry);
        });
        if *is_mixed {
            if once.is_full() {
                // What is that long past is not written again.
                *once = Once::default();
            }
            once.exchange(&mut file.entries);
            reading.once = Some(&mut *once);
        }
        let mut wrong = None;
        let before = file.read;
        loop {
            let read = match &mut file.file {
                Some(open) if more => file.buffer.more(open as &mut dyn Read),
                _ => Ok(0),
            };
            match read {
                Ok(0) => break,
                Ok(length) => {
                    file.read += length as u64;
                    file.buffer.scan(&mut file.scanner, Ending::More, &mut reading);
                }
                Err(error) => {
                    wrong = Some(format!("{name}: {}", commit::reason(&error)));
                    break;
                }
            }
        }
        match ending {
            Ending::End => file.buffer.end(&mut file.scanner, &mut reading),
            _ => file.buffer.scan(&mut file.scanner, ending, &mut reading),
        }
        let tally = reading.finish(&file.scanner);
        if *is_mixed {
            once.exchange(&mut file.entries);
        }
        if file.read > before {
            file.remember();
        }
        listener.read(&name, &tally, wrong.as_deref());
    }
}

impl Followed {
    fn new(server: usize, path: &Path, input: Input, head: Vec<u8>, prefix: Option<&Prefix>) -> Option<Self> {
        let (scanner, format) = (input.scanner(prefix), input.format());
        let file = input.into_file();
        let metadata = file.metadata().ok()?;
        Some(Self {
            server,
            path: path.to_path_buf(),
            file: Some(file),
            format,
            missed: 0,
            identity: identity_of(&metadata),
            read: 0,
            head,
            tail: Vec::new(),
            modified: metadata.modified().ok(),
            scanner,
            buffer: Buffer::new(),
            entries: Times::new(),
            copy_of: None,
            is_done: false,
        })
    }

    /// Returns what there is to know of it; of a closed one, if its name is still its own.
    fn metadata(&self) -> Option<Metadata> {
        match &self.file {
            Some(file) => file.metadata().ok(),
            None => std::fs::metadata(&self.path).ok().filter(|now| identity_of(now) == self.identity),
        }
    }

    /// Opens it again if it is closed, and returns whether it is open.
    fn open(&mut self, open: &dyn Fn(&Path) -> Result<Input, Error>) -> bool {
        if self.file.is_none()
            && let Ok(mut file) = open(&self.path).map(Input::into_file)
            && file.metadata().is_ok_and(|now| identity_of(&now) == self.identity)
            && file.seek(SeekFrom::Start(self.read)).is_ok()
        {
            self.file = Some(file);
        }
        self.file.is_some()
    }

    fn close(&mut self) {
        self.file = None;
        self.buffer.shrink();
    }

    /// Counts the looks at which nothing had its name, and returns whether these are too many for a file that was only moved.
    fn missed(&mut self) -> bool {
        self.missed += 1;
        self.missed > 20
    }

    /// Returns up to where it is done with: an entry that is not whole is read again.
    fn done(&self) -> u64 {
        self.read - self.buffer.left()
    }

    /// Goes to a place, or to the end of a file that does not reach so far.
    fn go_to(&mut self, place: u64) {
        let place = place.min(self.metadata().map_or(0, |metadata| metadata.len()));
        if self.file.as_mut().is_none_or(|file| file.seek(SeekFrom::Start(place)).is_ok()) {
            self.read = place;
        }
    }

    fn at(&self, start: u64, length: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(length).ok()?];
        self.file.as_ref()?.read_exact_at(&mut bytes, start).ok()?;
        Some(bytes)
    }

    /// Keeps what shows later that the file is the same up to here.
    fn remember(&mut self) {
        let (head, tail) = (self.read.min(HEAD as u64), self.read.min(TAIL));
        self.head = self.at(0, head).unwrap_or_default();
        self.tail = self.at(self.read - tail, tail).unwrap_or_default();
        self.modified = self.metadata().and_then(|metadata| metadata.modified().ok());
    }

    fn is_as_it_was(&self) -> bool {
        let tail = self.tail.len() as u64;
        let is =
            |start: u64, bytes: &[u8]| self.at(start, bytes.len() as u64).is_some_and(|now| now == bytes);
        self.read == 0 || is(0, &self.head) && is(self.read - tail, &self.tail)
    }
}
