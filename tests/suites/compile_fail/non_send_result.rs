//! A result that is bound to its thread.
//!
//! The build fails with: `cannot be sent between threads safely`
use std::rc::Rc;

use corepool::StaticPool;

static POOL: StaticPool<4, 64> = StaticPool::new();

fn main() {
    let _ = POOL.submit(|| Rc::new(7));
}
