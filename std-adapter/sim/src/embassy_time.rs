//! The driver of `embassy-time`: its clock is the chip's.

use std::{task::Waker, time::Duration};

use embassy_time_driver::{Driver, TICK_HZ, time_driver_impl};

use crate::machine::Machine;

struct VirtualTime;

time_driver_impl!(static DRIVER: VirtualTime = VirtualTime);

impl Driver for VirtualTime {
    /// 0 outside of a simulation.
    fn now(&self) -> u64 {
        let now = Machine::current().map(Machine::now).unwrap_or_default();
        let ticks = now.as_nanos() * u128::from(TICK_HZ) / 1_000_000_000;
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// Outside of a simulation, time does not pass.
    fn schedule_wake(&self, at: u64, waker: &Waker) {
        // Rounded up: a timer that wakes before its tick would be asked again at once.
        let nanos = (u128::from(at) * 1_000_000_000).div_ceil(u128::from(TICK_HZ));
        let at = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        if let Some(machine) = Machine::current() {
            machine.wake_at(at, waker);
        }
    }
}
