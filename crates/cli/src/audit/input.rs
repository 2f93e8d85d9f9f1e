//! A log file, or standard input, as it comes: plain or compressed.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use auditlog::{Ending, LIMIT, Scanner, Visitor};
use commit::reason;
use flate2::read::MultiGzDecoder;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

use crate::exit::{Exit, Failure};

/// What is read at once. It grows for entries that are longer.
const BUFFER: usize = 128 << 10;

/// What every gzip file starts with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How long standard input may be silent before what looks whole is shown.
const SILENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Something to read.
pub(crate) struct Input {
    /// How messages call it.
    pub(crate) name: String,
    file: File,
    is_stdin: bool,
}

/// The bytes that were read and are not done with.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Input {
    /// Opens a file, or standard input for `-`.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            let name = "<stdin>".to_string();
            // A descriptor of our own: what the standard library holds back could not be waited for.
            let file = std::io::stdin().as_fd().try_clone_to_owned();
            let file = file.map_err(|error| unreadable(&name, &error))?.into();
            return Ok(Self { name, file, is_stdin: true });
        }
        Self::file(path, OFlags::empty())
    }

    /// Opens a file in a folder of the server: it follows no link, as the server could place one there.
    pub(crate) fn open_log(path: &Path) -> Result<Self, Failure> {
        Self::file(path, OFlags::NOFOLLOW | OFlags::NONBLOCK)
    }

    fn file(path: &Path, flags: OFlags) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let flags = i32::try_from(flags.bits()).unwrap_or(0);
        let opened = File::options().read(true).custom_flags(flags).open(path);
        let file = opened.and_then(|file| {
            let is_folder = file.metadata()?.is_dir();
            if is_folder { Err(ErrorKind::IsADirectory.into()) } else { Ok(file) }
        });
        let file = file.map_err(|error| unreadable(&name, &error))?;
        Ok(Self { name, file, is_stdin: false })
    }

    /// Gives the file and its size, where it is a plain one that is not compressed.
    pub(crate) fn plain(&self) -> Option<(&File, u64)> {
        let metadata = self.file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let is_plain = !self.is_stdin && !self.starts_as_gzip().ok()?;
        is_plain.then_some((&self.file, metadata.len()))
    }

    /// Tells whether somebody may watch it as it comes.
    pub(crate) fn is_live(&self) -> bool {
        self.is_stdin
    }

    /// Tells whether it is a compressed file.
    pub(crate) fn is_compressed(&self) -> bool {
        !self.is_stdin && self.starts_as_gzip().unwrap_or(false)
    }

    /// Gives the file, to read it otherwise.
    pub(crate) fn into_file(self) -> File {
        self.file
    }

    fn starts_as_gzip(&self) -> std::io::Result<bool> {
        let mut start = [0; 2];
        Ok(self.file.read_at(&mut start, 0)? == 2 && start == GZIP)
    }

    /// Reads all of it. `goes_on` is asked between pieces.
    ///
    /// Gives what is wrong with it, where it can not be read to its end.
    pub(crate) fn read(
        &self,
        scanner: &mut Scanner,
        visitor: &mut impl Visitor,
        mut goes_on: impl FnMut() -> bool,
    ) -> Option<String> {
        let wrong = |why: &str| Some(format!("{}: {why}", self.name));
        let mut first = Vec::new();
        let is_gzip = if self.file.metadata().is_ok_and(|metadata| metadata.is_file()) && !self.is_stdin {
            self.starts_as_gzip()
        } else {
            // What can not be read twice is read on from here.
            (&self.file).take(2).read_to_end(&mut first).map(|_| first == GZIP)
        };
        let is_gzip = match is_gzip {
            Ok(is_gzip) => is_gzip,
            Err(error) => return wrong(&reason(&error)),
        };
        let plain = first.chain(&self.file);
        let mut reader: Box<dyn Read> =
            if is_gzip { Box::new(MultiGzDecoder::new(plain)) } else { Box::new(plain) };
        let mut buffer = Buffer::new();
        loop {
            if self.is_stdin && !is_gzip && self.is_silent() {
                buffer.scan(scanner, Ending::Pause, visitor);
                if !goes_on() {
                    return None;
                }
            }
            match buffer.fill(&mut reader, scanner, visitor) {
                Ok(true) if goes_on() => {}
                Ok(_) => return None,
                Err(error) => {
                    // What came before it counts.
                    buffer.end(scanner, visitor);
                    let damaged = [ErrorKind::UnexpectedEof, ErrorKind::InvalidInput, ErrorKind::InvalidData];
                    return if is_gzip && damaged.contains(&error.kind()) {
                        wrong("the compressed data is damaged or ends early")
                    } else {
                        wrong(&reason(&error))
                    };
                }
            }
        }
    }

    /// Tells whether nothing comes for a while.
    fn is_silent(&self) -> bool {
        let mut polled = [PollFd::new(&self.file, PollFlags::IN)];
        poll(&mut polled, Some(&SILENCE)).is_ok_and(|ready| ready == 0)
    }
}

pub(crate) fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    let failure = Failure::new(Exit::Error, format!("{name}: {}", reason(error)));
    match error.kind() {
        ErrorKind::PermissionDenied => failure.help("the server's logs belong to its user: run this as root"),
        _ => failure,
    }
}

impl Buffer {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; BUFFER], filled: 0 }
    }

    /// Reads once and scans; `false` at the end, which is then dealt with.
    pub(crate) fn fill(
        &mut self,
        reader: &mut dyn Read,
        scanner: &mut Scanner,
        visitor: &mut impl Visitor,
    ) -> std::io::Result<bool> {
        if self.more(reader)? == 0 {
            self.end(scanner, visitor);
            return Ok(false);
        }
        self.scan(scanner, Ending::More, visitor);
        Ok(true)
    }

    /// Reads once and gives the number of bytes that came.
    pub(crate) fn more(&mut self, reader: &mut dyn Read) -> std::io::Result<usize> {
        loop {
            match reader.read(&mut self.bytes[self.filled..]) {
                Ok(length) => {
                    self.filled += length;
                    return Ok(length);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Scans what there is, and makes room.
    pub(crate) fn scan(&mut self, scanner: &mut Scanner, ending: Ending, visitor: &mut impl Visitor) {
        let done = scanner.scan(&self.bytes[..self.filled], ending, visitor);
        self.bytes.copy_within(done..self.filled, 0);
        self.filled -= done;
        // A scanner is never left with a full buffer of that size.
        if self.filled == self.bytes.len() && self.filled < LIMIT {
            self.bytes.resize((self.filled * 2).min(LIMIT), 0);
        }
    }

    /// Deals with what is left at the end.
    pub(crate) fn end(&mut self, scanner: &mut Scanner, visitor: &mut impl Visitor) {
        self.scan(scanner, Ending::End, visitor);
        self.filled = 0;
    }

    /// Forgets what is left.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
    }

    /// Tells whether everything is done with.
    pub(crate) fn is_empty(&self) -> bool {
        self.filled == 0
    }
}
