//! Event loops await blocking jobs and async tasks of pools. The event loops, Tokio's and that of
//! futures-lite, need no support for the pools. While a job blocks its thread, the event loop goes on.
//!
//! Run it with `cargo run --example async_bridge`. It prints:
//!
//! ```text
//! Tokio, run_in_executor
//!   tick 1
//!   tick 2
//!   tick 3
//!   the job counted 3
//! futures-lite, to_thread_in
//!   tick 1
//!   tick 2
//!   tick 3
//!   the job counted 3
//! Tokio, a timeout
//!   the second job: deadline has elapsed
//!   tick 1
//!   tick 2
//!   tick 3
//!   the first job counted 3
//! Tokio, a task in a static pool
//!   its result is 42
//! ```

use std::{error::Error, sync::mpsc, time::Duration};

use corepool::{JobError, StaticPool};
use corepool_std::{ThreadPool, run_in_executor, run_workers, to_thread_in};
use futures_lite::future::{block_on, yield_now, zip};
use tokio::{runtime, time};

const TICKS: usize = 3;
const PERIOD: Duration = Duration::from_millis(10);

/// The pool of the async task at the end. Its BYTES hold the values that the task keeps across awaits.
static POOL: StaticPool<4, 256> = StaticPool::new();

fn main() -> Result<(), Box<dyn Error>> {
    let tokio = runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let threads = ThreadPool::builder().max_workers(1).build()?;

    // The call submits the job, and `main` awaits it later. The job blocks the pool's thread until the
    // event loop has ticked three times. If the job blocked the event loop, this would never end.
    println!("Tokio, run_in_executor");
    let (tick, job) = count_ticks();
    let job = run_in_executor(&threads, job)?;
    let (counted, ()) = tokio.block_on(zip(job, ticker(tick, async || time::sleep(PERIOD).await)));
    println!("  the job counted {}", counted?);

    // The same with another event loop. `to_thread_in` submits the job at the first poll.
    println!("futures-lite, to_thread_in");
    let (tick, job) = count_ticks();
    let job = to_thread_in(threads.pool_ref(), job);
    let (counted, ()) = block_on(zip(job, ticker(tick, yield_now)));
    println!("  the job counted {}", counted?);

    // A time-out drops the future, and the drop cancels the queued job.
    println!("Tokio, a timeout");
    let (tick, job) = count_ticks();
    let first = run_in_executor(&threads, job)?;
    let second = run_in_executor(&threads, || println!("  never printed"))?;
    if let Err(error) = tokio.block_on(async { time::timeout(PERIOD, second).await }) {
        println!("  the second job: {error}");
    }
    let (counted, ()) = block_on(zip(first, ticker(tick, yield_now)));
    println!("  the first job counted {}", counted?);
    drop(threads); // Waits until all work is done.

    // The pool's workers poll an async task, and any context may await it. While the task awaits, it
    // holds no worker. So one worker is enough for the task and the jobs that it awaits.
    println!("Tokio, a task in a static pool");
    let workers = run_workers(&POOL, 1)?;
    let (left, right) = (POOL.submit(|| 6)?, POOL.submit(|| 7)?);
    let task = POOL.spawn(async { Ok::<_, JobError>(left.await? * right.await?) })?;
    println!("  its result is {}", tokio.block_on(task)??);
    drop(workers);
    Ok(())
}

/// A job that blocks its thread until it has counted all ticks, or no more will come.
fn count_ticks() -> (mpsc::Sender<()>, impl FnOnce() -> usize + Send + 'static) {
    let (sender, receiver) = mpsc::channel();
    (sender, move || receiver.into_iter().take(TICKS).count())
}

/// The work of the event loop while the job blocks.
async fn ticker(ticks: mpsc::Sender<()>, pause: impl AsyncFn()) {
    for n in 1..=TICKS {
        pause().await;
        println!("  tick {n}");
        if ticks.send(()).is_err() {
            return; // The job no longer counts.
        }
    }
}
