//! One writer at a time.

use std::cell::Cell;
use std::fs::TryLockError;
use std::marker::PhantomData;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::change::Change;
use crate::dir::Access;
use crate::error::{Error, Operation};
use crate::outcome::{CommitError, Report};
use crate::root::Root;
use crate::set;

/// Short enough that a person does not notice, long enough that waiting costs nothing.
const POLL: Duration = Duration::from_millis(20);

/// Proves that no other process commits beneath the root; dropping it unlocks.
///
/// It can be given to another thread, but not shared with one.
#[derive(Debug)]
pub struct Lock<'root> {
    root: &'root Root,
    held: std::fs::File,
    /// Keeps the lock from being shared: two threads of one process would commit under it at once.
    not_sync: PhantomData<Cell<()>>,
}

impl<'root> Lock<'root> {
    pub(crate) fn take(root: &'root Root, timeout: Duration) -> Result<Lock<'root>, Error> {
        let started = Instant::now();
        // A description of its own: two locks in one process exclude each other too.
        let held = root.dir().descend(Path::new(""), Access::Read)?.into_file();
        loop {
            // Polled: flock has no timeout, and an alarm signal belongs to the program, not to a library.
            match held.try_lock() {
                Ok(()) => return Ok(Lock { root, held, not_sync: PhantomData }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    return Err(Error::io(root.path(), Operation::Lock, error));
                }
            }
            let left = timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(Error::Locked { path: root.path().to_path_buf(), waited: timeout });
            }
            thread::sleep(left.min(POLL));
        }
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
    pub fn commit(&self, changes: &[Change]) -> Result<Report, CommitError> {
        set::commit(self.root.dir(), changes)
    }
}

impl Drop for Lock<'_> {
    /// Closing the file would do, but for a child process that is just being started: until it runs its program
    /// it has a copy of the descriptor. Nothing is left to do if it fails: the file is closed right after.
    fn drop(&mut self) {
        let _ = self.held.unlock();
    }
}
