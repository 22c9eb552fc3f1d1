//! The threads of one pool, from their start to their end.

use std::{
    cell::OnceCell,
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle, ThreadId},
    time::Duration,
};

use super::at_exit::this_is_a_worker;
use crate::{clock::now, panic::discard};

/// The threads of one pool. Any number of callers may wait for the threads' end. None of the threads may: it would
/// wait for its own end, or for that of another thread which waits for the first one's.
#[derive(Debug, Default)]
pub(crate) struct ThreadList {
    list: Mutex<List>,
    /// Notified when a thread is about to end, and when one has been joined.
    changed: Condvar,
    /// How many threads have started and have not left, for a look without the lock.
    started: AtomicUsize,
}

#[derive(Debug, Default)]
struct List {
    /// The threads that have not been joined.
    threads: Vec<Thread>,
    /// The numbers of threads that have left, for those that start next.
    free_numbers: Vec<usize>,
    /// No thread starts any more.
    is_sealed: bool,
}

#[derive(Debug)]
struct Thread {
    id: ThreadId,
    /// The thread ends before the others, by `leave`.
    has_left: bool,
    /// `None` while a caller joins the thread.
    handle: Option<JoinHandle<()>>,
    /// The thread has left all code of the pool and of the application.
    is_ending: bool,
}

/// Why a caller has not seen the threads' end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotEnded {
    /// The caller is one of the threads.
    IsOneOfThem,
    /// The time was over, and this many threads had not ended.
    TimedOut(usize),
}

/// Says by its destructor that its thread is about to end. It is the thread's first thread-local. The destructors of
/// thread-locals run from the last to the first, so this one runs after all others.
struct Ending {
    threads: Arc<ThreadList>,
    id: ThreadId,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let mut list = self.threads.list();
        if let Some(thread) = list.thread(self.id) {
            thread.is_ending = true;
        }
        drop(list);
        self.threads.changed.notify_all();
    }
}

thread_local! {
    static ENDING: OnceCell<Ending> = const { OnceCell::new() };
}

impl List {
    fn thread(&mut self, id: ThreadId) -> Option<&mut Thread> {
        self.threads.iter_mut().find(|thread| thread.id == id)
    }

    fn has_caller(&mut self) -> bool {
        self.thread(thread::current().id()).is_some()
    }

    /// Takes the handle of a thread that is wanted. The caller is to join that thread.
    fn take(&mut self, is_wanted: impl Fn(&Thread) -> bool) -> Option<JoinHandle<()>> {
        let threads = self.threads.iter_mut();
        let mut joinable = threads.filter(|thread| is_wanted(thread));
        joinable.find_map(|thread| thread.handle.take())
    }
}

impl ThreadList {
    fn list(&self) -> MutexGuard<'_, List> {
        // The list is whole at each step, and no foreign code runs under the lock.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the thread that `plan` returns, if it returns one and the list is not sealed. `plan` gets how many
    /// threads have started and have not left, and the number of the next one. That is the number of a thread that
    /// has left, or the lowest that no thread has had. The lock is held meanwhile, so there is one plan at a time.
    ///
    /// # Errors
    ///
    /// The system's error, if it refuses the thread.
    pub(crate) fn start<F>(
        self: &Arc<Self>,
        plan: impl FnOnce(usize, usize) -> Option<(thread::Builder, F)>,
    ) -> io::Result<()>
    where
        F: FnOnce() + Send + 'static,
    {
        let mut list = self.list();
        // Threads that have left are joined here, so that few handles pile up. The caller may be such a thread: the
        // destructor of one of its thread-locals may submit. It does not join itself.
        let caller = thread::current().id();
        let is_over = |thread: &Thread| thread.has_left && thread.is_ending && thread.id != caller;
        while let Some(handle) = list.take(is_over) {
            list = self.join(list, handle);
        }
        if list.is_sealed {
            return Ok(());
        }
        let started = self.started();
        let number = list.free_numbers.last().copied().unwrap_or(started);
        let Some((builder, main)) = plan(started, number) else {
            return Ok(());
        };
        let threads = Arc::clone(self);
        let handle = builder.spawn(move || {
            this_is_a_worker();
            let id = thread::current().id();
            ENDING.with(|ending| {
                ending.get_or_init(|| Ending { threads, id });
            });
            main();
        })?;
        list.free_numbers.pop();
        list.threads.push(Thread {
            id: handle.thread().id(),
            has_left: false,
            handle: Some(handle),
            is_ending: false,
        });
        // Relaxed: a count. A caller that goes on to the threads takes the lock.
        self.started.store(started + 1, Ordering::Relaxed);
        Ok(())
    }

    /// The caller is the thread with this number. It is to end before the others, and another may take its place.
    /// False if there are no others.
    #[cfg(feature = "process")]
    pub(crate) fn leave(&self, number: usize) -> bool {
        let mut list = self.list();
        let others = self.started().saturating_sub(1);
        if others > 0
            && let Some(thread) = list.thread(thread::current().id())
        {
            thread.has_left = true;
            list.free_numbers.push(number);
            // Relaxed: as in `start`.
            self.started.store(others, Ordering::Relaxed);
        }
        others > 0
    }

