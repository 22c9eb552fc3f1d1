//! The time of `embassy-time`, in milliseconds, by the system timer's interrupt.

use core::{cell::RefCell, task::Waker};

use critical_section::Mutex;
use embassy_time_driver::{Driver, time_driver_impl};
use embassy_time_queue_utils::Queue;

struct Clock(Mutex<RefCell<State>>);

struct State {
    now: u64,
    timers: Queue,
}

time_driver_impl!(static CLOCK: Clock = Clock(Mutex::new(RefCell::new(State {
    now: 0,
    timers: Queue::new(),
}))));

impl Clock {
    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        critical_section::with(|cs| f(&mut self.0.borrow_ref_mut(cs)))
    }
}

impl Driver for Clock {
    fn now(&self) -> u64 {
        self.with(|state| state.now)
    }

    /// There is no alarm to set: each tick looks at the timers. One that is due already waits for
    /// the next.
    fn schedule_wake(&self, at: u64, waker: &Waker) {
        self.with(|state| state.timers.schedule_wake(at, waker));
    }
}

/// The timer's handler calls this every millisecond.
pub fn on_tick() {
    CLOCK.with(|state| {
        state.now += 1;
        state.timers.next_expiration(state.now);
    });
}
