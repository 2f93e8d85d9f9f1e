//! Makes the new file beside the old one, complete and synced, before any file is replaced.

use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, fchown};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Error, Occupant, Operation};
use crate::member::Member;
use crate::metadata::Identity;
use crate::xattr;

/// Stages the new content of a member.
///
/// At no moment can anybody read or write the new content who could not read or write the old one: the file is
/// born with mode 0600 and belongs to us, then to its final owner, and gets its final rights last.
pub(crate) fn stage(member: &mut Member<'_>) -> Result<(), Error> {
    for name in std::mem::take(&mut member.stale) {
        member.dir.remove(&name, Operation::RemoveStale)?;
    }
    let name = member.staged_name();
    let path = member.dir.join(&name);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = match rustix::fs::openat(&*member.dir, &name, flags, Mode::RUSR | Mode::WUSR) {
        Ok(fd) => File::from(fd),
        Err(Errno::EXIST) => return Err(Error::NameTaken { path, by: Occupant::Intruder }),
        Err(errno) => return Err(Error::io(path, Operation::Stage, errno)),
    };
    member.litter.push(name);

    // The content goes first: writing drops set-user-ID bits and file capabilities.
    file.write_all(&member.change.after).map_err(|error| Error::io(&path, Operation::Write, error))?;
    let born = identity(&file, &path)?;
    let target = &member.target;
    // Owner before mode: a change of owner drops set-user-ID bits. And only where they differ: file systems
    // without owners refuse the call even when it would change nothing.
    if (born.uid, born.gid) != (target.uid, target.gid) {
        fchown(&file, Some(target.uid), Some(target.gid))
            .map_err(|error| Error::io(&path, Operation::SetOwner, error))?;
    }
    member.lost_xattrs = xattr::apply(&member.xattrs, &file, &path)?;
    // All bits as they were, set-user-ID included: who may replace such a file by name could set them anyway.
    file.set_permissions(Permissions::from_mode(target.mode))
        .map_err(|error| Error::io(&path, Operation::SetMode, error))?;
    // Not `File::sync_all`, which tries again after EINTR: a second fsync may report success for lost pages.
    rustix::fs::fsync(&file).map_err(|errno| Error::io(&path, Operation::Sync, errno))?;

    let staged = identity(&file, &path)?;
    // The kernel drops set-group-ID silently when the user is not in the group.
    if !staged.same_rights(target) {
        let Identity { uid, gid, mode, .. } = *target;
        return Err(Error::NotCarriedOver { path, uid, gid, mode });
    }
    member.staged = Some(staged);
    Ok(())
}

fn identity(file: &File, path: &Path) -> Result<Identity, Error> {
    let found = file.metadata().map_err(|error| Error::io(path, Operation::Inspect, error))?;
    Ok(Identity::of(&found))
}
