//! A pool without slots.
use corepool::StaticPool;

static POOL: StaticPool<0, 64> = StaticPool::new();

fn main() {
    POOL.run_pending(1);
}
