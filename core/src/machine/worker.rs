//! Workers: contexts that run a pool's jobs.

use core::{fmt, task::Waker, time::Duration};

use crate::{error::InitError, lockfree::sync::spin_loop, machine::port::Parker};

/// A worker of a pool: its number, from 0 to WORKERS - 1, and a count. The count tells it from
/// later workers with the same number.
///
/// When a worker leaves, its number goes to another worker, and the two ids are not equal. The
/// count has 6 bits: the 64th worker after it with that number has an equal id. Guests are not
/// counted: those are callers of [`run_pending`](crate::StaticPool::run_pending), and blocked
/// callers that run jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct WorkerId {
    pub(crate) number: u16,
    pub(crate) generation: u8,
}

impl WorkerId {
    /// The id of the first worker with number 0.
    #[cfg(test)]
    pub(crate) const FIRST: Self = Self {
        number: 0,
        generation: 1,
    };

    /// The number itself.
    pub const fn index(self) -> usize {
        self.number as usize
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {}", self.number)
    }
}

/// The number of the slot that a job lives in, from 0 to SLOTS - 1. The number goes to another job
/// when no party needs this job any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct JobId(pub(crate) u16);

impl JobId {
    /// The number itself.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {}", self.0)
    }
}

/// A context that runs jobs: a core, an RTOS task, an interrupt, a thread.
///
/// [`Parker`] has the methods to sleep and to be woken. The methods here have defaults that do
/// nothing and compile to nothing. A worker joins a pool by
/// [`StaticPool::run`](crate::StaticPool::run), called in the context where the jobs are to run.
///
/// ```
/// use core::{task::Waker, time::Duration};
/// use corepool::{InitError, JobId, Parker, StaticPool, Worker, WorkerId};
///
/// struct Core1;
///
/// impl Parker for Core1 {
///     fn waker(&self) -> Waker {
///         Waker::noop().clone() // a chip sends an event or an interrupt here
///     }
///     fn park(&self, _deadline: Option<Duration>) {
///         core::hint::spin_loop(); // and waits for it here
///     }
/// }
///
/// impl Worker for Core1 {
///     fn on_start(&self, _worker: WorkerId) -> Result<(), InitError> {
///         Ok(()) // an error breaks the pool
///     }
///     fn on_job_start(&self, _job: JobId) {
///         // set a pin, and a logic analyser shows each job
///     }
///     fn on_job_end(&self, _job: JobId) {
///         // clear the pin
///     }
///     fn spin(&self, round: u32) -> bool {
///         round < 10 // looks ten times again, and then sleeps
///     }
///     fn stays(&self) -> bool {
///         true // or false, to leave when no job is queued
///     }
///     fn urgency(&self) -> u8 {
///         3 // woken before workers of less urgency
///     }
///     fn least_priority(&self) -> usize {
///         0 // takes jobs of all priorities
///     }
/// }
///
/// static POOL: StaticPool<4, 32> = StaticPool::new();
/// let answer = POOL.submit(|| 6 * 7).unwrap();
/// POOL.shutdown(false, false).unwrap();
/// POOL.run(&Core1).unwrap(); // returns, since the pool is shut down
/// assert_eq!(answer.result().unwrap(), 42);
/// ```
pub trait Worker: Parker {
    /// Called when the worker has found nothing to run. `round` counts the calls in a row, from 0.
    /// True: the worker looks again at once, after a pause of this method's choice. False, the
    /// default: the worker goes to sleep.
    ///
    /// * **Context**: called in the worker's own, by its run loop and by a job on it that blocks.
    /// * **Cost**: the worker's time.
    fn spin(&self, round: u32) -> bool {
        let _ = round;
        false
    }

    /// Called in [`run`](crate::StaticPool::run) when the worker has found nothing to run. True, the
    /// default: the worker stays until the pool's end. False: it leaves as soon as no job is queued,
    /// and `run` returns. The pool stays in service.
    ///
    /// The worker may sleep at the time. So the party that changes the answer wakes the worker after
    /// the change, by the worker's waker. Jobs that were queued before the change are run.
    ///
    /// * **Context**: called in the worker's own, by its run loop.
    /// * **Cost**: the worker's time.
    fn stays(&self) -> bool {
        true
    }

    /// How urgent the worker is: of several sleeping workers, a submit wakes the most urgent one. 0,
    /// the default, is the least. Among equally urgent workers, a submit wakes the one with the lowest
    /// number.
    ///
    /// A worker that is a task or an interrupt states its own priority here. Then a job runs as soon
    /// as any worker for it is free, whichever task is at work meanwhile.
    ///
    /// * **Context**: called in the worker's own, once, when it joins.
    /// * **Cost**: none of its own. A wake-up looks at a word of each sleeping worker.
    fn urgency(&self) -> u8 {
        0
    }

    /// The least priority of the jobs that the worker takes from the queue. 0, the default: it takes all
    /// jobs. A value above 15 counts as 15.
    ///
    /// A worker with a greater value is kept: it is free for urgent jobs, however many others are queued.
    /// A submit of a less urgent job may wake it, if it is the most urgent one. It wakes another worker
    /// for that job, then, and sleeps again. It takes all jobs in two cases:
    ///
    /// * The pool is shut down. No further job is submitted then.
    /// * A job on it blocks. It runs the job that it waits for. If all other workers are blocked or kept,
    ///   it runs the oldest queued job.
    ///
    /// While it sleeps, it counts as blocked: a job that waits on another worker does not count on it.
    ///
    /// A pool has another worker that is not kept. If there is none, the less urgent jobs stay queued
    /// until the pool is shut down.
    ///
    /// [`Kept`] makes any worker a kept one. A worker that sends its jobs to another address space takes
    /// all jobs.
    ///
    /// * **Context**: called in the worker's own, once, when it joins.
    /// * **Cost**: none of its own. A kept worker wakes the blocked workers when it goes to sleep, if work
    ///   is queued.
    fn least_priority(&self) -> usize
    where
        Self: Sized,
    {
        0
    }

