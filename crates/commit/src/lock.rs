//! One writer at a time.

use std::fs::TryLockError;
use std::io::Read as _;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
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
use crate::state::files::Unsynced;
use crate::state::{StateDir, forget, layout};

/// How often the kernel's list of locks is read if it may have left one out.
const LISTINGS: usize = 4;

/// Short enough that a person does not notice, long enough that waiting costs nothing.
const POLL: Duration = Duration::from_millis(20);

/// Proves that no other process commits beneath the root; dropping it unlocks.
///
/// Threads that share it write one after the other.
#[derive(Debug)]
pub struct Lock<'root> {
    root: &'root Root,
    held: std::fs::File,
    /// The lock file of the state directory, once it is there. Unlike the root, which whoever can read it can lock, it is
    /// its owner's alone.
    file: Mutex<Option<std::fs::File>>,
    /// Whose turn it is to write.
    turn: Mutex<()>,
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
        Ok(Lock { root, held, file: Mutex::new(file), turn: Mutex::default() })
    }

    /// Locks the lock file, unless it is held already: the first write makes it.
    fn hold(&self, state: &StateDir) -> Result<(), Error> {
        let Some(file) = state.lock_file()? else { return Ok(()) };
        let info = |file: &std::fs::File| {
            let found =
                file.metadata().map_err(|error| Error::io(self.root.path(), Operation::Lock, error))?;
            Ok::<_, Error>(FileInfo::of(&found))
        };
        let mut held = self.file.lock().unwrap_or_else(PoisonError::into_inner);
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
        let _turn = self.turn();
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
        let _turn = self.turn();
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
        let _turn = self.turn();
        self.state()?.set_follow_up(bytes)
    }

    /// Replaces what is managed, wholly or not at all; it lasts. See [`Root::managed`].
    ///
    /// # Errors
    /// [`Error::InsecureState`], [`Error::NewerLayout`], [`Error::Io`].
    pub fn set_managed(&self, bytes: &[u8]) -> Result<(), Error> {
        let _turn = self.turn();
        self.state()?.set_managed(bytes)
    }

    /// Waits until no other thread of this process writes beneath the root.
    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the state directory to write there.
    fn state(&self) -> Result<StateDir, Error> {
        let mut unsynced = Unsynced::default();
        let (state, created) = StateDir::create(self.root.dir(), &mut unsynced)?;
        let settled = self.hold(&state).and_then(|()| state.settle(self.root.dir(), unsynced));
        settled.inspect_err(|_| {
            if created {
                let _ = layout::remove(self.root.dir());
            }
        })?;
        Ok(state)
    }

    /// Deletes everything that is kept below the root: the generations with their backups, what is to follow and what is
    /// managed. Returns whether there was something.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if a commit is under way; [`Error::InsecureState`], [`Error::Io`].
    pub fn forget(&self) -> Result<bool, Error> {
        let _turn = self.turn();
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
        let _turn = self.turn();
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

/// Lists the processes that hold a lock on the file that is open, as far as the kernel's list tells its file.
fn holders(held: &std::fs::File) -> Vec<u32> {
    let Ok(metadata) = held.metadata() else { return Vec::new() };
    for _ in 0..LISTINGS {
        let Ok((list, is_exact)) = listing() else { return Vec::new() };
        let found = holders_of(&list, metadata.dev(), metadata.ino());
        if is_exact || !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// Reads the kernel's list of locks, and tells whether it is of one moment: a read gives a few dozen locks at most, and
/// what is locked or unlocked between two reads moves the others, so that one is left out or comes twice.
fn listing() -> std::io::Result<(String, bool)> {
    let mut file = std::fs::File::open("/proc/locks")?;
    // In one read as much as the kernel gives: `read_to_string` would begin with a read of one lock.
    let (mut list, mut buffer, mut reads) = (Vec::new(), vec![0; 1 << 16], 0);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((String::from_utf8_lossy(&list).into_owned(), reads < 2)),
            Ok(count) => {
                list.extend_from_slice(&buffer[..count]);
                reads += 1;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Finds the processes that hold a lock on an inode, each once.
fn holders_of(list: &str, device: u64, inode: u64) -> Vec<u32> {
    let device = format!("{:02x}:{:02x}", rustix::fs::major(device), rustix::fs::minor(device));
    let inode = inode.to_string();
    // `1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF`
    let found = list.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (kind, _, access) = (words.next()?, words.next()?, words.next()?);
        let (pid, place) = (words.next()?.parse().ok()?, words.next()?);
        let (on, of) = place.rsplit_once(':')?;
        (kind == "FLOCK" && access == "WRITE" && of == inode).then_some((on, pid))
    });
    let mut found: Vec<(&str, u32)> = found.collect();
    found.sort_unstable();
    found.dedup();
    // The device is written as the kernel numbers it, which on btrfs and overlayfs is not what stat says: there the
    // inode alone has to do.
    if found.iter().any(|(on, _)| *on == device) {
        found.retain(|(on, _)| *on == device);
    }
    found.into_iter().map(|(_, pid)| pid).collect()
}

impl Drop for Lock<'_> {
    /// Closing the file would do, but for a child process that is just being started: until it runs its program
    /// it has a copy of the descriptor. Nothing is left to do if it fails: the file is closed right after.
    fn drop(&mut self) {
        if let Some(file) = self.file.get_mut().unwrap_or_else(PoisonError::into_inner) {
            let _ = file.unlock();
        }
        let _ = self.held.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::holders_of;

    const LIST: &str = "\
1: POSIX  ADVISORY  WRITE 11 00:1c:40 0 EOF
2: FLOCK  ADVISORY  WRITE 12 00:1c:41 0 EOF
2: -> FLOCK  ADVISORY  WRITE 13 00:1c:41 0 EOF
3: FLOCK  ADVISORY  READ  14 00:1c:42 0 EOF
4: FLOCK  ADVISORY  WRITE 15 fe:00:41 0 EOF
5: FLOCK  ADVISORY  WRITE 12 00:1c:41 0 EOF
6: FLOCK  ADVISORY  WRITE 16 103:00:43 0 EOF
";

    fn found(major: u32, minor: u32, inode: u64) -> Vec<u32> {
        holders_of(LIST, rustix::fs::makedev(major, minor), inode)
    }

    #[test]
    fn a_lock_that_the_kernel_lists_twice_has_one_holder() {
        assert_eq!(found(0, 0x1c, 41), [12]);
    }

    #[test]
    fn an_inode_of_the_same_number_on_another_device_is_not_meant() {
        assert_eq!(found(0xfe, 0, 41), [15]);
        assert_eq!(found(0x103, 0, 43), [16]);
    }

    #[test]
    fn where_the_kernel_numbers_the_device_in_another_way_the_inode_tells() {
        assert_eq!(found(0, 0x77, 43), [16]);
        assert_eq!(found(0, 0x77, 41), [12, 15]);
    }

    #[test]
    fn a_lock_of_another_kind_is_not_the_one() {
        assert_eq!(found(0, 0x1c, 40), []);
        assert_eq!(found(0, 0x1c, 42), []);
    }
}
