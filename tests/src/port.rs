//! A port that says when its callers park.

use std::{sync::LazyLock, task::Waker, time::Duration};

use corepool::{ContextId, Parker, Port};
use corepool_std::HostPort;

use crate::Gate;

/// The host, which opens a gate each time before a caller parks.
#[derive(Debug)]
pub struct TellsOfParking {
    parking: LazyLock<Gate>,
    lends: bool,
}

impl TellsOfParking {
    /// `lends`: callers that block do the work if there is no worker.
    pub const fn new(lends: bool) -> Self {
        Self {
            parking: LazyLock::new(Gate::new),
            lends,
        }
    }

    /// Opened once for each time that a caller is about to park.
    pub fn parking(&self) -> &Gate {
        &self.parking
    }
}

struct TellingParker<'a>(&'a dyn Parker, &'a Gate);

impl Parker for TellingParker<'_> {
    fn waker(&self) -> Waker {
        self.0.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        self.1.open();
        self.0.park(deadline);
    }
}

// SAFETY: contexts are those of the host's port, and no panic is caught.
unsafe impl Port for TellsOfParking {
    fn context(&self) -> ContextId {
        HostPort.context()
    }

    fn now(&self) -> Option<Duration> {
        HostPort.now()
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        HostPort.with_parker(&mut |parker| f(&TellingParker(parker, &self.parking)));
    }

    fn lends_blocked_callers(&self) -> bool {
        self.lends
    }
}
