//! Work on many things at once, with results in the order of the things.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

/// Works on every item with so many threads, and hands out the results in the order of the items.
///
/// No more than twice as many items as there are jobs are begun and not yet handed out, so that memory does not grow
/// with the number of items. With one job everything happens on this thread, one item after the other. After the first
/// error of `take` nothing more is begun. Where the system starts fewer threads, or none, those that there are do the work.
///
/// # Errors
/// Those of `take`.
pub(crate) fn each<I, T, E>(
    jobs: usize,
    items: I,
    work: impl Fn(I::Item) -> T + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E>
where
    I: Iterator + Send,
    T: Send,
{
    if jobs < 2 {
        return items.into_iter().try_for_each(|item| take(work(item)));
    }
    let queue = Queue {
        state: Mutex::new(State { items, begun: 0, taken: 0, ended: None, done: BTreeMap::new() }),
        turn: Condvar::new(),
        limit: 2 * jobs,
    };
    std::thread::scope(|scope| {
        let worker = || {
            let _guard = EndIfPanicking(&queue);
            while let Some((index, item)) = queue.begin() {
                let result = work(item);
                queue.lock().done.insert(index, result);
                queue.turn.notify_all();
            }
        };
        let start = |_: &usize| Builder::new().spawn_scoped(scope, worker).is_ok();
        if (0..jobs).take_while(start).count() == 0 {
            while let Some((_, item)) = queue.begin() {
                take(work(item))?;
                queue.lock().taken += 1;
            }
            return Ok(());
        }
        let _guard = EndIfPanicking(&queue);
        let taken = queue.take_all(&mut take);
        queue.end();
        taken
    })
}

/// Items, and results that wait for those before them.
struct Queue<I, T> {
    state: Mutex<State<I, T>>,
    turn: Condvar,
    limit: usize,
}

struct State<I, T> {
    items: I,
    begun: usize,
    taken: usize,
    /// How many items there are, once that is known.
    ended: Option<usize>,
    done: BTreeMap<usize, T>,
}

impl<I: Iterator, T> Queue<I, T> {
    fn lock(&self) -> MutexGuard<'_, State<I, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts the next item, as soon as there is room for its result.
    fn begin(&self) -> Option<(usize, I::Item)> {
        let is_full =
            |state: &mut State<I, T>| state.ended.is_none() && state.begun >= state.taken + self.limit;
        let mut state = self.turn.wait_while(self.lock(), is_full).unwrap_or_else(PoisonError::into_inner);
        if state.ended.is_some() {
            return None;
        }
        let Some(item) = state.items.next() else {
            state.ended = Some(state.begun);
            self.turn.notify_all();
            return None;
        };
        state.begun += 1;
        Some((state.begun - 1, item))
    }

    fn take_all<E>(&self, take: &mut impl FnMut(T) -> Result<(), E>) -> Result<(), E> {
        loop {
            let is_waiting = |state: &mut State<I, T>| {
                !state.done.contains_key(&state.taken) && state.ended.is_none_or(|all| state.taken < all)
            };
            let mut state =
                self.turn.wait_while(self.lock(), is_waiting).unwrap_or_else(PoisonError::into_inner);
            let index = state.taken;
            let Some(result) = state.done.remove(&index) else { return Ok(()) };
            drop(state);
            take(result)?;
            self.lock().taken += 1;
            self.turn.notify_all();
        }
    }

    /// Begins nothing more.
    fn end(&self) {
        let mut state = self.lock();
        let begun = state.begun;
        state.ended.get_or_insert(begun);
        self.turn.notify_all();
    }
}

/// Ends the queue when a thread of it panics: nobody must wait for the result that a worker owes, or for room that
/// whoever takes the results would make.
struct EndIfPanicking<'a, I: Iterator, T>(&'a Queue<I, T>);

impl<I: Iterator, T> Drop for EndIfPanicking<'_, I, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().ended = Some(0);
            self.0.turn.notify_all();
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
            assert!(most.load(Ordering::SeqCst) <= 2 * jobs + 1, "{jobs} jobs: {most:?}");
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
            assert!(worked.load(Ordering::SeqCst) <= 6 + 2 * jobs);
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
