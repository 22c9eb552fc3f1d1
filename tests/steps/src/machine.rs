//! The machine that the pool runs on here: its threads are shuttle's.

use std::{num::NonZeroUsize, sync::Arc, task::Waker, time::Duration};

use corepool::{ContextId, Parker, Port, Worker};
use shuttle::thread::{self, Thread};

/// Wakes a thread.
struct Unpark(Thread);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A thread that sleeps by parking.
pub struct Sleeper;

impl Parker for Sleeper {
    fn waker(&self) -> Waker {
        Arc::new(Unpark(thread::current())).into()
    }

    fn park(&self, _deadline: Option<Duration>) {
        thread::park();
    }
}

impl Worker for Sleeper {}

/// The threads' names and sleep. There is no clock: nothing here depends on time.
pub struct Machine;

// SAFETY: each of shuttle's threads has a number of its own.
unsafe impl Port for Machine {
    fn context(&self) -> ContextId {
        NonZeroUsize::MIN.saturating_add(shuttle::current::me().into())
    }

    fn now(&self) -> Option<Duration> {
        None
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        f(&Sleeper);
    }

    fn lends_blocked_callers(&self) -> bool {
        false
    }
}
