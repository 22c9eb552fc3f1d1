//! Jobs that an event loop awaits: `futures-lite` and `async-executor`, for every pool.

use async_executor::LocalExecutor;
use futures_lite::future::block_on;

use super::{Effort, check, tiny_job};
use crate::{
    pool::Pool,
    statistics::{Slice, slice},
};

/// How many awaits of a task in a batch.
const AWAITS: usize = 16;
/// How many tasks.
pub const TASKS: usize = 64;

/// One task.
pub fn one<P: Pool>(pool: &P, effort: &Effort) -> Slice {
    slice(effort.slice, AWAITS, || block_on(task(pool)))
}

/// Many tasks.
pub fn many<P: Pool>(pool: &P, effort: &Effort) -> Slice {
    slice(effort.slice, AWAITS * TASKS, || {
        let event_loop = LocalExecutor::new();
        block_on(event_loop.run(async {
            let tasks: Vec<_> = (0..TASKS).map(|_| event_loop.spawn(task(pool))).collect();
            for task in tasks {
                task.await;
            }
        }));
    })
}

async fn task(pool: &impl Pool) {
    for number in 0..AWAITS as u64 {
        check(number, pool.call(tiny_job(number)).await);
    }
}
