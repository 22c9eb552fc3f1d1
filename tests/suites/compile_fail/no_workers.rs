//! CPython: `ExecutorTest.test_max_workers_negative`. A pool without a place for a worker.
//!
//! The build fails with: `WORKERS must be 1 to 1,000`
use corepool::StaticPool;

static POOL: StaticPool<4, 64, 1, 0> = StaticPool::new();

fn main() {
    POOL.run_pending(1);
}
