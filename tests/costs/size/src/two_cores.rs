//! The critical section of a chip with two cores, on its first core.

use core::time::Duration;

use corepool::ports::{AllCores, Cores};

/// Stands for the register with the core's number, which the emulated chip does not have.
static CORE: usize = 0;

struct Chip;

// SAFETY: one core runs, and its number is 0.
unsafe impl Cores for Chip {
    fn current() -> usize {
        // SAFETY: a static can be read.
        unsafe { (&raw const CORE).read_volatile() }
    }

    fn sleep(_deadline: Option<Duration>) {}

    fn wake(_core: usize) {}
}

critical_section::set_impl!(AllCores<Chip>);
