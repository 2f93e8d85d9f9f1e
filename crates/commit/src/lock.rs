//! One writer at a time.

use std::cell::RefCell;
use std::fs::TryLockError;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::change::{Change, Options};
use crate::dir::Access;
use crate::error::{Error, Operation};
use crate::metadata::FileInfo;
use crate::outcome::{CommitError, Report};
use crate::recover::{self, Recovery};
use crate::root::Root;
use crate::set;
use crate::state::{StateDir, forget};

/// Short enough that a person does not notice, long enough that waiting costs nothing.
const POLL: Duration = Duration::from_millis(20);

/// Proves that no other process commits beneath the root; dropping it unlocks.
///
/// It can be given to another thread, but not shared with one.
#[derive(Debug)]
pub struct Lock<'root> {
    root: &'root Root,
    held: std::fs::File,
    /// The lock file of the state directory, once it is there. Unlike the root, which whoever can read it can lock, it is
    /// its owner's alone. Its cell keeps the lock from being shared: two threads of one process would commit at once.
    file: RefCell<Option<std::fs::File>>,
}

impl<'root> Lock<'root> {
    pub(crate) fn take(root: &'root Root, timeout: Duration) -> Result<Lock<'root>, Error> {
        let started = Instant::now();
        // A description of its own: two locks in one process exclude each other too.
        let held = root.dir().descend(Path::new(""), Access::Read)?.into_file();
        wait(root, &held, timeout, started)?;
        // Errors of the state directory are reported where it is read. A user who cannot open the file cannot write there
        // either.
        let state = StateDir::open(root.dir()).ok().flatten();
        let file = state.and_then(|state| state.lock_file().ok().flatten());
        if let Some(file) = &file {
            wait(root, file, timeout, started)?;
        }
        Ok(Lock { root, held, file: RefCell::new(file) })
    }

    /// Locks the lock file, unless it is held already: the first write makes it.
    fn hold(&self, state: &StateDir) -> Result<(), Error> {
        let Some(file) = state.lock_file()? else { return Ok(()) };
        let info = |file: &std::fs::File| {
            let found =
                file.metadata().map_err(|error| Error::io(self.root.path(), Operation::Lock, error))?;
            Ok::<_, Error>(FileInfo::of(&found))
        };
        let mut held = self.file.borrow_mut();
        if let Some(held) = held.as_ref()
            && info(held)?.is_same(&info(&file)?)
        {
            return Ok(());
        }
        wait(self.root, &file, Duration::ZERO, Instant::now())?;
        *held = Some(file);
        Ok(())
    }

    /// Replaces the content of all files, or of none.
    ///
    /// A change whose `before` equals its `after` is no change: the file is not even opened. Owner, mode,
    /// extended attributes and ACL of every file stay. All checks come before the first write, and each file
    /// is compared with `before` three times: before anything is written, right before it is replaced, and
    /// right after, on what was replaced.
    ///
    /// # Errors
    /// [`CommitError`], whose [`State`](crate::State) says what holds now. The content of a file other than
    /// `before` is [`Error::Changed`].
    ///
    /// An earlier commit that was interrupted has to be recovered first: [`Error::Interrupted`].
    pub fn commit(&self, changes: &[Change]) -> Result<Report, Box<CommitError>> {
        self.commit_with(changes, &Options::default())
    }

    /// As [`Lock::commit`], with options.
    ///
    /// # Errors
    /// As [`Lock::commit`].
    pub fn commit_with(&self, changes: &[Change], options: &Options) -> Result<Report, Box<CommitError>> {
        set::commit(self.root.dir(), changes, options, &|state| self.hold(state))
    }

    /// Performs the checks that [`Lock::commit_with`] makes before the first write, and writes nothing.
    ///
    /// # Errors
    /// As [`Lock::commit`], as far as they are known without writing: not a full disk.
    pub fn check(&self, changes: &[Change], options: &Options) -> Result<(), Box<CommitError>> {
        set::check(self.root.dir(), changes, options)
    }

    /// Finishes a commit that was interrupted, or takes it back: from its journal and its backups, without
    /// knowing what it was for. Can be interrupted itself, and called again.
    ///
    /// # Errors
    /// [`Error::Damaged`] for a journal that cannot be read, and [`Error::Unrecognised`] for a file that has
    /// neither its old nor its new content. Then nothing was written. Any other: call it again once the cause
    /// is gone.
    pub fn recover(&self) -> Result<Recovery, Error> {
        recover::recover(self.root.dir(), &|state| self.hold(state))
    }

    /// Returns the number that the next commit has in the history.
    ///
    /// # Errors
    /// [`Error::InsecureState`], [`Error::NewerLayout`], [`Error::Io`].
    pub fn next_number(&self) -> Result<u64, Error> {
        StateDir::open(self.root.dir())?.map_or(Ok(1), |state| state.next())
    }

    /// Replaces what is to follow, wholly or not at all; it lasts. See [`Root::follow_up`].
    ///
    /// # Errors
    /// [`Error::InsecureState`], [`Error::NewerLayout`], [`Error::Io`].
    pub fn set_follow_up(&self, bytes: &[u8]) -> Result<(), Error> {
        self.state()?.set_follow_up(bytes)
    }

    /// Replaces what is managed, wholly or not at all; it lasts. See [`Root::managed`].
    ///
    /// # Errors
    /// [`Error::InsecureState`], [`Error::NewerLayout`], [`Error::Io`].
    pub fn set_managed(&self, bytes: &[u8]) -> Result<(), Error> {
        self.state()?.set_managed(bytes)
    }

    /// Opens the state directory to write there.
    fn state(&self) -> Result<StateDir, Error> {
        let (state, created) = StateDir::create(self.root.dir())?;
        self.hold(&state)?;
        if created {
            self.root.dir().descend(Path::new(""), Access::Read)?.synced()?;
        }
        Ok(state)
    }

    /// Deletes everything that is kept below the root: the generations with their backups, what is to follow and what is
    /// managed. Returns whether there was something.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if a commit is under way; [`Error::InsecureState`], [`Error::Io`].
    pub fn forget(&self) -> Result<bool, Error> {
        let Some(state) = StateDir::open(self.root.dir())? else { return Ok(false) };
        self.hold(&state)?;
        if state.has_journal()? {
            return Err(Error::Interrupted { path: state.journal_path() });
        }
        forget::forget(self.root.dir())?;
        Ok(true)
    }

    /// Removes what is to follow: all is done.
    ///
    /// # Errors
    /// [`Error::InsecureState`], [`Error::Io`].
    pub fn clear_follow_up(&self) -> Result<(), Error> {
        match StateDir::open(self.root.dir())? {
            Some(state) => state.clear_follow_up(),
            None => Ok(()),
        }
    }
}

/// Waits until nobody else has a lock on what is open, which is the root or the lock file.
fn wait(root: &Root, file: &std::fs::File, timeout: Duration, started: Instant) -> Result<(), Error> {
    loop {
        // Polled: flock has no timeout, and an alarm signal belongs to the program, not to a library.
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                return Err(Error::io(root.path(), Operation::Lock, error));
            }
        }
        let left = timeout.saturating_sub(started.elapsed());
        if left.is_zero() {
            let holder = holder(file);
            return Err(Error::Locked { path: root.path().to_path_buf(), waited: timeout, holder });
        }
        thread::sleep(left.min(POLL));
    }
}

