//! What a caller keeps beside the generations: what is to follow a commit, and what is managed.

use std::ffi::OsStr;

use super::StateDir;
use super::files::{Readers, Unsynced, read, replace, stage, sweep};
use crate::digest::Digest;
use crate::error::{Error, Operation};
use crate::record::Generation;

const FOLLOW_UP: &str = "follow-up";
const FOLLOW_UP_NEXT: &str = "follow-up.next";
const FOLLOW_UP_NEW: &str = "follow-up.new";
const MANAGED: &str = "managed";
const MANAGED_NEXT: &str = "managed.next";
const MANAGED_NEW: &str = "managed.new";

/// More than either can come to: they are made from a document and those that it extends.
const MAX_KEPT: u64 = 16 << 20;

impl StateDir {
    /// Creates what was staged with a commit that is made the one that holds.
    pub(super) fn take_over(&self, record: &Generation) -> Result<(), Error> {
        let staged = [
            (record.follow_up, FOLLOW_UP_NEXT, FOLLOW_UP, Operation::FollowUp),
            (record.managed, MANAGED_NEXT, MANAGED, Operation::Managed),
        ];
        let mut has_taken = false;
        for (digest, next, name, operation) in staged {
            let (next, name) = (OsStr::new(next), OsStr::new(name));
            if digest.is_some() && self.dir.entry(next)?.is_some() {
                self.dir.rename(next, &self.dir, name, operation)?;
                has_taken = true;
            }
        }
        if has_taken { self.dir.synced() } else { Ok(()) }
    }

    /// Returns whether what was staged with a commit is there, or was taken over already.
    pub(crate) fn staged_is_whole(&self, record: &Generation) -> Result<bool, Error> {
        let is_whole = |name: &str, wanted: Option<Digest>| -> Result<bool, Error> {
            let Some(wanted) = wanted else { return Ok(true) };
            let next = read(&self.dir, OsStr::new(name), MAX_KEPT)?;
            Ok(next.is_none_or(|bytes| Digest::of(&bytes) == wanted))
        };
        Ok(is_whole(FOLLOW_UP_NEXT, record.follow_up)? && is_whole(MANAGED_NEXT, record.managed)?)
    }

    /// Returns whether something that was staged with a commit has yet to be taken over.
    pub(crate) fn staged_waits(&self) -> Result<bool, Error> {
        let is_there = |name| Ok(self.dir.entry(OsStr::new(name))?.is_some());
        Ok(is_there(FOLLOW_UP_NEXT)? || is_there(MANAGED_NEXT)?)
    }

    /// Writes what is to follow a commit that is being prepared.
    pub(crate) fn stage_follow_up(&self, bytes: &[u8], unsynced: &mut Unsynced) -> Result<(), Error> {
        stage(&self.dir, FOLLOW_UP_NEXT, bytes, Readers::Owner, Operation::FollowUp, unsynced)
    }

    /// Writes what is managed after a commit that is being prepared.
    pub(crate) fn stage_managed(
        &self,
        bytes: &[u8],
        is_secret: bool,
        unsynced: &mut Unsynced,
    ) -> Result<(), Error> {
        let readers = if is_secret { Readers::Owner } else { Readers::Everybody };
        stage(&self.dir, MANAGED_NEXT, bytes, readers, Operation::Managed, unsynced)
    }

    pub(crate) fn follow_up(&self) -> Result<Option<Vec<u8>>, Error> {
        read(&self.dir, OsStr::new(FOLLOW_UP), MAX_KEPT)
    }

    pub(crate) fn set_follow_up(&self, bytes: &[u8]) -> Result<(), Error> {
        let names = [FOLLOW_UP_NEW, FOLLOW_UP];
        replace(&self.dir, names, bytes, Readers::Owner, Operation::FollowUp)
    }

    pub(crate) fn clear_follow_up(&self) -> Result<(), Error> {
        self.dir.remove(OsStr::new(FOLLOW_UP), Operation::FollowUp)?;
        self.dir.synced()
    }

    pub(crate) fn managed(&self) -> Result<Option<Vec<u8>>, Error> {
        read(&self.dir, OsStr::new(MANAGED), MAX_KEPT)
    }

    pub(crate) fn set_managed(&self, bytes: &[u8]) -> Result<(), Error> {
        replace(&self.dir, [MANAGED_NEW, MANAGED], bytes, Readers::Everybody, Operation::Managed)
    }

    /// Removes what was staged for a commit that is not under way.
    pub(super) fn sweep_staged(&self) -> Result<(), Error> {
        let names = [FOLLOW_UP_NEXT, FOLLOW_UP_NEW, MANAGED_NEXT, MANAGED_NEW];
        names.into_iter().try_for_each(|name| sweep(&self.dir, name))
    }
}
