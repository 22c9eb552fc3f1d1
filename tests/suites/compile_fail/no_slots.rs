//! A pool without slots.
//!
//! The build fails with: `SLOTS must be 1 to 65,000`
use corepool::StaticPool;

static POOL: StaticPool<0, 64> = StaticPool::new();

fn main() {
    POOL.run_pending(1);
}
