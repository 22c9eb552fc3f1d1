//! All statics of a crate are reset: of this one, which has one test, since tests share their statics.

#![cfg(target_os = "linux")]

use std::{
    cell::Cell,
    sync::atomic::{AtomicU32, Ordering::SeqCst},
};

use corepool::StaticPool;
use corepool_sim::{Sim, sometimes};

static POOL: StaticPool<4, 32> = StaticPool::new();

mod driver {
    use super::*;

    static SENT: AtomicU32 = AtomicU32::new(7);

    #[unsafe(link_section = "corepool_test")]
    static IN_A_SECTION: AtomicU32 = AtomicU32::new(5);

    #[unsafe(no_mangle)]
    static COREPOOL_TEST_PACKETS: AtomicU32 = AtomicU32::new(3);

    trait Encode {
        fn encode(self) -> u32;
    }

    impl Encode for Vec<u8> {
        fn encode(self) -> u32 {
            static FRAMES: AtomicU32 = AtomicU32::new(0);
            FRAMES.fetch_add(1, SeqCst)
        }
    }

    /// How often this was called, by each of the statics.
    pub fn send() -> [u32; 5] {
        static PACKETS: AtomicU32 = AtomicU32::new(0);
        [
            SENT.fetch_add(1, SeqCst) - 7,
            IN_A_SECTION.fetch_add(1, SeqCst) - 5,
            COREPOOL_TEST_PACKETS.fetch_add(1, SeqCst) - 3,
            PACKETS.fetch_add(1, SeqCst),
            Vec::new().encode(),
        ]
    }
}

#[test]
fn the_statics_of_a_crate_are_as_before_the_first_run() {
    let names = [env!("CARGO_CRATE_NAME"), "COREPOOL_TEST_PACKETS"];
    let mut sim = Sim::new(2);
    sim.pool(&POOL).workers(1..=1, &POOL);
    // Code of the host is no run.
    driver::send();
    let is_first = Cell::new(true);
    // SAFETY: the scenario keeps nothing from run to run, and the test is alone in its file.
    unsafe { sim.reset_crates(names) };
    sim.run(200, |_| {
        let first = POOL.submit(driver::send).unwrap().result();
        assert_eq!(first.unwrap(), [0; 5]);
        assert_eq!(driver::send(), [1; 5]);
        // The simulation keeps a static of its own for this line, in the crate of the test.
        sometimes!(is_first.take(), "the first run");
    });
}
