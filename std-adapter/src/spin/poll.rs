//! How the thread of a child process spins.

use std::{cell::Cell, time::Duration};

use super::pause::Pause;
use crate::clock::now;

/// The longest time for which the thread looks again. Each look is two system calls, so their number alone does not
/// bound the time.
const LONGEST: Duration = Duration::from_micros(50);

/// How the thread of a child process spins.
#[derive(Debug)]
pub(crate) struct PollSpin {
    spins: u32,
    /// The time of the first look in vain.
    since: Cell<Duration>,
}

impl PollSpin {
    pub(crate) fn new(spins: u32) -> Self {
        Self {
            spins,
            since: Cell::new(Duration::ZERO),
        }
    }

    /// The thread has found nothing for the `round`-th time in a row, counted from 0. True, after a pause, if it is to
    /// look again. False if it is to park.
    pub(crate) fn looks_again(&self, round: u32) -> bool {
        let now = now();
        if round == 0 {
            self.since.set(now);
        }
        let looks = round < self.spins && now.saturating_sub(self.since.get()) < LONGEST;
        if looks {
            Pause::YieldCore.take();
        }
        looks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_looks_again_so_often_and_for_so_long_before_it_parks() {
        let spin = PollSpin::new(2);
        // It has just begun to.
        spin.since.set(Duration::MAX);
        assert!(spin.looks_again(1));
        assert!(!spin.looks_again(2), "that is often enough");
        while now() <= LONGEST {
            std::thread::yield_now();
        }
        spin.since.set(Duration::ZERO);
        assert!(!spin.looks_again(1), "that is long enough");
        assert!(spin.looks_again(0), "it begins anew");
    }
}
