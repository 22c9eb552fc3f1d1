//! A result that is bound to its thread.
use std::rc::Rc;

use corepool::StaticPool;

static POOL: StaticPool<4, 64> = StaticPool::new();

fn main() {
    let _ = POOL.submit(|| Rc::new(7));
}
