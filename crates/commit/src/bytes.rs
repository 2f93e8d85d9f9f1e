//! Reading and writing of whole contents.
//!
//! The standard library tries again after `EINTR` for as long as it comes. Here it is tried a bounded number of
//! times: a file system that does nothing but interrupt must end a run with an error.

use std::os::fd::AsFd;

use rustix::io::Errno;

/// More interruptions than signals bring.
const PATIENCE: u32 = 100;

/// What is read at once of a file that is longer than it was, in bytes.
const CHUNK: usize = 1 << 16;

/// Writes all bytes where the descriptor stands.
pub(crate) fn write_all(file: impl AsFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match patiently(|| rustix::io::write(&file, bytes))? {
            // Of a regular file this cannot be; to try on would be forever.
            0 => return Err(Errno::IO),
            written => bytes = bytes.get(written..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// Reads from where the descriptor stands to the end, but no more than `limit` bytes and one more.
///
/// `likely` is how many bytes there probably are.
pub(crate) fn read_up_to(file: impl AsFd, limit: u64, likely: u64) -> Result<Vec<u8>, Errno> {
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX).saturating_add(1);
    let most = size(limit);
    let mut bytes = vec![0; size(likely).min(most)];
    let mut filled = 0;
    loop {
        let got = patiently(|| rustix::io::read(&file, bytes.get_mut(filled..).unwrap_or_default()))?;
        filled += got;
        // There was room for more. A file that has grown since it was looked at would have filled it.
        let is_all = u64::try_from(filled) == Ok(likely) && filled < bytes.len();
        if got == 0 || filled == most || is_all {
            bytes.truncate(filled);
            return Ok(bytes);
        }
        if filled == bytes.len() {
            bytes.resize(filled + CHUNK.min(most - filled), 0);
        }
    }
}

fn patiently<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    let mut left = PATIENCE;
    loop {
        match call() {
            Err(Errno::INTR) if left > 0 => left -= 1,
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_interrupts_ends_with_an_error() {
        let mut calls = 0;
        let outcome: Result<(), _> = patiently(|| {
            calls += 1;
            Err(Errno::INTR)
        });
        assert_eq!((outcome, calls), (Err(Errno::INTR), PATIENCE + 1));
    }

    #[test]
    fn no_more_is_read_than_asked_for_and_one_byte() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a");
        let content: Vec<u8> = (0..200_000_u32).map(|at| at.to_le_bytes()[0]).collect();
        write_all(std::fs::File::create(&path).unwrap(), &content).unwrap();
        for likely in [0, 1, 65_535, 65_536, 199_999, 200_000, 200_001, 300_000] {
            let read = |limit| read_up_to(std::fs::File::open(&path).unwrap(), limit, likely).unwrap();
            assert_eq!(read(1 << 40), content);
            assert_eq!(read(200_000), content);
            assert_eq!(read(199_999), content);
            assert_eq!(read(199_998), content[..199_999]);
            assert_eq!(read(70_000), content[..70_001]);
            assert_eq!(read(0), content[..1]);
        }
    }
}
