//! An OS thread as a worker.

use std::{sync::Arc, task::Waker, time::Duration};

use corepool::{InitError, JobId, Parker, Worker, WorkerId};

use crate::{
    panic::call_hook,
    spin::{
        parker::{ThreadParker, own_parker},
        turn::SoleSpinner,
        worker::{SPINS, WorkerSpin},
    },
};

/// An OS thread as a worker. It looks for jobs for a while, and then parks.
///
/// Make it in the thread that is to be the worker. A worker of your own that wraps it passes `spin`,
/// `on_job_start` and `on_job_end` on to it.
#[derive(Clone, Debug)]
pub struct ThreadWorker {
    parker: ThreadParker,
    spin: WorkerSpin,
}

impl ThreadWorker {
    /// The current thread as a worker that looks `spins` times again at an empty queue before it parks.
    ///
    /// More looks begin the next job sooner; fewer save power. By default it looks 1,050 times: for two to six
    /// tenths of a millisecond.
    ///
    /// * **Context**: the thread that is to be the worker.
    /// * **Cost**: O(1). Heap once for each thread, for its parker.
    ///
    /// ```
    /// use corepool::StaticPool;
    /// use corepool_std::ThreadWorker;
    ///
    /// static POOL: StaticPool<16, 64> = StaticPool::new();
    /// let thread = std::thread::spawn(|| POOL.run(&ThreadWorker::new(0))); // parks at once
    /// assert_eq!(POOL.submit(|| 6 * 7).unwrap().result().unwrap(), 42);
    /// POOL.shutdown(true, false).unwrap();
    /// # thread.join().unwrap().unwrap();
    /// ```
    pub fn new(spins: u32) -> Self {
        Self {
            parker: own_parker(),
            spin: WorkerSpin::new(spins),
        }
    }

    /// The same as one of several workers that take turns to spin.
    pub(crate) fn taking_turns(self, spinner: Option<Arc<SoleSpinner>>) -> Self {
        Self {
            spin: self.spin.taking_turns(spinner),
            ..self
        }
    }
}

impl Default for ThreadWorker {
    fn default() -> Self {
        Self::new(SPINS)
    }
}

impl Parker for ThreadWorker {
    fn waker(&self) -> Waker {
        self.parker.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        self.parker.park(deadline);
    }
}

impl Worker for ThreadWorker {
    fn spin(&self, round: u32) -> bool {
        self.spin.looks_again(round, &self.parker)
    }

    fn on_job_start(&self, _job: JobId) {
        self.spin.job_starts();
    }

    fn on_job_end(&self, _job: JobId) {
        self.spin.job_ends();
    }
}

/// A worker with a start hook, which stays in the pool as long as `stays` says so.
pub(crate) struct Hooked<'a, H, S> {
    pub(crate) worker: ThreadWorker,
    pub(crate) on_start: &'a H,
    pub(crate) stays: &'a S,
}

impl<H, S> Parker for Hooked<'_, H, S> {
    fn waker(&self) -> Waker {
        self.worker.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        self.worker.park(deadline);
    }
}

impl<H, S> Worker for Hooked<'_, H, S>
where
    H: Fn(WorkerId) -> Result<(), InitError>,
    S: Fn() -> bool,
{
    fn spin(&self, round: u32) -> bool {
        self.worker.spin(round)
    }

    fn stays(&self) -> bool {
        (self.stays)()
    }

    fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
        call_hook("the start hook", || (self.on_start)(worker))
    }

    fn on_job_start(&self, job: JobId) {
        self.worker.on_job_start(job);
    }

    fn on_job_end(&self, job: JobId) {
        self.worker.on_job_end(job);
    }
}

#[cfg(test)]
mod tests {
    use corepool::StaticPool;

    use super::*;
    use crate::clock::now;

    #[test]
    fn a_worker_takes_note_of_each_jobs_start_and_end() {
        let pool = StaticPool::<1, 64>::new();
        pool.submit_detached(|| ()).unwrap();
        pool.shutdown(false, false).unwrap();
        let spinner = Some(Arc::new(SoleSpinner::new(2)));
        let [one, worker] = [(); 2].map(|()| ThreadWorker::default().taking_turns(spinner.clone()));
        let on_start = &|_| Ok(());
        let hooked = Hooked {
            worker,
            on_start,
            stays: &|| true,
        };
        pool.run(&hooked).unwrap();
        assert_eq!(hooked.worker.spin.jobs(), 1);
        assert!(one.spin(SPINS - 1));
        assert!(!hooked.spin(SPINS - 1), "as one with a job would");
    }

    #[test]
    fn a_worker_spins_longer_than_a_blocked_caller_by_default() {
        assert!(ThreadWorker::default().spin(SPINS - 1));
        assert!(!ThreadWorker::default().spin(SPINS));
    }

    #[test]
    fn a_worker_with_a_start_hook_looks_again_like_one_without() {
        let worker = ThreadWorker::new(2);
        let on_start = &|_| Ok(());
        let hooked = Hooked {
            worker,
            on_start,
            stays: &|| true,
        };
        assert!(hooked.spin(1));
        assert!(!hooked.spin(2));
    }

    #[test]
    fn a_worker_sleeps_until_the_time_that_it_is_told() {
        let worker = ThreadWorker::default();
        let hooked = Hooked {
            worker,
            on_start: &(),
            stays: &(),
        };
        for parker in [&hooked as &dyn Parker, &hooked.worker] {
            let end = now() + Duration::from_millis(1);
            parker.park(Some(end));
            assert!(now() >= end);
        }
    }
}