/// Returns whether a process holds the lock: on the lock file, if there is one, and else on the root.
pub(crate) fn is_held(root: &Root, file: Option<&std::fs::File>) -> Result<bool, Error> {
    let shared = |held: BorrowedFd<'_>| match rustix::fs::flock(held, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(Errno::WOULDBLOCK) => Ok(true),
        Err(errno) => Err(Error::io(root.path(), Operation::Lock, errno)),
    };
    match file {
        Some(file) => shared(file.as_fd()),
        None => shared(root.dir().descend(Path::new(""), Access::Read)?.as_fd()),
    }
}

/// A process that holds the lock of a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writer {
    /// Its number; `None` if that is not known for sure.
    pub pid: Option<u32>,
}

/// Finds the process that holds the lock, by the kernel's list: who takes the lock meanwhile is not disturbed.
pub(crate) fn writer(root: &Root) -> Option<Writer> {
    let state = StateDir::open(root.dir()).ok().flatten();
    let file = match state.and_then(|state| state.lock_file().ok().flatten()) {
        Some(file) => file,
        None => root.dir().descend(Path::new(""), Access::Read).ok()?.into_file(),
    };
    let pids = holders(&file);
    (!pids.is_empty()).then(|| Writer { pid: holder(&file) })
}

/// Finds the process that holds the lock on what is open, where the kernel lists it.
fn holder(held: &std::fs::File) -> Option<u32> {
    // Two locks on inodes of one number: which of the two is meant cannot be told.
    match holders(held)[..] {
        [pid] if pid != 0 => Some(pid),
        _ => None,
    }
}

/// Lists the processes that hold a lock on an inode of the number that is open.
fn holders(held: &std::fs::File) -> Vec<u32> {
    let Ok(metadata) = held.metadata() else { return Vec::new() };
    let (inode, locks) = (metadata.ino().to_string(), std::fs::read_to_string("/proc/locks"));
    let locks = locks.unwrap_or_default();
    // `1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF`. By the inode alone: the device is written as the kernel
    // numbers it, which on btrfs and overlayfs is not what stat says.
    let found = locks.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (kind, _, access) = (words.next()?, words.next()?, words.next()?);
        let (pid, place) = (words.next()?, words.next()?);
        let is_it = kind == "FLOCK" && access == "WRITE" && place.rsplit(':').next() == Some(&inode);
        is_it.then(|| pid.parse().ok()).flatten()
    });
    found.collect()
}

impl Drop for Lock<'_> {
    /// Closing the file would do, but for a child process that is just being started: until it runs its program
    /// it has a copy of the descriptor. Nothing is left to do if it fails: the file is closed right after.
    fn drop(&mut self) {
        if let Some(file) = self.file.get_mut() {
            let _ = file.unlock();
        }
        let _ = self.held.unlock();
    }
}
