//! A closure that borrows from a stack frame that may be gone when it runs: that is what scopes are
//! for.
//!
//! The build fails with: `error[E0373]`
use corepool::StaticPool;

static POOL: StaticPool<4, 64> = StaticPool::new();

fn main() {
    let number = 7;
    let _ = POOL.submit(|| &number == &7);
}
