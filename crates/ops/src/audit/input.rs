//! A log file, or standard input, as it comes: plain or compressed.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use auditlog::{Ending, Format, LIMIT, Prefix, Scanner, Visitor};
use commit::reason;
use flate2::read::MultiGzDecoder;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

use crate::error::Error;

/// What is read at once. It grows for entries that are longer.
const BUFFER: usize = 128 << 10;

/// So much of a file tells it from others.
pub(crate) const HEAD: usize = 1024;

/// What every gzip file starts with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What files start with that were compressed otherwise, and what reads them.
const OTHERS: [(&[u8], &str, &str); 7] = [
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd", "zstd -dc"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz", "xz -dc"),
    (b"BZh", "bzip2", "bzip2 -dc"),
    (&[0x04, 0x22, 0x4d, 0x18], "lz4", "lz4 -dc"),
    (b"LZIP", "lzip", "lzip -dc"),
    (&[0x1f, 0x9d], "compress", "uncompress -c"),
    (b"PK\x03\x04", "zip", "unzip -p"),
];

/// How long standard input may be silent before what looks whole is shown.
const SILENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Something to read.
pub struct Input {
    /// How messages call it.
    pub name: String,
    file: File,
    is_stdin: bool,
    /// The format that it must have, if that is known.
    format: Option<Format>,
}

/// The bytes that were read and are not done with.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Input {
    /// Accepts standard input: a descriptor of its own, which can be waited for.
    pub fn stdin(file: File) -> Self {
        Self { name: "<stdin>".to_string(), file, is_stdin: true, format: None }
    }

    /// Returns it with the format that it must have; what does not fit is a fault.
    #[must_use]
    pub fn in_format(self, format: Option<Format>) -> Self {
        Self { format, ..self }
    }

    /// Returns a scanner for it.
    pub(crate) fn scanner(&self, prefix: Option<&Prefix>) -> Scanner {
        scanner(self.format, prefix)
    }

    /// Returns the format that it must have, if that is known.
    pub(crate) fn format(&self) -> Option<Format> {
        self.format
    }

    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be opened, or is not a regular file: of a FIFO or a device nothing would come, or no end.
    pub fn open(path: &Path) -> Result<Self, Error> {
        // A descriptor that the caller has opened, such as that of `<(zcat …)`, may be a pipe.
        let is_descriptor = path == Path::new("/dev/stdin") || path.starts_with("/dev/fd");
        if is_descriptor && std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            let name = path.display().to_string();
            let file = File::open(path).map_err(|error| unreadable(&name, &error))?;
            return Ok(Self { name, file, is_stdin: true, format: None });
        }
        Self::file(path, OFlags::NONBLOCK)
    }

    /// Opens a file in a folder of the server: it follows no link, as the server could place one there.
    ///
    /// # Errors
    /// As for [`Input::open`].
    pub fn open_log(path: &Path) -> Result<Self, Error> {
        Self::file(path, OFlags::NOFOLLOW | OFlags::NONBLOCK)
    }

    fn file(path: &Path, flags: OFlags) -> Result<Self, Error> {
        let name = path.display().to_string();
        let flags = i32::try_from(flags.bits()).unwrap_or(0);
        let opened = File::options().read(true).custom_flags(flags).open(path);
        let file = opened.and_then(|file| {
            let is_folder = file.metadata()?.is_dir();
            if is_folder { Err(ErrorKind::IsADirectory.into()) } else { Ok(file) }
        });
        let file = file.map_err(|error| unreadable(&name, &error))?;
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            let refused = Error::failed(format!("{name}: it is not a regular file"));
            return Err(refused.help("name `-` to read standard input, which may be a pipe"));
        }
        let mut start = [0; 6];
        let length = file.read_at(&mut start, 0).unwrap_or(0);
        if let Some((kind, command)) = compressed(&start[..length]) {
            let refused = Error::failed(format!("{name}: compressed with {kind}, which is not read here"));
            return Err(refused.help(format!("run `{command} {name} | kasm-db audit -`")));
        }
        Ok(Self { name, file, is_stdin: false, format: None })
    }

    /// Returns the file and its size, where it is a plain one that is not compressed.
    pub(crate) fn plain(&self) -> Option<(&File, u64)> {
        let metadata = self.file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let is_plain = !self.is_stdin && !self.starts_as_gzip().ok()?;
        is_plain.then_some((&self.file, metadata.len()))
    }

    /// Returns whether somebody may watch it as it comes.
    pub(crate) fn is_live(&self) -> bool {
        self.is_stdin
    }

    /// Returns whether it is a compressed file.
    pub(crate) fn is_compressed(&self) -> bool {
        !self.is_stdin && self.starts_as_gzip().unwrap_or(false)
    }

    /// Returns the file, to read it otherwise.
    pub(crate) fn into_file(self) -> File {
        self.file
    }

    fn starts_as_gzip(&self) -> std::io::Result<bool> {
        let mut start = [0; 2];
        Ok(self.file.read_at(&mut start, 0)? == 2 && start == GZIP)
    }

    /// Returns what it starts with, decompressed.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut start = vec![0; BUFFER];
        let length = self.file.read_at(&mut start, 0).unwrap_or(0);
        start.truncate(length);
        let mut head = Vec::new();
        if start.starts_with(&GZIP) {
            // What was decompressed before the data ends counts.
            drop(MultiGzDecoder::new(&start[..]).take(HEAD as u64).read_to_end(&mut head));
        } else {
            head = start;
            head.truncate(HEAD);
        }
        head
    }

    /// Reads all of it behind so many bytes. `goes_on` is asked between pieces.
    ///
    /// Returns what is wrong with it, where it cannot be read to its end.
    pub(crate) fn read(
        &self,
        scanner: &mut Scanner,
        visitor: &mut impl Visitor,
        skip: u64,
        mut goes_on: impl FnMut() -> bool,
    ) -> Option<String> {
        let wrong = |why: &str| Some(format!("{}: {why}", self.name));
        let mut first = Vec::new();
        // What cannot be read twice is read on from here.
        if let Err(error) = (&self.file).take(6).read_to_end(&mut first) {
            return wrong(&reason(&error));
        }
        let is_gzip = first.starts_with(&GZIP);
        if let Some((name, command)) = compressed(&first) {
            return wrong(&format!(
                "compressed with {name}, which is not read here: use `{command} … | kasm-db audit -`"
            ));
        }
        let plain = first.chain(&self.file);
        let mut reader: Box<dyn Read> =
            if is_gzip { Box::new(MultiGzDecoder::new(plain)) } else { Box::new(plain) };
        // What is damaged there is met again.
        drop(std::io::copy(&mut (&mut reader).take(skip), &mut std::io::sink()));
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

    /// Returns whether nothing comes for a while.
    fn is_silent(&self) -> bool {
        let mut polled = [PollFd::new(&self.file, PollFlags::IN)];
        poll(&mut polled, Some(&SILENCE)).is_ok_and(|ready| ready == 0)
    }
}

