//! Where a thread of the host parks.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Wake, Waker},
    time::Duration,
};

use corepool::Parker;

use super::sleep_state::SleepState;
use crate::clock::now;

/// Where one thread sleeps, for itself and for those that wake it.
#[derive(Default)]
struct Bed {
    /// The thread holds the lock when it sets this to `ASLEEP`.
    state: SleepState,
    lock: Mutex<()>,
    woken: Condvar,
}

impl Bed {
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep(&self, deadline: Option<Duration>) {
        if self.state.take_wake_up() {
            return;
        }
        let mut lock = self.lock();
        if !self.state.begin() {
            self.state.take_wake_up();
            return;
        }
        loop {
            lock = match deadline.map(|deadline| deadline.saturating_sub(now())) {
                None => {
                    let woken = self.woken.wait(lock);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
                // A waker that wakes the thread from now on need not end a sleep.
                Some(Duration::ZERO) => return self.state.end(),
                Some(left) => {
                    let woken = self.woken.wait_timeout(lock, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            if self.state.take_wake_up() {
                return;
            }
        }
    }
}

impl Wake for Bed {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.set_woken() {
            // The thread holds the lock from before it is asleep until it waits: it misses no notification.
            drop(self.lock());
            self.woken.notify_one();
        }
    }
}

/// Parks a thread.
///
/// The thread sleeps on a lock of its own, apart from [`std::thread::park`]. An `unpark` does not end this sleep,
/// and this sleep uses up no token of `unpark`.
#[derive(Clone, Default)]
pub struct ThreadParker {
    bed: Arc<Bed>,
}

impl ThreadParker {
    /// A parker for one thread, such as the current one.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1), with heap.
    ///
    /// ```
    /// use corepool::Parker;
    /// use corepool_std::ThreadParker;
    ///
    /// let parker = ThreadParker::new();
    /// let waker = parker.waker();
    /// std::thread::spawn(move || waker.wake());
    /// parker.park(None); // until the other thread wakes it
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether both are clones of one parker.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bed, &other.bed)
    }
}

impl std::fmt::Debug for ThreadParker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ThreadParker").finish_non_exhaustive()
    }
}

impl Parker for ThreadParker {
    fn waker(&self) -> Waker {
        self.bed.clone().into()
    }

    fn park(&self, deadline: Option<Duration>) {
        self.bed.sleep(deadline);
    }
}

/// The current thread's own parker. Each of its wakers wakes the thread, whatever it waits for.
pub(crate) fn own_parker() -> ThreadParker {
    thread_local! {
        static PARKER: ThreadParker = ThreadParker::new();
    }
    // While the thread's locals are destroyed, a new parker serves as well.
    PARKER.try_with(ThreadParker::clone).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    #[test]
    fn a_wake_ends_the_sleep_that_comes_next() {
        let parker = ThreadParker::new();
        parker.waker().wake();
        parker.waker().wake();
        parker.park(None);
        // Both are used up: this sleep has its time.
        let end = now() + SOON;
        parker.park(Some(end));
        assert!(now() >= end);
    }

    #[test]
    fn a_wake_ends_the_sleep_that_goes_on() {
        let (parker, other) = (ThreadParker::new(), ThreadParker::new());
        let (own, others) = (parker.waker(), other.waker());
        let thread = thread::spawn(move || {
            for _ in 0..1_000 {
                other.park(None);
                own.wake_by_ref();
            }
        });
        for _ in 0..1_000 {
            others.wake_by_ref();
            parker.park(None);
        }
        thread.join().unwrap();
    }

    #[test]
    fn a_wake_after_a_sleep_that_had_its_time_ends_the_next() {
        let parker = ThreadParker::new();
        parker.park(Some(now() + SOON));
        parker.waker().wake();
        parker.park(None);
    }

    #[test]
    fn a_sleep_leaves_the_threads_own_token_alone() {
        let parker = ThreadParker::new();
        thread::current().unpark();
        let end = now() + SOON;
        parker.park(Some(end));
        assert!(now() >= end, "the token is not for this sleep");
        // It is for this one, which would go on for ever without it.
        thread::park();
    }
}
