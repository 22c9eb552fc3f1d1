//! A watch on a worker: which pool it works for, and whether its job takes longer than it may.
//!
//! With it, the application declares a worker lost that cannot say so itself: from the handler of
//! the fault that stopped its core, or from a watchdog on another core.

use core::{cell::Cell, task::Waker, time::Duration};

use corepool::{InitError, JobId, OnLoss, Parker, RunError, Worker, WorkerId};
use critical_section::Mutex;
use portable_atomic::{AtomicU32, Ordering};

use crate::{BoardPool, tick};

/// A watch on one worker.
pub struct Watch {
    /// Where the worker is, while it is in a pool's run loop.
    place: Mutex<Cell<Option<(BoardPool, WorkerId)>>>,
    /// When its job should have ended, by the tick, in milliseconds. 0 if it may take its time.
    deadline: AtomicU32,
}

impl Watch {
    /// A watch on a worker that is not there yet.
    pub const fn new() -> Self {
        Self {
            place: Mutex::new(Cell::new(None)),
            deadline: AtomicU32::new(0),
        }
    }

    /// Lends `worker` to `pool` with this watch on it, as [`BoardPool::run`] does without.
    pub fn run<W: Worker>(&self, pool: BoardPool, worker: &W) -> Result<(), RunError> {
        let ended = pool.run(&Watched {
            worker,
            pool,
            watch: self,
        });
        self.take_place();
        ended
    }

    /// Calls `f`, which must return within `limit`, or the worker [is late](Self::is_late). For jobs
    /// of this worker.
    pub fn within<R>(&self, limit: Duration, f: impl FnOnce() -> R) -> R {
        let deadline = milliseconds().wrapping_add(limit.as_millis() as u32);
        // Relaxed: nothing else goes with it. The old value is of a job that waits below this one.
        let before = self.deadline.swap(deadline.max(1), Ordering::Relaxed);
        let returned = f();
        self.deadline.store(before, Ordering::Relaxed);
        returned
    }

    /// Whether the worker is [`within`](Self::within) something for longer than it may be.
    pub fn is_late(&self) -> bool {
        let deadline = self.deadline.load(Ordering::Relaxed);
        deadline != 0 && milliseconds().wrapping_sub(deadline).cast_signed() > 0
    }

    /// Declares the worker lost to its pool, if it is in one. From any context, such as the handler
    /// of a fault.
    ///
    /// # Safety
    ///
    /// As for [`BoardPool::worker_lost`].
    pub unsafe fn declare_lost(&self, on_loss: OnLoss) {
        if let Some((pool, worker)) = self.take_place() {
            // SAFETY: the caller's promise.
            unsafe { pool.worker_lost(worker, on_loss) };
        }
    }

    fn take_place(&self) -> Option<(BoardPool, WorkerId)> {
        critical_section::with(|cs| self.place.borrow(cs).take())
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

fn milliseconds() -> u32 {
    tick::now().as_millis() as u32
}

/// A worker that tells its watch where it is.
struct Watched<'a, W> {
    worker: &'a W,
    pool: BoardPool,
    watch: &'a Watch,
}

impl<W: Worker> Parker for Watched<'_, W> {
    fn waker(&self) -> Waker {
        self.worker.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        self.worker.park(deadline);
    }
}

impl<W: Worker> Worker for Watched<'_, W> {
    fn spin(&self, round: u32) -> bool {
        self.worker.spin(round)
    }

    fn urgency(&self) -> u8 {
        self.worker.urgency()
    }

    fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
        critical_section::with(|cs| self.watch.place.borrow(cs).set(Some((self.pool, worker))));
        self.worker.on_start(worker)
    }

    fn on_job_start(&self, job: JobId) {
        self.worker.on_job_start(job);
    }

    fn on_job_end(&self, job: JobId) {
        self.worker.on_job_end(job);
    }
}
