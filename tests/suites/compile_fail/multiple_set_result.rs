//! CPython: `FutureTests.test_multiple_set_result`. A result that is set twice.
//!
//! The build fails with: `error[E0382]`
use corepool::StaticPool;

static POOL: StaticPool<4, 64> = StaticPool::new();

fn main() {
    let (promise, _future) = POOL.promise().unwrap();
    let _ = promise.set_result(1);
    let _ = promise.set_result(2);
}
