//! A worker hangs, a watchdog declares it lost, and the rest of the pool goes on.
//!
//! On a chip the watchdog is a timer's handler on another core, or the handler of the fault
//! that stopped the core.
//!
//! Run it with `cargo run --example lost_worker`. It prints:
//!
//! ```text
//! the job hangs: the job was not done in time
//! its future ends: the worker that ran the job was lost: the application declared it lost
//! the next worker runs what was queued: 42
//! ```

use std::{
    error::Error,
    sync::{Mutex, PoisonError, mpsc},
    task::Waker,
    thread,
    time::Duration,
};

use corepool::{InitError, OnLoss, Parker, StaticPool, Worker, WorkerId};
use corepool_std::{HostPort, ThreadWorker, run_workers};

static POOL: StaticPool<4, 32> = StaticPool::new();

/// The worker under watch, from the moment at which it has joined.
static WATCHED: Mutex<Option<WorkerId>> = Mutex::new(None);

/// A worker that notes its id for the watchdog.
struct Watched(ThreadWorker);

impl Parker for Watched {
    fn waker(&self) -> Waker {
        self.0.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        self.0.park(deadline);
    }
}

impl Worker for Watched {
    fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
        *WATCHED.lock().unwrap_or_else(PoisonError::into_inner) = Some(worker);
        Ok(())
    }
}

/// The sensor never answers.
fn read_the_sensor() -> u32 {
    loop {
        thread::park();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    POOL.install(&HostPort);
    thread::spawn(|| POOL.run(&Watched(ThreadWorker::default())));

    let (started, is_started) = mpsc::channel();
    let mut hung = POOL.submit(move || {
        let _ = started.send(());
        read_the_sensor()
    })?;
    is_started.recv()?;
    let queued = POOL.submit(|| 6 * 7)?;

    // The watchdog: this job should have ended by now.
    if let Err(error) = hung.result_timeout(Duration::from_millis(10)) {
        println!("the job hangs: {error}");
    }
    let watched = WATCHED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(worker) = watched {
        // SAFETY: the worker runs no job of a scope.
        unsafe { POOL.worker_lost(worker, OnLoss::Continue) };
    }
    if let Some(error) = hung.error() {
        println!("its future ends: {error}");
    }

    // The queued jobs wait for the next worker, or fail at once with `OnLoss::Break`.
    let workers = run_workers(&POOL, 1)?;
    println!("the next worker runs what was queued: {}", queued.result()?);
    drop(workers);
    Ok(())
}