    /// How many threads have started and have not left.
    pub(crate) fn started(&self) -> usize {
        self.started.load(Ordering::Relaxed)
    }

    /// Joins a thread. The lock is free meanwhile.
    fn join<'a>(
        &'a self,
        list: MutexGuard<'a, List>,
        handle: JoinHandle<()>,
    ) -> MutexGuard<'a, List> {
        drop(list);
        let id = handle.thread().id();
        // A thread panics only if a destructor of the application does, and std has reported that.
        discard(handle.join());
        let mut list = self.list();
        list.threads.retain(|thread| thread.id != id);
        self.changed.notify_all();
        list
    }

    /// Whether the caller is one of the threads.
    pub(crate) fn has_caller(&self) -> bool {
        self.list().has_caller()
    }

    /// Waits until all threads have ended, or until `deadline`. The caller has told them to end. No thread starts from
    /// now on.
    pub(crate) fn wait_for_end(&self, deadline: Option<Duration>) -> Result<(), NotEnded> {
        let mut list = self.list();
        if list.has_caller() {
            return Err(NotEnded::IsOneOfThem);
        }
        list.is_sealed = true;
        while !list.threads.is_empty() {
            // A join has no time limit. So a caller with a deadline joins only threads that are about to end.
            if let Some(handle) = list.take(|thread| thread.is_ending || deadline.is_none()) {
                list = self.join(list, handle);
                continue;
            }
            list = match deadline.map(|deadline| deadline.saturating_sub(now())) {
                None => {
                    let woken = self.changed.wait(list);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
                Some(Duration::ZERO) => return Err(NotEnded::TimedOut(list.threads.len())),
                Some(left) => {
                    let woken = self.changed.wait_timeout(list, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        Ok(())
    }
}

#[cfg(test)]
#[cfg(feature = "process")]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// The time after which a test that hangs fails.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Starts a thread. Returns how many others had started, and its number.
    fn start(threads: &Arc<ThreadList>, main: impl FnOnce() + Send + 'static) -> (usize, usize) {
        let mut planned = None;
        let started = threads.start(|started, number| {
            planned = Some((started, number));
            Some((thread::Builder::new(), main))
        });
        started.unwrap();
        planned.unwrap()
    }

    /// Starts a thread that stays until the sender is dropped.
    fn start_one_that_stays(threads: &Arc<ThreadList>) -> Sender<()> {
        let (stays, ends) = channel();
        start(threads, move || {
            let _ = ends.recv();
        });
        stays
    }

    /// Starts a thread with the number 1 that leaves, sends whether it could, and ends when the receiver is dropped.
    fn start_one_that_leaves(threads: &Arc<ThreadList>) -> Receiver<bool> {
        let (tell, told) = channel();
        let own = Arc::clone(threads);
        let planned = start(threads, move || {
            let has_left = own.leave(1);
            while tell.send(has_left).is_ok() {
                thread::yield_now();
            }
        });
        assert_eq!(planned, (1, 1));
        told
    }

    #[test]
    fn another_thread_takes_the_place_of_one_that_has_left() {
        let threads = Arc::default();
        let stays = start_one_that_stays(&threads);
        let told = start_one_that_leaves(&threads);
        assert!(told.recv().unwrap());
        assert_eq!(threads.started(), 1);
        drop(told);
        while !threads.list().threads.iter().any(|thread| thread.is_ending) {
            thread::yield_now();
        }
        assert_eq!(start(&threads, || ()), (1, 1));
        assert_eq!(threads.started(), 2);
        // The thread that has left was joined.
        assert_eq!(threads.list().threads.len(), 2);
        drop(stays);
        assert_eq!(threads.wait_for_end(None), Ok(()));
    }

    #[test]
    fn a_start_does_not_wait_for_a_thread_that_has_left_and_not_ended() {
        let threads = Arc::default();
        let stays = start_one_that_stays(&threads);
        let leaves = start_one_that_leaves(&threads);
        assert!(leaves.recv().unwrap());
        let (tell, told) = channel();
        let starter = Arc::clone(&threads);
        thread::spawn(move || tell.send(start(&starter, || ())));
        assert_eq!(told.recv_timeout(PATIENCE), Ok((1, 1)));
        drop((stays, leaves));
        assert_eq!(threads.wait_for_end(None), Ok(()));
    }

    #[test]
    fn the_last_thread_does_not_leave() {
        let threads = Arc::new(ThreadList::default());
        let (tell, told) = channel();
        let own = Arc::clone(&threads);
        start(&threads, move || tell.send(own.leave(0)).unwrap());
        assert_eq!(told.recv(), Ok(false));
        assert_eq!(threads.started(), 1);
        assert_eq!(threads.wait_for_end(None), Ok(()));
    }
}
