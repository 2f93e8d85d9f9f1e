//! One file of a set: what is known of it, and the checks that come before anything is written.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{AtFlags, StatxAttributes, StatxFlags};

use crate::change::Change;
use crate::digest::Digest;
use crate::dir::Dir;
use crate::error::{Error, Occupant, Operation, Protection};
use crate::metadata::{FileInfo, Identity, Rights};
use crate::path::{RelPath, kept_name, staged_name};
use crate::record::Replaced;
use crate::xattr::{self, Xattr};

/// Holding one proves that its file passed the checks.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    pub(crate) change: &'a Change,
    pub(crate) dir: Rc<Dir>,
    pub(crate) name: &'a OsStr,
    /// The file as the checks saw it.
    pub(crate) target: Identity,
    pub(crate) xattrs: Vec<Xattr>,
    /// Names beside the file that an earlier commit left.
    pub(crate) stale: Vec<OsString>,
    /// The new file, once it is complete.
    pub(crate) staged: Option<Identity>,
    pub(crate) progress: Progress,
    /// Names this commit made and has to remove, whatever happens; but see [`Progress`].
    pub(crate) litter: Vec<OsString>,
    pub(crate) lost_xattrs: Vec<String>,
    pub(crate) in_place: bool,
    /// Where the old content is kept, once it is.
    pub(crate) backup: Option<PathBuf>,
}

/// Where the two contents of a member are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The old one is in the file.
    Untouched,
    /// The new one is in the file, the old one under the staged name.
    Exchanged,
    /// The new one is in the file, the old one under the kept name.
    Renamed,
    /// The new one is written into the file, or a part of it.
    Written,
}

impl<'a> Member<'a> {
    pub(crate) fn check(
        dir: Rc<Dir>,
        path: RelPath<'a>,
        change: &'a Change,
        in_place: bool,
    ) -> Result<Member<'a>, Error> {
        let name = path.name();
        let shown = dir.join(name);
        let missing = || Error::Missing { path: shown.clone() };
        let opened = dir.open_regular(name)?.ok_or_else(missing)?;
        let found = FileInfo::of(&opened.metadata);
        let stale = stale_names(&dir, name, &found)?;
        // A link that a commit without `RENAME_EXCHANGE` left is a second name, but it goes first.
        let ours = dir.entry(&kept_name(name))?.is_some_and(|kept| kept.is_same(&found));
        if found.nlink != if ours { 2 } else { 1 } {
            return Err(Error::HardLinked { path: shown, links: found.nlink });
        }
        refuse_protected(&opened.file, &shown, if in_place { Mounts::Allowed } else { Mounts::Refused })?;
        if in_place {
            rustix::fs::accessat(&*dir, name, rustix::fs::Access::WRITE_OK, AtFlags::empty())
                .map_err(|errno| Error::io(&shown, Operation::InPlace, errno))?;
        }
        let xattrs = xattr::read_all(&opened.file, &shown)?;
        if opened.read(&shown, len(&change.before))?.as_ref() != Some(&change.before) {
            return Err(Error::Changed { path: shown });
        }
        Ok(Member {
            change,
            dir,
            name,
            target: found.identity,
            xattrs,
            stale,
            staged: None,
            progress: Progress::Untouched,
            litter: Vec::new(),
            lost_xattrs: Vec::new(),
            in_place,
            backup: None,
        })
    }

    /// What the journal says of it.
    pub(crate) fn record(&self) -> Replaced {
        let Change { path, before, after } = self.change;
        let Rights { mode, uid, gid } = self.target.rights();
        Replaced {
            path: path.clone(),
            before: Some(Digest::of(before)),
            before_len: len(before),
            after: Some(Digest::of(after)),
            after_len: len(after),
            mode,
            uid,
            gid,
            in_place: self.in_place,
        }
    }

    /// The absolute path, for messages.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join(self.name)
    }

    pub(crate) fn staged_name(&self) -> OsString {
        staged_name(self.name)
    }

    pub(crate) fn kept_name(&self) -> OsString {
        kept_name(self.name)
    }

    /// Returns whether a name stands for the file as the checks saw it, with the old content.
    pub(crate) fn is_old(&self, name: &OsStr) -> Result<bool, Error> {
        holds(&self.dir, name, &self.target, &self.change.before)
    }

    /// Returns whether a name stands for the file this commit staged, with the new content.
    pub(crate) fn is_new(&self, name: &OsStr) -> Result<bool, Error> {
        match &self.staged {
            Some(staged) => holds(&self.dir, name, staged, &self.change.after),
            None if self.in_place => holds(&self.dir, name, &self.target, &self.change.after),
            None => Ok(false),
        }
    }
}

