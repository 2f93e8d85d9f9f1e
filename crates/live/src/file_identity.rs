//! Which file it is, whatever name it has.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;

/// Distinguishes one file from another of the same name: device and inode.
pub(crate) fn identity(metadata: io::Result<Metadata>) -> Option<(u64, u64)> {
    metadata.ok().map(|metadata| (metadata.dev(), metadata.ino()))
}
