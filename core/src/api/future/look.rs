//! The state of a job, as its future shows it.

use crate::{
    api::future::JobFuture, api::job_state::JobState, lockfree::state::CANCEL,
    lockfree::sync::looks, machine::worker::JobId,
};

impl<T> JobFuture<'_, T> {
    /// Whether the job was cancelled.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1): one atomic load.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let job = POOL.submit(|| 1).unwrap();
    /// POOL.shutdown(false, true).unwrap(); // cancels the queued jobs
    /// assert!(job.cancelled() && job.done());
    /// ```
    pub fn cancelled(&self) -> bool {
        self.state() == JobState::Cancelled
    }

    /// Whether the state is [`JobState::Running`].
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1): one atomic load.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let (mut promise, sample) = POOL.promise::<u16>().unwrap();
    /// assert!(!sample.running());
    /// promise.start();
    /// assert!(sample.running());
    /// ```
    pub fn running(&self) -> bool {
        self.state() == JobState::Running
    }

    /// Whether the job has ended, with a result, an error, or by cancellation, and its callbacks
    /// have run. Then [`try_result`](Self::try_result) has the outcome, and an await is ready at
    /// once. A [`SharedFuture`](crate::SharedFuture) is done before its callbacks run.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1): one atomic load.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let job = POOL.submit(|| 1).unwrap();
    /// assert!(!job.done());
    /// POOL.run_pending(1);
    /// assert!(job.done());
    /// ```
    pub fn done(&self) -> bool {
        looks("done");
        self.slot().state.load().is_shown()
    }

    /// Whether the job was asked to cancel while it ran.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1): one atomic load.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let (mut promise, sample) = POOL.promise::<u16>().unwrap();
    /// promise.start();
    /// assert!(!sample.cancel()); // it is under way, so it is only asked
    /// assert!(sample.cancel_requested());
    /// ```
    pub fn cancel_requested(&self) -> bool {
        looks("cancel_requested");
        self.slot().state.load().has(CANCEL)
    }

    /// The job's state.
    ///
    /// It agrees with [`done`](Self::done): while the callbacks of a job run, it is `Running`, unless
    /// the future is shared.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1): one atomic load, which is right for one moment.
    ///
    /// ```
    /// # use corepool::{JobState, StaticPool};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let job = POOL.submit(|| 1).unwrap();
    /// assert_eq!(job.state(), JobState::Pending);
    /// POOL.run_pending(1);
    /// assert_eq!(job.state(), JobState::Finished);
    /// ```
    pub fn state(&self) -> JobState {
        looks("state");
        JobState::of(self.slot().state.load())
    }

    /// The job's number, which the hooks of [`Worker`](crate::Worker) get as well. No other job of
    /// this pool has it while this future exists. Futures of two pools may have the same number.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn id(&self) -> JobId {
        JobId(self.slot().index())
    }
}