fn holds(dir: &Dir, name: &OsStr, identity: &Identity, bytes: &[u8]) -> Result<bool, Error> {
    let opened = match dir.open_regular(name) {
        Ok(Some(opened)) => opened,
        Ok(None) | Err(Error::Symlink { .. } | Error::NotRegular { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    if Identity::of(&opened.metadata) != *identity {
        return Ok(false);
    }
    Ok(opened.read(&dir.join(name), len(bytes))?.is_some_and(|found| found == bytes))
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Refuses a directory in which names cannot be changed.
pub(crate) fn check_directory(dir: &Dir) -> Result<(), Error> {
    refuse_protected(dir, dir.path(), Mounts::Allowed)?;
    // Without AT_EACCESS: real and effective user are one here, and `faccessat2` is often missing from seccomp
    // filters. It tells of read-only file systems too.
    let write = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    rustix::fs::accessat(dir, ".", write, AtFlags::empty())
        .map_err(|errno| Error::io(dir.path(), Operation::WriteDirectory, errno))
}

/// Returns which of the names beside a file an earlier commit has left, for sure.
pub(crate) fn stale_names(dir: &Dir, name: &OsStr, target: &FileInfo) -> Result<Vec<OsString>, Error> {
    let mut stale = Vec::new();
    for beside in [staged_name(name), kept_name(name)] {
        let Some(found) = dir.entry(&beside)? else { continue };
        if let Some(by) = stranger(&found, target) {
            return Err(Error::NameTaken { path: dir.join(&beside), by });
        }
        stale.push(beside);
    }
    Ok(stale)
}

/// Returns why something cannot be the rest of an earlier commit of the file `target`.
fn stranger(found: &FileInfo, target: &FileInfo) -> Option<Occupant> {
    if let Some(other) = found.occupant() {
        return Some(other);
    }
    // A commit makes its files as the running user and gives them to the owner of the target.
    let us = rustix::process::geteuid().as_raw();
    if found.identity.uid != us && found.identity.uid != target.identity.uid {
        return Some(Occupant::OtherOwner(found.identity.uid));
    }
    if found.nlink != if found.is_same(target) { 2 } else { 1 } {
        return Some(Occupant::HardLinked(found.nlink));
    }
    None
}

/// Refuses what the file system itself says cannot be renamed.
fn refuse_protected(file: impl AsFd, path: &Path, mounts: Mounts) -> Result<(), Error> {
    // Where it cannot be asked, the rename will tell.
    let Ok(found) = rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::empty()) else {
        return Ok(());
    };
    let attributes = found.stx_attributes;
    let by = if attributes.contains(StatxAttributes::IMMUTABLE) {
        Protection::Immutable
    } else if attributes.contains(StatxAttributes::APPEND) {
        Protection::AppendOnly
    } else if mounts == Mounts::Refused && attributes.contains(StatxAttributes::MOUNT_ROOT) {
        Protection::MountPoint
    } else {
        return Ok(());
    };
    Err(Error::Protected { path: path.to_path_buf(), by })
}

/// Whether a mount point will do: for a directory whose names change yes, for a file to be renamed no.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mounts {
    Allowed,
    Refused,
}
