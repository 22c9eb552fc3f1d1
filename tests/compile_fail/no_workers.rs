//! CPython: `ExecutorTest.test_max_workers_negative`. A pool without a place for a worker.
use corepool::StaticPool;

static POOL: StaticPool<4, 64, 1, 0> = StaticPool::new();

fn main() {
    POOL.run_pending(1);
}
