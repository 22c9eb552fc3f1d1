//! The work of a thread pool's threads.

use std::{cell::Cell, sync::Arc};

use corepool::{InitError, WorkerId};

use super::{
    host_pool::{Coming, HostPool, ThreadMain},
    worker::{Hooked, ThreadWorker},
};
use crate::{
    panic::{call_hook, discard},
    spin::turn::SoleSpinner,
};

/// The function that each thread calls before its first job.
pub(super) type Initializer = Arc<dyn Fn() -> Result<(), InitError> + Send + Sync>;

/// Each thread calls the initializer, and then runs jobs.
pub(super) struct RunJobs {
    initializer: Option<Initializer>,
    spinner: Option<Arc<SoleSpinner>>,
}

impl RunJobs {
    pub(super) fn new(initializer: Option<Initializer>, max_workers: usize) -> Self {
        Self {
            initializer,
            spinner: SoleSpinner::among(max_workers),
        }
    }

    fn initialize(&self) -> Result<(), InitError> {
        let Some(initializer) = &self.initializer else {
            return Ok(());
        };
        call_hook("the initializer", || initializer())
    }
}

impl ThreadMain for RunJobs {
    fn threads_wanted(pool: &HostPool<Self>) -> usize {
        pool.view().workers_wanted()
    }

    fn run(pool: &HostPool<Self>, _number: usize, coming: Coming<Self>) {
        let coming = Cell::new(Some(coming));
        let on_start = |_: WorkerId| {
            // The thread has joined the pool.
            drop(coming.take());
            pool.main.initialize()
        };
        let worker = ThreadWorker::new(pool.options().spins);
        let worker = Hooked {
            worker: worker.taking_turns(pool.main.spinner.clone()),
            on_start: &on_start,
            stays: &|| true,
        };
        // A broken pool gives its reason to those who submit to it.
        let _ = pool.view().run(&worker);
    }
}

impl Drop for RunJobs {
    /// The initializer is foreign code, and so is its destructor.
    fn drop(&mut self) {
        discard(self.initializer.take());
    }
}
