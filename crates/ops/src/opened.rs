//! A target on its way through a run: its folder open, its files read once, its lock held.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use commit::{Lock, Root};
use model::DesiredState;
use render::{
    Bytes, Found, Images, Managed, ObservedState, Plan, Snapshot, Source, Target, observe, reconcile,
    reconcile_with,
};

use crate::chroot::Chroot;
use crate::context::Context;
use crate::disk::Disk;
use crate::error::Error;
use crate::inspect::{Known, Looked};
use crate::observer::Event;
use crate::outcome::Outcome;
use crate::recovery;
use crate::selection::Selection;
use crate::target_dir::TargetDir;
use crate::written_record;

/// A target whose folder is open. Whatever happens to the path afterwards, this is the folder that is read and written.
#[derive(Debug)]
pub struct Rooted {
    /// The target.
    pub target: Target,
    /// Its folder as it was named.
    pub(crate) named: PathBuf,
    pub(crate) root: Root,
    /// The file system that absolute paths are in, with `--root`.
    pub(crate) chroot: Option<Chroot>,
    /// Who is asked what images hold.
    pub(crate) images: Option<Arc<Known>>,
}

/// A target whose files were read, once: a plan, its status and a look at its server see the same bytes.
#[derive(Debug)]
pub struct Opened<'a> {
    pub(crate) rooted: &'a Rooted,
    pub(crate) observed: ObservedState,
}

/// A target that nobody else applies to meanwhile.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    pub(crate) rooted: &'a Rooted,
    /// Targets of one folder share it, and write one after the other.
    pub(crate) lock: Arc<Lock<'a>>,
}

impl Rooted {
    /// Opens the folder of a target.
    ///
    /// # Errors
    /// It is not there, or may not be entered.
    pub fn open(dir: &TargetDir, selection: &Selection) -> Result<Self, Error> {
        let chroot = selection.chroot();
        let (target, named) = (dir.target.clone(), dir.folder.clone());
        Ok(Self {
            target,
            named,
            root: dir.open(chroot.as_ref())?,
            chroot,
            images: selection.inspect.clone(),
        })
    }

    /// Returns where the folder is, with all links followed.
    pub fn folder(&self) -> String {
        self.root.path().display().to_string()
    }

    /// Reads the files of the target.
    pub fn read(&self) -> Opened<'_> {
        let images = self.images.clone().map(|known| known as Arc<dyn Images>);
        Opened { rooted: self, observed: observe(&self.target, &self.disk()).with_images(images) }
    }

    /// Returns the error that says that an interrupted run is here; `None` if there is none.
    pub fn interrupted(&self) -> Option<Error> {
        recovery::interrupted(&self.root)
    }

    pub(crate) fn disk(&self) -> Disk<'_> {
        Disk::new(&self.root, self.chroot.as_ref())
    }

    /// Acquires the lock for a run that writes, and recovers what an earlier one left. A dry run recovers nothing.
    ///
    /// # Errors
    /// Another run holds it; or an interrupted run is here that is not or cannot be recovered.
    pub(crate) fn lock_to_write(
        &self,
        timeout: Duration,
        dry_run: bool,
        context: &Context<'_>,
    ) -> Result<Locked<'_>, Error> {
        if dry_run && let Some(error) = self.interrupted() {
            return Err(error);
        }
        let locked = self.lock(timeout)?;
        if !dry_run && let Some(recovery) = recovery::end_interrupted(&locked.lock, &context.progress)? {
            context.tell(Event::Recovered(self.root.path(), &recovery))?;
        }
        Ok(locked)
    }

    pub(crate) fn lock(&self, timeout: Duration) -> Result<Locked<'_>, Error> {
        let lock = self.root.lock(timeout).map_err(|error| {
            let is_locked = matches!(error, commit::Error::Locked { .. });
            let kind = if is_locked { Outcome::Locked } else { Outcome::Failed };
            let mut error = Error { kind, ..Error::from(&error) };
            // Whoever holds a lock for long must not keep this from being known.
            if is_locked && self.interrupted().is_some() {
                error.message.push_str(", and files of an apply are half written: that run writes them now, or an earlier one was interrupted");
            }
            error
        })?;
        Ok(Locked { rooted: self, lock: Arc::new(lock) })
    }
}

impl<'a> Locked<'a> {
    /// Returns another target of the same folder under the same lock.
    pub(crate) fn with(&self, rooted: &'a Rooted) -> Self {
        Self { rooted, lock: Arc::clone(&self.lock) }
    }
}

impl<'a> Opened<'a> {
    /// Plans the target.
    pub fn plan(&self, desired: &DesiredState) -> Plan {
        match written_record::read(&self.rooted.root) {
            Ok(record) => reconcile_with(desired, &self.observed, &record),
            Err(finding) => {
                let mut plan = reconcile(desired, &self.observed);
                plan.findings.push(*finding);
                plan
            }
        }
    }

    /// Returns what came of looking into the images that the plan is about; nothing if nobody was asked to.
    pub(crate) fn looked(&self, desired: &DesiredState) -> Vec<Looked> {
        let Some(known) = &self.rooted.images else { return Vec::new() };
        let one = |(image, may_be_named): (model::Image, bool)| {
            let mut looked = (*known.look(&image)).clone();
            if may_be_named {
                looked.reference = Some(image.to_string());
            } else {
                // An error may name it.
                looked.why = None;
            }
            looked
        };
        self.observed.images_of(desired).into_iter().map(one).collect()
    }

    /// Lists everything that the document asks for, with what the files say.
    pub(crate) fn managed(&self, desired: &DesiredState) -> Vec<Managed> {
        render::managed(desired, Some(&self.observed))
    }

    /// Returns what was read.
    pub fn snapshot(&self) -> &Snapshot {
        self.observed.snapshot()
    }

    /// Returns a source that answers from what was read, and asks the disk for anything else.
    pub(crate) fn source(&self) -> impl Source + use<'_, 'a> {
        // What the files of a plan may have together is no limit for those that are only looked at.
        ReadBefore { snapshot: self.snapshot(), disk: self.rooted.disk() }
    }
}

struct ReadBefore<'a> {
    snapshot: &'a Snapshot,
    disk: Disk<'a>,
}

impl Source for ReadBefore<'_> {
    fn read(&self, path: &str) -> Found<Bytes> {
        let known = self.snapshot.files().find(|(known, _)| *known == path);
        known.map_or_else(|| self.disk.read(path), |(_, found)| found.clone())
    }

    fn list(&self, folder: &str) -> Found<Vec<String>> {
        self.disk.list(folder)
    }

    fn below_root(&self, absolute: &str) -> Option<String> {
        self.disk.below_root(absolute)
    }
}

/// Returns a path of the target, or of its host, as a path of this machine.
pub(crate) fn on_disk(rooted: &Rooted, path: &str) -> std::io::Result<PathBuf> {
    match &rooted.chroot {
        _ if !path.starts_with('/') => Ok(rooted.root.path().join(path)),
        Some(chroot) => chroot.resolve(Path::new(path)),
        None => Ok(PathBuf::from(path)),
    }
}
