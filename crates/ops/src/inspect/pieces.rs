//! The pieces of an archive: descriptions and layers by their names, read once from front to back.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::rc::Rc;

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::fault::Fault;
use super::layer::Layer;
use super::limits::Limits;
use super::tar::{Kind, Tar};
use super::zstd::Zstd;

/// The longest description that is read.
const LONGEST_TEXT: u64 = 4 << 20;

/// How many bytes tell what a piece is.
const HEAD: usize = 512;

/// The pieces of an archive, or those of a layout that were read.
#[derive(Default)]
pub(super) struct Pieces {
    all: BTreeMap<String, Rc<Piece>>,
    /// Names that stand for others: some archives write a layer once.
    links: BTreeMap<String, String>,
}

/// A piece, and the SHA-256 of its bytes.
pub(super) struct Piece {
    pub(super) sha256: String,
    /// Whether it is compressed.
    pub(super) is_compressed: bool,
    pub(super) content: Content,
}

/// What a piece is.
pub(super) enum Content {
    Text(Vec<u8>),
    /// A layer. What is wrong with one matters only if the image has it.
    Layer(Result<Layer, Fault>),
    Unknown,
}

impl Pieces {
    /// Reads an archive.
    pub(super) fn read(from: impl Read, limits: &Limits) -> Result<Self, Fault> {
        let mut from = Headed::new(from)?;
        match method(&from.head) {
            Some("gzip") => Self::of_tar(limits.counted(MultiGzDecoder::new(from)), limits),
            Some("zstd") => Self::of_tar(limits.counted(Zstd::new(from)), limits),
            Some(method) => Err(Fault::Compressed { what: "the archive", method }),
            None if from.head.is_empty() => Err(Fault::malformed("it is empty")),
            None => Self::of_tar(&mut from, limits),
        }
    }

    fn of_tar(from: impl Read, limits: &Limits) -> Result<Self, Fault> {
        let mut tar = Tar::new(limits.counted(from));
        let mut pieces = Self::default();
        while let Some(entry) = tar.next()? {
            let name = String::from_utf8_lossy(&entry.name).trim_start_matches("./").to_string();
            if !limits.takes_name(name.len() + entry.link.len()) {
                return Err(Fault::TooLarge("a million files"));
            }
            match entry.kind {
                Kind::File => {
                    let piece = Piece::read(&mut tar, entry.size, limits)?;
                    pieces.all.insert(name, Rc::new(piece));
                }
                Kind::Symlink | Kind::HardLink => {
                    let link = String::from_utf8_lossy(&entry.link).into_owned();
                    let target = if entry.kind == Kind::HardLink { link } else { beside(&name, &link) };
                    pieces.links.insert(name, target);
                }
                Kind::Folder | Kind::Other => {}
            }
        }
        Ok(pieces)
    }

    /// Returns a piece by its name.
    pub(super) fn get(&self, name: &str) -> Option<Rc<Piece>> {
        // A link to a link is nothing that anybody writes.
        self.all.get(name).or_else(|| self.all.get(self.links.get(name)?)).cloned()
    }

    /// Keeps a piece that was read by itself.
    pub(super) fn keep(&mut self, name: String, piece: Piece) -> Rc<Piece> {
        let piece = Rc::new(piece);
        self.all.insert(name, piece.clone());
        piece
    }
}

impl Piece {
    /// Reads a piece of so many bytes.
    pub(super) fn read(from: impl Read, size: u64, limits: &Limits) -> Result<Self, Fault> {
        let mut hashed = Hashed { from, hash: Sha256::new() };
        let mut from = Headed::new(&mut hashed)?;
        let is_text = from.head.trim_ascii_start().first().is_some_and(|byte| matches!(byte, b'{' | b'['));
        let is_compressed = method(&from.head).is_some();
        let content = match method(&from.head) {
            Some("gzip") => {
                let layer = Layer::read(limits.counted(MultiGzDecoder::new(&mut from)), limits);
                Content::Layer(checked(layer)?)
            }
            Some("zstd") => {
                let layer = Layer::read(limits.counted(Zstd::new(&mut from)), limits);
                Content::Layer(checked(layer)?)
            }
            Some(method) => Content::Layer(Err(Fault::Compressed { what: "a layer", method })),
            None if from.head.get(257..262) == Some(b"ustar") || from.head.iter().all(|byte| *byte == 0) => {
                Content::Layer(checked(Layer::read(limits.counted(&mut from), limits))?)
            }
            None if is_text && size <= LONGEST_TEXT => {
                if !limits.takes_text(size) {
                    return Err(Fault::TooLarge("16 MiB of descriptions"));
                }
                let mut text = Vec::new();
                (&mut from).take(LONGEST_TEXT).read_to_end(&mut text)?;
                Content::Text(text)
            }
            None => Content::Unknown,
        };
        // What is behind the end of a layer is part of its bytes.
        io::copy(&mut from, &mut io::sink())?;
        let sha256 = hashed.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { sha256, is_compressed, content })
    }
}

/// Passes on what ends everything: a limit, or an archive that cannot be read any more.
fn checked(layer: Result<Layer, Fault>) -> Result<Result<Layer, Fault>, Fault> {
    match layer {
        Err(Fault::TooLarge(what)) => Err(Fault::TooLarge(what)),
        Err(Fault::Io(error)) if error.kind() == io::ErrorKind::Other => Err(error.into()),
        other => Ok(other),
    }
}

/// Returns what something is compressed with.
fn method(head: &[u8]) -> Option<&'static str> {
    match head {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd"),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Some("xz"),
        [b'B', b'Z', b'h', ..] => Some("bzip2"),
        _ => None,
    }
}

/// Returns what a link in the folder of a name leads to.
fn beside(name: &str, link: &str) -> String {
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A stream whose first bytes were looked at.
struct Headed<R> {
    head: Vec<u8>,
    at: usize,
    from: R,
}

impl<R: Read> Headed<R> {
    fn new(mut from: R) -> io::Result<Self> {
        let mut head = Vec::new();
        (&mut from).take(HEAD as u64).read_to_end(&mut head)?;
        Ok(Self { head, at: 0, from })
    }
}

impl<R: Read> Read for Headed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut left = &self.head[self.at..];
        if left.is_empty() {
            return self.from.read(buffer);
        }
        let read = left.read(buffer)?;
        self.at += read;
        Ok(read)
    }
}

/// A stream whose SHA-256 is made.
struct Hashed<R> {
    from: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}
