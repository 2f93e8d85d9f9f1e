//! Reading files that a variable names: regular ones of a bounded size.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a regular file, with these flags besides.
///
/// # Errors
/// It cannot be opened, or is something else.
pub(crate) fn open(path: &Path, more: OFlags) -> io::Result<(File, Metadata)> {
    // Without waiting for whoever writes to a pipe; of a regular file this changes nothing.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY | more).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err(io::Error::other("not a regular file")) }
}

/// Reads a regular file of at most `limit` bytes. Of anything else nothing is read: a pipe would be waited for.
///
/// # Errors
/// It cannot be read, or is something else.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<(Vec<u8>, Metadata)> {
    read_with(path, limit, OFlags::empty())
}

/// Reads as [`read`] does, with these flags besides.
///
/// # Errors
/// As for [`read`].
pub(crate) fn read_with(path: &Path, limit: u64, more: OFlags) -> io::Result<(Vec<u8>, Metadata)> {
    let (file, metadata) = open(path, more)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("larger than {limit} bytes")));
    }
    Ok((bytes, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_folders_and_devices_are_not_waited_for_and_size_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "1234").unwrap();
        assert_eq!(read(&path, 4).unwrap().0, b"1234");
        assert_eq!(read(&path, 3).unwrap_err().to_string(), "larger than 3 bytes");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        for other in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
            assert_eq!(read(other, 9).unwrap_err().to_string(), "not a regular file", "{}", other.display());
        }
    }
}