/// Creates a scanner of a log that must have this format, if one is named.
pub(crate) fn scanner(format: Option<Format>, prefix: Option<&Prefix>) -> Scanner {
    let scanner = Scanner::new(prefix);
    match format {
        Some(format) => scanner.expecting(format),
        None => scanner,
    }
}

/// Returns what else than gzip a file was compressed with, and what reads it.
fn compressed(start: &[u8]) -> Option<(&'static str, &'static str)> {
    OTHERS.iter().find(|(magic, ..)| start.starts_with(magic)).map(|(_, name, command)| (*name, *command))
}

/// Builds the error of a log that cannot be read.
pub fn unreadable(name: &str, error: &std::io::Error) -> Error {
    let failed = Error::of_system(format!("{name}: cannot read the log"), error);
    match error.kind() {
        ErrorKind::NotFound => {
            failed.help("check the path, or leave it out to read the logs of the document's targets")
        }
        ErrorKind::PermissionDenied => failed
            .help("run as root or with `sudo`: the log files are owned by the user that runs the server"),
        _ => failed,
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

    /// Uses no more room than what is left needs, until more is read.
    pub(crate) fn shrink(&mut self) {
        self.bytes.truncate(self.filled);
        self.bytes.shrink_to_fit();
    }

    /// Reads once and gives the number of bytes that came.
    pub(crate) fn more(&mut self, reader: &mut dyn Read) -> std::io::Result<usize> {
        if self.filled == self.bytes.len() {
            self.bytes.resize((2 * self.filled).clamp(BUFFER, LIMIT), 0);
        }
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

    /// Returns how many bytes are left.
    pub(crate) fn left(&self) -> u64 {
        self.filled as u64
    }

    /// Returns whether everything is done with.
    pub(crate) fn is_empty(&self) -> bool {
        self.filled == 0
    }
}
