//! A closure that is bound to its thread.
//!
//! The build fails with: `cannot be sent between threads safely`
use std::rc::Rc;

use corepool::StaticPool;

static POOL: StaticPool<4, 64> = StaticPool::new();

fn main() {
    let captured = Rc::new(7);
    let _ = POOL.submit(move || *captured);
}
