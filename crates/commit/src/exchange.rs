//! Puts the staged file in the place of the old one, and back.

use std::ffi::OsStr;

use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;

use crate::error::{Error, Occupant, Operation};
use crate::in_place;
use crate::member::{Member, Progress};
use crate::outcome::{Content, Kept, Pending};

/// Replaces the file of a member.
///
/// On an error the member's place says how far it came. An exchange rather than a rename, because what was
/// replaced can be looked at afterwards: a change that another process made between the last look and the
/// exchange is found and goes back.
pub(crate) fn replace(member: &mut Member<'_>) -> Result<(), Error> {
    if member.in_place {
        return in_place::replace(member);
    }
    require_intact(member)?;
    replace_by_exchange(member)
}

fn replace_by_exchange(member: &mut Member<'_>) -> Result<(), Error> {
    match exchange(member) {
        Ok(()) => member.progress = Progress::Exchanged,
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => return replace_by_link(member),
        Err(errno) => return Err(Error::io(member.path(), Operation::Exchange, errno)),
    }
    require_old(member, &member.staged_name())
}

/// Does the same with a hard link and a rename, where the file system cannot exchange names.
///
/// What it lacks: a file that another process renames into place between the last look and our rename is lost.
/// Writes into the old file are still found, through the link.
pub(crate) fn replace_by_link(member: &mut Member<'_>) -> Result<(), Error> {
    let (dir, staged, kept) = (member.dir.clone(), member.staged_name(), member.kept_name());
    rustix::fs::linkat(&*dir, member.name, &*dir, &kept, AtFlags::empty())
        .map_err(|errno| Error::io(member.path(), Operation::Link, errno))?;
    member.litter.push(kept.clone());
    // The old content must not lose its second name before it loses its first.
    dir.synced()?;
    require_old(member, &kept)?;
    rustix::fs::renameat(&*dir, &staged, &*dir, member.name)
        .map_err(|errno| Error::io(member.path(), Operation::Rename, errno))?;
    member.progress = Progress::Renamed;
    member.litter.retain(|name| *name != staged);
    require_old(member, &kept)
}

/// Returns the file of a member its old content back, unless another process has written to it meanwhile.
pub(crate) fn put_back(member: &mut Member<'_>) -> Result<(), Error> {
    match member.progress {
        Progress::Untouched => Ok(()),
        Progress::Exchanged => exchange_back(member),
        Progress::Renamed => rename_back(member),
        Progress::Written => in_place::put_back(member),
    }
}

fn exchange_back(member: &mut Member<'_>) -> Result<(), Error> {
    let failed = |errno| Error::io(member.path(), Operation::PutBack, errno);
    exchange(member).map_err(failed)?;
    if member.is_new(&member.staged_name())? {
        member.progress = Progress::Untouched;
        return Ok(());
    }
    // What came out is not what we put in: somebody's newer work. It gets its place again.
    exchange(member).map_err(failed)?;
    Err(Error::Changed { path: member.path() })
}

fn rename_back(member: &mut Member<'_>) -> Result<(), Error> {
    if !member.is_new(member.name)? {
        return Err(Error::Changed { path: member.path() });
    }
    let kept = member.kept_name();
    rustix::fs::renameat(&*member.dir, &kept, &*member.dir, member.name)
        .map_err(|errno| Error::io(member.path(), Operation::PutBack, errno))?;
    member.progress = Progress::Untouched;
    member.litter.retain(|name| *name != kept);
    Ok(())
}

/// Returns where the contents of a member are, by looking, and takes care that none is removed.
pub(crate) fn pending(member: &mut Member<'_>, why: Error) -> Pending {
    member.litter.clear();
    let beside = if member.progress == Progress::Renamed { member.kept_name() } else { member.staged_name() };
    let content = if member.in_place { Content::Missing } else { seen(member, &beside) };
    let kept = if content == Content::Missing {
        member.backup.clone().map(|path| Kept { path, content: Content::Old })
    } else {
        Some(Kept { path: member.dir.join(&beside), content })
    };
    Pending { path: member.path(), holds: seen(member, member.name), kept, why }
}

fn seen(member: &Member<'_>, name: &OsStr) -> Content {
    match (member.is_old(name), member.is_new(name), member.dir.entry(name)) {
        (Ok(true), ..) => Content::Old,
        (_, Ok(true), _) => Content::New,
        (.., Ok(None)) => Content::Missing,
        (Ok(false), Ok(false), Ok(Some(_))) => Content::Foreign,
        _ => Content::Unknown,
    }
}

fn exchange(member: &Member<'_>) -> Result<(), Errno> {
    let dir = &*member.dir;
    rustix::fs::renameat_with(dir, member.staged_name(), dir, member.name, RenameFlags::EXCHANGE)
}

fn require_intact(member: &Member<'_>) -> Result<(), Error> {
    let staged = member.staged_name();
    if !member.is_new(&staged)? {
        return Err(Error::NameTaken { path: member.dir.join(&staged), by: Occupant::Intruder });
    }
    require_old(member, member.name)
}

fn require_old(member: &Member<'_>, name: &OsStr) -> Result<(), Error> {
    if member.is_old(name)? { Ok(()) } else { Err(Error::Changed { path: member.path() }) }
}

#[cfg(test)]
mod tests;
