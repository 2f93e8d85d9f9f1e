//! How much of an image is read, whoever made it.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// How many bytes all layers may have, decompressed.
const BYTES: u64 = 16 << 30;

/// How many bytes of names are kept: those of a million files.
const NAMES: u64 = 64 << 20;

/// How many bytes of descriptions are kept.
const TEXTS: u64 = 16 << 20;

/// What may still be read of an image.
#[derive(Clone, Debug)]
pub(super) struct Limits(Rc<Left>);

#[derive(Debug)]
struct Left {
    bytes: Cell<u64>,
    names: Cell<u64>,
    texts: Cell<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self(Rc::new(Left { bytes: Cell::new(BYTES), names: Cell::new(NAMES), texts: Cell::new(TEXTS) }))
    }
}

impl Limits {
    /// Returns whether a name of so many bytes may be kept.
    pub(super) fn takes_name(&self, length: usize) -> bool {
        // A node in memory has about as many bytes besides.
        take(&self.0.names, length as u64 + 64)
    }

    /// Returns whether a description of so many bytes may be kept.
    pub(super) fn takes_text(&self, length: u64) -> bool {
        take(&self.0.texts, length)
    }

    /// Counts what is read.
    pub(super) fn counted<R: Read>(&self, from: R) -> Counted<R> {
        Counted { from, limits: self.clone() }
    }
}

fn take(left: &Cell<u64>, wanted: u64) -> bool {
    let after = left.get().checked_sub(wanted);
    left.set(after.unwrap_or(0));
    after.is_some()
}

/// A stream whose bytes count.
pub(super) struct Counted<R> {
    from: R,
    limits: Limits,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        if !take(&self.limits.0.bytes, read as u64) {
            return Err(io::Error::other("it has more than 16 GiB of files"));
        }
        Ok(read)
    }
}
