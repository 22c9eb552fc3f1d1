//! A slow flash write leaves an async executor: the executor goes on ticking meanwhile.
//!
//! Any executor does: a `JobFuture` is a future. Here it is that of futures-lite. On a chip the
//! two async functions are tasks of embassy, and the worker is another core or an interrupt of
//! low priority.
//!
//! Run it with `cargo run --example slow_write`. It prints:
//!
//! ```text
//! tick 1
//! tick 2
//! tick 3
//! page 7 is written, its checksum is 522240
//! ```

use std::{
    error::Error,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use corepool::StaticPool;
use corepool_std::run_workers;
use futures_lite::future::{block_on, yield_now, zip};

static POOL: StaticPool<4, 32> = StaticPool::new();
static TICKS: AtomicU32 = AtomicU32::new(0);

/// The page stays where it is: the job has a reference to it.
static PAGE: [u8; 4096] = {
    let mut page = [0; 4096];
    let mut at = 0;
    while at < page.len() {
        page[at] = at as u8;
        at += 1;
    }
    page
};

/// Writes a page, and blocks until it is there. This one takes three ticks.
fn write_page(_number: u32, page: &[u8]) -> u32 {
    while TICKS.load(Ordering::Relaxed) < 3 {
        thread::yield_now();
    }
    page.iter().copied().map(u32::from).sum()
}

/// The task that stores pages. Its await does not hold up the executor.
async fn store() -> Result<u32, Box<dyn Error>> {
    // A full pool is no error here: the task waits for room.
    let job = POOL.submit_async(|| write_page(7, &PAGE)).await?;
    Ok(job.await?)
}

/// The task that must not miss a tick.
async fn tick() {
    for n in 1..=3 {
        yield_now().await;
        println!("tick {n}");
        TICKS.fetch_add(1, Ordering::Relaxed);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let workers = run_workers(&POOL, 1)?;
    let (checksum, ()) = block_on(zip(store(), tick()));
    println!("page 7 is written, its checksum is {}", checksum?);
    drop(workers);
    Ok(())
}
