//! Creates the new file beside the old one, complete but for its sync, before any file is replaced.

use std::fs::File;
use std::path::Path;

use rustix::fs::{Gid, Mode, Uid};

use crate::bytes;
use crate::dir::Dir;
use crate::error::{Error, Operation};
use crate::member::Member;
use crate::metadata::{Identity, Rights};
use crate::path::staged_name;
use crate::xattr::{self, Xattr};

/// Stages the new content of a member; the file is returned for its sync.
pub(crate) fn stage(member: &mut Member<'_>) -> Result<File, Error> {
    for name in std::mem::take(&mut member.stale) {
        member.dir.remove(&name, Operation::RemoveStale)?;
    }
    let name = member.staged_name();
    let file = member.dir.create(&name, Operation::Stage)?;
    member.litter.push(name);
    let path = member.dir.join(&member.staged_name());
    let (rights, content) = (member.target.rights(), &member.change.after);
    let (staged, lost) = fill(&file, &path, content, rights, &member.xattrs)?;
    member.lost_xattrs = lost;
    member.staged = Some(staged);
    Ok(file)
}

/// Stages a content for a file that is not known by a member, with the attributes of what is there.
pub(crate) fn restage(
    dir: &Dir,
    name: &std::ffi::OsStr,
    content: &[u8],
    rights: Rights,
    xattrs: &[Xattr],
) -> Result<(), Error> {
    let staged = staged_name(name);
    dir.remove(&staged, Operation::RemoveStale)?;
    let file = dir.create(&staged, Operation::Stage)?;
    let path = dir.join(&staged);
    fill(&file, &path, content, rights, xattrs)?;
    crate::state::files::sync_file(&file, &path)
}

/// Returns a new file its content, owner, attributes and mode.
///
/// At no moment can anybody read or write the new content who could not read or write the old one: the file is
/// born with mode 0600 and belongs to us, then to its final owner, and gets its final rights last.
fn fill(
    file: &File,
    path: &Path,
    content: &[u8],
    rights: Rights,
    xattrs: &[Xattr],
) -> Result<(Identity, Vec<String>), Error> {
    // The content goes first: writing drops set-user-ID bits and file capabilities.
    bytes::write_all(file, content).map_err(|errno| Error::io(path, Operation::Write, errno))?;
    let born = identity(file, path)?;
    // Owner before mode: a change of owner drops set-user-ID bits. And only where they differ: file systems
    // without owners refuse the call even when it would change nothing.
    if (born.uid, born.gid) != (rights.uid, rights.gid) {
        let (uid, gid) = (Uid::from_raw(rights.uid), Gid::from_raw(rights.gid));
        rustix::fs::fchown(file, Some(uid), Some(gid))
            .map_err(|errno| Error::io(path, Operation::SetOwner, errno))?;
    }
    let lost = xattr::apply(xattrs, file, path)?;
    // All bits as they were, set-user-ID included: who may replace such a file by name could set them anyway.
    // Not by the standard library, which tries again for as long as it is interrupted.
    rustix::fs::fchmod(file, Mode::from_raw_mode(rights.mode))
        .map_err(|errno| Error::io(path, Operation::SetMode, errno))?;
    let staged = identity(file, path)?;
    // The kernel drops set-group-ID silently when the user is not in the group.
    if staged.rights() != rights {
        let Rights { uid, gid, mode } = rights;
        return Err(Error::NotCarriedOver { path: path.to_path_buf(), uid, gid, mode });
    }
    Ok((staged, lost))
}

fn identity(file: &File, path: &Path) -> Result<Identity, Error> {
    let found = file.metadata().map_err(|error| Error::io(path, Operation::Inspect, error))?;
    Ok(Identity::of(&found))
}
