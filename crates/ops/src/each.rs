//! Work on many things at once, with results in the order of the things.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

/// Works on every item with so many threads, of which this is one, and hands out the results in the order of the items.
///
/// The thread that ends the item whose turn it is hands out its result, and those that waited for it. So nearly every result is
/// dropped by the thread that made it: if one thread frees what another one has allocated, both wait for the allocator. No more
/// than a few items for each job are begun and not yet handed out, so that memory does not grow with the number of items. With
/// one job everything happens on this thread, one item after the other. After the first error of `take` nothing more is begun.
/// If the system starts fewer threads, or none, those that there are do the work.
///
/// # Errors
/// Those of `take`.
pub(crate) fn each<I, T, E>(
    jobs: usize,
    items: I,
    work: impl Fn(I::Item) -> T + Sync,
    mut take: impl FnMut(T) -> Result<(), E> + Send,
) -> Result<(), E>
where
    I: Iterator + Send,
    T: Send,
    E: Send,
{
    if jobs < 2 {
        return items.into_iter().try_for_each(|item| take(work(item)));
    }
    let state = State {
        items,
        begun: 0,
        taken: 0,
        has_ended: false,
        done: BTreeMap::new(),
        take: Some(take),
        waiting: 0,
        error: None,
    };
    let queue = Queue { state: Mutex::new(state), room: Condvar::new(), limit: AHEAD * jobs };
    std::thread::scope(|scope| {
        let worker = || {
            let _guard = EndIfPanicking(&queue);
            while let Some((index, item)) = queue.begin() {
                queue.finish(index, work(item));
            }
        };
        let start = |_: &usize| Builder::new().spawn_scoped(scope, worker).is_ok();
        let _ = (1..jobs).take_while(start).count();
        worker();
    });
    queue.state.into_inner().unwrap_or_else(PoisonError::into_inner).error.map_or(Ok(()), Err)
}

/// How many items for each job are begun and not yet handed out: a slow one must not keep the others waiting.
pub(crate) const AHEAD: usize = 4;

/// Items, and results that wait for those before them.
struct Queue<I, T, F, E> {
    state: Mutex<State<I, T, F, E>>,
    room: Condvar,
    limit: usize,
}

struct State<I, T, F, E> {
    items: I,
    begun: usize,
    taken: usize,
    /// Whether nothing more is begun.
    has_ended: bool,
    done: BTreeMap<usize, T>,
    /// What results are handed to; `None` while a thread does that, and after its error.
    take: Option<F>,
    /// How many threads wait for room. To wake nobody is a system call, too.
    waiting: usize,
    /// The error of `take`.
    error: Option<E>,
}

type Held<'q, I, T, F, E> = MutexGuard<'q, State<I, T, F, E>>;

impl<I: Iterator, T, E, F: FnMut(T) -> Result<(), E>> Queue<I, T, F, E> {
    fn lock(&self) -> Held<'_, I, T, F, E> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts the next item, as soon as there is room for its result.
    fn begin(&self) -> Option<(usize, I::Item)> {
        let mut state = self.lock();
        while !state.has_ended && state.begun >= state.taken + self.limit {
            state.waiting += 1;
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        if state.has_ended {
            return None;
        }
        let Some(item) = state.items.next() else {
            self.end(state);
            return None;
        };
        state.begun += 1;
        Some((state.begun - 1, item))
    }

    /// Adds a result, and hands out all whose turn it is, unless another thread is doing that.
    fn finish(&self, index: usize, result: T) {
        let mut state = self.lock();
        state.done.insert(index, result);
        let Some(mut take) = state.take.take() else { return };
        loop {
            let index = state.taken;
            let Some(result) = state.done.remove(&index) else { break };
            drop(state);
            let taken = take(result);
            state = self.lock();
            state.taken += 1;
            if let Err(error) = taken {
                state.error = Some(error);
                // `take` is not called again.
                return self.end(state);
            }
            if state.waiting > 0 {
                self.room.notify_all();
            }
        }
        state.take = Some(take);
    }

    /// Begins nothing more.
    fn end(&self, mut state: Held<'_, I, T, F, E>) {
        state.has_ended = true;
        self.room.notify_all();
    }
}

/// Ends the queue when a thread of it panics: its result never comes, and those that wait for room would wait for ever.
struct EndIfPanicking<'a, I: Iterator, T, E, F: FnMut(T) -> Result<(), E>>(&'a Queue<I, T, F, E>);

impl<I: Iterator, T, E, F: FnMut(T) -> Result<(), E>> Drop for EndIfPanicking<'_, I, T, E, F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end(self.0.lock());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_come_in_order_and_few_wait() {
        for jobs in [1, 2, 5] {
            let (begun, most, mut taken) = (AtomicUsize::new(0), AtomicUsize::new(0), Vec::new());
            let work = |item: usize| {
                let now = begun.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                // The first of each few is the slowest, so that those behind it have to wait.
                if item.is_multiple_of(7) {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
                item
            };
            each(jobs, 0..200, work, |item| {
                begun.fetch_sub(1, Ordering::SeqCst);
                taken.push(item);
                Ok::<(), ()>(())
            })
            .unwrap();
            assert_eq!(taken, (0..200).collect::<Vec<_>>());
            assert!(most.load(Ordering::SeqCst) <= AHEAD * jobs + 1, "{jobs} jobs: {most:?}");
        }
    }

    #[test]
    fn nothing_begins_after_an_error() {
        for jobs in [1, 3] {
            let worked = AtomicUsize::new(0);
            let work = |item| {
                worked.fetch_add(1, Ordering::SeqCst);
                item
            };
            let ended = each(jobs, 0..1000, work, |item| if item == 5 { Err(item) } else { Ok(()) });
            assert_eq!(ended, Err(5));
            assert!(worked.load(Ordering::SeqCst) <= 6 + AHEAD * jobs);
        }
    }

    #[test]
    fn a_panic_of_a_worker_ends_the_run() {
        let run = || each(2, 0..100, |item| assert_ne!(item, 3), |()| Ok::<(), ()>(()));
        assert!(std::panic::catch_unwind(run).is_err());
    }

    #[test]
    fn a_panic_of_the_items_or_of_whoever_takes_the_results_ends_the_run() {
        let takes =
            || each(2, 0..100, |item| item, |item| if item == 3 { panic!() } else { Ok::<(), ()>(()) });
        let items =
            || each(2, (0..100).inspect(|item| assert_ne!(*item, 3)), |item| item, |_| Ok::<(), ()>(()));
        for run in [takes as fn() -> Result<(), ()>, items] {
            let (ended, ending) = std::sync::mpsc::channel();
            std::thread::spawn(move || ended.send(std::panic::catch_unwind(run).is_err()));
            assert_eq!(ending.recv_timeout(std::time::Duration::from_secs(20)), Ok(true));
        }
    }
}
