//! CPython: `WaitTests.test_20369`, `AsCompletedTests.test_duplicate_futures`. A future that is in a
//! set twice.
//!
//! The build fails with: `error[E0382]`
use corepool::{FutureSet, ReturnWhen, StaticPool, as_completed, wait};

static POOL: StaticPool<4, 64> = StaticPool::new();

fn main() {
    let future = POOL.submit(|| 7).unwrap();
    let _ = wait(&mut [future, future], None, ReturnWhen::AllCompleted);

    let future = POOL.submit(|| 7).unwrap();
    let set: FutureSet<'_, u32, 2> = [future, future].into_iter().collect();
    let _ = as_completed(set, None);
}