    /// Called once in [`run`](crate::StaticPool::run), before the first job.
    ///
    /// * **Context**: called in the worker's own.
    /// * **Cost**: jobs wait for it, if there is no other worker.
    ///
    /// # Errors
    ///
    /// An error breaks the pool: all queued jobs and all later submits fail with it.
    fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
        let _ = worker;
        Ok(())
    }

    /// Called before each job, and before each poll of a task.
    ///
    /// * **Context**: called in the worker's own.
    /// * **Cost**: on top of each job.
    fn on_job_start(&self, job: JobId) {
        let _ = job;
    }

    /// Called after each job, and after each poll of a task. The slot `job` may be free again by
    /// then.
    ///
    /// * **Context**: called in the worker's own.
    /// * **Cost**: on top of each job, whose future is done by then.
    fn on_job_end(&self, job: JobId) {
        let _ = job;
    }
}

/// A worker that never sleeps, for any machine. It suits a core that has no other work, where the
/// time from submit to start counts more than power.
///
/// It needs no port and is never woken, so a submit spends no time on waking it.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SpinWorker;

impl Parker for SpinWorker {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, _deadline: Option<Duration>) {
        spin_loop();
    }
}

impl Worker for SpinWorker {
    fn spin(&self, _round: u32) -> bool {
        spin_loop();
        true
    }
}

/// A worker with an [`urgency`](Worker::urgency) among the workers of its pool.
///
/// ```
/// use corepool::{Ranked, SpinWorker, StaticPool};
///
/// static POOL: StaticPool<4, 32> = StaticPool::new();
/// let job = POOL.submit(|| 5).unwrap();
/// POOL.shutdown(false, false).unwrap();
/// let worker = Ranked {
///     worker: SpinWorker,
///     urgency: 3,
/// };
/// POOL.run(&worker).unwrap();
/// assert!(job.done());
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ranked<W> {
    /// The worker itself.
    pub worker: W,
    /// See [`Worker::urgency`].
    pub urgency: u8,
}

impl<W: Parker> Parker for Ranked<W> {
    fn waker(&self) -> Waker {
        self.worker.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        self.worker.park(deadline);
    }
}

impl<W: Worker> Worker for Ranked<W> {
    fn spin(&self, round: u32) -> bool {
        self.worker.spin(round)
    }

    fn stays(&self) -> bool {
        self.worker.stays()
    }

    fn urgency(&self) -> u8 {
        self.urgency
    }

    fn least_priority(&self) -> usize {
        self.worker.least_priority()
    }

    fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
        self.worker.on_start(worker)
    }

    fn on_job_start(&self, job: JobId) {
        self.worker.on_job_start(job);
    }

    fn on_job_end(&self, job: JobId) {
        self.worker.on_job_end(job);
    }
}

/// A worker that is kept for jobs of a priority and above: see [`Worker::least_priority`].
///
/// ```
/// use core::{task::Waker, time::Duration};
/// use corepool::{Kept, Parker, StaticPool, Worker};
///
/// /// Leaves when no job is queued that it takes.
/// struct Lent;
///
/// impl Parker for Lent {
///     fn waker(&self) -> Waker {
///         Waker::noop().clone()
///     }
///     fn park(&self, _deadline: Option<Duration>) {}
/// }
///
/// impl Worker for Lent {
///     fn stays(&self) -> bool {
///         false
///     }
/// }
///
/// static POOL: StaticPool<4, 32, 2> = StaticPool::new();
/// let (urgent, other) = (POOL.at(1).submit(|| 5).unwrap(), POOL.submit(|| 6).unwrap());
/// let worker = Kept {
///     worker: Lent,
///     least_priority: 1,
/// };
/// POOL.run(&worker).unwrap();
/// assert!(urgent.done() && !other.done());
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Kept<W> {
    /// The worker itself.
    pub worker: W,
    /// See [`Worker::least_priority`].
    pub least_priority: usize,
}

impl<W: Parker> Parker for Kept<W> {
    fn waker(&self) -> Waker {
        self.worker.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        self.worker.park(deadline);
    }
}

impl<W: Worker> Worker for Kept<W> {
    fn spin(&self, round: u32) -> bool {
        self.worker.spin(round)
    }

    fn stays(&self) -> bool {
        self.worker.stays()
    }

    fn urgency(&self) -> u8 {
        self.worker.urgency()
    }

    fn least_priority(&self) -> usize {
        self.least_priority
    }

    fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
        self.worker.on_start(worker)
    }

    fn on_job_start(&self, job: JobId) {
        self.worker.on_job_start(job);
    }

    fn on_job_end(&self, job: JobId) {
        self.worker.on_job_end(job);
    }
}

/// A blocked context that runs jobs meanwhile.
pub(crate) struct Guest<'a>(pub(crate) &'a dyn Parker);

impl Parker for Guest<'_> {
    fn waker(&self) -> Waker {
        self.0.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        self.0.park(deadline);
    }
}

impl Worker for Guest<'_> {}

/// A context that may not block and runs jobs. It never parks.
pub(crate) struct Sleepless;

impl Parker for Sleepless {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, _deadline: Option<Duration>) {}
}

impl Worker for Sleepless {}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    #[test]
    fn a_spin_worker_never_goes_to_sleep() {
        assert!(SpinWorker.spin(0));
        assert!(SpinWorker.spin(u32::MAX));
    }
}
