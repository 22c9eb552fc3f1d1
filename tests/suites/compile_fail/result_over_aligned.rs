//! A result that asks for more alignment than a slot has.
//!
//! The build fails with: `the job's result asks for an alignment of 16, and a slot has one of 8: return less`
use corepool::StaticPool;

static POOL: StaticPool<4, 64> = StaticPool::new();

#[repr(align(16))]
struct Wide(u8);

fn main() {
    let _ = POOL.submit(|| Wide(7)).map(|future| future.result().map(|wide| wide.0));
}
