//! How a caller that is blocked spins for its result.

use std::{thread, time::Duration};

use super::pause::Pause;

/// How often a blocked caller looks again, at most: for some fifty microseconds. To park and be woken takes about as
/// long.
const LOOKS: u32 = 128;

/// How many of these looks keep the core. After them, the thread with the caller's job may be waiting for a core.
const LOOKS_ON_CORE: u32 = 10;

/// The round in which the caller sleeps if many jobs are queued. By then, its job has taken some microseconds. If the
/// queued jobs take as long, the workers have enough to do until the caller is awake.
const SLEEPS: u32 = 32;
/// How many queued jobs are many.
const MANY: usize = 64;

/// The length of the caller's sleep. It goes on when the system gives it a core after that.
const SLEEP: Duration = Duration::from_micros(100);

/// Pauses before a blocked caller looks for its result for the `round`-th time again, counted from 0. False if the
/// caller is to park: after `spins` looks, or [`LOOKS`]. `queued` counts the jobs in the queue.
///
/// A caller that takes result after result of a long queue would keep a core all the time. If it parked instead, the
/// worker of each job would have to wake it, which costs the worker time. So the caller sleeps once. If its job has
/// not ended by then, and as many jobs are queued, the jobs take longer. Then the caller parks.
pub(crate) fn looks_again(round: u32, spins: u32, queued: impl Fn() -> usize) -> bool {
    const HAS_SLEPT: u32 = SLEEPS + 1;
    match round {
        _ if round >= spins.min(LOOKS) => return false,
        SLEEPS if queued() >= MANY => thread::sleep(SLEEP),
        HAS_SLEPT if queued() >= MANY => return false,
        _ => Pause::in_round(round, LOOKS_ON_CORE).take(),
    }
    true
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Instant};

    use super::*;

    const SPINS: u32 = 1_000;

    #[test]
    fn a_caller_asks_twice_how_many_jobs_are_queued_and_only_if_it_has_waited() {
        let asked = Cell::new(0);
        let queued = || {
            asked.set(asked.get() + 1);
            0
        };
        for round in 0..SLEEPS {
            assert!(looks_again(round, SPINS, queued));
        }
        assert_eq!(asked.get(), 0);
        for round in SLEEPS..LOOKS {
            assert!(looks_again(round, SPINS, queued));
        }
        assert_eq!(asked.get(), 2);
    }

    #[test]
    fn a_caller_parks_sooner_than_a_worker() {
        assert!(looks_again(LOOKS - 1, SPINS, || 0));
        assert!(!looks_again(LOOKS, SPINS, || 0));
    }

    #[test]
    fn a_caller_sleeps_once_where_many_jobs_are_queued_and_then_parks() {
        let start = Instant::now();
        assert!(looks_again(SLEEPS, SPINS, || MANY));
        assert!(start.elapsed() >= SLEEP);
        assert!(!looks_again(SLEEPS + 1, SPINS, || MANY));
        assert!(!looks_again(SLEEPS, SLEEPS, || MANY), "it parks instead");
    }
}
