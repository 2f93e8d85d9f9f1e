//! Writes into a file instead of exchanging it: its inode stays, and so does what a container has mounted.
//!
//! A reader may see the file while it is being written, and a crash may leave it torn. So the journal, a
//! backup and a copy of the new content come first.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::bytes;
use crate::digest::Digest;
use crate::dir::{Dir, Opened};
use crate::error::{Error, Operation};
use crate::member::{Member, Progress};
use crate::metadata::{FileInfo, Identity, require_regular};
use crate::state::files::sync_file;

/// Replaces the content of a member's file, which must still be what the checks saw.
pub(crate) fn replace(member: &mut Member<'_>) -> Result<(), Error> {
    let path = member.path();
    let mut file = open(&member.dir, member.name, &path)?;
    let is_target = identity(&file, &path)? == member.target;
    if !is_target || content(&file, &path, &member.change.before)?.as_ref() != Some(&member.change.before) {
        return Err(Error::Changed { path });
    }
    // Before the first byte: what comes after may have written any number of them.
    member.progress = Progress::Written;
    write(&mut file, &path, &member.change.after)
}

/// Returns a member's file its old content back, unless somebody else has written to it.
pub(crate) fn put_back(member: &mut Member<'_>) -> Result<(), Error> {
    let path = member.path();
    let mut file = open(&member.dir, member.name, &path)?;
    let (before, after) = (&member.change.before, &member.change.after);
    let longest = if before.len() > after.len() { before } else { after };
    let found = content(&file, &path, longest)?;
    if identity(&file, &path)? != member.target || !found.is_some_and(|found| is_torn(&found, before, after))
    {
        return Err(Error::Changed { path });
    }
    write(&mut file, &path, before)?;
    member.progress = Progress::Untouched;
    Ok(())
}

/// Writes a content over that of a file which was looked at, and is still open: the descriptor that is written to is of that
/// very file, which has no second name, and holds what was `seen` in it. Who may write to its folder could have put a second
/// name of any other file there.
pub(crate) fn overwrite(
    dir: &Dir,
    name: &OsStr,
    looked_at: &Opened,
    seen: Digest,
    content: &[u8],
) -> Result<(), Error> {
    let path = dir.join(name);
    let mut file = open(dir, name, &path)?;
    let found = file.metadata().map_err(|error| Error::io(&path, Operation::Inspect, error))?;
    let found = FileInfo::of(&found);
    let len = looked_at.metadata.len();
    let holds =
        bytes::read_up_to(&file, len, len).map_err(|errno| Error::io(&path, Operation::Read, errno))?;
    if !found.is_same(&FileInfo::of(&looked_at.metadata)) || found.nlink != 1 || Digest::of(&holds) != seen {
        return Err(Error::Changed { path });
    }
    write(&mut file, &path, content)
}

/// Returns whether a content is what a write of `new` over `old`, or the other way round, can have left.
///
/// Every byte is that of the one or of the other, or a zero where a block never reached the disk. What a
/// person or a program changes looks different: the rest of the file moves, or a byte is neither.
pub(crate) fn is_torn(found: &[u8], old: &[u8], new: &[u8]) -> bool {
    let shortest = old.len().min(new.len());
    let longest = old.len().max(new.len());
    let explained =
        |(at, byte): (usize, &u8)| *byte == 0 || old.get(at) == Some(byte) || new.get(at) == Some(byte);
    (shortest..=longest).contains(&found.len()) && found.iter().enumerate().all(explained)
}

fn open(dir: &Dir, name: &OsStr, path: &Path) -> Result<File, Error> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let failed = |errno| Error::io(path, Operation::InPlace, errno);
    let file = File::from(rustix::fs::openat(dir, name, flags, Mode::empty()).map_err(failed)?);
    let found = file.metadata().map_err(|error| Error::io(path, Operation::Inspect, error))?;
    require_regular(path, &FileInfo::of(&found)).map(|()| file)
}

fn identity(file: &File, path: &Path) -> Result<Identity, Error> {
    let found = file.metadata().map_err(|error| Error::io(path, Operation::Inspect, error))?;
    Ok(Identity::of(&found))
}

/// Reads a file that should be no longer than `like`; `None` if it is.
fn content(file: &File, path: &Path, like: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let limit = u64::try_from(like.len()).unwrap_or(u64::MAX);
    let found =
        bytes::read_up_to(file, limit, limit).map_err(|errno| Error::io(path, Operation::Read, errno))?;
    Ok((found.len() <= like.len()).then_some(found))
}

/// Never truncated first: the longer the file is whole in part, the better.
fn write(file: &mut File, path: &Path, content: &[u8]) -> Result<(), Error> {
    let failed = |error| Error::io(path, Operation::InPlace, error);
    let before = file.metadata().map_err(failed)?.len();
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    bytes::write_all(&*file, content).map_err(|errno| Error::io(path, Operation::InPlace, errno))?;
    let len = u64::try_from(content.len()).unwrap_or(u64::MAX);
    let now = file.metadata().map_err(failed)?.len();
    // Somebody has appended to it meanwhile, and to cut it off would cut that off.
    if now > before.max(len) {
        return Err(Error::Changed { path: path.to_path_buf() });
    }
    if now > len {
        rustix::fs::ftruncate(&*file, len).map_err(|errno| Error::io(path, Operation::InPlace, errno))?;
    }
    sync_file(file, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_stopped_anywhere_is_torn_and_an_edit_is_not() {
        let (old, new) = (b"port = 80\nlog = off\n".as_slice(), b"port = 8080\nlog = off\n".as_slice());
        for (from, to) in [(old, new), (new, old)] {
            for written in 0..=to.len() {
                let tail = from.get(written..).unwrap_or_default();
                let torn = [&to[..written], tail].concat();
                assert!(is_torn(&torn, from, to), "{written}");
            }
        }
        assert!(is_torn(b"port = 8080\0\0\0\0\0\0\0\0\0\0", old, new));
        for edited in [b"port = 443\nlog = off\n".as_slice(), b"port = 80\nlog = on\n", b"", b"port = 80\n"] {
            assert!(!is_torn(edited, old, new));
        }
        assert!(!is_torn(&[old, b"# mine\n"].concat(), old, new));
    }
}
