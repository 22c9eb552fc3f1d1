//! All statics of a crate are reset: of this one, which has one test, since tests share their statics.

#![cfg(target_os = "linux")]

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use corepool::StaticPool;
use corepool_sim::Sim;

static POOL: StaticPool<4, 32> = StaticPool::new();

mod driver {
    use super::*;

    static SENT: AtomicU32 = AtomicU32::new(7);

    pub fn send() -> u32 {
        static PACKETS: AtomicU32 = AtomicU32::new(0);
        SENT.fetch_add(1, SeqCst) + PACKETS.fetch_add(1, SeqCst)
    }
}

#[test]
fn the_statics_of_a_crate_are_as_before_the_first_run() {
    let mut sim = Sim::new(2);
    sim.pool(&POOL).workers(1..=1, &POOL);
    sim.reset_crates([env!("CARGO_CRATE_NAME")]).run(200, |_| {
        let first = POOL.submit(driver::send).unwrap().result();
        assert_eq!(first.unwrap(), 7);
        assert_eq!(driver::send(), 9);
    });
}
