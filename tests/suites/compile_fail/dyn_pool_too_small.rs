//! A pool with smaller slots than an executor of no known type is to have.
//!
//! The build fails with: `the pool's slots are smaller than the limit: raise the pool's BYTES`
use corepool::{DynExecutor, StaticPool};

static POOL: StaticPool<4, 32> = StaticPool::new();

fn main() {
    let _: &dyn DynExecutor = &POOL;
}
