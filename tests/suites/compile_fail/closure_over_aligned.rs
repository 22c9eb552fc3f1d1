//! A closure that asks for more alignment than a slot has.
//!
//! The build fails with: `the job asks for an alignment of 16, and a slot has one of 8: capture a reference`
use corepool::StaticPool;

static POOL: StaticPool<4, 64> = StaticPool::new();

#[repr(align(16))]
struct Wide(u8);

fn main() {
    let captured = Wide(7);
    let _ = POOL.submit(move || {
        let captured = captured;
        captured.0
    });
}
